package sqlite_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// marked counts calls of mark, a function that every connection of this test binary has.
var marked atomic.Int64

func init() {
	sqlite3.AutoExtension(func(conn *sqlite3.Conn) error {
		return conn.CreateFunction("mark", 1, sqlite3.DETERMINISTIC, func(ctx sqlite3.Context, arg ...sqlite3.Value) {
			marked.Add(1)
			ctx.ResultInt64(1)
		})
	})
}

// build makes a file by a program that has the function.
func build(t testing.TB, sql string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "code.sqlite")
	conn, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Config(sqlite3.DBCONFIG_TRUSTED_SCHEMA, true); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(sql); err != nil {
		t.Fatal(err)
	}
	if marked.Load() == 0 && strings.Contains(sql, "mark(") {
		t.Fatal("the function did not run where it may")
	}
	marked.Store(0)
	return "sqlite:" + path
}

func TestReadingRunsNoFunctionOfTheFile(t *testing.T) {
	for place, sql := range map[string]string{
		"check":            "CREATE TABLE t (id INTEGER PRIMARY KEY, a CHECK (mark(a) = 1)); INSERT INTO t VALUES (1, 5)",
		"default":          "CREATE TABLE t (id INTEGER PRIMARY KEY, a DEFAULT (mark(2))); INSERT INTO t (id) VALUES (1)",
		"stored column":    "CREATE TABLE t (id INTEGER PRIMARY KEY, a AS (mark(id)) STORED); INSERT INTO t VALUES (1)",
		"virtual column":   "CREATE TABLE t (id INTEGER PRIMARY KEY, a AS (mark(id)), CHECK (a = 1)); INSERT INTO t VALUES (1)",
		"index expression": "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE INDEX i ON t (mark(a)); INSERT INTO t VALUES (1, 5)",
		"index predicate":  "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE INDEX i ON t (a) WHERE mark(a) = 1; INSERT INTO t VALUES (1, 5)",
		"view":             "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 5); CREATE VIEW v AS SELECT mark(a) AS m FROM t; SELECT * FROM v",
		"trigger":          "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT mark(3); END; INSERT INTO t VALUES (1, 5)",
		"row without id":   "CREATE TABLE t (id TEXT PRIMARY KEY, a CHECK (mark(a) = 1)) WITHOUT ROWID; INSERT INTO t VALUES ('x', 5)",
	} {
		url := build(t, sql)
		for _, opts := range []database.SourceOptions{{}, {Scratch: t.TempDir(), Aside: t.TempDir()}} {
			rows, err := rowsOf(t, url, opts)
			if err != nil && !strings.Contains(err.Error(), "unsafe use of mark()") || err == nil && len(rows) != 1 {
				t.Errorf("%s: rows %v, %v", place, rows, err)
			}
		}
		if n := marked.Load(); n != 0 {
			t.Errorf("%s: the function was called %d times", place, n)
		}
	}
}

// rowsOf reads the table t of a file.
func rowsOf(t testing.TB, url string, opts database.SourceOptions) ([]string, error) {
	t.Helper()
	src, err := sqlite.Driver{}.OpenSource(context.Background(), databasetest.Locate(t, url), opts)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	schema, err := src.Schema(context.Background())
	if err != nil {
		return nil, err
	}
	return databasetest.Rows(context.Background(), src, schema.Find("t"))
}

func TestAnExportWhoseTableIsAViewIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "export.sqlite")
	from := databasetest.From(t, sqlite.Driver{}, build(t, "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)"), database.SourceOptions{})
	if _, err := databasetest.Into(t, sqlite.Driver{Portable: true}, "sqlite:"+path, from, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	conn, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec("ALTER TABLE t RENAME TO other; CREATE VIEW t AS SELECT mark(a) AS a FROM other"); err != nil {
		t.Fatal(err)
	}
	if rows, err := rowsOf(t, "sqlite:"+path, database.SourceOptions{}); err == nil || !strings.Contains(err.Error(), "no table") {
		t.Errorf("rows %v, %v, want a refusal", rows, err)
	}
}
