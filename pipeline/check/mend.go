package check

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/fetch"
)

// MendOptions determine how Mend reads and writes. The zero value is ready for use.
type MendOptions struct {
	Fetch    fetch.Options // of the other repository
	PackSize int           // see archive.WriterOptions
	Progress *pipeline.Progress
}

// Mended is what Mend has done.
type Mended struct {
	Stored uint64    // chunks and pages that are stored again
	Bytes  uint64    // of these
	Left   []Finding // chunks and pages that the other repository cannot give, and why
}

// mendBytes is how much is read before a record publishes it. An interrupted run loses what it has
// read since; what was published is lost no more, and the next check leaves it out.
const mendBytes = 64 << 20

// Mend reads from another repository what a check has found to be lost, and nothing else of what
// packs there have. Both have the same content and nothing else in common: one is a copy of the
// other, or both are copies. Each chunk is compared with its id, stored in a new pack, and moved
// there, with the key of the owner or of a verifier: so whatever needs it at its old place needs the
// new one. Mend goes on without chunks that the other repository cannot give.
func Mend(ctx context.Context, repo, from *catalog.Repository, lost []Lost, by crypto.Signer, o MendOptions) (*Mended, error) {
	m := &mending{repo: repo, by: by, o: o}
	if m.o.Progress == nil {
		m.o.Progress = &pipeline.Progress{}
	}
	if err := repo.MayMove(by); err != nil {
		return &m.done, err
	}
	var err error
	if m.giver, err = newGiver(ctx, repo, from, o.Fetch); err != nil {
		return &m.done, err
	}
	defer m.giver.close()
	lost = m.believable(lost)
	for len(lost) > 0 {
		n := mendable(lost)
		if err := catalog.Again(func() error { return m.batch(ctx, lost[:n]) }); err != nil {
			return &m.done, fmt.Errorf("store again what is lost: %w", err)
		}
		lost = lost[n:]
	}
	return &m.done, nil
}

// believable returns the chunks of which it is known where they lay, and lists the others as left.
func (m *mending) believable(lost []Lost) (sure []Lost) {
	for i := range lost {
		if l := &lost[i]; l.Doubt != nil {
			m.done.Left = append(m.done.Left, m.left(l, l.Doubt))
		} else {
			sure = append(sure, *l)
			m.o.Progress.BytesTotal.Add(uint64(l.Chunk.Length))
		}
	}
	m.o.Progress.WalkDone.Store(true)
	return sure
}

// mendable returns how many of the chunks are mended at once: of one domain and kind, and up to
// mendBytes.
func mendable(lost []Lost) (n int) {
	size, first := 0, &lost[0]
	for i := range lost {
		l := &lost[i]
		if l.Domain != first.Domain || l.Chunk.Place.Pack.Kind != first.Chunk.Place.Pack.Kind || n > 0 && size+int(l.Chunk.Length) > mendBytes {
			break
		}
		size += int(l.Chunk.Length)
		n++
	}
	return n
}

// mending is one run of Mend.
type mending struct {
	repo  *catalog.Repository
	by    crypto.Signer
	o     MendOptions
	giver *giver
	done  Mended
}

// batch mends some chunks of one domain and kind in one session. It leaves out packs that are being
// collected.
func (m *mending) batch(ctx context.Context, lost []Lost) error {
	session, err := m.repo.BeginDeciding(ctx, m.by)
	if err != nil {
		return err
	}
	defer session.Close()
	lost = slices.DeleteFunc(slices.Clone(lost), func(l Lost) bool { return session.Avoid(l.Chunk.Place.Pack) })
	if len(lost) == 0 {
		return session.GiveUp(ctx, nil)
	}
	wanted := distinct(lost)
	filled, err := m.fill(ctx, session, wanted)
	if err != nil {
		return session.GiveUp(ctx, err)
	}
	if out := filled.moves(lost); len(out.From) == 0 {
		err = session.GiveUp(ctx, nil)
	} else {
		err = session.Move(ctx, out)
	}
	if err != nil {
		return err
	}
	m.count(wanted, filled)
	return nil
}

// distinct returns each chunk once, wherever it was.
func distinct(lost []Lost) []Lost {
	seen := map[archive.ID]bool{}
	return slices.DeleteFunc(slices.Clone(lost), func(l Lost) bool {
		again := seen[l.Chunk.ID]
		seen[l.Chunk.ID] = true
		return again
	})
}

// filled is what was stored again.
type filled struct {
	packs   []archive.RunPack
	slots   map[archive.ID]*archive.Slot
	lacking map[int]error // by the number among what was wanted
}

// fill reads chunks from the other repository, and stores them in new packs.
func (m *mending) fill(ctx context.Context, session *catalog.Session, wanted []Lost) (*filled, error) {
	f := &filled{slots: map[archive.ID]*archive.Slot{}}
	kind := wanted[0].Chunk.Place.Pack.Kind
	writer := archive.NewWriter(ctx, m.repo.Store, archive.WriterOptions{
		Kind: kind, Recipients: session.Recipients(), PackSize: m.o.PackSize, Spill: m.repo.Scratch(),
		Stored: func(p *archive.Pack, d *archive.Directory) {
			f.packs = append(f.packs, archive.RunPack{Pack: p, Directory: d})
		},
	})
	defer writer.Close()
	slots := make([]*archive.Slot, len(wanted))
	for i := range wanted {
		slots[i] = archive.NewSlot(wanted[i].Chunk.ID, int(wanted[i].Chunk.Length))
		f.slots[wanted[i].Chunk.ID] = slots[i]
	}
	group := ""
	if kind == archive.Trees {
		group = "page"
	}
	var err error
	f.lacking, err = m.giver.give(ctx, wanted, func(i int, data []byte) error {
		m.o.Progress.BytesDone.Add(uint64(len(data)))
		return writer.Add(ctx, slots[i], data, group)
	})
	if err != nil {
		return nil, err
	}
	return f, writer.Flush(ctx)
}

// moves returns from where to where chunks were stored again.
func (f *filled) moves(lost []Lost) catalog.MoveOut {
	var copies []catalog.Copied
	for i := range lost {
		copies = append(copies, catalog.Copied{From: lost[i].Chunk, To: f.slots[lost[i].Chunk.ID]})
	}
	return catalog.MoveOut{Domain: lost[0].Domain, Packs: f.packs, From: catalog.MovedPacks(copies)}
}

func (m *mending) count(wanted []Lost, f *filled) {
	for i := range wanted {
		if err := f.lacking[i]; err != nil {
			m.done.Left = append(m.done.Left, m.left(&wanted[i], err))
			continue
		}
		m.done.Stored++
		m.done.Bytes += uint64(wanted[i].Chunk.Length)
	}
}

// left names a chunk that stays lost.
func (m *mending) left(l *Lost, err error) Finding {
	what := "chunk "
	if l.Chunk.Place.Pack.Kind == archive.Trees {
		what = "page "
	}
	if errors.Is(err, archive.ErrDamaged) || errors.Is(err, store.ErrNotExist) {
		err = fmt.Errorf("it is damaged in %s too: %w", m.giver.from.Store.Location(), err)
	}
	f := Finding{Object: what + l.Chunk.ID.String(), Err: err}
	for _, spot := range l.In {
		f.Files = append(f.Files, spot.Snapshot.String()[:8]+":"+spot.Source+"/"+spot.Path)
	}
	return f
}
