package collect

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/index"
)

// Thin is a partly dead pack: something needs it, but not all of it.
type Thin struct {
	Pack   *archive.Pack
	Unused int64 // about how many of its bytes are dead

	domain uint64
	live   archive.Bitmap // what is needed of it
}

// Thinning is what a repack would do.
type Thinning struct {
	Packs  []Thin // that are to be copied, of one domain and kind together
	Bytes  int64  // of these
	Unused int64  // of these
	Left   int64  // dead bytes in packs that stay as they are
	Stored int64  // bytes of all packs

	Archived      int // packs that are not copied since the storage has archived them
	ArchivedBytes int64

	index *index.Index
}

// leaveArchived leaves out the packs that cannot be read before they are thawed.
func (t *Thinning) leaveArchived(ctx context.Context, storage store.Archiver) error {
	if storage == nil {
		return nil
	}
	var readable []Thin
	for _, thin := range t.Packs {
		standing, err := storage.Standing(ctx, thin.Pack.Kind.Object(thin.Pack.Name))
		if err != nil && !errors.Is(err, store.ErrNotExist) {
			return err
		}
		if !standing.Frozen {
			readable = append(readable, thin)
			continue
		}
		size := int64(thin.Pack.Size)
		t.Archived, t.ArchivedBytes = t.Archived+1, t.ArchivedBytes+size
		t.Bytes, t.Unused, t.Left = t.Bytes-size, t.Unused-thin.Unused, t.Left+thin.Unused
	}
	t.Packs = readable
	return nil
}

// PlanThinning chooses packs to copy so that at most this share of the stored bytes remains dead,
// and reads at most most bytes of packs; 0 means any number. It leaves out what storage has
// archived, unless that is nil. It needs an identity.
func PlanThinning(ctx context.Context, repo *catalog.Repository, t catalog.Term, share float64, most int64, storage store.Archiver) (*Thinning, error) {
	c := &collector{repo: repo, term: t, report: &Report{}}
	if err := c.list(ctx); err != nil {
		return nil, err
	}
	log, err := c.readLog(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := c.planThinning(ctx, log, share, most)
	if err != nil {
		return nil, err
	}
	plan.index.Close()
	return plan, plan.leaveArchived(ctx, storage)
}

// planThinning makes a plan. The caller must close its index.
func (c *collector) planThinning(ctx context.Context, log *catalog.Log, share float64, most int64) (*Thinning, error) {
	x := c.repo.NewIndex()
	all, err := c.allThin(ctx, log, x)
	if err != nil {
		x.Close()
		return nil, err
	}
	plan := c.chooseThin(all, share, most)
	plan.index = x
	return plan, nil
}

// allThin returns the partly dead packs of all domains.
func (c *collector) allThin(ctx context.Context, log *catalog.Log, x *index.Index) (all []Thin, err error) {
	if _, err := c.repo.LoadIndex(ctx, log, x, nil); err != nil {
		return nil, err
	}
	for _, d := range c.repo.Config.Domains {
		if _, err := c.repo.Domain(d.Number); err != nil {
			return nil, err
		}
		needed, err := c.neededOf(ctx, log, d.Number)
		if err != nil {
			return nil, err
		}
		thin, err := c.thin(ctx, x, d.Number, needed)
		if err != nil {
			return nil, err
		}
		all = append(all, thin...)
	}
	return all, nil
}

// neededOf returns what the records of one domain need, at its present places.
func (c *collector) neededOf(ctx context.Context, log *catalog.Log, domain uint64) (*archive.RefSet, error) {
	records := slices.DeleteFunc(log.Needed(c.term), func(rec *catalog.Record) bool { return rec.Domain != domain })
	needed := &archive.RefSet{}
	err := c.repo.EachRefs(ctx, log, records, func(_ []*catalog.Record, set *archive.RefSet) error {
		needed.Union(set)
		return nil
	})
	return needed, err
}

// thin returns the partly dead packs. It leaves out packs that no index run lists.
func (c *collector) thin(ctx context.Context, x *index.Index, domain uint64, needed *archive.RefSet) (list []Thin, err error) {
	for ref := range needed.All() {
		there := c.packs[ref.Name]
		if there == nil {
			continue
		}
		known, found, err := x.Pack(ctx, ref.Name)
		if err != nil {
			return nil, err
		}
		if !found || ref.Ordinals.Count() >= known.Directory.Len() {
			continue
		}
		list = append(list, thinOf(known, domain, ref.Ordinals))
	}
	return list, nil
}

func thinOf(p archive.RunPack, domain uint64, needed archive.Bitmap) Thin {
	t := Thin{Pack: p.Pack, domain: domain, live: needed}
	var used int64
	for ordinal, length := range p.Directory.Lengths {
		if needed.Has(uint32(ordinal)) {
			used += int64(length)
		}
	}
	if raw := p.Directory.Raw(); raw > used {
		t.Unused = max(1, int64(float64(p.Pack.Size)*float64(raw-used)/float64(raw))) // so that a share of nothing leaves nothing
	}
	return t
}

// chooseThin chooses the packs with the largest dead share, until little dead data is left.
func (c *collector) chooseThin(all []Thin, share float64, most int64) *Thinning {
	plan := &Thinning{}
	for _, pack := range c.packs {
		plan.Stored += int64(pack.Size)
	}
	for _, t := range all {
		plan.Left += t.Unused
	}
	slices.SortFunc(all, func(a, b Thin) int {
		return cmp.Or(cmp.Compare(b.Unused*int64(a.Pack.Size), a.Unused*int64(b.Pack.Size)), bytes.Compare(a.Pack.Name[:], b.Pack.Name[:]))
	})
	for _, t := range all {
		if float64(plan.Left) <= share*float64(plan.Stored) {
			break
		}
		if most > 0 && plan.Bytes+int64(t.Pack.Size) > most {
			continue
		}
		plan.Packs = append(plan.Packs, t)
		plan.Bytes, plan.Unused, plan.Left = plan.Bytes+int64(t.Pack.Size), plan.Unused+t.Unused, plan.Left-t.Unused
	}
	slices.SortStableFunc(plan.Packs, func(a, b Thin) int {
		return cmp.Or(cmp.Compare(a.domain, b.domain), cmp.Compare(a.Pack.Kind, b.Pack.Kind))
	})
	return plan
}
