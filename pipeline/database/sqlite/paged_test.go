package sqlite

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
)

func number(v int64) database.Cell { return database.Cell{Class: database.ClassInt, Int: v} }
func real(v float64) database.Cell { return database.Cell{Class: database.ClassFloat, Float: v} }
func word(v string) database.Cell {
	return database.Cell{Class: database.ClassText, Bytes: []byte(v)}
}
func raw(v string) database.Cell { return database.Cell{Class: database.ClassBlob, Bytes: []byte(v)} }

var null database.Cell

// kindsOf are columns, and cells that they take.
var kindsOf = []struct {
	kind  database.Type
	cells []database.Cell
}{
	{database.Type{Kind: database.Bool}, []database.Cell{number(0), number(1), null}},
	{database.Type{Kind: database.Int, Bits: 64}, []database.Cell{number(math.MinInt64), number(-129), number(1 << 23), number(1 << 40)}},
	{database.Type{Kind: database.Int, Bits: 64, Unsigned: true}, []database.Cell{number(5), word("18446744073709551615")}},
	{database.Type{Kind: database.Year}, []database.Cell{number(2026)}},
	{database.Type{Kind: database.Decimal, Precision: 12, Scale: 2}, []database.Cell{word("12.50"), word("12.00"), word("-0.01"), word("NaN")}},
	{database.Type{Kind: database.Decimal, Precision: 15}, []database.Cell{word("999999999999999"), word("-1")}},
	{database.Type{Kind: database.Decimal, Precision: 40, Scale: 5}, []database.Cell{word("1.00000"), word("12345678901234567890.12345")}},
	{database.Type{Kind: database.Decimal}, []database.Cell{word("1"), word("1e5")}},
	{database.Type{Kind: database.Float, Bits: 64}, []database.Cell{real(1.5), real(7), real(1e300), real(math.NaN()), real(math.Inf(-1)), real(1 << 52)}},
	{database.Type{Kind: database.Float, Bits: 32}, []database.Cell{real(0.1), real(-3)}},
	{database.Type{Kind: database.Text}, []database.Cell{word(""), word("12"), word(" 1e5 "), word("é\x00z"), word(strings.Repeat("long ", 3000))}},
	{database.Type{Kind: database.Text, Length: 9, NoCase: true}, []database.Cell{word("0012"), null}},
	{database.Type{Kind: database.Bytes}, []database.Cell{raw(""), raw("12"), raw(strings.Repeat("\x00\xff", 60_000))}},
	{database.Type{Kind: database.Date}, []database.Cell{word("2026-11-30"), word("infinity"), word("20261130"), word("0044-03-15 BC")}},
	{database.Type{Kind: database.Time}, []database.Cell{word("12:30:00.5"), word("24:00:00")}},
	{database.Type{Kind: database.Timestamp}, []database.Cell{word("2026-11-30 10:00:00.123"), word("-infinity")}},
	{database.Type{Kind: database.TimestampTZ}, []database.Cell{word("2026-11-30 10:00:00.1+00:00")}},
	{database.Type{Kind: database.Interval}, []database.Cell{word("P1D"), word("5")}},
	{database.Type{Kind: database.Bits}, []database.Cell{word("0101")}},
	{database.Type{Kind: database.JSON}, []database.Cell{word("5"), word(`{"a": 1}`)}},
	{database.Type{Kind: database.Any}, []database.Cell{number(3), real(3), word("3"), raw("3"), null}},
	{database.Type{Kind: database.Other, Native: "money"}, []database.Cell{word("$5"), word("5")}},
}

// TestPagesHoldWhatSQLiteStores writes cells of every kind both ways: the files hold the same.
func TestPagesHoldWhatSQLiteStores(t *testing.T) {
	for _, k := range kindsOf {
		for _, ints := range []bool{false, true} {
			table := &database.Table{Name: "t", Columns: []*database.Column{
				{Name: "id", NotNull: true, Type: database.Type{Kind: database.Int, Bits: 64}}, {Name: "v", Type: k.kind},
			}}
			table.PrimaryKey = &database.Key{Columns: []string{"id"}}
			s := &database.Schema{Engine: database.Postgres, Tables: []*database.Table{table}}
			if ints {
				table.Columns[0].Identity = &database.Identity{}
			}
			var rows [][]database.Cell
			for i := range 40 {
				rows = append(rows, []database.Cell{number(int64(i*i) - 50), k.cells[i%len(k.cells)]})
			}
			rows[20], rows[30] = rows[30], rows[20] // out of order
			paged, inserted := load(t, s, rows, true), load(t, s, rows, false)
			if !slices.Equal(paged, inserted) {
				t.Errorf("%s: pages hold\n%s\nSQLite stores\n%s", k.kind.Kind, strings.Join(paged, "\n"), strings.Join(inserted, "\n"))
			}
		}
	}
}

// load writes rows, and reads them and what is wrong with the file.
func load(t *testing.T, s *database.Schema, rows [][]database.Cell, byPages bool) []string {
	t.Helper()
	return contents(t, file(t, s, byPages, batchesOf(rows)), "SELECT typeof(id) || ' ' || id || ' ' || typeof(v) || ' ' || quote(v) FROM t NOT INDEXED ORDER BY id")
}

// file writes a file of one table.
func file(t testing.TB, s *database.Schema, byPages bool, next func() (*database.Batch, error)) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "f.db")
	at, err := database.ParseLocation("sqlite:" + path)
	must(t, err)
	opened, err := Driver{}.OpenTarget(t.Context(), at, database.TargetOptions{})
	must(t, err)
	defer opened.Close()
	plan, err := opened.Plan(t.Context(), s, database.PlanOptions{})
	must(t, err)
	to := opened.(*target)
	to.layout.tables[0].rowid = byPages
	must(t, to.Create(t.Context(), plan))
	ctx, cancel := context.WithCancel(t.Context())
	must(t, to.Load(ctx, plan.Tables[0], next))
	cancel()
	if got := to.layout.tables[0].paged; got != byPages {
		t.Fatalf("paged: %v, want %v", got, byPages)
	}
	_, err = to.Finish(t.Context(), plan, &database.Report{})
	must(t, err)
	must(t, to.Commit(t.Context()))
	return path
}

func batchesOf(rows [][]database.Cell) func() (*database.Batch, error) {
	return func() (*database.Batch, error) {
		if len(rows) == 0 {
			return nil, io.EOF
		}
		b := database.NewBatch()
		for _, row := range rows[:min(7, len(rows))] {
			for _, c := range row {
				b.Cell(c)
			}
			b.EndRow()
		}
		rows = rows[b.Len():]
		return b, nil
	}
}

// contents are the rows of a query, of one column each, on a file in which nothing is wrong.
func contents(t *testing.T, path, sql string) (out []string) {
	t.Helper()
	conn, err := open(t.Context(), path, readOnly)
	must(t, err)
	defer conn.Close()
	must(t, integrity(conn, "integrity_check"))
	must(t, query(conn, sql, func(s *sqlite3.Stmt) error {
		out = append(out, s.ColumnText(0))
		return nil
	}))
	return out
}

// TestLongCellsGoToPages writes cells that lie in files.
func TestLongCellsGoToPages(t *testing.T) {
	column := func(name string, kind database.Kind) *database.Column {
		return &database.Column{Name: name, Type: database.Type{Kind: kind}}
	}
	long := func(class database.Class, letter string) database.Cell {
		l, err := database.NewLong(t.TempDir())
		must(t, err)
		fmt.Fprint(l, strings.Repeat(letter, database.LongBytes+5))
		return database.Cell{Class: class, Long: l}
	}
	table := &database.Table{Name: "t", Columns: []*database.Column{column("a", database.Text), column("b", database.Bytes)}}
	path := file(t, &database.Schema{Engine: database.Postgres, Tables: []*database.Table{table}}, true,
		batchesOf([][]database.Cell{{long(database.ClassText, "a"), long(database.ClassBlob, "b")}}))
	got := contents(t, path, "SELECT length(a) || ' ' || substr(a, -1) || ' ' || length(b) || ' ' || typeof(b) || ' ' || CAST(substr(b, -2) AS TEXT) FROM t")
	if want := fmt.Sprintf("[%d a %[1]d blob bb]", database.LongBytes+5); fmt.Sprint(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
