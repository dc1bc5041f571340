package collect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/collection"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/crypto"
)

// ErrBusy: sessions are open that may be at work. The round stays as it is, and goes on with the
// next run.
var ErrBusy = errors.New("other backups are running, or were killed recently")

// ErrChanged: what was planned is not what would be done now.
var ErrChanged = errors.New("what was planned has changed")

// Options say how packs are collected.
type Options struct {
	By    crypto.Signer // the owner or a collector
	Grace time.Duration // how long what was forgotten stays
	// Only are the packs that may go; nil: all that are dead. ErrChanged if one of them is not.
	Only catalog.PackSet
	// MaxUnused is which share of the stored bytes may be dead before a round begins, from 0 to 1.
	MaxUnused float64
	// Repack copies packs anew of which a part is dead, before what is dead is deleted; nil: it
	// does not. It needs an identity, and the key of the owner or of a collector that hosts rely
	// on.
	Repack *Repack
	// RollAfter is how many records are rolled up together; 0: catalog.RollAfter.
	RollAfter int
	// DeadAfter is how old an open session must be, by the store's dates, to be declared dead.
	DeadAfter time.Duration
	// Wait is for how long sessions that are younger are waited for.
	Wait time.Duration
	// Settle is waited before sessions are listed, where another host may see the condemnation
	// late; and Linger before the first pack is deleted.
	Settle, Linger time.Duration
	// Pause waits; nil: by the clock. Tests do something else meanwhile.
	Pause    func(ctx context.Context, d time.Duration) error
	Progress *Progress
	Warn     func(text string) // may be nil
}

// Progress counts what was deleted, for who looks on.
type Progress struct{ PacksTotal, PacksDone, BytesTotal, BytesDone atomic.Uint64 }

// Report says what was done.
type Report struct {
	Deleted  int // packs
	Bytes    int64
	Ended    []string // sessions that were declared dead
	Sighted  int      // packs that no record has ever named: they go in the next round
	Finished int      // rounds of earlier runs that were gone on with
	RolledUp int      // records
	Moved    int      // packs of which what is needed was copied
	// MovedBytes are the bytes of these, and NewBytes those of the packs that it was copied to.
	MovedBytes, NewBytes int64
	Plan                 *Plan // what this run began with
}

// collector is one run.
type collector struct {
	repo   *catalog.Repository
	o      Options
	term   catalog.Term
	report *Report
	packs  map[archive.Name]*archive.Pack // that are there, as listed last
}

// Run goes on with what earlier runs have left, and collects what is dead by now. Whatever happens,
// what lies in the repository then is sound, and the next run goes on.
func Run(ctx context.Context, repo *catalog.Repository, o Options) (*Report, error) {
	if o.Pause == nil {
		o.Pause = pause
	}
	if o.Progress == nil {
		o.Progress = &Progress{}
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

// rollUp lets old records go.
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

// forgetAbandoned forgets the checkpoints of backups that nobody went on with.
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

// readLog reads config and log anew.
func (c *collector) readLog(ctx context.Context) (*catalog.Log, error) {
	repo, err := c.repo.Reload(ctx)
	if err != nil {
		return nil, err
	}
	c.repo = repo
	return repo.ReadWholeLog(ctx)
}

// list notes which packs are there.
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

// goOn finishes rounds that earlier runs have begun, and deletes what they have swept and not
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

// there are those of packs that the store has.
func (c *collector) there(packs catalog.PackSet) catalog.PackSet {
	there := catalog.PackSet{}
	for name := range packs {
		if c.packs[name] != nil {
			there[name] = true
		}
	}
	return there
}

// begin begins a round of this run, if there is anything to collect.
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

// chosen are the packs that this run condemns.
func (c *collector) chosen(plan *Plan) (catalog.PackSet, error) {
	dead := plan.dead()
	if c.o.Only != nil {
		if missing := c.there(c.o.Only).Minus(dead); !missing.Empty() {
			return nil, fmt.Errorf("%s of the plan needed now, or kept for other reasons; make a new plan: %w", entry.Plural(len(missing), "pack"), ErrChanged)
		}
		return c.there(c.o.Only), nil
	}
	if float64(plan.Bytes) <= c.o.MaxUnused*float64(plan.Stored) {
		return nil, nil
	}
	return dead, nil
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
			needed, err = c.needed(ctx)
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

// listSessions reads the config again, and lists what is open.
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

// sweep puts the decision. If another's lies there, that counts.
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

// deletes is how many packs are deleted at once.
const deletes = 16

// deleteBatch is after how many packs a run looks whether it was interrupted.
const deleteBatch = 256

// delete deletes some of packs, and returns which.
func (c *collector) delete(ctx context.Context, packs catalog.PackSet) (catalog.PackSet, error) {
	names := slices.SortedFunc(maps.Keys(packs), func(a, b archive.Name) int { return slices.Compare(a[:], b[:]) })
	names = names[:min(len(names), deleteBatch)]
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(deletes)
	deleted := catalog.PackSet{}
	for _, name := range names {
		deleted[name] = true
		pack := c.packs[name]
		if pack == nil {
			continue // another collector was quicker
		}
		g.Go(func() error {
			if err := c.repo.Store.Delete(gctx, pack.Kind.Object(name)); err != nil {
				return fmt.Errorf("delete pack %s: %w", name, err)
			}
			c.o.Progress.PacksDone.Add(1)
			c.o.Progress.BytesDone.Add(uint64(pack.Size))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for name := range deleted {
		if pack := c.packs[name]; pack != nil {
			c.report.Deleted++
			c.report.Bytes += int64(pack.Size)
		}
	}
	return deleted, c.repo.Store.Sync(ctx)
}
