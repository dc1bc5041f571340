package mysql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/mysql"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
)

// count reads a table and returns how many rows it has.
func count(t testing.TB, src database.Source, table string) (n int) {
	t.Helper()
	schema, err := src.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	err = src.Rows(context.Background(), schema.Find(table), func(b *database.Batch) error {
		n += b.Len()
		b.Release()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// writePairs commits the same number in tables a and b until stop is closed.
func writePairs(db *sql.DB, writer int, stop chan struct{}) error {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return nil
		default:
		}
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		n := writer*1_000_000 + i
		for _, table := range []string{"a", "b"} {
			if _, err := tx.Exec(fmt.Sprintf("INSERT INTO %s VALUES (%d)", table, n)); err != nil {
				return err
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
}

func TestParallelReadersSeeOneMoment(t *testing.T) {
	at := mysqltest.Database(t)
	mysqltest.Exec(t, at, "CREATE TABLE a (n INT PRIMARY KEY); CREATE TABLE b (n INT PRIMARY KEY)")
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for i := range 2 {
		db := mysqltest.Open(t, at)
		writers.Go(func() {
			if err := writePairs(db, i, stop); err != nil {
				t.Error(err)
			}
		})
	}
	defer writers.Wait()
	defer close(stop)
	last := 0
	for round := range 20 {
		waitForMore(t, at, last)
		src := openSource(t, at, database.SourceOptions{Jobs: 4})
		if jobs := src.(database.Narrow).Jobs(); jobs != 4 {
			t.Fatalf("%d tables can be read at once, want 4", jobs)
		}
		var a, b int
		var readers sync.WaitGroup
		readers.Go(func() { a = count(t, src, "a") })
		readers.Go(func() { b = count(t, src, "b") })
		readers.Wait()
		if a != b {
			t.Errorf("round %d: %d rows in a, %d in b", round, a, b)
		}
		if a <= last {
			t.Errorf("round %d: %d rows, and %d were there before it began", round, a, last)
		}
		last = a
		src.Close()
	}
}

// TestTheLastRowsOfATableAreRead: rows go on in batches, of which the last has what is left.
func TestTheLastRowsOfATableAreRead(t *testing.T) {
	at := mysqltest.Database(t)
	mysqltest.Exec(t, at, "CREATE TABLE one (n INT); INSERT INTO one VALUES (1); CREATE TABLE none (n INT); CREATE TABLE two (n INT); INSERT INTO two VALUES (1), (2)")
	src := openSource(t, at, database.SourceOptions{})
	defer src.Close()
	for table, want := range map[string]int{"none": 0, "one": 1, "two": 2} {
		if n := count(t, src, table); n != want {
			t.Errorf("%s: %d rows, want %d", table, n, want)
		}
	}
}

// waitForMore waits until the table a has more than so many rows.
func waitForMore(t testing.TB, at database.Location, than int) {
	t.Helper()
	db := mysqltest.Open(t, at)
	defer db.Close()
	for n := 0; n <= than; {
		if err := db.QueryRow("SELECT COUNT(*) FROM a").Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
}

// limited makes a user who may only read the database.
func limited(t testing.TB, at database.Location) database.Location {
	t.Helper()
	user := "reader_" + mysqltest.Name(at)
	mysqltest.Exec(t, at, fmt.Sprintf("CREATE USER %s@'127.0.0.1' IDENTIFIED BY 'pw'; GRANT SELECT, SHOW VIEW ON %s.* TO %s@'127.0.0.1'", user, mysqltest.Name(at), user))
	t.Cleanup(func() { mysqltest.Exec(t, at, "DROP USER "+user+"@'127.0.0.1'") })
	return mysqltest.Location(t, user, "pw", mysqltest.Name(at))
}

func TestReaderWithoutReloadReadsOneTableAtATime(t *testing.T) {
	at := mysqltest.Database(t)
	mysqltest.Exec(t, at, "CREATE TABLE a (n INT PRIMARY KEY); CREATE TABLE b (n INT PRIMARY KEY); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1), (2)")
	to := mysqltest.Database(t)
	src := openSource(t, limited(t, at), database.SourceOptions{Jobs: 4})
	if jobs := src.(database.Narrow).Jobs(); jobs != 1 {
		t.Errorf("%d tables can be read at once, want 1", jobs)
	}
	schema, err := src.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(schema.Settings["reading"], "RELOAD") {
		t.Errorf("the settings %v do not name the privilege", schema.Settings)
	}
	report, err := convert.Run(context.Background(), src, openTarget(t, to, database.TargetOptions{}), convert.Options{Jobs: 4})
	if err != nil {
		t.Fatal(err)
	}
	if rows := report.Result("b").Rows; rows != 2 {
		t.Errorf("%d rows of b, want 2", rows)
	}
}

func TestReaderWithFewPrivilegesSeesKeysAndSaysWhatIsHidden(t *testing.T) {
	at := awkward(t)
	all, err := openSource(t, at, database.SourceOptions{}).Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	few, err := openSource(t, limited(t, at), database.SourceOptions{}).Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	for i, table := range all.Tables {
		keys += len(table.ForeignKeys)
		if want, got := fmt.Sprint(names(table)), fmt.Sprint(names(few.Tables[i])); want != got {
			t.Errorf("table %s has the foreign keys %s, want %s", table.Name, got, want)
		}
	}
	if keys == 0 {
		t.Error("no table has a foreign key")
	}
	for _, kind := range []string{"triggers", "routines", "events"} {
		hidden := func(o *database.Object) bool {
			return o.Kind == kind && strings.Contains(o.Lost, "lacks the privilege")
		}
		if !slices.ContainsFunc(few.Objects, hidden) {
			t.Errorf("nothing says that %s are hidden", kind)
		}
		if slices.ContainsFunc(all.Objects, hidden) {
			t.Errorf("it says that %s are hidden from root", kind)
		}
	}
}

func TestReaderOfOneTableSaysThatOthersAreUnknown(t *testing.T) {
	at := mysqltest.Database(t)
	mysqltest.Exec(t, at, "CREATE TABLE a (n INT PRIMARY KEY); CREATE TABLE b (n INT PRIMARY KEY)")
	name := mysqltest.Name(at)
	user := "one_" + name
	mysqltest.Exec(t, at, fmt.Sprintf("CREATE USER %[1]s@'127.0.0.1' IDENTIFIED BY 'pw'; GRANT SELECT ON %[2]s.a TO %[1]s@'127.0.0.1'", user, name))
	t.Cleanup(func() { mysqltest.Exec(t, at, "DROP USER "+user+"@'127.0.0.1'") })
	for _, test := range []struct {
		user, password string
		tables         []string
		says           bool
	}{{user, "pw", nil, true}, {user, "pw", []string{"*"}, true}, {user, "pw", []string{"a"}, false}, {"root", "", nil, false}} {
		src := openSource(t, mysqltest.Location(t, test.user, test.password, name), database.SourceOptions{Filter: database.Filter{Tables: test.tables}})
		schema, err := src.Schema(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		said := slices.ContainsFunc(schema.Objects, func(o *database.Object) bool { return o.Kind == "tables" && o.Lost != "" })
		if said != test.says {
			t.Errorf("%s with the tables %v: unknown tables are listed: %v, want %v", test.user, test.tables, said, test.says)
		}
	}
}

func names(t *database.Table) (out []database.ForeignKey) {
	for _, k := range t.ForeignKeys {
		out = append(out, *k)
	}
	return out
}

func TestDDLWaitsUntilTheSnapshotEnds(t *testing.T) {
	for _, jobs := range []int{1, 2} {
		at := mysqltest.Database(t)
		mysqltest.Exec(t, at, "CREATE TABLE a (n INT PRIMARY KEY); INSERT INTO a VALUES (1), (2)")
		src := openSource(t, at, database.SourceOptions{Jobs: jobs})
		_, err := mysqltest.Open(t, at).Exec("SET lock_wait_timeout = 1; ALTER TABLE a ADD COLUMN extra INT FIRST")
		if err == nil || !strings.Contains(err.Error(), "Lock wait timeout") {
			t.Errorf("with %d jobs ALTER TABLE gave %v, want a lock wait timeout", jobs, err)
		}
		if _, err := mysqltest.Open(t, at).Exec("SET lock_wait_timeout = 1; DROP TABLE a"); err == nil {
			t.Errorf("with %d jobs a table was dropped under the snapshot", jobs)
		}
		if n := count(t, src, "a"); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
		src.Close()
		mysqltest.Exec(t, at, "ALTER TABLE a ADD COLUMN extra INT FIRST")
	}
}

// A table made while the snapshot stands has no rows in it and is left out, or
// is there without harm; every export under a stream of DDL is whole.
func TestExportWhileTablesComeAndGo(t *testing.T) {
	at := mysqltest.Database(t)
	mysqltest.Exec(t, at, "CREATE TABLE stays (n INT PRIMARY KEY); INSERT INTO stays VALUES (1), (2), (3)")
	stop := make(chan struct{})
	var ddl sync.WaitGroup
	var still sync.Mutex
	db := mysqltest.Open(t, at)
	step := func(i int) error {
		still.Lock()
		defer still.Unlock()
		_, err := db.Exec(fmt.Sprintf("CREATE TABLE IF NOT EXISTS t%[1]d (n INT PRIMARY KEY); INSERT IGNORE INTO t%[1]d VALUES (1); ALTER TABLE t%[1]d ADD m INT; DROP TABLE t%[1]d", i%5))
		return err
	}
	ddl.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := step(i); err != nil {
				t.Error(err)
				return
			}
		}
	})
	defer ddl.Wait()
	defer close(stop)
	for range 20 {
		// A table that vanishes between two questions makes an error; the next try succeeds, for
		// which it finds the tables still.
		if err := exportRows(at); err == nil {
			continue
		}
		still.Lock()
		err := exportRows(at)
		still.Unlock()
		if err != nil {
			t.Error(err)
		}
	}
}

func exportRows(at database.Location) error {
	src, err := mysql.Driver{}.OpenSource(context.Background(), at, database.SourceOptions{Jobs: 2})
	if err != nil {
		return err
	}
	defer src.Close()
	schema, err := src.Schema(context.Background())
	if err != nil {
		return err
	}
	found := false
	for _, table := range schema.Tables {
		rows := 0
		if err := src.Rows(context.Background(), table, func(b *database.Batch) error { rows += b.Len(); b.Release(); return nil }); err != nil {
			return err
		}
		if table.Name == "stays" {
			found = rows == 3
		}
	}
	if !found {
		return errors.New("the table that stays is not whole")
	}
	return nil
}

func TestTablesWithoutTransactionsAreReported(t *testing.T) {
	src := openSource(t, awkward(t), database.SourceOptions{})
	schema, err := src.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range schema.Findings {
		if f.Object.Name == "old" && strings.Contains(f.Reason, "MyISAM") {
			return
		}
	}
	t.Errorf("no finding names the MyISAM table: %v", schema.Findings)
}

func TestSnapshotsAndNewUsersDoNotWaitForEachOther(t *testing.T) {
	at := mysqltest.Database(t)
	mysqltest.Exec(t, at, "CREATE TABLE a (n INT PRIMARY KEY)")
	db, stop := mysqltest.Open(t, at), make(chan struct{})
	var maker sync.WaitGroup
	maker.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := db.Exec("CREATE OR REPLACE USER momentary@127.0.0.1"); err != nil {
				t.Error(err)
				return
			}
		}
	})
	defer db.Exec("DROP USER IF EXISTS momentary@127.0.0.1")
	defer maker.Wait()
	defer close(stop)
	for range 20 { // until the test times out, if one waits for the other
		src := openSource(t, at, database.SourceOptions{Jobs: 2})
		schema, err := src.Schema(t.Context())
		if err != nil || !strings.Contains(schema.Moment, "binlog ") {
			t.Fatalf("the moment is %q, %v; want a place in the binary log", schema.Moment, err)
		}
		if err := src.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
