package database

import (
	"context"
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
