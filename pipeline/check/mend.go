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
	Left   []Finding // chunks and pages that the other repository cannot give, and why, but for those of what was forgotten
}

// mendBytes is how much is read before a record publishes it. An interrupted run loses what it has
// read since; what was published is lost no more, and the next check leaves it out.
const mendBytes = 64 << 20

// Mend reads from another repository what a check has found to be lost, and nothing else of what
// packs there have. Both have the same content and nothing else in common: one is a copy of the
// other, or both are copies. Each chunk is compared with its id, stored in a new pack, and listed
// with the key of the owner or of a verifier, so that everybody finds it there; see
// catalog.Session.Heal. Mend goes on without chunks that the other repository cannot give.
func Mend(ctx context.Context, repo, from *catalog.Repository, lost []Lost, by crypto.Signer, o MendOptions) (*Mended, error) {
	m := &mending{repo: repo, by: by, o: o, why: map[content]error{}}
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
	m.expect(lost)
	for _, d := range repo.Config.Domains {
		if err := m.domain(ctx, d.Number, lost); err != nil {
			return &m.done, fmt.Errorf("store again what is lost: %w", err)
		}
	}
	m.tellLeft(lost)
	return &m.done, nil
}

// content is what is said of a chunk. Of one id several lengths may be said, and one is right.
type content struct {
	id     archive.ID
	length uint32
}

func (l *Lost) content() content { return content{l.Chunk.ID, l.Chunk.Length} }

// mending is one run of Mend.
type mending struct {
	repo  *catalog.Repository
	by    crypto.Signer
	o     MendOptions
	giver *giver
	why   map[content]error // why it is not stored again; nil: it is
	done  Mended
}

// expect notes what is to be stored.
func (m *mending) expect(lost []Lost) {
	for i := range lost {
		if m.why[lost[i].content()] == nil {
			m.why[lost[i].content()] = errNotGiven
			m.o.Progress.BytesTotal.Add(uint64(lost[i].Chunk.Length))
		}
	}
	m.o.Progress.WalkDone.Store(true)
}

// domain mends what may be of one domain, if a key at hand opens that.
func (m *mending) domain(ctx context.Context, number uint64, lost []Lost) error {
	domain, err := m.repo.Domain(number)
	if err != nil {
		return nil
	}
	var left []Lost
	for i := range lost {
		if slices.Contains(lost[i].Domains, number) && m.why[lost[i].content()] != nil {
			left = append(left, lost[i])
		}
	}
	for len(left) > 0 {
		n := mendable(left)
		if err := catalog.Again(func() error { return m.batch(ctx, number, domain, left[:n]) }); err != nil {
			return err
		}
		left = left[n:]
	}
	return nil
}

// mendable returns how many are mended at once: of one kind, up to mendBytes, and all places of each
// chunk.
func mendable(lost []Lost) (n int) {
	size := 0
	for i := range lost {
		l := &lost[i]
		if i > 0 && l.content() == lost[i-1].content() {
			n++
			continue
		}
		if l.Chunk.Place.Pack.Kind != lost[0].Chunk.Place.Pack.Kind || n > 0 && size+int(l.Chunk.Length) > mendBytes {
			break
		}
		size += int(l.Chunk.Length)
		n++
	}
	return n
}

// batch mends some chunks of one kind in one session.
func (m *mending) batch(ctx context.Context, number uint64, domain crypto.Domain, lost []Lost) error {
	session, err := m.repo.BeginDeciding(ctx, m.by)
	if err != nil {
		return err
	}
	defer session.Close()
	wanted := distinct(lost)
	packs, lacking, err := m.fill(ctx, session, domain, wanted)
	switch {
	case err != nil:
		return session.GiveUp(ctx, err)
	case len(packs) == 0:
		err = session.GiveUp(ctx, nil)
	default:
		err = session.Heal(ctx, number, packs, damaged(lost, wanted, lacking))
	}
	if err == nil {
		m.count(wanted, lacking)
	}
	return err
}

// distinct returns each chunk once, wherever it was.
func distinct(lost []Lost) []Lost {
	seen := map[content]bool{}
	return slices.DeleteFunc(slices.Clone(lost), func(l Lost) bool {
		again := seen[l.content()]
		seen[l.content()] = true
		return again
	})
}

// damaged returns the places of what was stored again.
func damaged(lost, wanted []Lost, lacking map[int]error) *archive.RefSet {
	left := map[content]bool{}
	for i := range lacking {
		left[wanted[i].content()] = true
	}
	places := &archive.RefSet{}
	for i := range lost {
		if !left[lost[i].content()] {
			places.Add(lost[i].Chunk.Place.Pack, lost[i].Chunk.Place.Ordinal)
		}
	}
	return places
}

// fill reads chunks from the other repository and stores them in new packs. It returns these, and
// why chunks are lacking, by their numbers.
func (m *mending) fill(ctx context.Context, session *catalog.Session, domain crypto.Domain, wanted []Lost) (packs []archive.RunPack, lacking map[int]error, err error) {
	kind := wanted[0].Chunk.Place.Pack.Kind
	writer := archive.NewWriter(ctx, m.repo.Store, archive.WriterOptions{
		Kind: kind, Recipients: session.Recipients(), PackSize: m.o.PackSize, Spill: m.repo.Scratch(),
		Stored: func(p *archive.Pack, d *archive.Directory) {
			packs = append(packs, archive.RunPack{Pack: p, Directory: d})
		},
	})
	defer writer.Close()
	group := ""
	if kind == archive.Trees {
		group = "page"
	}
	lacking, err = m.giver.give(ctx, domain, wanted, func(i int, data []byte) error {
		return writer.Add(ctx, archive.NewSlot(wanted[i].Chunk.ID, len(data)), data, group)
	})
	if err == nil {
		err = writer.Flush(ctx)
	}
	return packs, lacking, err
}

// count notes what was stored. Where it was not, the reason of another domain may tell more.
func (m *mending) count(wanted []Lost, lacking map[int]error) {
	for i := range wanted {
		what, err := wanted[i].content(), lacking[i]
		if err == nil || errors.Is(m.why[what], errNotGiven) {
			m.why[what] = err
		}
		if err == nil {
			m.done.Stored++
			m.done.Bytes += uint64(wanted[i].Chunk.Length)
			m.o.Progress.BytesDone.Add(uint64(wanted[i].Chunk.Length))
		}
	}
}

// tellLeft lists the ids that something needs and that stay lost, each once.
func (m *mending) tellLeft(lost []Lost) {
	stored := map[archive.ID]bool{}
	for what, err := range m.why {
		stored[what.id] = stored[what.id] || err == nil
	}
	for i := range lost {
		if l := &lost[i]; l.Live && !stored[l.Chunk.ID] {
			stored[l.Chunk.ID] = true
			m.done.Left = append(m.done.Left, m.left(l, m.why[l.content()]))
		}
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
