package collect

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/index"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/fetch"
)

// Repack determines which partly dead packs are copied.
type Repack struct {
	Share    float64 // how much of what is stored may be dead
	Most     int64   // how many bytes of packs are copied in one run at most; 0: any number
	PackSize int     // see archive.WriterOptions
	Fetch    fetch.Options
	// Archiver tells which packs the storage has archived: these are not copied; nil: none.
	Archiver store.Archiver
}

// Allow makes sure, before anything is done, that packs can be copied with a key, and that every
// program which opens the repository knows what copied packs are. It fails with
// catalog.ErrNoIdentity if contents cannot be read.
func (r *Repack) Allow(ctx context.Context, repo *catalog.Repository, by crypto.Signer) error {
	if !repo.CanRead() {
		return errReads
	}
	if err := repo.MayMove(by); err != nil {
		return fmt.Errorf("%w: use the owner's key, or a collector made with packstone key collector add NAME --repack", err)
	}
	return repo.LetMove(ctx, by)
}

var errReads = fmt.Errorf("--repack reads contents: %w", catalog.ErrNoIdentity)

// Plan returns what would be copied.
func (r *Repack) Plan(ctx context.Context, repo *catalog.Repository, t catalog.Term) (*Thinning, error) {
	plan, err := PlanThinning(ctx, repo, t, r.Share, r.Most, r.Archiver)
	if errors.Is(err, catalog.ErrNoIdentity) {
		err = errReads
	}
	return plan, err
}

// moveBytes is how many bytes are copied before a record publishes them. An interrupted run loses
// what it has copied since.
const moveBytes = 256 << 20

// repack copies what is needed out of packs of which much is dead, batch by batch. Each batch is
// complete when it ends, and the next run continues.
func (c *collector) repack(ctx context.Context) error {
	if err := c.repo.MayMove(c.o.By); err != nil {
		return err
	}
	if err := c.list(ctx); err != nil {
		return err
	}
	log, err := c.readLog(ctx)
	if err != nil {
		return err
	}
	plan, err := c.planThinning(ctx, log, c.o.Repack.Share, c.o.Repack.Most)
	if err != nil {
		return err
	}
	defer plan.index.Close()
	if err := plan.leaveArchived(ctx, c.o.Repack.Archiver); err != nil {
		return err
	}
	c.report.Archived, c.report.ArchivedBytes = plan.Archived, plan.ArchivedBytes
	for len(plan.Packs) > 0 {
		n := batch(plan.Packs)
		if err := c.move(ctx, plan.index, plan.Packs[:n]); err != nil {
			return err
		}
		plan.Packs = plan.Packs[n:]
	}
	return nil
}

// batch returns how many of the packs are copied at once: of one domain and kind, and up to
// moveBytes.
func batch(packs []Thin) (n int) {
	var size int64
	for _, t := range packs {
		if t.domain != packs[0].domain || t.Pack.Kind != packs[0].Pack.Kind || n > 0 && size+int64(t.Pack.Size) > moveBytes {
			break
		}
		size += int64(t.Pack.Size)
		n++
	}
	return n
}

// move copies what is needed of some packs, in one session.
func (c *collector) move(ctx context.Context, x *index.Index, packs []Thin) error {
	session, err := c.repo.BeginDeciding(ctx, c.o.By)
	if err != nil {
		return err
	}
	defer session.Close()
	packs, err = c.stillThin(ctx, session, packs)
	if err != nil {
		return session.GiveUp(ctx, err)
	}
	copied, err := c.copy(ctx, session, x, packs)
	if err != nil || len(copied.From) == 0 {
		return session.GiveUp(ctx, err)
	}
	err = session.Move(ctx, *copied)
	if errors.Is(err, catalog.ErrRestart) {
		c.warn("another collector was quicker, so some packs are not repacked: %v", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("copy packs anew: %w", err)
	}
	c.report.Moved += len(packs)
	for _, t := range packs {
		c.report.MovedBytes += int64(t.Pack.Size)
	}
	for _, p := range copied.Packs {
		c.report.NewBytes += int64(p.Pack.Size)
	}
	return nil
}

// stillThin leaves out packs that are about to be deleted, and packs that somebody else has copied
// meanwhile.
func (c *collector) stillThin(ctx context.Context, session *catalog.Session, packs []Thin) ([]Thin, error) {
	moves, err := c.repo.ReadMoves(ctx, session.Log, false)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(packs), func(t Thin) bool { return session.Avoid(t.Pack) || moves.Left(t.Pack.Name, t.live) }), nil
}

// copy reads the needed chunks of packs, checks each against its id, and stores them in new packs.
func (c *collector) copy(ctx context.Context, session *catalog.Session, x *index.Index, packs []Thin) (*catalog.MoveOut, error) {
	if len(packs) == 0 {
		return &catalog.MoveOut{}, nil
	}
	out := &catalog.MoveOut{Domain: packs[0].domain}
	reader, err := fetch.New(c.repo, out.Domain, c.o.Repack.Fetch)
	if err != nil {
		return nil, err
	}
	writer := archive.NewWriter(ctx, c.repo.Store, archive.WriterOptions{
		Kind: packs[0].Pack.Kind, Recipients: session.Recipients(), PackSize: c.o.Repack.PackSize, Spill: c.repo.Scratch(),
		Stored: func(p *archive.Pack, d *archive.Directory) {
			out.Packs = append(out.Packs, archive.RunPack{Pack: p, Directory: d})
		},
	})
	defer writer.Close()
	k := &copying{writer: writer, warn: c.warn}
	if k.chunks, err = liveChunks(ctx, x, packs); err != nil {
		return nil, err
	}
	if err := k.all(ctx, reader); err != nil {
		return nil, err
	}
	if err := writer.Flush(ctx); err != nil {
		return nil, err
	}
	out.From = k.moved()
	return out, nil
}

// copying is the state of copying into one writer's packs.
type copying struct {
	writer *archive.Writer
	warn   func(format string, args ...any)
	chunks []archive.Chunk // what is needed

	mu     sync.Mutex
	copies []copied
}

// copied is a chunk at its old place, and the slot with the new one.
type copied struct {
	from archive.Chunk
	slot *archive.Slot
}

// liveChunks returns the needed chunks of packs.
func liveChunks(ctx context.Context, x *index.Index, packs []Thin) (chunks []archive.Chunk, err error) {
	for _, t := range packs {
		known, found, err := x.Pack(ctx, t.Pack.Name)
		if err != nil || !found {
			return nil, errors.Join(err, archive.ErrDamaged)
		}
		for chunk := range known.Directory.All(t.Pack) {
			if t.live.Has(chunk.Place.Ordinal) {
				chunks = append(chunks, chunk)
			}
		}
	}
	return chunks, nil
}

// all copies the needed chunks, in any order. Unreadable ones stay where they are.
func (k *copying) all(ctx context.Context, reader *fetch.Fetcher) error {
	missing, err := reader.Frames(ctx, k.chunks,
		func(at []int, piece *archive.Piece) error { return k.frame(ctx, at, piece) },
		func(i int, data []byte) error { return k.writer.AddRun(ctx, k.slots(i), data, "") })
	for _, m := range missing {
		k.warn("not repacked: %v", m.Err)
	}
	return err
}

// frame copies the needed chunks of a frame. If that is the whole frame, it copies the frame as it
// is stored.
func (k *copying) frame(ctx context.Context, at []int, piece *archive.Piece) error {
	numbers, size := make([]int, len(piece.Chunks)), 0
	for n, i := range piece.Chunks {
		numbers[n] = at[i]
		size += len(piece.Data(i))
	}
	slots := k.slots(numbers...)
	if stored, whole := piece.Frame(); whole && k.writer.Takes(len(stored), size) {
		return k.writer.AddFrame(ctx, slots, stored)
	}
	raw := make([]byte, 0, size)
	for _, i := range piece.Chunks {
		raw = append(raw, piece.Data(i)...)
	}
	return k.writer.AddRun(ctx, slots, raw, "")
}

// slots returns the slots of the chunks with these numbers, which are being copied.
func (k *copying) slots(numbers ...int) []*archive.Slot {
	slots := make([]*archive.Slot, len(numbers))
	k.mu.Lock()
	defer k.mu.Unlock()
	for n, i := range numbers {
		slots[n] = archive.NewSlot(k.chunks[i].ID, int(k.chunks[i].Length))
		k.copies = append(k.copies, copied{k.chunks[i], slots[n]})
	}
	return slots
}

// moved returns what was copied, by old pack.
func (k *copying) moved() []archive.MovedPack {
	of := map[archive.Name]*archive.MovedPack{}
	for _, c := range k.copies {
		now, sealed := c.slot.Chunk()
		if !sealed {
			continue
		}
		pack := c.from.Place.Pack
		if of[pack.Name] == nil {
			of[pack.Name] = &archive.MovedPack{Kind: pack.Kind, Name: pack.Name}
		}
		of[pack.Name].Chunks = append(of[pack.Name].Chunks, archive.MovedChunk{Ordinal: c.from.Place.Ordinal, To: now.Place.Pack.Name, At: now.Place.Ordinal})
	}
	var list []archive.MovedPack
	for _, p := range of {
		slices.SortFunc(p.Chunks, func(a, b archive.MovedChunk) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
		list = append(list, *p)
	}
	slices.SortFunc(list, func(a, b archive.MovedPack) int { return bytes.Compare(a.Name[:], b.Name[:]) })
	return list
}
