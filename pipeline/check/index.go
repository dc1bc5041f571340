package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
)

// testimony is what index runs say of a pack.
type testimony struct {
	by        []string // the writers that say so, sorted; packs of one run share the list
	domains   []uint64 // of their records, sorted; packs of one run share the list
	said      archive.PackSum
	contested bool // not all of them say the same
	settled   bool // what is said is what the pack itself says
}

// checkIndex loads every index run separately, so that a damaged run does not hide the others. If
// two runs contradict each other, the pack itself shows which one is wrong.
func (c *check) checkIndex(ctx context.Context) error {
	by, of := c.log.Authors(), c.log.RunDomains()
	contested := false
	var runs []archive.Name
	for names := range slices.Chunk(c.repo.Runs(c.log), runsAtOnce) {
		for i, r := range c.loadRuns(ctx, names) {
			if err := c.note(ctx, archive.Runs.Object(names[i]), r.err); err != nil {
				return err
			}
			if r.err != nil {
				continue
			}
			runs = append(runs, names[i])
			c.index.Add(r.packs...)
			for _, p := range r.packs {
				contested = c.hear(p, by[names[i]], of[names[i]]) || contested
			}
		}
	}
	c.noteClosed()
	if !contested {
		return nil
	}
	return c.settle(ctx, runs, by)
}

// runsAtOnce limits the memory that index runs take.
const runsAtOnce = 8

// loaded is an index run, or why it could not be loaded.
type loaded struct {
	packs []archive.RunPack
	err   error
}

// loadRuns loads some index runs at once.
func (c *check) loadRuns(ctx context.Context, names []archive.Name) []loaded {
	all := make([]loaded, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() { all[i].packs, all[i].err = c.repo.LoadRun(ctx, name) })
	}
	group.Wait()
	return all
}

// hear records what writers say of a pack, and reports whether they contradict others.
func (c *check) hear(p archive.RunPack, by []string, domains []uint64) bool {
	t := c.heard[p.Pack.Name]
	if t == nil {
		c.heard[p.Pack.Name] = &testimony{by: by, domains: domains, said: p.Sum()}
		return false
	}
	t.contested = t.contested || t.said != p.Sum()
	t.by, t.domains = union(t.by, by), union(t.domains, domains)
	return t.contested
}

// union returns the sorted union of two sorted lists.
func union[T cmp.Ordered](a, b []T) []T {
	if slices.Equal(a, b) {
		return a
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// settle loads the index again without wrong entries of contested packs, and names the runs that
// contain these.
func (c *check) settle(ctx context.Context, runs []archive.Name, by map[archive.Name][]string) error {
	if err := c.askContested(ctx); err != nil {
		return err
	}
	c.index.Close()
	c.index = c.repo.NewIndex()
	for _, run := range runs {
		packs, err := c.repo.LoadRun(ctx, run)
		if err != nil {
			return err
		}
		for _, p := range packs {
			t := c.heard[p.Pack.Name]
			if t.settled && t.said != p.Sum() {
				c.find(archive.Runs.Object(run), fmt.Errorf("what it says of pack %s is not so; it is of writer %s", p.Pack.Name, strings.Join(by[run], ", ")))
				continue
			}
			t.by = union(t.by, by[run])
			c.index.Add(p)
		}
	}
	return nil
}

// askContested reads the directories of contested packs.
func (c *check) askContested(ctx context.Context) error {
	for name, t := range c.heard {
		if !t.contested {
			continue
		}
		pack, err := c.ask(ctx, name)
		if err == nil {
			*t = testimony{domains: t.domains, said: pack.Sum(), settled: true}
			continue
		}
		err = c.note(ctx, "pack "+name.String(), fmt.Errorf("index runs of %s contradict each other on what lies in it, and it cannot be asked: %w", strings.Join(t.by, ", "), err))
		if err != nil {
			return err
		}
	}
	return nil
}

// blame adds to an error who has listed a pack with other content than it has, or has stored a
// chunk under a wrong id.
func (c *check) blame(name archive.Name, err error) error {
	t := c.heard[name]
	switch {
	case t == nil || len(t.by) == 0:
	case errors.Is(err, archive.ErrOtherDirectory):
		return fmt.Errorf("%w, which is of writer %s", err, strings.Join(t.by, ", "))
	case errors.Is(err, archive.ErrWrongID):
		return fmt.Errorf("%w; the pack is of writer %s", err, strings.Join(t.by, ", "))
	}
	return err
}

// isThere reports whether a pack of this name lies in the store.
func (c *check) isThere(name archive.Name) bool { return len(c.namesakes(name)) > 0 }

// namesakes returns the packs of one name: rarely more than one.
func (c *check) namesakes(name archive.Name) (all []*archive.Pack) {
	for _, kind := range []archive.Kind{archive.Data, archive.Trees} {
		if listed := c.present[packKey{kind, name}]; listed != nil {
			all = append(all, listed)
		}
	}
	return all
}

// ask reads the directory of a pack from the pack itself. Of packs of one name, one at most has a
// directory of its kind.
func (c *check) ask(ctx context.Context, name archive.Name) (p archive.RunPack, err error) {
	err = store.ErrNotExist
	for _, listed := range c.namesakes(name) {
		if p, err = c.directoryOf(ctx, listed); err == nil {
			break
		}
	}
	return p, err
}

func (c *check) directoryOf(ctx context.Context, listed *archive.Pack) (p archive.RunPack, err error) {
	if !c.repo.CanRead() {
		return p, catalog.ErrNoIdentity
	}
	reader := c.repo.DirectoryReader()
	if p.Pack, err = reader.Pack(ctx, listed.Kind, listed.Name, int64(listed.Size)); err == nil {
		p.Directory, err = reader.Directory(ctx, p.Pack)
	}
	return p, err
}
