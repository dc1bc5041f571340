package databasetest_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/mysql"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

func TestMain(m *testing.M) { mysqltest.Main(m) }

// step copies one database into another and names what is inexact.
func step(t *testing.T, from, to database.Driver, fromURL, toURL string) *database.Report {
	t.Helper()
	src := databasetest.From(t, from, fromURL, database.SourceOptions{})
	defer src.Close()
	report, err := databasetest.Into(t, to, toURL, src, convert.Options{Plan: database.PlanOptions{NUL: database.NULStrip, ZeroDates: database.ZeroDatesLoosen}})
	if err != nil {
		t.Fatalf("%T to %T: %v", from, to, err)
	}
	if !report.Verified {
		t.Errorf("%T to %T is not verified", from, to)
	}
	for _, f := range report.Inexact() {
		t.Logf("%T to %T: %s", from, to, f)
	}
	return report
}

// bare cuts the schema off a table's ID.
func bare(table string) string { return table[strings.LastIndexByte(table, '.')+1:] }

// named lists columns that some report says are inexact.
func named(reports ...*database.Report) map[string]bool {
	out := map[string]bool{}
	for _, r := range reports {
		for _, f := range r.Inexact() {
			if f.Object.Kind == "column" {
				out[bare(f.Object.Table)+"."+f.Object.Name] = true
			}
		}
	}
	return out
}

// columnsOf reads a table and gives each column's cells as text, sorted by row.
func columnsOf(t *testing.T, src database.Source, table *database.Table) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	cells := make([]database.Cell, len(table.Columns))
	err := src.Rows(t.Context(), table, func(b *database.Batch) error {
		defer b.Release()
		for i := range b.Len() {
			if err := database.DecodeRow(cells, b.Row(i)); err != nil {
				return err
			}
			for n, c := range table.Columns {
				out[c.Name] = append(out[c.Name], fmt.Sprintf("%d %d %x %q", cells[n].Class, cells[n].Int, math.Float64bits(cells[n].Float), cells[n].Bytes))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// compare fails for every column whose cells differ though no report names it,
// and returns how many columns are equal.
func compare(t *testing.T, from, to string, inexact map[string]bool) (equal, all int) {
	t.Helper()
	before := databasetest.From(t, mysql.Driver{}, from, database.SourceOptions{})
	after := databasetest.From(t, mysql.Driver{}, to, database.SourceOptions{})
	schema, err := before.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	copied, err := after.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range schema.Tables {
		i := slices.IndexFunc(copied.Tables, func(c *database.Table) bool { return bare(c.ID()) == bare(table.ID()) })
		if i < 0 {
			t.Errorf("table %s is gone", table.ID())
			continue
		}
		want, got := columnsOf(t, before, table), columnsOf(t, after, copied.Tables[i])
		for _, c := range table.Columns {
			all++
			if slices.Equal(want[c.Name], got[c.Name]) {
				equal++
			} else if !inexact[bare(table.ID())+"."+c.Name] {
				t.Errorf("column %s.%s is %q, was %.300q, and no report names it", table.ID(), c.Name, got[c.Name], want[c.Name])
			}
		}
	}
	return equal, all
}

func TestMariaDBToPostgresAndBackKeepsEveryColumnItDoesNotNameAsInexact(t *testing.T) {
	scripts := []string{"../mysql/testdata/awkward.sql"}
	if more := os.Getenv("PACKSTONE_TEST_MARIADB_SQL"); more != "" {
		scripts = append(scripts, more)
	}
	for _, script := range scripts {
		data, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		source := mysqltest.Database(t)
		mysqltest.Exec(t, source, string(data))
		dir := t.TempDir()
		there, back := "sqlite:"+filepath.Join(dir, "there.sqlite"), "sqlite:"+filepath.Join(dir, "back.sqlite")
		pg, again := postgrestest.Database(t), mysqltest.Database(t).Reveal()
		first := step(t, mysql.Driver{}, sqlite.Driver{}, source.Reveal(), there)
		second := step(t, sqlite.Driver{}, postgres.Driver{}, there, pg)
		third := step(t, postgres.Driver{}, sqlite.Driver{}, pg, back)
		fourth := step(t, sqlite.Driver{}, mysql.Driver{}, back, again)
		equal, all := compare(t, source.Reveal(), again, named(first, second, third, fourth))
		t.Logf("%s: %d of %d columns come back equal", script, equal, all)
	}
}
