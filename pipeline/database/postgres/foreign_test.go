package postgres_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// foreignSQL is a SQLite database as applications make them.
const foreignSQL = `
CREATE TABLE artist (id INTEGER PRIMARY KEY AUTOINCREMENT, name NVARCHAR(120) NOT NULL UNIQUE, born DATE, active BOOLEAN DEFAULT 1, rating REAL);
CREATE TABLE album (id INTEGER PRIMARY KEY, artist INTEGER NOT NULL REFERENCES artist ON DELETE CASCADE, title VARCHAR(5), price NUMERIC(10,2) NOT NULL DEFAULT 0.99 CHECK (price >= 0), made DATETIME DEFAULT CURRENT_TIMESTAMP, cover BLOB, extra,
  CONSTRAINT "title known" CHECK (title <> 'none'));
CREATE TABLE tag (album INT REFERENCES album(id), word TEXT COLLATE NOCASE, PRIMARY KEY (album, word)) WITHOUT ROWID;
CREATE INDEX album_artist ON album (artist DESC, title); CREATE UNIQUE INDEX album_price ON album (price) WHERE price > 5; CREATE INDEX album_lower ON album (lower(title));
CREATE VIEW titles AS SELECT title FROM album; CREATE TRIGGER shout AFTER INSERT ON album BEGIN UPDATE album SET title = upper(title) WHERE id = new.id; END;
INSERT INTO artist VALUES (1, 'Ä', '1970-01-31', 1, 4), (7, 'B''', NULL, 0, 0.1); DELETE FROM artist WHERE id = 7; INSERT INTO artist VALUES (3, 'C', NULL, NULL, NULL);
INSERT INTO album VALUES (1, 1, 'too long for it', 9.99, '2026-01-02 03:04:05', x'00ff', 1), (2, 1, NULL, 10, NULL, NULL, 'two'), (5, 3, 'x', 0.01, '1999-12-31 23:59:59', x'', 2.5);
INSERT INTO tag VALUES (1, 'a'), (1, 'b'), (5, 'A');`

func foreignFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "foreign.sqlite")
	conn, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec(foreignSQL); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAForeignSQLiteFileBecomesAPostgresDatabase(t *testing.T) {
	files := []string{foreignFile(t)}
	if more := os.Getenv("PACKSTONE_TEST_SQLITE"); more != "" {
		files = append(files, more)
	}
	for _, file := range files {
		url := postgrestest.Database(t)
		report, err := copied(t, sqlite.Driver{}, postgres.Driver{}, "sqlite:"+file, url, convert.Options{})
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, f := range report.Inexact() {
			t.Log(f)
		}
		t.Log(dumpSchema(t, url))
		back := "sqlite:" + filepath.Join(t.TempDir(), "back.sqlite")
		if _, err := copied(t, postgres.Driver{}, sqlite.Driver{}, url, back, convert.Options{}); err != nil {
			t.Fatalf("%s back: %v", file, err)
		}
	}
}

func TestAForeignSQLiteFileIsCopiedExactly(t *testing.T) {
	file := "sqlite:" + foreignFile(t)
	to := "sqlite:" + filepath.Join(t.TempDir(), "copy.sqlite")
	report, err := copied(t, sqlite.Driver{}, sqlite.Driver{}, file, to, convert.Options{Strict: true})
	if err != nil {
		t.Fatalf("%v %v", err, report.Inexact())
	}
	a, b := sqliteDump(t, file), sqliteDump(t, to)
	if a != b {
		t.Errorf("the copy differs:\n%s", firstDifference(a, b))
	}
	want := databasetest.Digests(t, databasetest.From(t, sqlite.Driver{}, file, database.SourceOptions{}))
	if got := databasetest.Digests(t, databasetest.From(t, sqlite.Driver{}, to, database.SourceOptions{})); len(got) != 3 || got["album"] != want["album"] {
		t.Errorf("digests %v, want %v", got, want)
	}
}

// sqliteDump prints a file's schema and cells with their storage classes.
func sqliteDump(t testing.TB, url string) string {
	t.Helper()
	conn, err := sqlite3.Open(url[len("sqlite:"):])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	out := ""
	for _, sql := range []string{
		"SELECT type || name || coalesce(sql, '') FROM sqlite_schema ORDER BY type, name", "SELECT name || seq FROM sqlite_sequence",
		"SELECT concat_ws('|', id, name, born, active, typeof(active), rating, typeof(rating)) FROM artist ORDER BY id",
		"SELECT concat_ws('|', id, artist, title, price, typeof(price), made, hex(cover), typeof(cover), extra, typeof(extra)) FROM album ORDER BY id",
	} {
		stmt, _, err := conn.Prepare(sql)
		if err != nil {
			t.Fatal(err)
		}
		for stmt.Step() {
			out += stmt.ColumnText(0) + "\n"
		}
		if err := stmt.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
