package database

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	db "github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/rows"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

// streams are a snapshot's rows as a database.
func streams(t *testing.T, s snapshot) db.Source {
	t.Helper()
	files := fstest.MapFS{}
	for path, f := range s {
		files[path] = &fstest.MapFile{Data: f.data}
	}
	src, err := rows.Open(files, db.SourceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func TestPostgreSQLComesBackAndIsStoredByItsChanges(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, `CREATE TABLE big (id bigserial PRIMARY KEY, v text NOT NULL, at timestamptz DEFAULT now());
		INSERT INTO big (v) SELECT md5(i::text) FROM generate_series(1, 20000) i;
		CREATE TABLE small (k text PRIMARY KEY, n numeric(10, 2)); INSERT INTO small VALUES ('a', 1.5)`)
	at, err := db.ParseLocation(url)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Driver: postgres.Driver{}, At: at, Jobs: 2, StateDir: t.TempDir()}
	first, err := newTaker(t, o, nil).run(3)
	if err != nil {
		t.Fatal(err)
	}
	postgrestest.Exec(t, url, "UPDATE big SET v = 'changed' WHERE id % 1000 = 0")
	k := newTaker(t, o, first)
	second, err := k.run(3)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(k.opened, rows.RunPath("public.big", 1, true)) || slices.Contains(k.opened, rows.RunPath("public.small", 0, false)) {
		t.Errorf("%q were read", k.opened)
	}
	again, err := postgres.Driver{}.OpenTarget(context.Background(), at, db.TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := convert.Verify(context.Background(), streams(t, second), again, convert.Options{}); err != nil {
		t.Error(err)
	}
}

func TestTablesOfOneSnapshotAgreeWhileTransactionsGoOn(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, `CREATE TABLE a (n bigint PRIMARY KEY); CREATE TABLE b (n bigint PRIMARY KEY);
		CREATE TABLE between AS SELECT i, md5(i::text) FROM generate_series(1, 30000) i`)
	at, err := db.ParseLocation(url)
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	begun, written := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		for n := 0; !stop.Load(); n++ {
			postgrestest.Exec(t, url, fmt.Sprintf("INSERT INTO a VALUES (%d); INSERT INTO b VALUES (%d)", n, n))
			if n == 0 {
				close(begun)
			}
		}
	}()
	<-begun
	for range 3 {
		s, err := newTaker(t, Options{Driver: postgres.Driver{}, At: at, Jobs: 3}, nil).run(3)
		if err != nil {
			t.Fatal(err)
		}
		list, err := rows.ReadStored(s[rows.TablesEntry].data)
		if err != nil {
			t.Fatal(err)
		}
		byTable := map[string]rows.Stored{}
		for _, one := range list {
			byTable[one.Table] = one
		}
		if a, b := byTable["public.a"], byTable["public.b"]; a.Rows == 0 || a.Digest != b.Digest {
			t.Errorf("a has %d rows, b has %d", a.Rows, b.Rows)
		}
	}
	stop.Store(true)
	<-written
}

func TestATableThatIsReadAgainAfterABulkChangeStaysInTheSnapshot(t *testing.T) {
	for _, jobs := range []int{1, 4} {
		url := postgrestest.Database(t)
		for n := range 3 {
			for _, key := range []string{" PRIMARY KEY", ""} {
				postgrestest.Exec(t, url, fmt.Sprintf(`CREATE TABLE t%[1]d%[2]d (id int%[3]s, a text); INSERT INTO t%[1]d%[2]d SELECT i, md5(i::text) FROM generate_series(1, %[4]d) i`,
					n, len(key), key, 2000*(n*n*n*n+1)))
			}
		}
		at, err := db.ParseLocation(url)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Driver: postgres.Driver{}, At: at, Jobs: jobs, StateDir: t.TempDir()}
		taken, err := newTaker(t, o, nil).run(jobs)
		if err != nil {
			t.Fatal(err)
		}
		for _, change := range []string{"UPDATE %[1]s SET a = a || id", "ALTER TABLE %[1]s ADD z int DEFAULT 5"} {
			for _, name := range []string{"t00", "t012", "t10", "t112", "t20", "t212"} {
				postgrestest.Exec(t, url, fmt.Sprintf(change, name))
			}
			if taken, err = newTaker(t, o, taken).run(jobs); err != nil {
				t.Fatalf("%d jobs, after %s: %v", jobs, change, err)
			}
		}
		again, err := postgres.Driver{}.OpenTarget(context.Background(), at, db.TargetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := convert.Verify(context.Background(), streams(t, taken), again, convert.Options{}); err != nil {
			t.Error(err)
		}
		again.Close()
	}
}

func TestWhatCannotComeBackIsAProblemOfTheBackup(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, `CREATE TABLE t (id int PRIMARY KEY); CREATE CAST (point AS text) WITH INOUT;
		CREATE OPERATOR CLASS mine FOR TYPE int USING hash AS OPERATOR 1 =, FUNCTION 1 hashint4(int); CREATE INDEX special ON t USING hash (id mine)`)
	at, err := db.ParseLocation(url)
	if err != nil {
		t.Fatal(err)
	}
	k := newTaker(t, Options{Driver: postgres.Driver{}, At: at}, nil)
	if _, err := k.run(1); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"would leave out cast (point AS text): ", "would leave out index public.t.special: it is made of operator class public.mine USING hash"} {
		if !slices.ContainsFunc(k.problems, func(p string) bool { return strings.Contains(p, want) }) {
			t.Errorf("%q: no problem says %q", k.problems, want)
		}
	}
}
