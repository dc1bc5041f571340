// Package convert drives a [database.Source] into a [database.Target], and
// compares the two. It knows engines by their seam alone.
package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/packstone/packstone/pipeline/database"
)

// Options steer Run and Verify. The zero value converts all it can, one
// table at a time, and verifies.
type Options struct {
	Plan database.PlanOptions
	// Strict refuses with ErrInexact, before any row is read, when a finding of
	// the plan is not exact.
	Strict bool
	// Jobs is how many tables are read at once, at most; 0 means 1. A source that
	// was opened for fewer (see Narrow) is asked for no more than it can give.
	Jobs int
	// QueueBytes bounds the rows that wait between reading and writing, all
	// tables together; 0 means 32 MiB. A single larger batch may exceed it.
	QueueBytes int64
	// NoVerify leaves out reading the copy back.
	NoVerify bool
	// Progress is told how far the copy is, from several goroutines but never at
	// once.
	Progress func(Progress)
}

// Progress is a moment of a conversion. Totals are estimates of the source's
// statistics, 0 where it has none.
type Progress struct {
	Stage      Stage
	Table      string
	Rows       int64
	Bytes      int64 // canonical bytes
	TotalRows  int64
	TotalBytes int64
}

// Stage is the part of the work that is going on.
type Stage string

// Stages in their order.
const (
	Copying   Stage = "copying"
	Finishing Stage = "finishing" // keys, indexes, constraints, native DDL
	Verifying Stage = "verifying"
)

// Run copies source into target, verifies the copy and commits it. On any
// error the caller closes the target, which is then as it was before. The report
// is never nil once the target has planned, so that a refusal can be explained.
func Run(ctx context.Context, src database.Source, dst database.Target, opts Options) (*database.Report, error) {
	schema, err := src.Schema(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the source's schema: %w", err)
	}
	plan, report, err := planFor(ctx, schema, dst, opts)
	if err == nil {
		err = trusted(report, opts.Plan)
	}
	if err != nil {
		return report, err
	}
	planned := len(plan.Findings)
	err = dst.Create(ctx, plan)
	amend(report, plan.Findings[planned:])
	if err != nil {
		return report, fmt.Errorf("create tables: %w", err)
	}
	meter := newMeter(schema, opts.Progress)
	if err := copyTables(ctx, src, dst, plan, opts, meter, report); err != nil {
		return report, curable(err)
	}
	if err := compareRecorded(ctx, src, plan, report); err != nil {
		return report, err
	}
	if schema.Sequences, err = src.Sequences(ctx); err != nil {
		return report, fmt.Errorf("read the source's counters: %w", err)
	}
	if err := finish(ctx, dst, plan, opts, report, meter); err != nil {
		return report, err
	}
	if err := conclude(ctx, dst, plan, report); err != nil {
		return report, err
	}
	if err := dst.Commit(ctx); err != nil {
		return report, fmt.Errorf("commit the target: %w", err)
	}
	return report, nil
}

// conclude lets a target make what comes last.
func conclude(ctx context.Context, dst database.Target, plan *database.Plan, report *database.Report) error {
	c, ok := dst.(database.Concluder)
	if !ok {
		return nil
	}
	late, err := c.Conclude(ctx, plan)
	amend(report, late)
	if err != nil {
		return fmt.Errorf("finish the target: %w", curable(err))
	}
	return nil
}

// trusted refuses what would run with more rights than its owner has.
func trusted(r *database.Report, opts database.PlanOptions) error {
	if len(r.Untrusted) == 0 || opts.TrustCode {
		return nil
	}
	return fmt.Errorf("%w: %d objects, the first is %s", database.ErrUntrusted, len(r.Untrusted), r.Untrusted[0])
}

// compareRecorded lists tables of an export that are no longer what was exported.
func compareRecorded(ctx context.Context, src database.Source, plan *database.Plan, report *database.Report) error {
	recorder, ok := src.(database.Recorder)
	if !ok {
		return nil
	}
	recorded, err := recorder.Recorded(ctx)
	if err != nil {
		return fmt.Errorf("read the digests of the export: %w", err)
	}
	for i, t := range plan.Tables {
		id := t.Source.ID()
		if want, ok := recorded[id]; ok && want != report.Tables[i].Digest {
			amend(report, []database.Finding{{Object: t.Source.ObjectID(), Status: database.Approximated, Code: database.CodeChangedInFile,
				Reason: "its rows were changed in the file after the export: they have another digest than the export recorded"}})
		}
	}
	return nil
}

// curable says what to do about a value that has no place in the target.
func curable(err error) error {
	if !errors.Is(err, database.ErrValue) {
		return err
	}
	return fmt.Errorf("%w; change such values in the source, or exclude the table", err)
}

// Preview says what Run would make of source in target, without reading rows or changing anything.
func Preview(ctx context.Context, src database.Source, dst database.Target, opts Options) (*database.Report, error) {
	schema, err := src.Schema(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the source's schema: %w", err)
	}
	_, report, err := planFor(ctx, schema, dst, opts)
	if err == nil {
		err = trusted(report, opts.Plan)
	}
	if err == nil && !opts.Plan.Beside {
		err = refuseFilled(ctx, dst)
	}
	return report, err
}

// planFor plans and begins the report.
func planFor(ctx context.Context, schema *database.Schema, dst database.Target, opts Options) (*database.Plan, *database.Report, error) {
	opts.Plan.HandedOver = opts.Plan.HandedOver || schema.FromFile
	plan, err := dst.Plan(ctx, schema, opts.Plan)
	if err != nil {
		return nil, nil, fmt.Errorf("plan the target: %w", err)
	}
	report := &database.Report{
		Source:   strings.TrimSpace(schema.Engine + " " + schema.Version),
		Moment:   schema.Moment,
		Findings: complete(schema, plan.Findings), Statements: plan.Statements, Untrusted: plan.Untrusted,
	}
	amend(report, schema.Findings)
	if err := markUnread(plan, report); err != nil {
		return plan, report, err
	}
	if inexact := report.Inexact(); opts.Strict && len(inexact) > 0 {
		return plan, report, fmt.Errorf("%w: %d objects, the first is %s", database.ErrInexact, len(inexact), inexact[0])
	}
	return plan, report, nil
}

// markUnread carries over to the copy which columns are not read, and says what the copy lacks for
// it. A copy that computes such a column itself lacks nothing.
func markUnread(p *database.Plan, report *database.Report) error {
	for _, t := range p.Tables {
		for i, c := range t.Source.Columns {
			if !c.Unread {
				continue
			}
			out := t.Target.Columns[i]
			out.Unread = true
			if p.Native || out.Generated != nil {
				continue
			}
			if slices.Contains(primaryColumns(t.Source), c.Name) {
				return fmt.Errorf("%w: %s is in the primary key of table %s, and its values are not read: %s", database.ErrRefused, c.Name, t.Source.ID(), unread)
			}
			amend(report, []database.Finding{{Object: columnID(t.Source, i), Status: database.Approximated, Code: database.CodeUnread, Reason: "all its values are null: " + unread}})
		}
	}
	return nil
}

// unread says why values of generated columns are not read.
const unread = "it is generated by code of the database's users, which a copy does not run"

// copyTables moves all rows. Readers run ahead of the loaders by at most
// opts.Jobs tables and opts.QueueBytes bytes.
func copyTables(ctx context.Context, src database.Source, dst database.Target, plan *database.Plan, opts Options, meter *meter, report *database.Report) error {
	jobs := max(opts.Jobs, 1)
	if narrow, ok := src.(database.Narrow); ok {
		jobs = min(jobs, narrow.Jobs())
	}
	queue := opts.QueueBytes
	if queue == 0 {
		queue = 32 << 20
	}
	ahead := semaphore.NewWeighted(int64(jobs))
	feeds := make(chan *feed, len(plan.Tables))
	report.Tables = make([]database.TableResult, len(plan.Tables))

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(feeds)
		for _, i := range order(plan) {
			t := plan.Tables[i]
			if err := ahead.Acquire(ctx, 1); err != nil {
				return err
			}
			f := newFeed(t, max(queue/int64(jobs), database.BatchBytes), meter)
			feeds <- f
			g.Go(func() error { return f.read(ctx, src, &report.Tables[i]) })
		}
		return nil
	})
	for range max(plan.Loaders, 1) {
		g.Go(func() error {
			for f := range feeds {
				err := dst.Load(ctx, f.table, f.source(ctx, dst))
				if err != nil {
					return fmt.Errorf("load table %s: %w", f.table.Target.ID(), err)
				}
				ahead.Release(1)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	amend(report, meter.lossy)
	return nil
}

// order is that in which tables are copied, by their places: where several are loaded at once the
// largest come first, so that none is left alone at the end.
func order(plan *database.Plan) []int {
	out := make([]int, len(plan.Tables))
	for i := range out {
		out[i] = i
	}
	if plan.Loaders > 1 {
		slices.SortStableFunc(out, func(a, b int) int {
			return cmp.Compare(plan.Tables[b].Source.EstimatedBytes, plan.Tables[a].Source.EstimatedBytes)
		})
	}
	return out
}

// feed carries a table's batches from its reader to its loader.
type feed struct {
	table   *database.PlannedTable
	batches chan *database.Batch
	room    *semaphore.Weighted
	size    int64
	meter   *meter
}

func newFeed(t *database.PlannedTable, size int64, meter *meter) *feed {
	return &feed{table: t, batches: make(chan *database.Batch, 256), room: semaphore.NewWeighted(size), size: size, meter: meter}
}

// read reads, converts and sums a table, and closes the feed when all went well.
func (f *feed) read(ctx context.Context, src database.Source, result *database.TableResult) error {
	conv := newConverter(f.table)
	err := src.Rows(ctx, f.table.Source, func(b *database.Batch) error {
		f.meter.add(f.table.Source.ID(), b)
		out, err := conv.convert(b)
		if err != nil {
			return err
		}
		return f.send(ctx, out)
	})
	if err != nil {
		return fmt.Errorf("read table %s: %w", f.table.Source.ID(), err)
	}
	*result = conv.result()
	f.meter.addLossy(conv.findings())
	close(f.batches)
	return nil
}

func (f *feed) send(ctx context.Context, b *database.Batch) error {
	if err := f.room.Acquire(ctx, f.weight(b)); err != nil {
		return err
	}
	select {
	case f.batches <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// source is what a target is given to pull batches from.
func (f *feed) source(ctx context.Context, dst database.Target) func() (*database.Batch, error) {
	if _, ok := dst.(database.LongLoader); ok {
		return func() (*database.Batch, error) { return f.next(ctx) }
	}
	return func() (*database.Batch, error) {
		b, err := f.next(ctx)
		if err != nil {
			return nil, err
		}
		return b.Whole()
	}
}

func (f *feed) next(ctx context.Context) (*database.Batch, error) {
	select {
	case b, ok := <-f.batches:
		if !ok {
			return nil, io.EOF
		}
		f.room.Release(f.weight(b))
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *feed) weight(b *database.Batch) int64 { return min(int64(b.Size()), f.size) }

// meter adds up progress and the findings of readers.
type meter struct {
	mu    sync.Mutex
	now   Progress
	tell  func(Progress)
	lossy []database.Finding
}

func newMeter(s *database.Schema, tell func(Progress)) *meter {
	m := &meter{tell: tell, now: Progress{Stage: Copying}}
	for _, t := range s.Tables {
		m.now.TotalRows += t.EstimatedRows
		m.now.TotalBytes += t.EstimatedBytes
	}
	return m
}

func (m *meter) stage(s Stage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s == Verifying { // the second pass has a known length
		m.now.TotalRows, m.now.TotalBytes = m.now.Rows, m.now.Bytes
		m.now.Rows, m.now.Bytes = 0, 0
	}
	m.now.Stage, m.now.Table = s, ""
	m.report()
}

func (m *meter) add(table string, b *database.Batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Table = table
	m.now.Rows += int64(b.Len())
	m.now.Bytes += int64(b.Size())
	m.report()
}

func (m *meter) report() {
	if m.tell != nil {
		m.tell(m.now)
	}
}

func (m *meter) addLossy(findings []database.Finding) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lossy = append(m.lossy, findings...)
}

// refuseFilled says what Create would say of a target that is not empty, as far as it can tell.
func refuseFilled(ctx context.Context, dst database.Target) error {
	if v, ok := dst.(database.Vacancy); ok {
		return v.Vacant(ctx)
	}
	return nil
}
