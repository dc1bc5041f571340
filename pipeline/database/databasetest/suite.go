package databasetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// Engine is what the suite needs to know.
type Engine struct {
	Name   string // as in Schema.Engine
	Driver database.Driver
	// New gives the URL of a new, empty database.
	New func(t testing.TB) string
	// Exec runs one statement with foreign keys enforced and returns the
	// server's error.
	Exec func(t testing.TB, url, sql string) error
	// EmptyIsNull is true for Oracle, which has no empty strings.
	EmptyIsNull bool
}

// Run tests an engine as target and as source.
func Run(t *testing.T, e Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Engine)
	}{
		{"ValuesComeBack", testValues}, {"AwkwardNamesAndEmptyTables", testAwkward}, {"ConstraintsHold", testConstraints},
		{"NoTablesAtAll", testNothing}, {"ANonEmptyTargetIsRefused", testNotEmpty}, {"ABrokenSourceLeavesTheTargetEmpty", testBrokenSource},
		{"ABrokenForeignKeyLeavesTheTargetEmpty", testBrokenForeignKey}, {"VerifyCatchesChanges", testVerify},
		{"ThroughAPortableFile", testThroughFile}, {"ThroughRowStreams", testThroughStreams}, {"LongValuesComeBack", testLong}, {"FiltersChooseTables", testFilter}, {"StrictRefusesBeforeWriting", testStrict},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, e) })
	}
}

// Locate parses a URL.
func Locate(t testing.TB, url string) database.Location {
	t.Helper()
	at, err := database.ParseLocation(url)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Into converts a source into the database of a URL.
func Into(t testing.TB, d database.Driver, url string, src database.Source, opts convert.Options) (*database.Report, error) {
	t.Helper()
	ctx := context.Background()
	dst, err := d.OpenTarget(ctx, Locate(t, url), database.TargetOptions{Jobs: opts.Jobs})
	if err != nil {
		t.Fatal(err)
	}
	report, err := convert.Run(ctx, src, dst, opts)
	if closed := dst.Close(); closed != nil {
		t.Errorf("close target: %v", closed)
	}
	return report, err
}

// From opens a database as a source until the test ends.
func From(t testing.TB, d database.Driver, url string, opts database.SourceOptions) database.Source {
	t.Helper()
	src, err := d.OpenSource(context.Background(), Locate(t, url), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

// Digests reads all tables and returns rows and digest by name, without schema.
func Digests(t testing.TB, src database.Source) map[string]string {
	t.Helper()
	ctx := context.Background()
	schema, err := src.Schema(ctx)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, table := range schema.Tables {
		var sum database.Summer
		err := src.Rows(ctx, table, func(b *database.Batch) error {
			sum.Add(b)
			b.Release()
			return nil
		})
		if err != nil {
			t.Fatalf("read %s: %v", table.ID(), err)
		}
		out[table.Name] = fmt.Sprintf("%d rows, %s", sum.Rows(), sum.Digest())
	}
	return out
}

// checkWritten compares a database, read as a source, with what a report says
// was written into it.
func checkWritten(t *testing.T, e Engine, url string, report *database.Report) {
	t.Helper()
	got := digestsOf(t, e, url)
	for _, r := range report.Tables {
		name := r.Target[strings.LastIndexByte(r.Target, '.')+1:]
		want := fmt.Sprintf("%d rows, %s", r.Rows, r.Written)
		if got[name] != want {
			t.Errorf("table %s read as a source: %s, want %s", name, got[name], want)
		}
	}
}

// digestsOf opens, reads and closes a database.
func digestsOf(t testing.TB, e Engine, url string) map[string]string {
	t.Helper()
	src := From(t, e.Driver, url, database.SourceOptions{})
	defer src.Close()
	return Digests(t, src)
}

func load(t *testing.T, e Engine, src *Source) (string, *database.Report) {
	t.Helper()
	url := e.New(t)
	report, err := Into(t, e.Driver, url, src, convert.Options{})
	if err != nil {
		t.Fatalf("convert: %v", err)
	}
	if !report.Verified {
		t.Error("the report is not verified")
	}
	return url, report
}

func testValues(t *testing.T, e Engine) {
	url, report := load(t, e, valuesSource())
	checkWritten(t, e, url, report)
}

func testAwkward(t *testing.T, e Engine) {
	src := awkwardSource()
	if e.EmptyIsNull {
		src.Data["twice"] = src.Data["twice"][:3]
	}
	load(t, e, src)
}

func testNothing(t *testing.T, e Engine) {
	load(t, e, &Source{Model: &database.Schema{Engine: "memory"}})
}

func testConstraints(t *testing.T, e Engine) {
	url, report := load(t, e, shopSource())
	checkWritten(t, e, url, report)
	quote := func(name string) string { return database.Quote(e.Name, name) }
	insert := "INSERT INTO " + quote("customer") + " (" + quote("id") + ", " + quote("email") + ", " + quote("age") + ") VALUES "
	for _, c := range []struct{ what, sql string }{
		{"a second equal key", insert + "(1, 'n@x', 20)"},
		{"a second equal email", insert + "(50, 'a@x', 20)"},
		{"an age outside the check", insert + "(51, 'o@x', 300)"},
		{"an order without customer", "INSERT INTO " + quote("order") + " (" + quote("number") + ", " + quote("customer") + ") VALUES (7, 999)"},
		{"a null email", "UPDATE " + quote("customer") + " SET " + quote("email") + " = NULL WHERE " + quote("id") + " = 2"},
	} {
		if err := e.Exec(t, url, c.sql); err == nil {
			t.Errorf("%s was accepted", c.what)
		}
	}
	next := "INSERT INTO " + quote("customer") + " (" + quote("email") + ") VALUES ('next@x')"
	if err := e.Exec(t, url, next); err != nil {
		t.Fatalf("insert without id: %v", err)
	}
	move := "UPDATE " + quote("customer") + " SET " + quote("age") + " = " + quote("id") + " * 2 WHERE " + quote("email") + " = 'next@x' AND " + quote("age") + " = 18"
	if err := e.Exec(t, url, move); err != nil {
		t.Fatal(err)
	}
	src := From(t, e.Driver, url, database.SourceOptions{})
	defer src.Close()
	if row := findRow(t, src, "customer", "next@x"); row != "42 next@x 84" {
		t.Errorf("the next row is %q, want id 42 and the default age doubled to 84", row)
	}
}

// findRow prints the first three cells of the row whose second is email; a
// decimal counts as its integer.
func findRow(t *testing.T, src database.Source, table, email string) string {
	t.Helper()
	schema, err := src.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	found := ""
	for _, tab := range schema.Tables {
		if tab.Name != table {
			continue
		}
		cells := make([]database.Cell, len(tab.Columns))
		err := src.Rows(context.Background(), tab, func(b *database.Batch) error {
			defer b.Release()
			for i := range b.Len() {
				if err := database.DecodeRow(cells, b.Row(i)); err != nil {
					return err
				}
				if string(cells[1].Bytes) == email {
					found = printed(cells[0]) + " " + printed(cells[1]) + " " + printed(cells[2])
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func printed(c database.Cell) string {
	if c.Class == database.ClassInt {
		return fmt.Sprint(c.Int)
	}
	return string(c.Bytes)
}

func testNotEmpty(t *testing.T, e Engine) {
	url, _ := load(t, e, shopSource())
	before := digestsOf(t, e, url)
	_, err := Into(t, e.Driver, url, awkwardSource(), convert.Options{})
	if !errors.Is(err, database.ErrNotEmpty) || !errors.Is(err, database.ErrRefused) {
		t.Errorf("a second import: %v, want ErrNotEmpty", err)
	}
	if after := digestsOf(t, e, url); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the target changed: %v, want %v", after, before)
	}
}

// checkEmpty imports once more: only an empty target lets that pass.
func checkEmpty(t *testing.T, e Engine, url string) {
	t.Helper()
	if _, err := Into(t, e.Driver, url, shopSource(), convert.Options{}); err != nil {
		t.Errorf("the target was not left empty: %v", err)
	}
}

func testBrokenSource(t *testing.T, e Engine) {
	url := e.New(t)
	src := shopSource()
	src.FailAfter = 4
	if _, err := Into(t, e.Driver, url, src, convert.Options{}); !errors.Is(err, ErrBroken) {
		t.Fatalf("convert: %v, want ErrBroken", err)
	}
	checkEmpty(t, e, url)
}

func testBrokenForeignKey(t *testing.T, e Engine) {
	url := e.New(t)
	src := shopSource()
	src.Data["order"] = append(src.Data["order"], []database.Cell{Int(102), Int(77), Null})
	if _, err := Into(t, e.Driver, url, src, convert.Options{}); err == nil {
		t.Fatal("an orphan was accepted")
	}
	checkEmpty(t, e, url)
}

func testVerify(t *testing.T, e Engine) {
	customer, age, id := database.Quote(e.Name, "customer"), database.Quote(e.Name, "age"), database.Quote(e.Name, "id")
	for _, c := range []struct {
		what string
		sql  []string
	}{
		{"nothing", nil},
		{"one cell", []string{"UPDATE " + customer + " SET " + age + " = 29 WHERE " + id + " = 1"}},
		{"two cells swapped", []string{"UPDATE " + customer + " SET " + age + " = CASE " + id + " WHEN 3 THEN 32 ELSE 31 END WHERE " + id + " IN (3, 4)"}},
		{"a row deleted", []string{"DELETE FROM " + customer + " WHERE " + id + " = 40"}},
		{"a row replaced by a copy", []string{"DELETE FROM " + customer + " WHERE " + id + " = 40",
			"INSERT INTO " + customer + " (" + id + ", " + database.Quote(e.Name, "email") + ", " + age + ") VALUES (39, 'e@x', 33)"}},
	} {
		url, _ := load(t, e, shopSource())
		for _, sql := range c.sql {
			if err := e.Exec(t, url, sql); err != nil {
				t.Fatalf("%s: %v", c.what, err)
			}
		}
		err := verify(t, e, url, shopSource())
		if c.sql == nil && err != nil {
			t.Errorf("verify an unchanged copy: %v", err)
		}
		if c.sql != nil && !errors.Is(err, database.ErrMismatch) {
			t.Errorf("verify after a change of %s: %v, want ErrMismatch", c.what, err)
		}
	}
}

func verify(t *testing.T, e Engine, url string, src database.Source) error {
	t.Helper()
	ctx := context.Background()
	dst, err := e.Driver.OpenTarget(ctx, Locate(t, url), database.TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	_, err = convert.Verify(ctx, src, dst, convert.Options{})
	return err
}

func testThroughFile(t *testing.T, e Engine) {
	url, _ := load(t, e, shopSource())
	file := "sqlite:" + filepath.Join(t.TempDir(), "portable.sqlite")
	if _, err := Into(t, sqlite.Driver{Portable: true}, file, From(t, e.Driver, url, database.SourceOptions{}), convert.Options{}); err != nil {
		t.Fatalf("export: %v", err)
	}
	back := e.New(t)
	report, err := Into(t, e.Driver, back, From(t, sqlite.Driver{}, file, database.SourceOptions{}), convert.Options{})
	if err != nil {
		t.Fatalf("import: %v", err)
	}
	for _, f := range report.Inexact() {
		t.Errorf("into the same engine: %s", f)
	}
	want := digestsOf(t, e, url)
	if got := digestsOf(t, e, back); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("through a file: %v, want %v", got, want)
	}
}

// WriteStreams stores a source as a backup does, every table as one base.
func WriteStreams(t testing.TB, src database.Source) fstest.MapFS {
	t.Helper()
	ctx := context.Background()
	schema, err := src.Schema(ctx)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	var stored []rows.Stored
	for _, table := range schema.Tables {
		var run bytes.Buffer
		result, err := rows.WriteBase(ctx, &run, nil, src, table)
		if err != nil {
			t.Fatal(err)
		}
		path := rows.RunPath(table.ID(), 0, false)
		files[path] = &fstest.MapFile{Data: run.Bytes()}
		stored = append(stored, rows.Stored{
			Table: table.ID(), Runs: []rows.Run{{Path: path, Bytes: result.Bytes}}, Rows: result.Rows, Digest: result.Digest,
		})
	}
	if schema.Sequences, err = src.Sequences(ctx); err != nil {
		t.Fatal(err)
	}
	model, err := rows.MarshalSchema(schema)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := rows.MarshalStored(stored)
	if err != nil {
		t.Fatal(err)
	}
	files[rows.SchemaEntry] = &fstest.MapFile{Data: model}
	files[rows.TablesEntry] = &fstest.MapFile{Data: tables}
	return files
}

func testThroughStreams(t *testing.T, e Engine) {
	url, _ := load(t, e, shopSource())
	src := From(t, e.Driver, url, database.SourceOptions{})
	files := WriteStreams(t, src)
	src.Close()
	stored, err := rows.Open(files, database.SourceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	back := e.New(t)
	if _, err := Into(t, e.Driver, back, stored, convert.Options{}); err != nil {
		t.Fatalf("restore: %v", err)
	}
	want := digestsOf(t, e, url)
	if got := digestsOf(t, e, back); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("through row streams: %v, want %v", got, want)
	}
}

func testFilter(t *testing.T, e Engine) {
	url, _ := load(t, e, awkwardSource())
	for _, c := range []struct {
		filter database.Filter
		want   string
	}{
		{database.Filter{Tables: []string{"tw*"}}, "twice"},
		{database.Filter{ExcludeTables: []string{"Select", "empty*"}}, "twice"},
	} {
		got := Digests(t, From(t, e.Driver, url, database.SourceOptions{Filter: c.filter}))
		if len(got) != 1 || got[c.want] == "" {
			t.Errorf("filter %+v takes %v, want %s", c.filter, got, c.want)
		}
	}
}

func testStrict(t *testing.T, e Engine) {
	url := e.New(t)
	src := shopSource()
	src.Model.Objects = []*database.Object{{ObjectID: database.ObjectID{Kind: "gadget", Name: "unknown"}, Lost: "no engine has gadgets"}}
	report, err := Into(t, e.Driver, url, src, convert.Options{Strict: true})
	if !errors.Is(err, database.ErrInexact) || !errors.Is(err, database.ErrRefused) {
		t.Fatalf("strict: %v, want ErrInexact", err)
	}
	if len(report.Inexact()) == 0 {
		t.Error("the report does not say what is inexact")
	}
	checkEmpty(t, e, url)
}
