package sqlite_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// busyWriter commits pairs until stop is closed, as an application does that
// waits a while for locks.
func busyWriter(t *testing.T, path string, stop chan struct{}) {
	conn, err := sqlite3.Open(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	if err := conn.Exec("PRAGMA busy_timeout = 20000"); err != nil {
		t.Error(err)
	}
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		if err := conn.Exec(fmt.Sprintf("BEGIN IMMEDIATE; INSERT INTO one VALUES (%d); INSERT INTO two VALUES (%[1]d); COMMIT", n)); err != nil {
			t.Errorf("writer: %v", err)
			return
		}
	}
}

func TestALiveFileIsReadAtOneMoment(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		url := newFile(t)
		if err := exec(t, url, "PRAGMA journal_mode = "+mode+"; PRAGMA synchronous = OFF; CREATE TABLE one (n); CREATE TABLE two (n)"); err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var writer sync.WaitGroup
		writer.Go(func() { busyWriter(t, url[len("sqlite:"):], stop) })
		scratch := t.TempDir()
		for range 20 {
			src := databasetest.From(t, sqlite.Driver{}, url, database.SourceOptions{Scratch: scratch})
			got := databasetest.Digests(t, src)
			src.Close()
			if got["one"] != got["two"] {
				t.Errorf("%s: one has %s, two has %s", mode, got["one"], got["two"])
			}
		}
		close(stop)
		writer.Wait()
		if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
			t.Errorf("%s: left in scratch: %v, %v", mode, left, err)
		}
	}
}

func oneColumn(typ database.Type, cells ...database.Cell) *databasetest.Source {
	table := &database.Table{Name: "t", Columns: []*database.Column{{Name: "v", Type: typ}}}
	src := &databasetest.Source{Model: &database.Schema{Engine: "memory", Tables: []*database.Table{table}}, Data: map[string][][]database.Cell{}}
	for _, c := range cells {
		src.Data["t"] = append(src.Data["t"], []database.Cell{c})
	}
	return src
}

func TestPortableFilesKeepWhatAffinityWouldChange(t *testing.T) {
	text := databasetest.Text
	for kind, src := range map[string]*databasetest.Source{
		"wide decimal":  oneColumn(database.Type{Kind: database.Decimal, Precision: 38, Scale: 10}, text("12345678901234567890.1234567890"), text("NaN")),
		"free decimal":  oneColumn(database.Type{Kind: database.Decimal}, text("0.10000"), text("1e5000"[:1]), text("-Infinity")),
		"small decimal": oneColumn(database.Type{Kind: database.Decimal, Precision: 5, Scale: 2}, text("1.50"), text("NaN"), text("-0.01"), text("0.00")),
		"float":         oneColumn(database.Type{Kind: database.Float, Bits: 64}, databasetest.Float(math.Copysign(0, -1)), databasetest.Float(math.NaN()), databasetest.Float(math.Inf(-1)), databasetest.Float(5e-324), databasetest.Float(0)),
		"bits":          oneColumn(database.Type{Kind: database.Bits, Length: 8}, text("00000101")),
		"json":          oneColumn(database.Type{Kind: database.JSON}, text("1.10"), text("007")),
		"uuid":          oneColumn(database.Type{Kind: database.UUID}, text("1e5")),
		"enum":          oneColumn(database.Type{Kind: database.Enum}, text("1"), text("")),
		"point":         oneColumn(database.Type{Kind: database.Other, Native: "point"}, text("007")),
		"interval":      oneColumn(database.Type{Kind: database.Interval, Native: "interval"}, text("PT0S")),
		"unsigned":      oneColumn(database.Type{Kind: database.Int, Bits: 64, Unsigned: true}, text("18446744073709551615"), databasetest.Int(7)),
		"timestamp":     oneColumn(database.Type{Kind: database.Timestamp}, text("infinity"), text("0044-03-15 00:00:00.5 BC"), text("0000-00-00 00:00:00"), text("2026-01-01 00:00:00.1")),
		"timestamptz":   oneColumn(database.Type{Kind: database.TimestampTZ}, text("2026-01-01 00:00:00.12+00:00"), text("-infinity"), text("0044-03-15 00:00:00+00:00 BC")),
		"date":          oneColumn(database.Type{Kind: database.Date}, text("2026-01-01"), text("infinity")),
		"text":          oneColumn(database.Type{Kind: database.Text}, text("a\x00b"), databasetest.Blob("\xff\xfe"), text("")),
		"bytes":         oneColumn(database.Type{Kind: database.Bytes}, databasetest.Blob(""), databasetest.Blob("1")),
	} {
		url := newFile(t)
		report, err := databasetest.Into(t, sqlite.Driver{}, url, src, convert.Options{})
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		from := databasetest.From(t, sqlite.Driver{}, url, database.SourceOptions{})
		got := databasetest.Digests(t, from)["t"]
		if want := fmt.Sprintf("%d rows, %s", report.Tables[0].Rows, report.Tables[0].Digest); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
}

func TestAnUnfinishedFileIsRemovedAndNoOtherReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.sqlite")
	src := oneColumn(database.Type{Kind: database.Int, Bits: 64}, databasetest.Int(1), databasetest.Int(2))
	src.FailAfter = 1
	if _, err := databasetest.Into(t, sqlite.Driver{}, "sqlite:"+path, src, convert.Options{}); !errors.Is(err, databasetest.ErrBroken) {
		t.Fatalf("error %v, want ErrBroken", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(path, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	src.FailAfter = 0
	dst, err := sqlite.Driver{}.OpenTarget(t.Context(), databasetest.Locate(t, "sqlite:"+path), database.TargetOptions{})
	if err == nil {
		defer dst.Close()
		_, err = convert.Run(t.Context(), src, dst, convert.Options{})
	}
	if err == nil {
		t.Error("a file that is no database was replaced")
	}
	if data, _ := os.ReadFile(path); string(data) != "something else" {
		t.Errorf("the file is now %q", data)
	}
}

func TestAnEditedFileImportsWithItsEdits(t *testing.T) {
	url := newFile(t)
	table := &database.Table{
		Name: "t", PrimaryKey: &database.Key{Columns: []string{"id"}}, Order: []string{"id"},
		Columns: []*database.Column{
			{Name: "id", NotNull: true, Type: database.Type{Kind: database.Int, Bits: 64}, Identity: &database.Identity{Sequence: "s"}},
			{Name: "at", Type: database.Type{Kind: database.TimestampTZ}},
		},
	}
	src := &databasetest.Source{
		Model: &database.Schema{Engine: "memory", Tables: []*database.Table{table}, Sequences: []*database.Sequence{{Name: "s", Start: 1, Increment: 1, Min: 1, Max: math.MaxInt64, Last: 5, Called: true}}},
		Data:  map[string][][]database.Cell{"t": {{databasetest.Int(3), databasetest.Text("2026-01-01 00:00:00+00:00")}}},
	}
	if _, err := databasetest.Into(t, sqlite.Driver{}, url, src, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := exec(t, url, "INSERT INTO t (at) VALUES ('2026-02-03 04:05:06'); CREATE TABLE added (x TEXT); INSERT INTO added VALUES ('y')"); err != nil {
		t.Fatal(err)
	}
	from := databasetest.From(t, sqlite.Driver{}, url, database.SourceOptions{})
	schema, err := from.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(schema.Tables) != 2 || schema.Find("added") == nil {
		t.Errorf("tables %v, want t and added", schema.Tables)
	}
	sequences, err := from.Sequences(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if next := sequences[0].Next(); next != 7 {
		t.Errorf("the next id is %d, want 7", next)
	}
	var rows []string
	err = from.Rows(t.Context(), schema.Find("t"), func(b *database.Batch) error {
		for i := range b.Len() {
			rows = append(rows, string(b.Row(i)))
		}
		b.Release()
		return nil
	})
	if err != nil || len(rows) != 2 || !strings.Contains(rows[1], "2026-02-03 04:05:06+00:00") {
		t.Errorf("rows %q, %v: want the added one in UTC", rows, err)
	}
}

func FuzzForeignFile(f *testing.F) {
	f.Add("CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT CHECK (b <> ')') UNIQUE, c GENERATED ALWAYS AS (b) VIRTUAL); CREATE INDEX i ON a (lower(b) DESC, 'x') WHERE b > '('")
	f.Add("CREATE TABLE [q] (x, CONSTRAINT \"n\" CHECK (x IN (1,2)) -- comment\n); INSERT INTO q VALUES (1), ('a'), (x'00'), (2.5), (NULL)")
	f.Fuzz(func(t *testing.T, sql string) {
		upper := strings.ToUpper(sql)
		if len(sql) > 2000 || strings.Contains(upper, "RECURSIVE") || strings.Contains(upper, "ATTACH") || strings.Contains(upper, "VACUUM") || strings.Contains(upper, "ZEROBLOB") || strings.Contains(upper, "PRAGMA") {
			return
		}
		url := newFile(t)
		_ = exec(t, url, sql)
		if _, err := os.Stat(url[len("sqlite:"):]); err != nil {
			return
		}
		src, err := sqlite.Driver{}.OpenSource(t.Context(), databasetest.Locate(t, url), database.SourceOptions{})
		if err != nil {
			return
		}
		defer src.Close()
		databasetest.Digests(t, src)
	})
}

func TestNumbersInTheHeaderComeBack(t *testing.T) {
	for _, driver := range []sqlite.Driver{{}, {Portable: true}} {
		from, to := newFile(t), newFile(t)
		for _, sql := range []string{"CREATE TABLE t (n INTEGER)", "PRAGMA user_version = 42", "PRAGMA application_id = 7"} {
			if err := exec(t, from, sql); err != nil {
				t.Fatal(err)
			}
		}
		src := databasetest.From(t, sqlite.Driver{}, from, database.SourceOptions{})
		report, err := databasetest.Into(t, driver, to, src, convert.Options{})
		if err != nil || len(report.Inexact()) > 0 {
			t.Fatalf("copy: %v, %v", report.Inexact(), err)
		}
		for name, want := range map[string]int{"user_version": 42, "application_id": 7} {
			if got := pragma(t, to, name); got != want {
				t.Errorf("portable %v: %s is %d, want %d", driver.Portable, name, got, want)
			}
		}
	}
}

func TestAnIntegerAmongFloatsKeepsItsLastDigits(t *testing.T) {
	for _, n := range []int{1<<53 + 1, math.MaxInt64, math.MinInt64 + 1} {
		from, to := newFile(t), newFile(t)
		if err := exec(t, from, fmt.Sprintf("CREATE TABLE t (n NUMERIC); INSERT INTO t VALUES (1.5), (%d)", n)); err != nil {
			t.Fatal(err)
		}
		src := databasetest.From(t, sqlite.Driver{}, from, database.SourceOptions{})
		if _, err := databasetest.Into(t, sqlite.Driver{Portable: true}, to, src, convert.Options{}); err != nil {
			t.Fatal(err)
		}
		if got := number(t, to, "SELECT n FROM t WHERE typeof(n) = 'integer'"); got != n {
			t.Errorf("%d became %d", n, got)
		}
	}
}

func pragma(t *testing.T, url, name string) int {
	t.Helper()
	return number(t, url, "PRAGMA "+name)
}

// number returns the first value that a query gives.
func number(t *testing.T, url, sql string) int {
	t.Helper()
	conn, err := sqlite3.Open("file:" + strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stmt, _, err := conn.Prepare(sql)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	if !stmt.Step() {
		t.Fatalf("%s gives nothing: %v", sql, stmt.Err())
	}
	return stmt.ColumnInt(0)
}

func TestNullsInAPrimaryKeyStayWhereSQLiteAllowsThem(t *testing.T) {
	from, to := newFile(t), newFile(t)
	if err := exec(t, from, `CREATE TABLE named (k TEXT PRIMARY KEY, v INT); INSERT INTO named VALUES (NULL, 1), (NULL, 2), ('a', 3);
		CREATE TABLE counted (k INT PRIMARY KEY, v TEXT); INSERT INTO counted VALUES (NULL, 'x'), (7, 'y');
		CREATE TABLE both (a INT, b TEXT, PRIMARY KEY (a, b)); INSERT INTO both VALUES (1, NULL), (1, NULL), (NULL, 'z')`); err != nil {
		t.Fatal(err)
	}
	src := databasetest.From(t, sqlite.Driver{}, from, database.SourceOptions{})
	defer src.Close()
	for _, driver := range []sqlite.Driver{{}, {Portable: true}} {
		at, err := database.ParseLocation(to)
		if err != nil {
			t.Fatal(err)
		}
		dst, err := driver.OpenTarget(t.Context(), at, database.TargetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = convert.Run(t.Context(), src, dst, convert.Options{})
		if err = errors.Join(err, dst.Close()); err != nil {
			t.Fatalf("portable %t: %v", driver.Portable, err)
		}
		back := databasetest.From(t, sqlite.Driver{}, to, database.SourceOptions{})
		want, got := databasetest.Digests(t, src), databasetest.Digests(t, back)
		back.Close()
		for table := range want {
			if got[table] != want[table] {
				t.Errorf("portable %t: %s has %s, want %s", driver.Portable, table, got[table], want[table])
			}
		}
		to = newFile(t)
	}
}

// FuzzDamagedFile changes a file in two places: it is read to an end, or refused.
func FuzzDamagedFile(f *testing.F) {
	url := newFile(f)
	for _, sql := range []string{
		"PRAGMA page_size = 512", "CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT CHECK (b <> 'x') DEFAULT 'y', c BLOB)", "CREATE INDEX i ON a (lower(b) DESC) WHERE b > 'a'",
		"CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID", "CREATE VIEW v AS SELECT b FROM a", "CREATE TRIGGER g AFTER INSERT ON w BEGIN DELETE FROM a; END",
		"INSERT INTO a SELECT value, 'text ' || value, zeroblob(value * 40) FROM (SELECT 1 AS value UNION SELECT 2 UNION SELECT 3 UNION SELECT 30)", "INSERT INTO w VALUES ('k', 2.5), ('l', NULL)",
	} {
		if err := exec(f, url, sql); err != nil {
			f.Fatal(err)
		}
	}
	whole, err := os.ReadFile(url[len("sqlite:"):])
	if err != nil {
		f.Fatal(err)
	}
	for _, at := range []uint32{0, 16, 18, 28, 36, 44, 56, 100, 103, 108, 300, 420, 512, 515, 520, 900, 1024, 1536} {
		f.Add(at, uint32(0xffff_ffff), at+40, uint32(1))
	}
	f.Fuzz(func(t *testing.T, at, value, other, second uint32) {
		changed := bytes.Clone(whole)
		binary.BigEndian.PutUint32(changed[at%uint32(len(changed)-4):], value)
		binary.BigEndian.PutUint32(changed[other%uint32(len(changed)-4):], second)
		url := newFile(t)
		if err := os.WriteFile(url[len("sqlite:"):], changed, 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := sqlite.Driver{}.OpenSource(t.Context(), databasetest.Locate(t, url), database.SourceOptions{})
		if err != nil {
			return
		}
		defer src.Close()
		s, err := src.Schema(t.Context())
		if err != nil {
			return
		}
		for _, table := range s.Tables {
			rows := 0
			err := src.Rows(t.Context(), table, func(b *database.Batch) error { rows += b.Len(); b.Release(); return nil })
			if err == nil && rows > len(changed) {
				t.Errorf("table %s has %d rows", table.Name, rows)
			}
		}
	})
}

// TestADecimalThatSQLiteWouldRoundIsRefused: a number keeps only so many digits, and an amount of
// money would come back as another one.
func TestADecimalThatSQLiteWouldRoundIsRefused(t *testing.T) {
	table := &database.Table{Name: "bills", Columns: []*database.Column{{Name: "amount", Type: database.Type{Kind: database.Decimal, Precision: 10, Scale: 2}}}}
	for text, fits := range map[string]bool{"-0.10": true, "99999999.99": true, "0.125": false, "12345678901234567890.01": false} {
		src := &databasetest.Source{
			Model: &database.Schema{Engine: "memory", Tables: []*database.Table{table}},
			Data:  map[string][][]database.Cell{"bills": {{databasetest.Text(text)}}},
		}
		_, err := databasetest.Into(t, sqlite.Driver{}, newFile(t), src, convert.Options{NoVerify: true})
		if fits && err != nil || !fits && (!errors.Is(err, database.ErrValue) || !strings.Contains(err.Error(), text)) {
			t.Errorf("%s: got %v, fits: %v", text, err, fits)
		}
	}
}
