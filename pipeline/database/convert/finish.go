package convert

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/pipeline/database"
)

// finish lets the target build what comes after the rows, and reads the copy back: beside that
// where the target can, else after it.
func finish(ctx context.Context, dst database.Target, plan *database.Plan, opts Options, report *database.Report, meter *meter) error {
	meter.stage(Finishing)
	readers, beside := 1, false
	if p, ok := dst.(database.ParallelReader); ok {
		readers, beside = p.ReadersAtOnce()
	}
	var late []database.Finding
	build := func() (err error) {
		late, err = dst.Finish(ctx, plan, report)
		if err != nil {
			err = fmt.Errorf("finish the target: %w", curable(err))
		}
		return err
	}
	read := func() error { return readBack(ctx, dst, plan, report, meter, readers) }
	if opts.NoVerify {
		read = func() error { return nil }
	}
	if !beside {
		err := build()
		amend(report, late)
		if err != nil {
			return err
		}
		return read()
	}
	var g *errgroup.Group
	g, ctx = errgroup.WithContext(ctx)
	g.Go(build)
	g.Go(read)
	err := g.Wait()
	amend(report, late)
	return err
}

// readBack compares what the target holds with what it was given, some tables at once.
func readBack(ctx context.Context, dst database.Target, plan *database.Plan, report *database.Report, meter *meter, readers int) error {
	meter.stage(Verifying)
	begun := time.Now()
	wrong := make([]error, len(plan.Tables))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for _, i := range order(plan) {
		g.Go(func() error {
			t, want := plan.Tables[i].Target, report.Tables[i]
			echo, err := echoRows(ctx, dst, t, meter)
			if err != nil {
				return fmt.Errorf("read back table %s: %w", t.ID(), err)
			}
			wrong[i] = echo.Differs(t.ID(), want.Echo)
			return nil
		})
	}
	if err := errors.Join(g.Wait(), errors.Join(wrong...)); err != nil {
		return err
	}
	report.Verified, report.ReadBack = true, time.Since(begun)
	return nil
}

// echoRows adds up a table's rows as they stand.
func echoRows(ctx context.Context, r database.Reader, t *database.Table, meter *meter) (database.Echo, error) {
	var echo database.Echo
	err := r.Rows(ctx, t, func(b *database.Batch) error {
		b, err := blank(b, t.Columns)
		if err != nil {
			return err
		}
		defer b.Release()
		meter.add(t.ID(), b)
		return echo.Add(b)
	})
	return echo, err
}
