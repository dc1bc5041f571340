package database

import (
	"context"
	"maps"
	"path"
	"testing"

	db "github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/mysql"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
)

func TestMariaDBsSnapshotOutlivesATableThatIsGivenUp(t *testing.T) {
	for _, jobs := range []int{1, 4} {
		at := mysqltest.Database(t)
		mysqltest.Exec(t, at, `CREATE TABLE keyed (id INT PRIMARY KEY, a TEXT); INSERT INTO keyed SELECT seq, md5(seq) FROM seq_1_to_60000;
			CREATE TABLE bare (id INT, a TEXT); INSERT INTO bare SELECT * FROM keyed; CREATE TABLE small (id INT PRIMARY KEY, a TEXT)`)
		o := Options{Driver: mysql.Driver{}, At: at, Jobs: jobs, StateDir: t.TempDir()}
		taken, err := newTaker(t, o, nil).run(jobs)
		if err != nil {
			t.Fatal(err)
		}
		for _, change := range []string{
			"UPDATE keyed SET a = concat(a, id); UPDATE bare SET a = concat(a, id)",
			"ALTER TABLE keyed ADD z INT DEFAULT 5; ALTER TABLE bare ADD z INT DEFAULT 5; INSERT INTO small SELECT id, a FROM keyed",
		} {
			mysqltest.Exec(t, at, change)
			if taken, err = newTaker(t, o, taken).run(jobs); err != nil {
				t.Fatalf("%d jobs, after %s: %v", jobs, change, err)
			}
		}
		again, err := mysql.Driver{}.OpenTarget(context.Background(), at, db.TargetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := convert.Verify(context.Background(), streams(t, taken), again, convert.Options{}); err != nil {
			t.Error(err)
		}
		again.Close()
	}
}

func TestWhatNoReadingOfMariaDBHasIsNamedByBackupAndRestore(t *testing.T) {
	at, other := mysqltest.Database(t), mysqltest.Database(t)
	mysqltest.Exec(t, other, "CREATE SEQUENCE far")
	mysqltest.Exec(t, at, `CREATE TABLE sv (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING; INSERT INTO sv VALUES (1, 1); UPDATE sv SET v = 2; CREATE SEQUENCE near;
		CREATE TABLE own (id INT DEFAULT NEXT VALUE FOR near, v INT); CREATE TABLE strange (id INT DEFAULT NEXT VALUE FOR `+path.Base(other.Reveal())+`.far, v INT)`)
	k := newTaker(t, Options{Driver: mysql.Driver{}, At: at}, nil)
	taken, err := k.run(1)
	if err != nil {
		t.Fatal(err)
	}
	if len(k.problems) != 2 {
		t.Errorf("the backup says %q, want two problems", k.problems)
	}
	to := mysqltest.Database(t)
	dst, err := mysql.Driver{}.OpenTarget(t.Context(), to, db.TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	report, err := convert.Run(t.Context(), streams(t, taken), dst, convert.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]db.Code{}
	for _, f := range report.Inexact() {
		got[f.Object.String()] = f.Code
	}
	if want := map[string]db.Code{"table sv": db.CodeHistory, "default strange.id": db.CodeMoved}; !maps.Equal(got, want) {
		t.Errorf("the restore says %v, want %v", report.Inexact(), want)
	}
	mysqltest.Exec(t, to, "INSERT INTO own (v) VALUES (1)")
}
