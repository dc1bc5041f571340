package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

// Rebuild makes index runs again that are lost or damaged, from the packs that they listed.
type Rebuild struct {
	Unlisted uint64    // packs that records name, that are there, and that no index run at hand lists
	Bytes    uint64    // of these
	Listed   uint64    // packs that Run has listed again
	Gone     uint64    // packs that were collected meanwhile
	Left     []Finding // packs that Run could not list, and records whose references cannot be read

	check  *check
	packs  []*archive.Pack
	needed map[packKey]bool // by snapshots, and by runs that are interrupted

	mu     sync.Mutex
	found  map[uint64][]archive.RunPack // by domain; that are not yet listed
	weight int                          // of these
	since  time.Time                    // when the first of these could be
}

// PlanRebuild finds the packs to be listed again. It reads index runs and refs, but no packs. It
// needs an identity; the caller must close the plan.
func PlanRebuild(ctx context.Context, repo *catalog.Repository, o Options) (*Rebuild, error) {
	if !repo.CanRead() {
		return nil, fmt.Errorf("packs are read to list them again: %w", catalog.ErrNoIdentity)
	}
	r := &Rebuild{check: newCheck(repo, o), found: map[uint64][]archive.RunPack{}}
	if err := r.plan(ctx); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close frees the plan's index.
func (r *Rebuild) Close() { r.check.index.Close() }

func (r *Rebuild) plan(ctx context.Context) (err error) {
	c := r.check
	if c.log, err = c.repo.ReadLog(ctx); err != nil {
		return err
	}
	if err := errors.Join(c.listPacks(ctx), c.checkIndex(ctx)); err != nil {
		return err
	}
	named, err := r.readRefs(ctx)
	if err != nil {
		return err
	}
	avoid, err := r.avoided(ctx)
	if err != nil {
		return err
	}
	for key := range named { // others were left by interrupted runs, or are being uploaded
		listed := c.present[key]
		if listed == nil || avoid[key.name] {
			continue
		}
		known, err := c.index.HasPack(ctx, key.name)
		if err != nil {
			return err
		}
		if !known {
			r.packs = append(r.packs, listed)
			r.Bytes += uint64(listed.Size)
		}
	}
	r.Unlisted = uint64(len(r.packs))
	slices.SortFunc(r.packs, func(a, b *archive.Pack) int { return slices.Compare(a.Name[:], b.Name[:]) })
	return nil
}

// readRefs returns the packs that records name, and notes which of them are needed. It notes records
// whose references cannot be read: whoever wrote one of them must not keep the packs of all others
// from being listed.
func (r *Rebuild) readRefs(ctx context.Context) (map[packKey]bool, error) {
	c := r.check
	var all, needed archive.RefSet
	needs := map[*catalog.Record]bool{}
	for _, rec := range c.log.Needed(catalog.Term{Now: time.Now()}) {
		needs[rec] = true
	}
	records := slices.SortedStableFunc(slices.Values(c.log.Records), func(a, b *catalog.Record) int { return catalog.CompareRefs(a.Refs, b.Refs) })
	c.refs.Ahead(ctx, records)
	for _, rec := range records {
		set, err := c.refs.Load(ctx, rec.Refs)
		if err != nil {
			if err := r.leave(ctx, rec.Name(), fmt.Errorf("which packs it needs cannot be read: %w", err)); err != nil {
				return nil, err
			}
			continue
		}
		all.Union(set)
		if needs[rec] {
			needed.Union(set)
		}
	}
	now := &needed
	moves, err := c.repo.ReadMoves(ctx, c.log, true)
	if err == nil {
		now = moves.Now(&needed)
	} else if err := r.leave(ctx, "what was moved", err); err != nil {
		return nil, err
	}
	r.needed = packsIn(now)
	named := packsIn(&all)
	maps.Copy(named, r.needed)
	return named, nil
}

// packsIn returns the packs that refs name.
func packsIn(refs *archive.RefSet) map[packKey]bool {
	packs := make(map[packKey]bool, refs.Len())
	for ref := range refs.All() {
		packs[packKey{ref.Kind, ref.Name}] = true
	}
	return packs
}

// avoided returns the packs that are being collected.
func (r *Rebuild) avoided(ctx context.Context) (catalog.PackSet, error) {
	rounds, err := r.check.repo.ReadRounds(ctx)
	if err != nil {
		return nil, err
	}
	avoid := rounds.Swept()
	for _, n := range rounds.Unfinished() {
		avoid = avoid.Add(rounds.Round(n).Condemned)
	}
	return avoid, nil
}

// Run reads each of these packs in full, since hosts rely on what is listed, and lists those that
// are sound, with the key of the owner or of a verifier. It goes on without those that it cannot
// list. If it is interrupted, the next plan has what is left.
func (r *Rebuild) Run(ctx context.Context, by crypto.Signer) error {
	if err := r.check.repo.MayMove(by); err != nil {
		return err
	}
	readers, err := r.check.readers()
	if err != nil {
		return err
	}
	progress := r.check.o.Progress
	progress.BytesTotal.Add(r.Bytes)
	progress.WalkDone.Store(true)
	if err := r.read(ctx, readers, by); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attestTime)
		defer cancel()
		return errors.Join(err, r.publish(ctx, by)) // else all of it would be read again
	}
	return r.publish(ctx, by)
}

// read reads the packs, several at once, and publishes meanwhile what has gathered.
func (r *Rebuild) read(ctx context.Context, readers *readers, by crypto.Signer) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readers.packsAtOnce())
	r.since = time.Now()
	for _, pack := range r.packs {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error {
			defer r.check.o.Progress.BytesDone.Add(uint64(pack.Size))
			return r.readPack(gctx, readers, pack)
		})
		if !r.hasMany(time.Now()) {
			continue
		}
		if err := r.publish(ctx, by); err != nil {
			return errors.Join(err, g.Wait())
		}
	}
	return g.Wait()
}

// hasMany reports whether so much has been read that it is published at once: a whole index run, or
// what an interruption would lose.
func (r *Rebuild) hasMany(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	packs := 0
	for _, found := range r.found {
		packs += len(found)
	}
	return packs >= catalog.RunPacks || r.weight >= catalog.RunWeight || packs > 0 && now.Sub(r.since) > attestEvery
}

func (r *Rebuild) readPack(ctx context.Context, readers *readers, listed *archive.Pack) error {
	pack, domain, err := r.verified(ctx, readers, listed)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.found[domain] = append(r.found[domain], pack)
		r.weight += catalog.Weigh(pack)
		return nil
	case errors.Is(err, store.ErrNotExist) && !r.needed[packKey{listed.Kind, listed.Name}] && ctx.Err() == nil:
		r.Gone++
		return nil
	}
	return r.leave(ctx, listed.Kind.Object(listed.Name), err)
}

// verified returns what a pack says of itself, if that is so, and the domain of the pack. It reads
// the directory first and then compares the whole pack with it: the storage may answer twice, and
// differently, and what was not verified must not be signed.
func (r *Rebuild) verified(ctx context.Context, readers *readers, listed *archive.Pack) (pack archive.RunPack, domain uint64, err error) {
	if pack, err = r.check.directoryOf(ctx, listed); err != nil {
		return pack, 0, err
	}
	problems, domain, err := readers.verify(ctx, pack, nil)
	switch {
	case err != nil:
	case len(problems) > 0:
		err = problems[0]
	case domain == 0:
		err = catalog.ErrNoIdentity
	}
	return pack, domain, err
}

// Damaged returns how many of Left are damaged or missing: a key or a thaw is all that others lack.
func (r *Rebuild) Damaged() (n int) {
	for _, f := range r.Left {
		if !errors.Is(f.Err, store.ErrArchived) && !isLocked(f.Err) {
			n++
		}
	}
	return n
}

// isLocked reports whether no key at hand opens something.
func isLocked(err error) bool {
	return errors.Is(err, crypto.ErrWrongIdentity) || errors.Is(err, catalog.ErrNoIdentity)
}

// leave notes what cannot be listed, and what a person can do. It returns the error if it is one of
// the storage.
func (r *Rebuild) leave(ctx context.Context, object string, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, store.ErrArchived):
		err = fmt.Errorf("%w: have the storage thaw it, and repeat this", err)
	case isLocked(err):
		err = fmt.Errorf("%w: repeat this with a key that opens it", err)
	default:
		if away := store.Unavailable(ctx, err); away != nil {
			return away
		}
	}
	r.Left = append(r.Left, Finding{Object: object, Err: err})
	return nil
}

// takeFound returns what was read and is not yet listed, sorted.
func (r *Rebuild) takeFound() map[uint64][]archive.RunPack {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := r.found
	r.found, r.weight, r.since = map[uint64][]archive.RunPack{}, 0, time.Now()
	for _, packs := range found {
		slices.SortFunc(packs, func(a, b archive.RunPack) int { return slices.Compare(a.Pack.Name[:], b.Pack.Name[:]) })
	}
	return found
}

// publish lists the packs that were read.
func (r *Rebuild) publish(ctx context.Context, by crypto.Signer) error {
	found := r.takeFound()
	for _, domain := range slices.Sorted(maps.Keys(found)) {
		packs := found[domain]
		err := catalog.Again(func() error { return r.publishOnce(ctx, by, domain, packs) })
		if err != nil {
			return fmt.Errorf("list %d packs again: %w", len(packs), err)
		}
	}
	return nil
}

// publishOnce lists packs in one session. It leaves out what is being collected.
func (r *Rebuild) publishOnce(ctx context.Context, by crypto.Signer, domain uint64, packs []archive.RunPack) error {
	session, err := r.check.repo.BeginDeciding(ctx, by)
	if err != nil {
		return err
	}
	defer session.Close()
	kept := slices.DeleteFunc(slices.Clone(packs), func(p archive.RunPack) bool { return session.Avoid(p.Pack) })
	if len(kept) == 0 {
		err = session.GiveUp(ctx, nil)
	} else {
		err = session.Move(ctx, catalog.MoveOut{Domain: domain, Packs: kept})
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Listed += uint64(len(kept))
	r.Gone += uint64(len(packs) - len(kept))
	return nil
}
