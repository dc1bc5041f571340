package catalog

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/index"
)

// indexFolder is the folder of the cache for the tables of index runs.
const indexFolder = "index"

// NewIndex makes an empty index of the repository, which the caller must close. LoadIndex sets
// which runs it uses.
func (r *Repository) NewIndex() *index.Index {
	return index.New(index.Options{Fetch: r.LoadRun, Dir: r.Cache.Path(indexFolder), TempDir: r.options.TempDir, Warn: r.warn})
}

// LoadIndex makes x use the runs that records of the log name, and returns how many of them are new
// to it. usable chooses records. nil chooses all, which is right for readers, who check every id. x
// reads the runs at its first look-up, or now if there was one. LoadIndex warns of damaged and
// missing runs: a backup stores their chunks again, a restore finds them by their places in the
// tree.
func (r *Repository) LoadIndex(ctx context.Context, log *Log, x *index.Index, usable func(*Record) bool) (int, error) {
	everyone := func(*Record) bool { return true }
	return x.Want(ctx, r.runNames(log, usable), log.runNames(everyone))
}

// LoadRun reads one index run. It does not cache the object, since the tables of the index contain
// the same. It fails with ErrNoIdentity if no key at hand opens the run.
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

// runNames returns the runs of usable records, or of all if usable is nil, in domains at hand.
func (r *Repository) runNames(log *Log, usable func(*Record) bool) []archive.Name {
	return log.runNames(func(rec *Record) bool {
		return r.OpensIndex(rec.Domain) && (usable == nil || usable(rec))
	})
}

// runNames returns the index runs that the chosen records name, each once.
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

// RunDomains returns, for each index run, the sorted numbers of the domains of the records that name
// it.
func (l *Log) RunDomains() map[archive.Name][]uint64 {
	of := map[archive.Name][]uint64{}
	for _, rec := range l.Namers() {
		for _, text := range rec.Index {
			name, err := archive.ParseName(text)
			if err == nil && !slices.Contains(of[name], rec.Domain) {
				of[name] = append(of[name], rec.Domain)
			}
		}
	}
	for _, domains := range of {
		slices.Sort(domains)
	}
	return of
}

// Authors returns, for each index run, the sorted names of the writers whose records name it.
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

// What one index run lists at most. It is encoded in memory, and one that is too large cannot be
// read; the largest pack alone is within the limit of the format.
const (
	RunPacks  = 2048
	RunWeight = 1 << 18 // of chunks, frames and packs, some dozen bytes each
)

// Weigh returns how much of RunWeight a pack takes.
func Weigh(p archive.RunPack) int { return 1 + len(p.Directory.IDs) + len(p.Directory.Frames) }

// readableRuns divides packs among index runs that are not too large, in their order.
func readableRuns(packs []archive.RunPack) iter.Seq[[]archive.RunPack] {
	return func(yield func([]archive.RunPack) bool) {
		from, weight := 0, 0
		for i, p := range packs {
			if i > from && (weight+Weigh(p) > RunWeight || i-from >= RunPacks) {
				if !yield(packs[from:i:i]) {
					return
				}
				from, weight = i, 0
			}
			weight += Weigh(p)
		}
		if from < len(packs) {
			yield(packs[from:])
		}
	}
}
