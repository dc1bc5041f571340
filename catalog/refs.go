package catalog

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
)

// names are the refs objects of a list, in the order in which they are applied.
func (l RefsList) names() []string {
	if l.Full == "" {
		return l.Deltas
	}
	return append([]string{l.Full}, l.Deltas...)
}

// LoadRefs puts together what a list of refs objects names.
func (r *Repository) LoadRefs(ctx context.Context, list RefsList) (*archive.RefSet, error) {
	set := &archive.RefSet{}
	for _, text := range list.names() {
		change, err := r.loadChange(ctx, text)
		if err != nil {
			return nil, err
		}
		if err := set.Apply(change); err != nil {
			return nil, fmt.Errorf("refs %s: %w", text, err)
		}
	}
	return set, nil
}

// loadChange reads one refs object.
func (r *Repository) loadChange(ctx context.Context, text string) (*archive.RefChange, error) {
	ids, err := r.indexIdentities()
	if err != nil {
		return nil, err
	}
	name, err := archive.ParseName(text)
	if err != nil {
		return nil, err
	}
	data, err := r.content(ctx, archive.Refs, name)
	if err != nil {
		return nil, err
	}
	content, err := archive.OpenSealed(data, 0, ids...)
	if err != nil {
		return nil, fmt.Errorf("open refs %s: %w", name, err)
	}
	change, err := archive.ParseRefs(content)
	if err != nil {
		return nil, fmt.Errorf("refs %s: %w", name, err)
	}
	return change, nil
}

// EachRefs calls do with what records need: once for each list of refs, with all records that name
// it. A list that goes on from the one before is not put together anew, so that each refs object is
// read about once. The set is valid until do returns.
func (r *Repository) EachRefs(ctx context.Context, records []*Record, do func(users []*Record, set *archive.RefSet) error) error {
	users := map[string][]*Record{}
	var lists [][]string
	for _, rec := range records {
		names := rec.Refs.names()
		key := fmt.Sprint(names)
		if users[key] == nil {
			lists = append(lists, names)
		}
		users[key] = append(users[key], rec)
	}
	slices.SortFunc(lists, slices.Compare)
	w := refsWalk{repo: r, set: &archive.RefSet{}}
	for batch := range slices.Chunk(lists, refsBatch) {
		if err := w.fetch(ctx, batch); err != nil {
			return err
		}
		for _, names := range batch {
			if err := w.to(ctx, names); err != nil {
				return fmt.Errorf("what record %s needs: %w", users[fmt.Sprint(names)][0].Name(), err)
			}
			if err := do(users[fmt.Sprint(names)], w.set); err != nil {
				return err
			}
		}
	}
	return nil
}

// refsBatch is how many lists are looked ahead for what to fetch at once.
const refsBatch = 64

// refsWalk goes from list to list.
type refsWalk struct {
	repo    *Repository
	at      []string // what was applied
	set     *archive.RefSet
	changes map[string]*archive.RefChange // fetched ahead
}

// fetch gets what the next lists have and those before had not.
func (w *refsWalk) fetch(ctx context.Context, lists [][]string) error {
	before := w.changes
	w.changes = map[string]*archive.RefChange{}
	for _, names := range lists {
		for _, name := range names {
			if !slices.Contains(w.at, name) {
				w.changes[name] = before[name]
			}
		}
	}
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(w.changes)) {
		if w.changes[name] == nil {
			missing = append(missing, name)
		}
	}
	got := make([]*archive.RefChange, len(missing))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for i, name := range missing {
		g.Go(func() (err error) {
			got[i], err = w.repo.loadChange(gctx, name)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, name := range missing {
		w.changes[name] = got[i]
	}
	return nil
}

// to makes the set what a list names.
func (w *refsWalk) to(ctx context.Context, names []string) error {
	if len(w.at) > len(names) || !slices.Equal(w.at, names[:len(w.at)]) {
		w.at, w.set = nil, &archive.RefSet{}
	}
	for _, name := range names[len(w.at):] {
		change := w.changes[name]
		delete(w.changes, name) // the set takes it over
		if change == nil {
			var err error
			if change, err = w.repo.loadChange(ctx, name); err != nil {
				return err
			}
		}
		if err := w.set.Apply(change); err != nil {
			return fmt.Errorf("refs %s: %w", name, err)
		}
		w.at = append(w.at, name)
	}
	return nil
}
