package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
)

// mostOpened is how many bytes of opened refs objects a RefsReader keeps. A thousand snapshots of a
// million chunks have a tenth of it.
const mostOpened = 32 << 20

// RefsReader reads the sets that lists of refs objects describe. It opens each object once, as far
// as memory allows, and builds on the set of the previous list what both share: see CompareRefs. It
// is not safe for concurrent use.
type RefsReader struct {
	repo   *Repository
	opened map[string][]byte
	held   int // bytes of opened

	last RefsList
	set  *archive.RefSet // what last names; nil: nothing yet
	lent bool            // somebody else has the set, which must stay as it is
}

// RefsReader returns a new RefsReader.
func (r *Repository) RefsReader() *RefsReader {
	return &RefsReader{repo: r, opened: map[string][]byte{}}
}

// LoadRefs returns the set that one list of refs objects describes.
func (r *Repository) LoadRefs(ctx context.Context, list RefsList) (*archive.RefSet, error) {
	return r.RefsReader().advance(ctx, list)
}

// Load returns the set that a list of refs objects describes. Callers must not change it.
func (r *RefsReader) Load(ctx context.Context, list RefsList) (*archive.RefSet, error) {
	set, err := r.advance(ctx, list)
	r.lent = true
	return set, err
}

// Ahead fetches the refs objects of records, several at a time, as many as the reader keeps. It
// ignores errors, which Load will return.
func (r *RefsReader) Ahead(ctx context.Context, records []*Record) {
	for batch := range slices.Chunk(byRefs(records), fetches) {
		if r.held > mostOpened/2 || r.fetch(ctx, batch) != nil {
			return
		}
	}
}

// advance returns the set of a list. It changes the previous set in place if nobody else has it.
func (r *RefsReader) advance(ctx context.Context, list RefsList) (*archive.RefSet, error) {
	set, missing := r.start(list)
	r.set = nil
	for _, name := range missing {
		change, err := r.change(ctx, name)
		if err != nil {
			return nil, err
		}
		if err := set.Apply(change); err != nil {
			return nil, fmt.Errorf("refs %s: %w", name, err)
		}
	}
	r.last, r.set = list, set
	return set, nil
}

// start returns what is known of a list, as a set that may be changed if there is more, and the
// objects that are missing from it.
func (r *RefsReader) start(list RefsList) (*archive.RefSet, []string) {
	missing, goesOn := r.missing(list)
	switch {
	case !goesOn:
		r.lent = false
		return &archive.RefSet{}, missing
	case r.lent && len(missing) > 0:
		r.lent = false
		return r.set.Clone(), missing
	}
	return r.set, missing
}

// missing returns the objects that the previous set lacks for a list, or all objects if the list
// does not continue the previous one.
func (r *RefsReader) missing(list RefsList) (names []string, goesOn bool) {
	known := len(r.last.Deltas)
	if r.set == nil || r.last.Full != list.Full || len(list.Deltas) < known || !slices.Equal(list.Deltas[:known], r.last.Deltas) {
		return list.names(), false
	}
	return list.Deltas[known:], true
}

// names returns the refs objects of a list, in the order in which they are applied.
func (l RefsList) names() []string {
	if l.Full == "" {
		return l.Deltas
	}
	return append([]string{l.Full}, l.Deltas...)
}

func (r *RefsReader) change(ctx context.Context, text string) (*archive.RefChange, error) {
	content, known := r.opened[text]
	if !known {
		var err error
		if content, err = r.repo.openRefs(ctx, text); err != nil {
			return nil, err
		}
		r.keep(text, content)
	}
	change, err := archive.ParseRefs(content)
	if err != nil {
		return nil, fmt.Errorf("refs %s: %w", text, err)
	}
	return change, nil
}

// keep stores the content of a refs object. If there is no room, it first drops everything stored.
func (r *RefsReader) keep(text string, content []byte) {
	if r.held+len(content) > mostOpened {
		r.opened = map[string][]byte{}
		r.held = 0
	}
	r.opened[text] = content
	r.held += len(content)
}

// openRefs returns the content of a refs object.
func (r *Repository) openRefs(ctx context.Context, text string) ([]byte, error) {
	name, err := archive.ParseName(text)
	if err != nil {
		return nil, err
	}
	data, err := r.content(ctx, archive.Refs, name)
	if err != nil {
		return nil, err
	}
	identities, err := r.indexIdentities()
	if err != nil {
		return nil, err
	}
	content, err := archive.OpenSealed(data, 0, identities...)
	if err != nil {
		return nil, fmt.Errorf("open refs %s: %w", name, err)
	}
	return content, nil
}

// CompareRefs orders lists so that a list comes after the list that it continues, as suits
// RefsReader.
func CompareRefs(a, b RefsList) int {
	if a.Full != b.Full {
		return strings.Compare(a.Full, b.Full)
	}
	return slices.Compare(a.Deltas, b.Deltas)
}

// EachRefs calls do with what records of a log need, at its present places: once for each list of
// refs, with all records that name it. It fetches several refs objects at a time, and each about
// once. The set is valid until do returns.
func (r *Repository) EachRefs(ctx context.Context, log *Log, records []*Record, do func(users []*Record, set *archive.RefSet) error) error {
	moves, err := r.ReadMoves(ctx, log, true)
	if err != nil {
		return err
	}
	return r.eachRefs(ctx, records, func(users []*Record, set *archive.RefSet) error { return do(users, moves.Now(set)) })
}

// eachRefs is like EachRefs, with the places that the records name.
func (r *Repository) eachRefs(ctx context.Context, records []*Record, do func(users []*Record, set *archive.RefSet) error) error {
	reader := r.RefsReader()
	for batch := range slices.Chunk(byRefs(records), fetches) {
		if err := reader.fetch(ctx, batch); err != nil {
			return err
		}
		for _, users := range batch {
			set, err := reader.advance(ctx, users[0].Refs)
			if err != nil {
				return fmt.Errorf("what record %s needs: %w", users[0].Name(), err)
			}
			if err := do(users, set); err != nil {
				return err
			}
		}
	}
	return nil
}

// byRefs groups records that name the same list, in the order of CompareRefs.
func byRefs(records []*Record) (groups [][]*Record) {
	sorted := slices.SortedStableFunc(slices.Values(records), func(a, b *Record) int { return CompareRefs(a.Refs, b.Refs) })
	for i, rec := range sorted {
		if i == 0 || CompareRefs(sorted[i-1].Refs, rec.Refs) != 0 {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], rec)
	}
	return groups
}

// fetch opens the refs objects of some records that the reader lacks.
func (r *RefsReader) fetch(ctx context.Context, batch [][]*Record) error {
	var missing []string
	for _, users := range batch {
		names, _ := r.missing(users[0].Refs)
		missing = append(missing, slices.DeleteFunc(slices.Clone(names), func(name string) bool { return r.opened[name] != nil })...)
	}
	slices.Sort(missing)
	missing = slices.Compact(missing)
	contents := make([][]byte, len(missing))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for i, name := range missing {
		g.Go(func() (err error) {
			contents[i], err = r.repo.openRefs(gctx, name)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, name := range missing {
		r.keep(name, contents[i])
	}
	return nil
}
