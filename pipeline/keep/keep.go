// Package keep extends the locks of all that a restore needs, so that nobody can delete it, whoever
// has the credentials of the storage.
//
// A run lists all versions of all objects, in order of their names. For each object that a restore
// needs it locks the version that was there first: nobody overwrites an object in good faith, so
// what lies above it is not what backups have stored. It remembers the ends of locks in a file of
// the cache that it reads and writes in step with the listing. What it does not remember it asks
// the storage for. So a run takes memory for what a restore needs (catalog.Vital) only, and an
// interrupted one is continued by the next.
package keep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
)

// ErrUnlocked: the storage does not lock objects.
var ErrUnlocked = errors.New("the storage does not lock objects")

// ErrCovered: something lies above what backups have stored.
var ErrCovered = errors.New("somebody has changed the storage")

const (
	// defaultGrowth is the share by which packs may grow from one run to the next.
	defaultGrowth = 0.5
	// smallGrowth is the growth in bytes that is extended in any case.
	smallGrowth = 1 << 30
	// defaultParallel is how many requests are in flight. Storage may have a limit of its own.
	defaultParallel = 64
)

// Options determine how locks are extended.
type Options struct {
	Locker  store.Locker
	Horizon time.Duration // locks end this far from now
	// Slack is by how much a lock may end earlier; 0 means a tenth of the horizon. So a daily run
	// extends each lock only every few days.
	Slack time.Duration
	Mode  store.LockMode // of new locks; empty: that of the bucket's default
	// Growth is the share, of the bytes of packs that were known, by which packs may grow. What is
	// new beyond is not extended. 0 means a half, and any growth below a gibibyte.
	Growth   float64
	AnyGrow  bool // extend whatever is new
	Ask      bool // ask the storage for every lock, whatever is remembered
	DryRun   bool
	Parallel int // requests in flight; 0 means 64
	Now      func() time.Time
	Progress *Progress
}

// Report is the outcome of a run.
type Report struct {
	Until time.Time // all that was extended, or did not have to be, is locked until then at least
	Mode  store.LockMode

	Needed, Extended, Kept, Withheld, Gone Count
	Extra                                  Count // versions that no restore needs
	Lists, Asked                           int   // requests

	Overwritten      int      // needed objects above which lies something else, or a mark that they were deleted
	OverwrittenFirst []string // the first of these
	Missing          int      // packs in need of which no version is there
	Problems         []string // what is wrong with configs and records, in spite of which it went on
	Doubt            error    // why what is needed could not be told; nil: it could
	OnlyKnown        bool     // because of that it extended what the last run had known, else all packs but swept ones
	Since            time.Time
}

// Count counts objects and their bytes.
type Count struct {
	Objects int
	Bytes   int64
}

func (c *Count) add(size int64) {
	c.Objects++
	c.Bytes += size
}

// Requests returns how many requests the run has made, or would make.
func (r *Report) Requests() int { return r.Lists + r.Asked + r.Extended.Objects }

// keeper is one run.
type keeper struct {
	o        Options
	vital    *catalog.Vital
	now      time.Time
	until    time.Time
	mode     store.LockMode
	report   *Report
	memory   memory
	withhold bool // packs that are not remembered
}

// Run extends the locks of what a restore needs. It reports what was done even if it fails.
func Run(ctx context.Context, repo *catalog.Repository, o Options) (*Report, error) {
	k := &keeper{o: o.withDefaults(), report: &Report{}}
	if err := k.prepare(ctx, repo); err != nil {
		return k.report, err
	}
	if err := k.survey(ctx); err != nil {
		return k.report, err
	}
	if k.o.DryRun {
		return k.report, nil
	}
	return k.report, k.extendAll(ctx)
}

func (o Options) withDefaults() Options {
	if o.Horizon == 0 {
		o.Horizon = catalog.DefaultHorizon
	}
	if o.Slack == 0 {
		o.Slack = o.Horizon / 10
	}
	if o.Parallel == 0 {
		o.Parallel = defaultParallel
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Progress == nil {
		o.Progress = &Progress{}
	}
	return o
}

// prepare finds out what a restore needs, and how the storage locks.
func (k *keeper) prepare(ctx context.Context, repo *catalog.Repository) error {
	found, err := k.o.Locker.Protection(ctx)
	if err != nil {
		return err
	}
	if !found.Locks || !found.Versions {
		return fmt.Errorf("%s: %w", repo.Store.Location(), ErrUnlocked)
	}
	if k.mode = k.o.Mode; k.mode == "" {
		k.mode = found.Mode
	}
	if k.mode == "" {
		return catalog.Misuse("the bucket of %s has no default retention, so choose how strict locks are: --mode governance (who has the right to can shorten them) or compliance (nobody can)",
			repo.Store.Location())
	}
	k.now = k.o.Now().Add(k.o.Locker.Ahead()).UTC()
	k.until = k.now.Add(k.o.Horizon).Truncate(time.Second)
	k.report.Mode = k.mode
	k.memory = memory{path: repo.Cache.Path(memoryName(repo.Store.Location()))}
	if err := k.memory.recover(); err != nil {
		return err
	}
	return k.find(ctx, repo)
}

// find finds out what a restore needs. If records cannot be read, which somebody who hides one can
// bring about, that is what the last run has known.
func (k *keeper) find(ctx context.Context, repo *catalog.Repository) error {
	log, err := repo.ReadLog(ctx)
	if err == nil {
		k.report.Problems = problemsOf(repo, log)
		k.vital, err = repo.Vital(ctx, log, k.now)
	}
	if err == nil {
		k.report.Doubt = k.vital.Doubt
		return nil
	}
	if store.Unavailable(ctx, err) != nil || errors.Is(err, catalog.ErrNoIdentity) || !k.memory.whole {
		return err
	}
	k.vital, k.report.OnlyKnown, k.report.Doubt = nil, true, err
	return nil
}

// needs reports whether a restore needs an object, whose lock may be remembered.
func (k *keeper) needs(name string, known bool) bool {
	if k.vital == nil {
		return known
	}
	return k.vital.Has(name)
}

// problemsOf lists what is wrong with configs and records. It does not stop a keeper, since then
// whoever can put garbage into the storage could let all locks run out.
func problemsOf(repo *catalog.Repository, log *catalog.Log) (list []string) {
	if err := repo.Config.Broken(); err != nil {
		list = append(list, err.Error())
	}
	for _, name := range repo.Config.Foreign() {
		list = append(list, name+" is not signed by the owner")
	}
	for _, err := range log.Problems {
		list = append(list, err.Error())
	}
	for _, lane := range log.RolledBack() {
		list = append(list, "records of "+lane+" were there before, and are gone")
	}
	return list
}

// due reports whether a lock ends too early.
func (k *keeper) due(lock store.Lock) bool { return lock.Until.Before(k.until.Add(-k.o.Slack)) }
