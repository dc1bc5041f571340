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
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

// Rebuild makes index runs again that are lost or damaged, from the packs that they listed.
type Rebuild struct {
	Unlisted uint64    // packs that records name, that are there, and that no index run at hand lists
	Bytes    uint64    // of these
	Listed   uint64    // packs that Run has listed again
	Left     []Finding // packs that Run could not list, since they are damaged

	check *check
	packs []*archive.Pack
	mu    sync.Mutex
	found map[uint64][]archive.RunPack // by domain
}

// runPacks is how many packs one new run lists at most.
const runPacks = 2048

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
	use, err := c.repo.ReadPackUse(ctx, c.log, catalog.Term{Now: time.Now()})
	if err != nil {
		return err
	}
	for name := range use.Named { // others were left by interrupted runs, or are being uploaded
		listed := c.present[name]
		if listed == nil {
			continue
		}
		known, err := c.index.HasPack(ctx, name)
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

// Run reads each of these packs in full, since hosts rely on what is listed, and lists those that
// are sound, with the key of the owner or of a verifier. If it is interrupted, the next plan has
// what is left.
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
	for packs := range slices.Chunk(r.packs, runPacks) {
		if err := r.read(ctx, readers, packs); err != nil {
			return err
		}
		if err := r.publish(ctx, by); err != nil {
			return err
		}
	}
	return nil
}

// read reads packs, several at once.
func (r *Rebuild) read(ctx context.Context, readers *readers, packs []*archive.Pack) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readers.packsAtOnce())
	for _, pack := range packs {
		g.Go(func() error {
			defer r.check.o.Progress.BytesDone.Add(uint64(pack.Size))
			return r.readPack(gctx, readers, pack)
		})
	}
	return g.Wait()
}

func (r *Rebuild) readPack(ctx context.Context, readers *readers, listed *archive.Pack) error {
	object := listed.Kind.Object(listed.Name)
	problems, domain, err := readers.verify(ctx, archive.RunPack{Pack: listed}, nil)
	if err == nil && len(problems) > 0 {
		err = problems[0]
	}
	if err == nil && domain == 0 {
		err = catalog.ErrNoIdentity
	}
	var pack archive.RunPack
	if err == nil {
		pack, err = r.check.ask(ctx, listed.Name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		return r.leave(ctx, object, err)
	}
	r.found[domain] = append(r.found[domain], pack)
	return nil
}

// leave notes a pack that cannot be listed. It returns the error if it is one of the storage.
func (r *Rebuild) leave(ctx context.Context, object string, err error) error {
	if err := r.check.note(ctx, object, err); err != nil {
		return err
	}
	r.Left = append(r.Left, Finding{Object: object, Err: err})
	return nil
}

// publish lists the packs that were read.
func (r *Rebuild) publish(ctx context.Context, by crypto.Signer) error {
	for _, domain := range slices.Sorted(maps.Keys(r.found)) {
		packs := r.found[domain]
		slices.SortFunc(packs, func(a, b archive.RunPack) int { return slices.Compare(a.Pack.Name[:], b.Pack.Name[:]) })
		err := catalog.Again(func() error { return r.publishOnce(ctx, by, domain, packs) })
		if err != nil {
			return fmt.Errorf("list %d packs again: %w", len(packs), err)
		}
	}
	clear(r.found)
	return nil
}

// publishOnce does so in one session. It leaves out what is being collected.
func (r *Rebuild) publishOnce(ctx context.Context, by crypto.Signer, domain uint64, packs []archive.RunPack) error {
	session, err := r.check.repo.BeginDeciding(ctx, by)
	if err != nil {
		return err
	}
	defer session.Close()
	packs = slices.DeleteFunc(slices.Clone(packs), func(p archive.RunPack) bool { return session.Avoid(p.Pack) })
	if len(packs) == 0 {
		return session.GiveUp(ctx, nil)
	}
	if err := session.Move(ctx, catalog.MoveOut{Domain: domain, Packs: packs}); err != nil {
		return err
	}
	r.Listed += uint64(len(packs))
	return nil
}
