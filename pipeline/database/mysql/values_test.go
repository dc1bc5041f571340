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

func TestLongValuesComeBack(t *testing.T) {
	for name, local := range map[string]string{"by LOAD DATA": "ON", "by INSERT": "OFF"} {
		t.Run(name, func(t *testing.T) {
			from, to := mysqltest.Database(t), mysqltest.Database(t)
			mysqltest.Exec(t, from, `CREATE TABLE a (n INT PRIMARY KEY, b LONGBLOB, t LONGTEXT CHARACTER SET latin1, f FLOAT, y YEAR, bits BIT(3), ts TIMESTAMP NULL);
				INSERT INTO a VALUES (1, 'x', 'y', 1, 0, 5, NULL), (2, REPEAT('a\t\\\n\0', 1000000), REPEAT('ü', 1500000), 0.1, 0, 6, '2026-01-02 03:04:05'),
					(3, REPEAT('z', 2000000), '', NULL, 2000, 1, NULL), (4, '', NULL, 1, 1999, 0, NULL), (5, REPEAT('q', 1500000), 'e', 1, 1999, 0, NULL)`)
			mysqltest.Exec(t, to, "SET GLOBAL local_infile = "+local)
			defer mysqltest.Exec(t, to, "SET GLOBAL local_infile = ON")
			if report := copied(t, from, to, 1, convert.Options{}); !report.Verified || report.Result("a").Rows != 5 {
				t.Errorf("the report is %+v", report.Result("a"))
			}
		})
	}
}

func TestValueBeyondThePacketLimitIsRefusedByName(t *testing.T) {
	from, to := mysqltest.Database(t), mysqltest.Database(t)
	mysqltest.Exec(t, from, "CREATE TABLE a (n INT PRIMARY KEY, b LONGBLOB); INSERT INTO a VALUES (1, ''), (7, REPEAT('a', 5000000))")
	mysqltest.Exec(t, to, "SET GLOBAL max_allowed_packet = 4194304")
	defer mysqltest.Exec(t, to, "SET GLOBAL max_allowed_packet = 67108864")
	err := attempt(t, from, to, database.TargetOptions{}, nil)
	if !errors.Is(err, database.ErrValue) || !strings.Contains(err.Error(), "max_allowed_packet") || !strings.Contains(err.Error(), "n=7") {
		t.Errorf("got %v, want an ErrValue that names the limit and the row", err)
	}
	if got := contents(t, to); got != "" {
		t.Errorf("a failed import left %q", got)
	}
}

// fromSQLite imports a SQLite database made by a script.
func fromSQLite(t *testing.T, script string) (database.Location, *database.Report, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "source.sqlite")
	makeSQLite(t, file, script)
	to := mysqltest.Database(t)
	src := databasetest.From(t, sqlite.Driver{}, "sqlite:"+file, database.SourceOptions{})
	report, err := databasetest.Into(t, mysql.Driver{}, to.Reveal(), src, convert.Options{})
	return to, report, err
}

func TestTextKeysGetALengthAndSaySo(t *testing.T) {
	to, report, err := fromSQLite(t, `CREATE TABLE a (k TEXT NOT NULL PRIMARY KEY, v TEXT); INSERT INTO a VALUES ('x', 'y'), ('X', 'z'); CREATE INDEX long_one ON a (v)`)
	if err != nil {
		t.Fatal(err)
	}
	told := fmt.Sprint(report.Inexact())
	for _, want := range []string{"column a.k: in a key it holds at most 768 characters", "index a.long_one: only the beginning"} {
		if !strings.Contains(told, want) {
			t.Errorf("the report does not say %q: %s", want, told)
		}
	}
	var n int
	if err := mysqltest.Open(t, to).QueryRow("SELECT COUNT(*) FROM a WHERE k IN ('x', 'X')").Scan(&n); err != nil || n != 2 {
		t.Errorf("%d rows, %v, want 2", n, err)
	}
}

func TestValueThatDoesNotFitItsKeyIsAnError(t *testing.T) {
	to, _, err := fromSQLite(t, `CREATE TABLE a (k TEXT NOT NULL PRIMARY KEY); INSERT INTO a VALUES ('`+strings.Repeat("x", 800)+`')`)
	if !errors.Is(err, database.ErrValue) || !strings.Contains(err.Error(), "'k'") {
		t.Errorf("got %v, want an ErrValue that names the column", err)
	}
	if got := contents(t, to); got != "" {
		t.Errorf("a failed import left %q", got)
	}
}

func TestLongNamesAreShortenedAndReported(t *testing.T) {
	long := strings.Repeat("n", 70)
	to, report, err := fromSQLite(t, "CREATE TABLE "+long+" (id INTEGER PRIMARY KEY, c"+long+" INT); INSERT INTO "+long+" VALUES (1, 2)")
	if err != nil {
		t.Fatal(err)
	}
	if told := fmt.Sprint(report.Inexact()); !strings.Contains(told, "it is called nnn") || !strings.Contains(told, "it is called cnnn") {
		t.Errorf("the report does not tell of the new names: %s", told)
	}
	if got := contents(t, to); len(got) != 64 {
		t.Errorf("the table is called %q, want 64 characters", got)
	}
}

func BenchmarkRows(b *testing.B) {
	at := mysqltest.Database(b)
	mysqltest.Exec(b, at, benchmarkTable)
	src := openSource(b, at, database.SourceOptions{})
	schema, err := src.Schema(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var size int
		err := src.Rows(context.Background(), schema.Tables[0], func(batch *database.Batch) error {
			size += batch.Size()
			batch.Release()
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(size))
	}
}

func BenchmarkLoad(b *testing.B) {
	from := mysqltest.Database(b)
	mysqltest.Exec(b, from, benchmarkTable)
	b.ReportAllocs()
	for b.Loop() {
		report := copied(b, from, mysqltest.Database(b), 1, convert.Options{NoVerify: true})
		b.SetBytes(report.Tables[0].Bytes)
	}
}

const benchmarkTable = `CREATE TABLE m (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60) NOT NULL, amount DECIMAL(12,2), score DOUBLE, made DATETIME(6), note TEXT, KEY (name));
	INSERT INTO m (name, amount, score, made, note) SELECT CONCAT('name ', seq), seq / 7, SQRT(seq), FROM_UNIXTIME(1600000000 + seq), REPEAT(MD5(seq), 3) FROM seq_1_to_100000`
