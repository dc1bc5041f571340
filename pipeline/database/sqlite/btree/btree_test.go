package btree

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// value is what a test stores.
type value any

// TestSQLiteReadsWhatIsWritten compares tables of all page sizes with what SQLite itself makes of
// the same rows.
func TestSQLiteReadsWhatIsWritten(t *testing.T) {
	for _, page := range []int{512, 1024, 4096, 8192, 32768} {
		for _, rows := range []int{0, 1, 2, 40, 3000} {
			t.Run(fmt.Sprint(page, " ", rows), func(t *testing.T) {
				path := newFile(t, page)
				random := rand.New(rand.NewPCG(uint64(page), uint64(rows)))
				write(t, path, random, rows)
				compare(t, path, rows)
			})
		}
	}
}

// TestATreeOfManyLevels has more pages than one of the middle names.
func TestATreeOfManyLevels(t *testing.T) {
	path := newFile(t, 512)
	f := openFile(t, path)
	table := f.Table(2)
	var r Record
	for row := range 120_000 {
		r.Reset()
		r.Text([]byte("some twenty bytes or so"))
		must(t, table.Append(math.MinInt64+int64(row)*1000, &r))
	}
	must(t, table.End())
	must(t, f.Close())
	if len(table.levels) < 3 {
		t.Fatalf("%d levels", len(table.levels))
	}
	conn := openSQL(t, path)
	if n := ask(t, conn, "SELECT count(*) FROM direct WHERE a = 'some twenty bytes or so'"); n != "120000" {
		t.Errorf("%s rows", n)
	}
	if n := ask(t, conn, "SELECT count(*) FROM direct WHERE rowid = -9223372036854775808 + 99000"); n != "1" {
		t.Errorf("a row in the middle is found %s times", n)
	}
	sound(t, conn)
}

// TestRowsFollowOneAnother refuses what SQLite would not find again.
func TestRowsFollowOneAnother(t *testing.T) {
	f := openFile(t, newFile(t, 4096))
	table := f.Table(2)
	var r Record
	r.Null()
	must(t, table.Append(7, &r))
	for _, row := range []int64{7, 6, math.MinInt64} {
		if table.Fits(row) || table.Append(row, &r) == nil {
			t.Errorf("row %d was taken after row 7", row)
		}
	}
	must(t, table.End())
	must(t, f.Close())
}

// TestThePageOfTheLockByteIsSkipped counts pages around it without writing a gigabyte.
func TestThePageOfTheLockByteIsSkipped(t *testing.T) {
	f := &File{page: 4096, next: lockByte/4096 - 2}
	var got []uint32
	for range 4 {
		first, count, err := f.reserve(2)
		must(t, err)
		for i := range count {
			got = append(got, first+uint32(i))
		}
	}
	if fmt.Sprint(got) != "[262142 262143 262144 262146 262147 262148 262149]" {
		t.Error(got)
	}
}

// TestOtherFilesAreRefused opens what pages cannot be added to.
func TestOtherFilesAreRefused(t *testing.T) {
	for name, prepare := range map[string]string{
		"free pages": "CREATE TABLE x (a); INSERT INTO x VALUES (zeroblob(100000)); DROP TABLE x",
		"vacuum":     "PRAGMA auto_vacuum = FULL; VACUUM",
		"UTF-16":     "PRAGMA encoding = 'UTF-16'",
	} {
		path := filepath.Join(t.TempDir(), "f.db")
		conn := openSQL(t, path)
		must(t, conn.Exec(prepare+"; CREATE TABLE t (a)"))
		must(t, conn.Close())
		if f, err := Open(path); err == nil {
			f.Close()
			t.Errorf("%s: it was opened", name)
		}
	}
}

func newFile(t testing.TB, page int) string {
	path := filepath.Join(t.TempDir(), "f.db")
	conn := openSQL(t, path)
	must(t, conn.Exec(fmt.Sprintf("PRAGMA page_size = %d; CREATE TABLE direct (a, b, c); CREATE TABLE twin (a, b, c)", page)))
	must(t, conn.Close())
	return path
}

// write fills one table page by page and the other by SQL, with the same rows.
func write(t testing.TB, path string, random *rand.Rand, rows int) {
	all := make([][]value, rows)
	f := openFile(t, path)
	table := f.Table(2)
	var r Record
	for row := range all {
		r.Reset()
		for range 3 {
			v := randomValue(random)
			all[row] = append(all[row], v)
			add(&r, v)
		}
		must(t, table.Append(rowOf(row), &r))
	}
	must(t, table.End())
	must(t, f.Close())
	conn := openSQL(t, path)
	stmt, _, err := conn.Prepare("INSERT INTO twin (rowid, a, b, c) VALUES (?, ?, ?, ?)")
	must(t, err)
	must(t, conn.Exec("BEGIN"))
	for row, values := range all {
		must(t, stmt.BindInt64(1, rowOf(row)))
		for i, v := range values {
			bind(t, stmt, i+2, v)
		}
		must(t, stmt.Exec())
	}
	must(t, conn.Exec("COMMIT"))
	must(t, stmt.Close())
	must(t, conn.Close())
}

// rowOf leaves gaps, and begins below zero.
func rowOf(row int) int64 { return int64(row)*int64(row)*97 - 300 }

func randomValue(random *rand.Rand) value {
	switch random.IntN(7) {
	case 0:
		return nil
	case 1:
		return int64(random.Uint64()) >> random.IntN(64)
	case 2:
		return random.NormFloat64() * math.Pow(10, float64(random.IntN(40)-20))
	case 3:
		return string(bytes.Repeat([]byte("é"), random.IntN(70)))
	case 4:
		return bytes.Repeat([]byte{7}, random.IntN(2000))
	case 5:
		if random.IntN(40) == 0 {
			return bytes.Repeat([]byte{1, 2, 3}, farBytes/3+random.IntN(300_000)/3)
		}
		return int64(random.IntN(3))
	}
	return string(bytes.Repeat([]byte("x"), random.IntN(130)))
}

func add(r *Record, v value) {
	switch v := v.(type) {
	case nil:
		r.Null()
	case int64:
		r.Int(v)
	case float64:
		r.Float(v)
	case string:
		r.Text([]byte(v))
	case []byte:
		r.Blob(v)
	}
}

func bind(t testing.TB, stmt *sqlite3.Stmt, at int, v value) {
	switch v := v.(type) {
	case nil:
		must(t, stmt.BindNull(at))
	case int64:
		must(t, stmt.BindInt64(at, v))
	case float64:
		must(t, stmt.BindFloat(at, v))
	case string:
		must(t, stmt.BindText(at, v))
	case []byte:
		if len(v) == 0 {
			must(t, stmt.BindZeroBlob(at, 0))
			return
		}
		must(t, stmt.BindBlob(at, v))
	}
}

func compare(t *testing.T, path string, rows int) {
	conn := openSQL(t, path)
	const each = "SELECT rowid, typeof(a), a, typeof(b), b, typeof(c), c FROM "
	for _, pair := range [][2]string{{"direct", "twin"}, {"twin", "direct"}} {
		if n := ask(t, conn, "SELECT count(*) FROM ("+each+pair[0]+" EXCEPT "+each+pair[1]+")"); n != "0" {
			t.Errorf("%s rows of %s are not in %s", n, pair[0], pair[1])
		}
	}
	if n := ask(t, conn, "SELECT count(*) FROM direct"); n != fmt.Sprint(rows) {
		t.Errorf("%s rows, want %d", n, rows)
	}
	sound(t, conn)
	must(t, conn.Exec("INSERT INTO direct VALUES (1, 2, 3); DELETE FROM direct WHERE rowid % 3 = 0; CREATE INDEX i ON direct (a)"))
	sound(t, conn)
}

func sound(t *testing.T, conn *sqlite3.Conn) {
	t.Helper()
	if got := ask(t, conn, "PRAGMA integrity_check"); got != "ok" {
		t.Error(got)
	}
}

func openFile(t testing.TB, path string) *File {
	f, err := Open(path)
	must(t, err)
	return f
}

func openSQL(t testing.TB, path string) *sqlite3.Conn {
	conn, err := sqlite3.Open("file:" + path)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func ask(t *testing.T, conn *sqlite3.Conn, sql string) (out string) {
	t.Helper()
	stmt, _, err := conn.Prepare(sql)
	must(t, err)
	defer stmt.Close()
	if stmt.Step() {
		out = stmt.ColumnText(0)
	}
	must(t, stmt.Err())
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
