package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlite/btree"
)

// exported writes a file of one table with a key and a column of a type.
func exported(t testing.TB, kind database.Type, rows [][]database.Cell) (path string) {
	table := &database.Table{Name: "t", Columns: []*database.Column{
		{Name: "id", NotNull: true, Type: database.Type{Kind: database.Int, Bits: 64}, Identity: &database.Identity{}}, {Name: "v", Type: kind},
	}}
	table.PrimaryKey = &database.Key{Columns: []string{"id"}}
	return file(t, &database.Schema{Engine: database.Postgres, Tables: []*database.Table{table}}, true, batchesOf(rows))
}

// TestPagesAreReadAsSQLiteReadsThem reads files both ways, as an export makes them and after people
// have changed them.
func TestPagesAreReadAsSQLiteReadsThem(t *testing.T) {
	for _, k := range kindsOf {
		var rows [][]database.Cell
		for i := range 400 {
			rows = append(rows, []database.Cell{number(int64(i)), k.cells[i%len(k.cells)]})
		}
		path := exported(t, k.kind, rows)
		for _, change := range []string{
			"",
			"DELETE FROM t WHERE id % 3 = 1; INSERT INTO t (id, v) SELECT -id - 1, v FROM t",
			"UPDATE t SET v = (SELECT x.v FROM t x WHERE x.id = t.id * 7 % 400); VACUUM",
			"UPDATE t SET v = 5 WHERE id % 5 = 0; UPDATE t SET v = -0.0 WHERE id % 7 = 0; UPDATE t SET v = NULL WHERE id % 11 = 0",
		} {
			alter(t, path, change)
			sameBothWays(t, fmt.Sprint(k.kind.Kind, " ", change), path, true)
		}
	}
}

// TestWhatOnlySQLiteCanReadIsLeftToIt changes files in ways that pages alone do not show.
func TestWhatOnlySQLiteCanReadIsLeftToIt(t *testing.T) {
	rows := [][]database.Cell{{number(1), word("a")}, {number(2), null}, {number(9), word(strings.Repeat("b", 9000))}}
	for _, c := range []struct {
		change string
		direct bool
	}{
		{"ALTER TABLE t ADD COLUMN w INTEGER DEFAULT 7", false},
		{"ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD COLUMN v TEXT DEFAULT 'later'; INSERT INTO t (v) VALUES ('now')", true},
		{"ALTER TABLE t ADD COLUMN w AS (id + 1)", false},
		{"PRAGMA journal_mode = WAL; UPDATE t SET v = 'in the log'", false},
		{"CREATE TABLE x AS SELECT * FROM t; DROP TABLE t; CREATE TABLE t (v TEXT, id INTEGER PRIMARY KEY); INSERT INTO t SELECT v, id FROM x", true},
		{"CREATE TABLE x AS SELECT * FROM t; DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY DESC, v TEXT); INSERT INTO t SELECT * FROM x; INSERT INTO t VALUES (NULL, 'no number')", true},
		{"CREATE TABLE x AS SELECT * FROM t; DROP TABLE t; CREATE TABLE t (id INT PRIMARY KEY, v TEXT); INSERT INTO t SELECT * FROM x", true},
		{"PRAGMA auto_vacuum = FULL; VACUUM; DELETE FROM t WHERE id = 1", true},
		{"PRAGMA page_size = 65536; VACUUM", true},
	} {
		path := exported(t, database.Type{Kind: database.Text}, rows)
		alter(t, path, c.change)
		sameBothWays(t, c.change, path, c.direct)
	}
}

// TestLongRowsAreLeftToSQLite reads one cell that goes to a file, and its neighbours.
func TestLongRowsAreLeftToSQLite(t *testing.T) {
	long := database.Cell{Class: database.ClassText, Bytes: []byte(strings.Repeat("x", database.LongBytes+1))}
	path := exported(t, database.Type{Kind: database.Text}, [][]database.Cell{{number(1), word("a")}, {number(2), long}, {number(3), word("c")}})
	sameBothWays(t, "a long row", path, true)
}

// TestDamagedPagesAreNamed overwrites the pages of a table.
func TestDamagedPagesAreNamed(t *testing.T) {
	var rows [][]database.Cell
	for i := range 2000 {
		rows = append(rows, []database.Cell{number(int64(i)), word("some text")})
	}
	path := exported(t, database.Type{Kind: database.Text}, rows)
	src := openOwn(t, path)
	damage(t, path, int64(src.readings["t"].direct.root))
	err := src.Rows(t.Context(), src.schema.Tables[0], drop)
	if !errors.Is(err, btree.ErrDamaged) || !strings.Contains(err.Error(), "read table t: ") || !strings.HasSuffix(err.Error(), "or take an earlier copy of the file") {
		t.Error(err)
	}
}

// BenchmarkRows reads rows of two columns from a file both ways.
func BenchmarkRows(b *testing.B) {
	var rows [][]database.Cell
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 100_000 {
		rows = append(rows, []database.Cell{number(int64(i)), word(strings.Repeat("x", random.IntN(60)))})
	}
	path := exported(b, database.Type{Kind: database.Text}, rows)
	for _, way := range []string{"pages", "sqlite"} {
		b.Run(way, func(b *testing.B) {
			src := openOwn(b, path)
			if way == "sqlite" {
				src.readings["t"].direct = nil
			}
			b.ReportAllocs()
			for b.Loop() {
				must(b, src.Rows(b.Context(), src.schema.Tables[0], drop))
			}
		})
	}
}

func drop(b *database.Batch) error {
	b.Release()
	return nil
}

func alter(t *testing.T, path, sql string) {
	t.Helper()
	conn, err := open(t.Context(), path, readWrite)
	must(t, err)
	must(t, conn.Exec(sql))
	must(t, conn.Close())
}

// damage overwrites the page of a number with zeros.
func damage(t *testing.T, path string, page int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	header := make([]byte, 18)
	_, err = f.ReadAt(header, 0)
	must(t, err)
	size := int64(binary.BigEndian.Uint16(header[16:]))
	_, err = f.WriteAt(make([]byte, size), (page-1)*size)
	must(t, err)
}

func openOwn(t testing.TB, path string) *source {
	at, err := database.ParseLocation("sqlite:" + path)
	must(t, err)
	opened, err := Driver{}.OpenSource(t.Context(), at, database.SourceOptions{Aside: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { must(t, opened.Close()) })
	return opened.(*source)
}

// sameBothWays compares what pages and what SQLite give of a table.
func sameBothWays(t *testing.T, what, path string, direct bool) {
	t.Helper()
	src := openOwn(t, path)
	defer src.Close()
	r := src.readings["t"]
	if got := r.direct != nil; got != direct {
		t.Errorf("%s: read from pages: %v, want %v", what, got, direct)
	}
	pages := rowsOf(t, src)
	r.direct = nil
	if asked := rowsOf(t, src); !slices.Equal(pages, asked) {
		t.Errorf("%s: pages give %d rows\n%.2000s\nSQLite gives %d rows\n%.2000s", what, len(pages), strings.Join(pages, "\n"), len(asked), strings.Join(asked, "\n"))
	}
}

func rowsOf(t *testing.T, src *source) (out []string) {
	t.Helper()
	must(t, src.Rows(t.Context(), src.schema.Tables[0], func(b *database.Batch) error {
		defer b.Release()
		for i := range b.Len() {
			out = append(out, fmt.Sprintf("%q", b.Row(i)))
		}
		return nil
	}))
	slices.Sort(out) // those that are left to SQLite come last
	return out
}
