package catalog

import (
	"context"
	"fmt"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/index"
)

// indexFolder is the folder of the cache for what index runs tell.
const indexFolder = "index"

// NewIndex makes an empty index of the repository, to be closed. LoadIndex says which runs it may
// use.
func (r *Repository) NewIndex() *index.Index {
	return index.New(index.Options{Fetch: r.LoadRun, Dir: r.Cache.Path(indexFolder), TempDir: r.options.TempDir, Warn: r.warn})
}

// LoadIndex lets x use the runs that records of the log name, and returns how many of them were new
// to it. usable chooses records; nil: all, which is right for reading, where every id is checked.
// The runs are read at the first look-up, or at once if there was one. One that is damaged or
// missing is warned of: what it tells of is stored again, or found by its place in the tree.
func (r *Repository) LoadIndex(ctx context.Context, log *Log, x *index.Index, usable func(*Record) bool) (int, error) {
	everyone := func(*Record) bool { return true }
	return x.Want(ctx, r.runNames(log, usable), log.runNames(everyone))
}

// LoadRun reads one index run. It is not kept as it is, since what it tells is: in the tables of
// the index. ErrNoIdentity if no key at hand opens it.
func (r *Repository) LoadRun(ctx context.Context, name archive.Name) ([]archive.RunPack, error) {
	ids, err := r.indexIdentities()
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, ErrNoIdentity
	}
	data, err := archive.GetContent(ctx, r.Store, archive.Runs, name)
	if err != nil {
		return nil, err
	}
	content, err := archive.OpenSealed(data, 0, ids...)
	if err != nil {
		return nil, fmt.Errorf("open index run %s: %w", name, err)
	}
	return archive.ParseRun(content)
}

// runNames are the runs of usable records whose domain is at hand; nil: of all of these.
func (r *Repository) runNames(log *Log, usable func(*Record) bool) []archive.Name {
	return log.runNames(func(rec *Record) bool {
		return r.OpensIndex(rec.Domain) && (usable == nil || usable(rec))
	})
}

// runNames are the index runs that the chosen records name, each once.
func (l *Log) runNames(chosen func(*Record) bool) (names []archive.Name) {
	seen := map[archive.Name]bool{}
	for _, rec := range l.Namers() {
		if !chosen(rec) {
			continue
		}
		for _, text := range rec.Index {
			if name, err := archive.ParseName(text); err == nil && !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// Authors are the writers whose records name an index run, sorted, by the run.
func (l *Log) Authors() map[archive.Name][]string {
	by := map[archive.Name][]string{}
	for _, rec := range l.Namers() {
		for _, text := range rec.Index {
			name, err := archive.ParseName(text)
			if err == nil && !rec.ofOwner && !slices.Contains(by[name], rec.Lane.Writer) {
				by[name] = append(by[name], rec.Lane.Writer)
			}
		}
	}
	for _, writers := range by {
		slices.Sort(writers)
	}
	return by
}
