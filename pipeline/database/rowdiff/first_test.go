package rowdiff_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/rowdiff"
)

// first is what First finds in the only table of two states.
func first(t *testing.T, ctx context.Context, before, after database.Source, o rowdiff.FirstOptions) (*rowdiff.Found[string], error) {
	t.Helper()
	a, err := before.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := after.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rowdiff.First(ctx, before, after, a.Tables[0], b.Tables[0], o, func(table *rowdiff.Table, c *rowdiff.Change) string {
		cells := c.Before
		if cells == nil {
			cells = c.After
		}
		return fmt.Sprintf("%s%d x%d", c.Kind, cells[0].Int, c.Count)
	})
}

// found is first, which must not fail.
func found(t *testing.T, before, after database.Source, o rowdiff.FirstOptions) *rowdiff.Found[string] {
	t.Helper()
	f, err := first(t, t.Context(), before, after, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// counted reads a source, and counts its rows.
type counted struct {
	*databasetest.Source
	read int
}

func (c *counted) Rows(ctx context.Context, t *database.Table, send func(*database.Batch) error) error {
	return c.Source.Rows(ctx, t, func(b *database.Batch) error {
		c.read += b.Len()
		return send(b)
	})
}

// many are rows with these numbers, of which some have another text.
func many(from, to int, other func(int) bool) (rows [][]any) {
	for i := from; i < to; i++ {
		text := "a text of some length, as texts have"
		if other(i) {
			text = "another"
		}
		rows = append(rows, []any{i, text})
	}
	return rows
}

func never(int) bool { return false }

func TestFirstFindsAllOfFewRows(t *testing.T) {
	before := state(true, []any{1, "a"}, []any{2, "b"}, []any{3, "c"}, []any{4, nil})
	after := state(true, []any{1, "a"}, []any{3, "C"}, []any{4, nil}, []any{5, "e"})
	f := found(t, before, after, rowdiff.FirstOptions{Rows: 3})
	slices.Sort(f.Rows)
	if want := []string{"+5 x1", "-2 x1", "M3 x1"}; !slices.Equal(f.Rows, want) || f.More || f.Count.Added != 1 || f.Count.Removed != 1 || f.Count.Changed != 1 {
		t.Errorf("got %+v, want %q and no more", f, want)
	}
}

func TestFirstReadsNoFurtherThanTheRowsThatAreWanted(t *testing.T) {
	const n = 50000
	before := &counted{Source: state(true, many(0, n, never)...)}
	after := &counted{Source: state(true, many(0, n, func(i int) bool { return i%2 == 0 })...)}
	f := found(t, before, after, rowdiff.FirstOptions{Rows: 100})
	if len(f.Rows) != 100 || !f.More || f.Rows[0] != "M0 x1" || f.Rows[99] != "M198 x1" || f.Count.Changed != 100 {
		t.Errorf("got %+v, want the first 100 of more", f)
	}
	if before.read > 1000 || after.read > 1000 {
		t.Errorf("%d and %d rows were read, want hardly more than 200", before.read, after.read)
	}
}

func TestFirstHoldsNoMoreThanItMay(t *testing.T) {
	const n = 20000
	little := rowdiff.FirstOptions{Rows: 10, Memory: 32 << 10} // some hundred rows
	all := many(0, n, never)
	for name, c := range map[string]struct {
		before, after [][]any
		want          string
		more          bool
	}{
		"all gone":                {all, nil, "-0 x1 to -9 x1", true},
		"all new":                 {nil, all, "+0 x1 to +9 x1", true},
		"most gone":               {all, all[n-5:], "-0 x1 to -9 x1", true},
		"half changed":            {all, many(0, n, func(i int) bool { return i >= n/2 }), "M10000 x1 to M10009 x1", true},
		"appended":                {all[:n/2], all, "+10000 x1 to +10009 x1", true},
		"as many as are wanted":   {all[:n-10], all, "+19990 x1 to +19999 x1", false},
		"more begin in one state": {all[100:], all[50:], "+50 x1 to +59 x1", true},
	} {
		f := found(t, state(true, c.before...), state(true, c.after...), little)
		if len(f.Rows) != 10 || f.Rows[0]+" to "+f.Rows[9] != c.want || f.More != c.more {
			t.Errorf("%s: got %+v, want %s", name, f, c.want)
		}
	}
	f := found(t, state(false, all...), state(false), little)
	if len(f.Rows) != 0 || !f.More {
		t.Errorf("without a key: got %+v, want none and more", f)
	}
	f = found(t, state(false, all...), state(false, all[1:]...), little)
	if want := []string{"-0 x1"}; !slices.Equal(f.Rows, want) || f.More {
		t.Errorf("without a key: got %+v, want %q", f, want)
	}
}

func TestFirstComparesRowsInAnyOrderAllTheSame(t *testing.T) {
	all := many(0, 3000, never)
	mixed := slices.Clone(all[:2990])
	slices.Reverse(mixed)
	f := found(t, state(true, all...), state(true, mixed...), rowdiff.FirstOptions{Rows: 20})
	slices.Sort(f.Rows)
	if len(f.Rows) != 10 || f.Rows[0] != "-2990 x1" || f.More {
		t.Errorf("got %+v, want the ten that are gone", f)
	}
	last := append(slices.Clone(all[:10]), all[11:]...) // the one in the middle comes last
	f = found(t, state(true, all...), state(true, append(last, all[10])...), rowdiff.FirstOptions{Rows: 20})
	if len(f.Rows) != 0 || f.More {
		t.Errorf("got %+v, want nothing", f)
	}
}

func TestTextsAreInOrderInPostgreSQLAlone(t *testing.T) {
	for engine, ordered := range map[string]bool{database.Postgres: true, database.MySQL: false} {
		var of [2]*databasetest.Source
		for i := range of {
			of[i] = state(true)
			table := of[i].Model.Tables[0]
			of[i].Model.Engine, table.PrimaryKey.Columns, table.Order = engine, []string{"text"}, []string{"text"}
		}
		for i := range 20000 {
			of[0].Data["t"] = append(of[0].Data["t"], []database.Cell{databasetest.Int(int64(i)), databasetest.Text(fmt.Sprintf("%08d", i))})
		}
		f := found(t, of[0], of[1], rowdiff.FirstOptions{Rows: 5, Memory: 32 << 10})
		if got := len(f.Rows) == 5; got != ordered || !f.More {
			t.Errorf("%s: got %+v", engine, f)
		}
	}
}

func TestFirstLeavesLargeCellsInFiles(t *testing.T) {
	large := strings.Repeat("x", database.LongBytes+1)
	f := found(t, inFiles{state(true, []any{1, large}, []any{2, large + "b"}), t}, inFiles{state(true, []any{1, large}, []any{2, large + "c"}, []any{3, "d"}), t}, rowdiff.FirstOptions{Rows: 5, Memory: 1 << 10})
	if want := []string{"M2 x1", "+3 x1"}; !slices.Equal(f.Rows, want) || f.More {
		t.Errorf("got %+v, want %q", f, want)
	}
}

// inFiles gives large cells in files, as stored rows do.
type inFiles struct {
	*databasetest.Source
	t *testing.T
}

func (s inFiles) Rows(_ context.Context, table *database.Table, send func(*database.Batch) error) error {
	for _, row := range s.Data[table.ID()] {
		b := database.NewBatch()
		b.Cell(row[0])
		if len(row[1].Bytes) <= database.LongBytes {
			b.Cell(row[1])
		} else {
			long, err := database.ReadLong(s.t.TempDir(), strings.NewReader(string(row[1].Bytes)), int64(len(row[1].Bytes)))
			if err != nil {
				return err
			}
			b.Long(row[1].Class, long)
		}
		b.EndRow()
		if err := send(b); err != nil {
			return err
		}
	}
	return nil
}

func TestFirstTellsWhatWasCertainWhenTimeIsUp(t *testing.T) {
	before, after := state(true, many(0, 5000, never)...), state(true, many(500, 5000, never)...)
	ctx, cancel := context.WithCancel(t.Context())
	f, err := first(t, ctx, before, stopping{after, cancel}, rowdiff.FirstOptions{Rows: 1000})
	if !errors.Is(err, context.Canceled) || f == nil || !f.More {
		t.Errorf("got %+v, %v, want what was found, and that the time was up", f, err)
	}
	f, err = first(t, t.Context(), before, &databasetest.Source{Model: before.Model, Data: before.Data, FailAfter: 50}, rowdiff.FirstOptions{Rows: 10})
	if !errors.Is(err, databasetest.ErrBroken) {
		t.Errorf("got %+v, %v, want %v", f, err, databasetest.ErrBroken)
	}
}

// stopping ends the reading after its first rows.
type stopping struct {
	*databasetest.Source
	stop func()
}

func (s stopping) Rows(ctx context.Context, t *database.Table, send func(*database.Batch) error) error {
	n := 0
	return s.Source.Rows(ctx, t, func(b *database.Batch) error {
		if n += b.Len(); n > 1000 {
			s.stop()
			b.Release()
			return ctx.Err()
		}
		return send(b)
	})
}

func TestAnotherEngineIsRefused(t *testing.T) {
	other := state(true)
	other.Model.Engine = database.MySQL
	if _, err := first(t, t.Context(), state(true), other, rowdiff.FirstOptions{Rows: 1}); !errors.Is(err, database.ErrRefused) {
		t.Errorf("got %v, want %v", err, database.ErrRefused)
	}
}
