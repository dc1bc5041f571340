package databasetest_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/mysql"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// foreseen copies one database into another after asking what will be lost: the answer must be what
// the copy then reports.
func foreseen(t *testing.T, from, to database.Driver, fromURL, toURL string, opts database.PlanOptions) *database.Report {
	t.Helper()
	src := databasetest.From(t, from, fromURL, database.SourceOptions{})
	at, err := database.ParseLocation(toURL)
	if err != nil {
		t.Fatal(err)
	}
	dst, err := to.OpenTarget(t.Context(), at, database.TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	before, err := convert.Preview(t.Context(), src, dst, convert.Options{Plan: opts})
	if err != nil {
		t.Fatal(err)
	}
	if err := dst.Close(); err != nil {
		t.Fatal(err)
	}
	src = databasetest.From(t, from, fromURL, database.SourceOptions{})
	after, err := databasetest.Into(t, to, toURL, src, convert.Options{Plan: opts})
	if err != nil {
		t.Fatalf("%T to %T: %v", from, to, err)
	}
	if want, got := lines(after), lines(before); !slices.Equal(want, got) {
		t.Errorf("%T to %T: foreseen was\n%s\nand it is\n%s", from, to, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return after
}

func lines(r *database.Report) []string {
	var out []string
	for _, f := range r.Findings {
		out = append(out, f.String())
	}
	slices.Sort(out)
	return out
}

// keysOf lists what guards every table, without names.
func keysOf(t *testing.T, driver database.Driver, url string) []string {
	t.Helper()
	s, err := databasetest.From(t, driver, url, database.SourceOptions{}).Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, table := range s.Tables {
		uniques := len(table.Uniques)
		for _, x := range table.Indexes {
			if x.Unique {
				uniques++
			}
		}
		out = append(out, fmt.Sprintf("%d columns, primary %v, %d unique, %d foreign", len(table.Columns), table.PrimaryKey != nil, uniques, len(table.ForeignKeys)))
	}
	slices.Sort(out)
	return out
}

// renamings are the new names of tables and columns that a report tells of, by the object.
func renamings(r *database.Report) map[string]string {
	out := map[string]string{}
	for _, f := range r.Findings {
		if f.Code == database.CodeRenamed && (f.Object.Kind == "table" || f.Object.Kind == "column") {
			name, _, _ := strings.Cut(strings.TrimPrefix(f.Reason, "it is called "), " here: ")
			out[f.Object.String()] = name
		}
	}
	return out
}

func wantRenamed(t *testing.T, r *database.Report, want map[string]string) {
	t.Helper()
	got := renamings(r)
	for object, name := range want {
		if got[object] != name {
			t.Errorf("%s became %q, want %q; the renamings are %q", object, got[object], name, got)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d renamings are reported, want %d: %q", len(got), len(want), got)
	}
}

func makeSQLite(t *testing.T, file, script string) {
	t.Helper()
	conn, err := sqlite3.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec("PRAGMA foreign_keys = OFF; " + script); err != nil {
		t.Fatal(err)
	}
}

func TestNamesOfMariaDBThatPostgresCannotHave(t *testing.T) {
	long, accents := strings.Repeat("n", 63), strings.Repeat("é", 35)
	script := fmt.Sprintf(`CREATE TABLE %[1]sa (id INT AUTO_INCREMENT PRIMARY KEY, u INT, UNIQUE KEY only (u));
		CREATE TABLE %[1]sb (id INT PRIMARY KEY, to_a INT, UNIQUE KEY only (to_a), CONSTRAINT same FOREIGN KEY (to_a) REFERENCES %[1]sa (id));
		CREATE TABLE %[2]s (id INT PRIMARY KEY, u INT, KEY %[2]s (u));
		CREATE TABLE t_kind (id INT PRIMARY KEY); CREATE TABLE t (id INT PRIMARY KEY, kind ENUM('a','b'), KEY t (kind));
		INSERT INTO %[1]sa VALUES (7, 8); INSERT INTO %[1]sb VALUES (1, 7); INSERT INTO t VALUES (1, 'b')`, long, accents)
	source := mysqltest.Database(t)
	mysqltest.Exec(t, source, script)
	file := "sqlite:" + filepath.Join(t.TempDir(), "out.sqlite")
	straight, through := postgrestest.Database(t), postgrestest.Database(t)
	want := keysOf(t, mysql.Driver{}, source.Reveal())
	renamed := map[string]string{
		"table " + long + "a": long, "table " + long + "b": long[:60] + "__2", "table " + accents: accents[:62],
	}
	wantRenamed(t, foreseen(t, mysql.Driver{}, postgres.Driver{}, source.Reveal(), straight, database.PlanOptions{}), renamed)
	foreseen(t, mysql.Driver{}, sqlite.Driver{Portable: true}, source.Reveal(), file, database.PlanOptions{})
	wantRenamed(t, foreseen(t, sqlite.Driver{}, postgres.Driver{}, file, through, database.PlanOptions{}), renamed)
	for name, url := range map[string]string{"straight": straight, "through a file": through} {
		if got := keysOf(t, postgres.Driver{}, url); !slices.Equal(got, want) {
			t.Errorf("%s: keys are %q, want %q", name, got, want)
		}
	}
}

func TestNamesOfPostgresGoThroughAFileAndBack(t *testing.T) {
	long := strings.Repeat("n", 63)
	source, back := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, source, fmt.Sprintf(`CREATE SCHEMA s; CREATE TYPE t_kind AS ENUM ('a', 'b');
		CREATE TABLE t (id int PRIMARY KEY, kind t_kind, "Kind" t_kind); CREATE TABLE "T" (id int PRIMARY KEY);
		CREATE TABLE s.%[1]s (id int PRIMARY KEY); CREATE TABLE %[1]s (id int PRIMARY KEY REFERENCES s.%[1]s (id), u int UNIQUE);
		CREATE TABLE s.x (id int PRIMARY KEY); CREATE TABLE s__x (id int PRIMARY KEY REFERENCES s.x (id)); CREATE UNIQUE INDEX one ON s.x (id);
		INSERT INTO t VALUES (1, 'a', 'b'); INSERT INTO s.x VALUES (5); INSERT INTO s__x VALUES (5)`, long))
	file := "sqlite:" + filepath.Join(t.TempDir(), "out.sqlite")
	want := keysOf(t, postgres.Driver{}, source)
	out := foreseen(t, postgres.Driver{}, sqlite.Driver{Portable: true}, source, file, database.PlanOptions{})
	wantRenamed(t, out, map[string]string{"table public.t": "t__2", "column public.t.Kind": "Kind__2", "table s.x": "s__x__2"})
	in := foreseen(t, sqlite.Driver{}, postgres.Driver{}, file, back, database.PlanOptions{NoNativeDDL: true})
	wantRenamed(t, in, map[string]string{})
	if got := keysOf(t, postgres.Driver{}, back); !slices.Equal(got, want) {
		t.Errorf("keys are %q, want %q", got, want)
	}
}

func TestNamesOfSQLiteThatPostgresAndMariaDBCannotHave(t *testing.T) {
	long := strings.Repeat("n", 70)
	source := filepath.Join(t.TempDir(), "source.sqlite")
	makeSQLite(t, source, fmt.Sprintf(`CREATE TABLE "" ("" INTEGER PRIMARY KEY, " " TEXT, UNIQUE (" "));
		CREATE TABLE %[1]s (id INTEGER PRIMARY KEY, CHECK (id > 0)); CREATE TABLE %[1]s2 (id INTEGER PRIMARY KEY REFERENCES %[1]s (id), u INT CONSTRAINT "" UNIQUE);
		CREATE TABLE unnamed (id INTEGER PRIMARY KEY);
		INSERT INTO "" VALUES (1, 'x'); INSERT INTO %[1]s VALUES (1); INSERT INTO %[1]s2 VALUES (1, 2)`, long))
	want := keysOf(t, sqlite.Driver{}, "sqlite:"+source)
	pg, my := postgrestest.Database(t), mysqltest.Database(t).Reveal()
	wantRenamed(t, foreseen(t, sqlite.Driver{}, postgres.Driver{}, "sqlite:"+source, pg, database.PlanOptions{}), map[string]string{
		"table ": "unnamed__2", "column ": "unnamed", "table " + long: long[:63], "table " + long + "2": long[:60] + "__2",
	})
	wantRenamed(t, foreseen(t, sqlite.Driver{}, mysql.Driver{}, "sqlite:"+source, my, database.PlanOptions{}), map[string]string{
		"table ": "unnamed__2", "column ": "unnamed", "column  ": "_", "table " + long: long[:64], "table " + long + "2": long[:61] + "__2",
	})
	if got := keysOf(t, postgres.Driver{}, pg); !slices.Equal(got, want) {
		t.Errorf("PostgreSQL: keys are %q, want %q", got, want)
	}
	if got := keysOf(t, mysql.Driver{}, my); !slices.Equal(got, want) {
		t.Errorf("MariaDB: keys are %q, want %q", got, want)
	}
}
