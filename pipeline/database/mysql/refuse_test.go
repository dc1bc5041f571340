package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
)

// contents lists everything in a database.
func contents(t testing.TB, at database.Location) string {
	t.Helper()
	var out string
	err := mysqltest.Open(t, at).QueryRow(`SELECT COALESCE(GROUP_CONCAT(n ORDER BY n), '') FROM (
		SELECT TABLE_NAME n FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()
		UNION ALL SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
		UNION ALL SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()) x`).Scan(&out)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// attempt converts and returns the error after closing the target.
func attempt(t testing.TB, from, to database.Location, opts database.TargetOptions, progress func(convert.Progress)) error {
	t.Helper()
	src := openSource(t, from, database.SourceOptions{})
	dst := openTarget(t, to, opts)
	_, err := convert.Run(context.Background(), src, dst, convert.Options{Progress: progress})
	return errors.Join(err, dst.Close())
}

func TestTargetThatIsNotEmptyIsRefused(t *testing.T) {
	from := mysqltest.Database(t)
	mysqltest.Exec(t, from, "CREATE TABLE a (n INT PRIMARY KEY)")
	for what, script := range map[string]string{
		"table":   "CREATE TABLE mine (n INT)",
		"view":    "CREATE VIEW mine AS SELECT 1",
		"routine": "CREATE PROCEDURE mine() SELECT 1",
		"event":   "CREATE EVENT mine ON SCHEDULE EVERY 1 DAY DO SELECT 1",
	} {
		to := mysqltest.Database(t)
		mysqltest.Exec(t, to, script)
		err := attempt(t, from, to, database.TargetOptions{}, nil)
		if !errors.Is(err, database.ErrNotEmpty) || !strings.Contains(err.Error(), "mine") {
			t.Errorf("a %s gave %v, want ErrNotEmpty that names it", what, err)
		}
		if got := contents(t, to); got != "mine" {
			t.Errorf("a refused import left %q, want only what was there", got)
		}
	}
}

// orphans makes a database in which a row refers to nothing, as the server allows it while
// foreign_key_checks is off.
func orphans(t testing.TB) database.Location {
	t.Helper()
	at := mysqltest.Database(t)
	mysqltest.Exec(t, at, `CREATE TABLE p (id INT PRIMARY KEY); CREATE TABLE c (id INT PRIMARY KEY, p_id INT, CONSTRAINT to_p FOREIGN KEY (p_id) REFERENCES p (id),
		q_id INT, CONSTRAINT to_q FOREIGN KEY (q_id) REFERENCES p (id)); INSERT INTO p VALUES (1); SET foreign_key_checks = 0;
		INSERT INTO c VALUES (1, 1, 1), (2, 99, 1), (3, NULL, NULL)`)
	return at
}

// promising is a source that claims that all foreign keys hold, as a file does that was changed
// after its export.
type promising struct{ database.Source }

func (p promising) Schema(ctx context.Context) (*database.Schema, error) {
	s, err := p.Source.Schema(ctx)
	if err == nil {
		for _, k := range s.Find("c").ForeignKeys {
			k.NotValid = false
		}
		s.FromFile = true
	}
	return s, err
}

func TestForeignKeyThatOnlyTheCopyBreaksEmptiesTheTarget(t *testing.T) {
	from, to := orphans(t), mysqltest.Database(t)
	dst := openTarget(t, to, database.TargetOptions{})
	_, err := convert.Run(context.Background(), promising{openSource(t, from, database.SourceOptions{})}, dst, convert.Options{})
	if !errors.Is(err, database.ErrValue) || !strings.Contains(err.Error(), "to_p") || !strings.Contains(err.Error(), "99") {
		t.Errorf("got %v, want an ErrValue that names the key and the value", err)
	}
	dst.Close()
	if got := contents(t, to); got != "" {
		t.Errorf("a failed import left %q", got)
	}
}

func TestRowsWithoutAParentComeBackAndAreListed(t *testing.T) {
	from := orphans(t)
	for _, opts := range []database.PlanOptions{{}, {NoNativeDDL: true}} {
		to := mysqltest.Database(t)
		report := copied(t, from, to, 1, convert.Options{Plan: opts})
		want := database.Finding{Object: database.ObjectID{Kind: "foreign key", Table: "c", Name: "to_p"}, Status: database.Approximated,
			Code: "DB132", Reason: "rows without a parent, as in the source", Count: 1}
		if got := report.Inexact(); len(got) != 1 || got[0] != want {
			t.Errorf("%+v: inexact are %v, want only %v", opts, got, want)
		}
		if diff := differences(dump(t, from), dump(t, to)); !opts.NoNativeDDL && len(diff) > 0 {
			t.Errorf("the dumps differ:\n%.3000s", strings.Join(diff, "\n"))
		}
	}
}

func TestForeignKeyWhoseParentIsGoneComesBack(t *testing.T) {
	from, to := orphans(t), mysqltest.Database(t)
	mysqltest.Exec(t, from, "SET foreign_key_checks = 0; DROP TABLE p")
	copied(t, from, to, 1, convert.Options{})
	if diff := differences(dump(t, from), dump(t, to)); len(diff) > 0 {
		t.Errorf("the dumps differ:\n%.3000s", strings.Join(diff, "\n"))
	}
}

func TestLostConnectionEmptiesTheTarget(t *testing.T) {
	from, to := mysqltest.Database(t), mysqltest.Database(t)
	mysqltest.Exec(t, from, "CREATE TABLE a (n INT PRIMARY KEY, v VARCHAR(200)); INSERT INTO a SELECT seq, REPEAT('x', 200) FROM seq_1_to_100000")
	killed := false
	err := attempt(t, from, to, database.TargetOptions{}, func(p convert.Progress) {
		if !killed && p.Rows > 5000 {
			killed = kill(t, to)
		}
	})
	if !killed {
		t.Fatal("no connection was there to be killed")
	}
	if !errors.Is(err, database.ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
	if got := contents(t, to); got != "" {
		t.Errorf("a failed import left %q", got)
	}
}

// kill ends all connections to a database but ours and says whether there were any.
func kill(t testing.TB, at database.Location) bool {
	t.Helper()
	db := mysqltest.OpenAs(t, "root", "", "")
	rows, err := db.Query("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = ?", mysqltest.Name(at))
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	rows.Close()
	for _, id := range ids {
		db.Exec(fmt.Sprintf("KILL CONNECTION %d", id))
	}
	return len(ids) > 0
}

func TestLeftoverOfAKilledImportIsFoundAndEmptiedOnRequest(t *testing.T) {
	from, to := awkward(t), mysqltest.Database(t)
	leave(t, from, to)
	if got := contents(t, to); !strings.Contains(got, "_packstone_import") || !strings.Contains(got, "numbers") {
		t.Fatalf("the killed import left %q, want tables and the marker", got)
	}
	if src, err := openErr(to); err == nil {
		src.Close()
		t.Error("a half-filled database was opened as a source")
	}
	before := contents(t, to)
	err := attempt(t, from, to, database.TargetOptions{}, nil)
	if !errors.Is(err, database.ErrNotEmpty) || !errors.Is(err, database.ErrLeftover) {
		t.Errorf("got %v, want ErrNotEmpty and ErrLeftover", err)
	}
	if got := contents(t, to); got != before {
		t.Errorf("the refusal changed %q to %q", before, got)
	}
	if err := attempt(t, from, to, database.TargetOptions{EmptyLeftover: true}, nil); err != nil {
		t.Fatal(err)
	}
	if diff := differences(dump(t, from), dump(t, to)); len(diff) > 0 {
		t.Errorf("the dumps differ:\n%.2000s", strings.Join(diff, "\n"))
	}
}

func TestLeftoverWithForeignTablesIsNotEmptiedOfThem(t *testing.T) {
	from, to := awkward(t), mysqltest.Database(t)
	leave(t, from, to)
	mysqltest.Exec(t, to, "CREATE TABLE mine (n INT)")
	err := attempt(t, from, to, database.TargetOptions{EmptyLeftover: true}, nil)
	if !errors.Is(err, database.ErrNotEmpty) {
		t.Errorf("got %v, want ErrNotEmpty", err)
	}
	if got := contents(t, to); got != "mine" {
		t.Errorf("%q is left, want what the import did not make", got)
	}
}

// leave creates tables as an import does that is then killed: nothing is closed.
func leave(t testing.TB, from, to database.Location) {
	t.Helper()
	src := openSource(t, from, database.SourceOptions{})
	schema, err := src.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	dst := openTargetUnclosed(t, to)
	plan, err := dst.Plan(context.Background(), schema, database.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := dst.Create(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	kill(t, to)
	src.Close()
}

func TestTwoImportsAtOnceIntoOneDatabase(t *testing.T) {
	from, to := mysqltest.Database(t), mysqltest.Database(t)
	mysqltest.Exec(t, from, "CREATE TABLE a (n INT PRIMARY KEY)")
	src := openSource(t, from, database.SourceOptions{})
	schema, err := src.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	first := openTarget(t, to, database.TargetOptions{})
	plan, err := first.Plan(context.Background(), schema, database.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Create(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	second := openTarget(t, to, database.TargetOptions{EmptyLeftover: true})
	if err := second.Create(context.Background(), plan); !errors.Is(err, database.ErrNotEmpty) {
		t.Errorf("the second import gave %v, want ErrNotEmpty", err)
	}
	second.Close()
	if got := contents(t, to); !strings.Contains(got, "a") || !strings.Contains(got, "_packstone_import") {
		t.Errorf("the second import took away what the first made: %q is left", got)
	}
}

func TestWrongPasswordIsUnreachableAndNeverPrinted(t *testing.T) {
	at := mysqltest.Location(t, "nobody", "s3cret-word", "none")
	_, err := openErr(at)
	if !errors.Is(err, database.ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
	if err != nil && strings.Contains(err.Error(), "s3cret-word") {
		t.Errorf("the error prints the password: %v", err)
	}
}
