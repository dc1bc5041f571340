package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/mysql"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// longKeys has a long value under a key of every kind that finds a row.
const longKeys = `
	CREATE TABLE texts (k VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci, v LONGTEXT CHARACTER SET latin1, PRIMARY KEY (k));
	INSERT INTO texts VALUES ('', 'short'), ('é''\\', REPEAT('é\n', 6000000)), ('z', REPEAT('x', 8388608));
	CREATE TABLE dates (d DATE, t DATETIME(6), s TIMESTAMP(3), c TIME(2), v LONGTEXT, PRIMARY KEY (d, t, s, c));
	INSERT INTO dates VALUES ('2026-02-03', '2026-01-02 03:04:05.000600', '2026-01-02 03:04:05.120', '-12:00:01.50', REPEAT('漢字', 1500000)), ('2026-02-04', '2026-01-02 03:04:05', '2026-01-02 03:04:05', '00:00:00', NULL);
	CREATE TABLE bytes (k VARBINARY(9), n DECIMAL(30,10), w BIGINT UNSIGNED, v MEDIUMBLOB, name TEXT, j JSON, PRIMARY KEY (k, n, w));
	INSERT INTO bytes VALUES (x'00ff27', -1.5, 18446744073709551615, REPEAT(x'00ff5c27', 2500000), 'n', JSON_QUOTE(REPEAT('j', 9000000))), (x'', 0, 0, x'', NULL, 'null');
	CREATE TABLE unique_only (a INT NOT NULL, b INT NOT NULL, f FLOAT, v LONGBLOB, g INT AS (a + b) STORED, UNIQUE (b, a));
	INSERT INTO unique_only (a, b, f, v) VALUES (1, 2, 0.1, REPEAT('u', 9000000)), (2, 1, 0.2, 'v');
	CREATE TABLE computed (a INT PRIMARY KEY, g INT AS (a + 1) STORED, v LONGBLOB);
	INSERT INTO computed (a, v) VALUES (1, REPEAT('v', 9000000));`

// read sums all tables, and counts the rows that came with long cells.
func read(t *testing.T, at database.Location, aside string) (digests string, long int) {
	t.Helper()
	src := openSource(t, at, database.SourceOptions{Aside: aside})
	defer src.Close()
	schema, err := src.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range schema.Tables {
		err := src.Rows(context.Background(), table, func(b *database.Batch) error {
			if b.HasLong() {
				long++
			}
			b.Release()
			return nil
		})
		if err != nil {
			t.Fatalf("read %s: %v", table.Name, err)
		}
	}
	return fmt.Sprint(databasetest.Digests(t, src)), long
}

func TestLongValuesAreReadApartByAnyKey(t *testing.T) {
	at := mysqltest.Database(t)
	mysqltest.Exec(t, at, longKeys)
	want, none := read(t, at, "")
	got, long := read(t, at, t.TempDir())
	if got != want || none != 0 || long != 5 {
		t.Errorf("read %s with %d long rows, want %s with 5", got, long, want)
	}
	mysqltest.Exec(t, at, "SET GLOBAL max_allowed_packet = 1048576")
	defer mysqltest.Exec(t, at, "SET GLOBAL max_allowed_packet = 67108864")
	if got, _ := read(t, at, t.TempDir()); got != want {
		t.Errorf("with a small max_allowed_packet: %s, want %s", got, want)
	}
}

func TestLongValueOfATableWithoutKeyIsReadWhole(t *testing.T) {
	at := mysqltest.Database(t)
	mysqltest.Exec(t, at, "CREATE TABLE t (v LONGBLOB); INSERT INTO t VALUES (REPEAT('x', 9000000)), ('y')")
	want, _ := read(t, at, "")
	if got, long := read(t, at, t.TempDir()); got != want || long != 0 {
		t.Errorf("read %s with %d long rows, want %s with none", got, long, want)
	}
}

// through copies a database into a SQLite file and from there into another, long values aside.
func through(t *testing.T, from, to database.Location) error {
	file := "sqlite:" + filepath.Join(t.TempDir(), "long.sqlite")
	src := openSource(t, from, database.SourceOptions{Aside: t.TempDir()})
	if _, err := databasetest.Into(t, sqlite.Driver{Portable: true}, file, src, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	dst, err := mysql.Driver{}.OpenTarget(context.Background(), to, database.TargetOptions{Aside: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	back := databasetest.From(t, sqlite.Driver{}, file, database.SourceOptions{Aside: t.TempDir()})
	_, err = convert.Run(context.Background(), back, dst, convert.Options{})
	return errors.Join(err, dst.Close())
}

func TestLongValuesGoInWithAndWithoutLoadData(t *testing.T) {
	from := mysqltest.Database(t)
	mysqltest.Exec(t, from, longKeys)
	want, _ := read(t, from, "")
	for _, local := range []string{"1", "0"} {
		to := mysqltest.Database(t)
		mysqltest.Exec(t, to, "SET GLOBAL local_infile = "+local)
		defer mysqltest.Exec(t, to, "SET GLOBAL local_infile = 1")
		if err := through(t, from, to); err != nil {
			t.Fatalf("local_infile = %s: %v", local, err)
		}
		if got, _ := read(t, to, ""); got != want {
			t.Errorf("local_infile = %s: %s, want %s", local, got, want)
		}
	}
}

func TestLongValueBeyondThePacketIsRefusedByItsRow(t *testing.T) {
	from, to := mysqltest.Database(t), mysqltest.Database(t)
	mysqltest.Exec(t, from, "CREATE TABLE t (n INT PRIMARY KEY, v LONGBLOB); INSERT INTO t VALUES (6, 'x'), (7, REPEAT('y', 12000000))")
	mysqltest.Exec(t, to, "SET GLOBAL max_allowed_packet = 9437184")
	defer mysqltest.Exec(t, to, "SET GLOBAL max_allowed_packet = 67108864")
	err := through(t, from, to)
	if !errors.Is(err, database.ErrValue) || !strings.Contains(err.Error(), "max_allowed_packet") || !strings.Contains(err.Error(), "n=7") {
		t.Errorf("got %v, want an ErrValue that names the row and the setting", err)
	}
	if got := contents(t, to); got != "" {
		t.Errorf("a refused import left %q", got)
	}
}
