package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

// session is a connection of somebody else.
func session(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func do(t testing.TB, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(context.Background(), sql).ReadAll(); err != nil {
		t.Errorf("exec %.200s: %v", sql, err)
	}
}

// waits returns when somebody waits for a lock on a table.
func waits(t testing.TB, url, table string) {
	t.Helper()
	conn := session(t, url)
	for {
		var waiting bool
		err := conn.QueryRow(context.Background(), "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = $1::regclass AND NOT granted)", table).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		if waiting {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// count reads a table's rows.
func count(t testing.TB, src database.Source, table string) (rows int) {
	t.Helper()
	schema, err := src.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range schema.Tables {
		if found.ID() == table {
			err := src.Rows(context.Background(), found, func(b *database.Batch) error {
				rows += b.Len()
				b.Release()
				return nil
			})
			if err != nil {
				t.Errorf("read table %s: %v", table, err)
			}
			return rows
		}
	}
	t.Fatalf("there is no table %s", table)
	return 0
}

// whileHeld opens a source while another session holds a table, which that one lets go of once the
// source waits for it.
func whileHeld(t *testing.T, url, table, change string) database.Source {
	t.Helper()
	job := session(t, url)
	do(t, job, "BEGIN; "+change)
	opened := make(chan database.Source)
	go func() {
		defer close(opened)
		src, err := postgres.Driver{}.OpenSource(context.Background(), location(t, url), database.SourceOptions{Jobs: 2})
		if err != nil {
			t.Error(err)
			return
		}
		opened <- src
	}()
	waits(t, url, table)
	do(t, job, "COMMIT")
	src := <-opened
	if src == nil {
		t.FailNow()
	}
	t.Cleanup(func() { src.Close() })
	return src
}

func TestATableThatIsReloadedWhenTheSnapshotBeginsIsNotEmpty(t *testing.T) {
	const tables = `CREATE TABLE quiet (a int); INSERT INTO quiet VALUES (1);
		CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'old' FROM generate_series(1, 100) g;
		CREATE TABLE p (id int, v text) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); INSERT INTO p SELECT 1, 'old' FROM generate_series(1, 100)`
	for _, c := range []struct{ what, held, change string }{
		{"truncated", "t", "TRUNCATE t; INSERT INTO t SELECT g, 'new' FROM generate_series(1, 70) g"},
		{"rewritten", "t", "ALTER TABLE t ALTER v TYPE varchar(10); DELETE FROM t WHERE id > 70"},
		{"made anew", "t", "DROP TABLE t; CREATE TABLE t (id bigint); INSERT INTO t SELECT generate_series(1, 70)"},
		{"truncated as a partition", "p", "TRUNCATE p; INSERT INTO p SELECT 1, 'new' FROM generate_series(1, 70)"},
	} {
		t.Run(c.what, func(t *testing.T) {
			url := postgrestest.Database(t)
			postgrestest.Exec(t, url, tables)
			src := whileHeld(t, url, c.held, c.change)
			if n := count(t, src, "public."+c.held); n != 70 {
				t.Errorf("%d rows of a table that has 70", n)
			}
			if n := count(t, src, "public.quiet"); n != 1 {
				t.Errorf("%d rows of a table that has 1", n)
			}
		})
	}
}

func TestATableForWhichSomebodyWaitsIsReadAllTheSame(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100);
		CREATE TABLE p (id int) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); INSERT INTO p VALUES (1)`)
	src, err := postgres.Driver{}.OpenSource(context.Background(), location(t, url), database.SourceOptions{Jobs: 2})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	job := session(t, url)
	go func() {
		defer close(done)
		do(t, job, "TRUNCATE t, p")
	}()
	waits(t, url, "t")
	for range 2 {
		if n := count(t, src, "public.t"); n != 100 {
			t.Errorf("%d rows, want 100", n)
		}
	}
	stopped := fmt.Errorf("enough")
	schema, _ := src.Schema(context.Background())
	for _, table := range schema.Tables {
		err := src.Rows(context.Background(), table, func(b *database.Batch) error { b.Release(); return stopped })
		if table.Name == "t" && err != stopped {
			t.Errorf("the error is %v, want that of the receiver", err)
		}
	}
	if n := count(t, src, "public.p"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
	<-done
}

// TestWhatComesAfterTheSnapshotIsInNoTable: tables are read by several connections, each of which
// connects when its table has its turn.
func TestWhatComesAfterTheSnapshotIsInNoTable(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, "CREATE TABLE one (a int); CREATE TABLE two (a int); INSERT INTO one VALUES (1); INSERT INTO two VALUES (1)")
	src := databasetest.From(t, postgres.Driver{}, url, database.SourceOptions{Jobs: 2})
	defer src.Close()
	postgrestest.Exec(t, url, "INSERT INTO one VALUES (2); INSERT INTO two VALUES (2)")
	for _, table := range []string{"public.one", "public.two"} {
		if n := count(t, src, table); n != 1 {
			t.Errorf("%s: %d rows, want the one that was there", table, n)
		}
	}
}
