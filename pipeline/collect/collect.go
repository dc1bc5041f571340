package collect

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/sabotage"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/collection"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/crypto"
)

// ErrBusy: sessions are open that may be in use. The next run continues the round.
var ErrBusy = errors.New("other backups are running, or were killed recently")

// ErrChanged: the plan differs from what a run would do now.
var ErrChanged = errors.New("what was planned has changed")

// ErrTimeUp: a run was to last no longer. The next one continues.
var ErrTimeUp = errors.New("the time is up")

// Options determine how packs are collected.
type Options struct {
	By    crypto.Signer // the owner or a collector
	Grace time.Duration // how long what was forgotten stays
	// Only are the packs that may be deleted, nil for all dead ones. Run fails with ErrChanged if
	// one of them is not dead.
	Only catalog.PackSet
	// MaxUnused is the share of the stored bytes, from 0 to 1, that may be dead before a round
	// begins.
	MaxUnused float64
	// Repack copies partly dead packs before dead ones are deleted, unless nil. It needs an
	// identity, and the key of the owner or of a collector on whom hosts rely.
	Repack *Repack
	// RollAfter is the number of records from which the log is rolled up; 0 means
	// catalog.RollAfter.
	RollAfter int
	// DeadAfter is how old an open session must be, by the store's dates, to be declared dead.
	DeadAfter time.Duration
	// Wait is how long to wait for younger sessions.
	Wait time.Duration
	// Settle is the time to wait before sessions are listed, if another host may see the
	// condemnation late. Linger is the time to wait before the first pack is deleted.
	Settle, Linger time.Duration
	// Pause waits for d; nil means by the clock. Tests replace it.
	Pause func(ctx context.Context, d time.Duration) error
	// MaxDuration ends the run with ErrTimeUp after this time; 0: it may take any.
	MaxDuration time.Duration
	Progress    *Progress
	Warn        func(text string) // may be nil
	// Locker tells until when objects are locked, and whether versions stay; nil: nobody does.
	Locker store.Locker
}

// Progress counts what was deleted. It may be read during a run.
type Progress struct{ PacksTotal, PacksDone, BytesTotal, BytesDone atomic.Uint64 }

// Report is what was done.
type Report struct {
	Deleted  int // packs
	Bytes    int64
	Ended    []string // sessions that were declared dead
	Sighted  int      // packs that no record has ever named: they go in the next round
	Finished int      // rounds of earlier runs that were gone on with
	RolledUp int      // records
	Moved    int      // packs of which what is needed was copied
	// MovedBytes is the size of these packs, and NewBytes that of the packs they were copied to.
	MovedBytes, NewBytes int64
	Plan                 *Plan // what this run began with
	// Archived is how many packs were not copied since the storage has archived them, ArchivedBytes
	// their size.
	Archived      int
	ArchivedBytes int64
	// Locked is how many packs could not be deleted since they are locked, LockedBytes their size, and
	// LockedUntil when the last of them may be deleted, zero if the storage does not tell.
	Locked      int
	LockedBytes int64
	LockedUntil time.Time
}

// collector is one run.
type collector struct {
	repo   *catalog.Repository
	o      Options
	term   catalog.Term
	report *Report
	packs  map[archive.Name]*archive.Pack // that are there, as listed last
}

// Run continues what earlier runs have left, and collects what is dead by now. If it is
// interrupted, at any point, the repository stays sound and the next run continues.
func Run(ctx context.Context, repo *catalog.Repository, o Options) (*Report, error) {
	if o.Pause == nil {
		o.Pause = pause
	}
	if o.Progress == nil {
		o.Progress = &Progress{}
	}
	if o.MaxDuration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.MaxDuration, ErrTimeUp)
		defer cancel()
	}
	c := &collector{repo: repo, o: o, report: &Report{}}
	return c.report, c.run(ctx)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

func (c *collector) run(ctx context.Context) error {
	log, err := c.readLog(ctx)
	if err != nil {
		return err
	}
	if err := c.repo.MayDecide(c.o.By); err != nil {
		return err
	}
	now, err := c.repo.Now(ctx, log)
	if err != nil {
		return err
	}
	c.term = catalog.Term{Now: now, Grace: c.o.Grace}
	if err := c.forgetAbandoned(ctx, log); err != nil {
		return err
	}
	if err := c.list(ctx); err != nil {
		return err
	}
	rounds, err := c.repo.ReadRounds(ctx)
	if err != nil {
		return err
	}
	if err := c.goOn(ctx, rounds); err != nil {
		return err
	}
	if c.report.Finished > 0 {
		if rounds, err = c.repo.ReadRounds(ctx); err != nil {
			return err
		}
	}
	if c.o.Repack != nil && c.o.Only == nil {
		if err := c.repack(ctx); err != nil {
			return err
		}
	}
	if err := c.begin(ctx, rounds); err != nil || c.o.Only != nil {
		return err
	}
	return c.rollUp(ctx)
}

// rollUp rolls up old records.
func (c *collector) rollUp(ctx context.Context) error {
	after := c.o.RollAfter
	if after == 0 {
		after = catalog.RollAfter
	}
	done, err := c.repo.RollUp(ctx, c.o.By, c.term, after)
	if err != nil {
		return fmt.Errorf("roll up records: %w", err)
	}
	c.report.RolledUp = done.Records
	return nil
}

// forgetAbandoned forgets the checkpoints of abandoned backups.
func (c *collector) forgetAbandoned(ctx context.Context, log *catalog.Log) error {
	abandoned := log.Abandoned(c.term.Now)
	if len(abandoned) == 0 {
		return nil
	}
	session, err := c.repo.BeginDeciding(ctx, c.o.By)
	if err != nil {
		return fmt.Errorf("forget abandoned checkpoints: %w", err)
	}
	defer session.Close()
	if err := session.Forget(ctx, abandoned); err != nil {
		return fmt.Errorf("forget abandoned checkpoints: %w", err)
	}
	return nil
}

// readLog reads config and log again.
func (c *collector) readLog(ctx context.Context) (*catalog.Log, error) {
	repo, err := c.repo.Reload(ctx)
	if err != nil {
		return nil, err
	}
	c.repo = repo
	return repo.ReadWholeLog(ctx)
}

// list records which packs exist.
func (c *collector) list(ctx context.Context) error {
	c.packs = map[archive.Name]*archive.Pack{}
	for pack, err := range archive.ListPacks(ctx, c.repo.Store) {
		if err != nil {
			return err
		}
		c.packs[pack.Name] = pack
	}
	return nil
}

// goOn finishes rounds that earlier runs have begun, and deletes packs that they have swept but not
// deleted.
func (c *collector) goOn(ctx context.Context, rounds *catalog.Rounds) error {
	for _, n := range rounds.Unfinished() {
		if err := c.round(ctx, n, collection.Collector[catalog.PackSet]{}.Decided(rounds.Round(n)), nil); err != nil {
			return err
		}
		c.report.Finished++
	}
	left := c.there(rounds.Swept())
	if left.Empty() {
		return nil
	}
	swept := collection.Round[catalog.PackSet]{Sweep: true, Swept: left}
	return c.round(ctx, 0, collection.Collector[catalog.PackSet]{}.Decided(swept), nil)
}

// there returns the packs that exist in the store.
func (c *collector) there(packs catalog.PackSet) catalog.PackSet {
	there := catalog.PackSet{}
	for name := range packs {
		if c.packs[name] != nil {
			there[name] = true
		}
	}
	return there
}

// begin starts a round, if there is anything to collect.
func (c *collector) begin(ctx context.Context, before *catalog.Rounds) error {
	if err := c.list(ctx); err != nil {
		return err
	}
	log, err := c.readLog(ctx)
	if err != nil {
		return err
	}
	plan, err := makePlan(ctx, c.repo, log, c.packs, before, c.term)
	if err != nil {
		return err
	}
	c.report.Plan = plan
	fresh := plan.Sighted.Minus(before.Sighted)
	if c.report.Sighted = len(plan.Sighted); c.o.Only != nil {
		fresh = nil
	}
	dead, err := c.chosen(plan)
	if err != nil || dead.Empty() && len(fresh) == 0 {
		return err
	}
	at := collection.Collector[catalog.PackSet]{Step: collection.Condemn, Packs: dead}
	return c.round(ctx, before.Next(), at, fresh)
}

// chosen returns the packs that this run condemns, and lost ones, so that no backup relies on them.
func (c *collector) chosen(plan *Plan) (catalog.PackSet, error) {
	dead := plan.dead()
	if c.o.Only != nil {
		if missing := c.there(c.o.Only).Minus(dead); !missing.Empty() {
			return nil, fmt.Errorf("%s of the plan needed now, or kept for other reasons; make a new plan: %w", entry.Plural(len(missing), "pack"), ErrChanged)
		}
		return c.there(c.o.Only).Add(plan.Lost), nil
	}
	if float64(plan.Bytes) <= c.o.MaxUnused*float64(plan.Stored) {
		return plan.Lost, nil
	}
	return dead.Add(plan.Lost), nil
}

// round goes through the steps of a round.
func (c *collector) round(ctx context.Context, n uint64, at collection.Collector[catalog.PackSet], sighted catalog.PackSet) error {
	var open []catalog.OpenSession
	for at.Step != collection.Done {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		var err error
		switch at.Step {
		case collection.Condemn:
			var there collection.Round[catalog.PackSet]
			there, err = c.repo.PutCondemnation(ctx, c.o.By, n, at.Packs, sighted)
			at = at.Decided(there)
		case collection.List:
			if at.Packs.Empty() { // it has only noted what it has met
				at.Step = collection.Sweep
				continue
			}
			open, err = c.listSessions(ctx)
			at = at.Listed()
		case collection.Drain:
			err = c.drain(ctx, open)
			at = at.Drained()
		case collection.Rescan:
			var needed catalog.PackSet
			if needed, err = c.needed(ctx); sabotage.Has(sabotage.NoRescan) {
				needed = nil
			}
			at = at.Rescanned(needed)
		case collection.Sweep:
			at, err = c.sweep(ctx, n, at)
		case collection.Recheck:
			var needed catalog.PackSet
			needed, err = c.needed(ctx)
			at.Packs = c.there(at.Packs)
			at = at.Rechecked(needed)
		case collection.Delete:
			var deleted catalog.PackSet
			deleted, err = c.delete(ctx, at.Packs)
			at = at.Deleted(deleted)
		default:
			return fmt.Errorf("collect: step %d of round %d is not one that a round can continue with", at.Step, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// listSessions reads the config again, and lists the open sessions.
func (c *collector) listSessions(ctx context.Context) ([]catalog.OpenSession, error) {
	if c.o.Settle > 0 {
		c.warn("waiting %v, until every host sees what is about to be deleted", c.o.Settle)
		if err := c.o.Pause(ctx, c.o.Settle); err != nil {
			return nil, err
		}
	}
	var err error
	if c.repo, err = c.repo.Reload(ctx); err != nil {
		return nil, err
	}
	return c.repo.OpenSessions(ctx)
}

func (c *collector) needed(ctx context.Context) (catalog.PackSet, error) {
	log, err := c.readLog(ctx)
	if err != nil {
		return nil, err
	}
	return c.repo.NeededPacks(ctx, log, c.term)
}

// sweep writes the decision. If another collector has written one, that counts.
func (c *collector) sweep(ctx context.Context, n uint64, at collection.Collector[catalog.PackSet]) (collection.Collector[catalog.PackSet], error) {
	there, own, err := c.repo.PutSweep(ctx, c.o.By, n, at.Packs)
	if err != nil {
		return at, err
	}
	if c.o.Linger > 0 && !there.Swept.Empty() {
		if err := c.o.Pause(ctx, c.o.Linger); err != nil {
			return at, err
		}
	}
	if own {
		return at.Swept(), nil
	}
	return at.Decided(there), nil
}
