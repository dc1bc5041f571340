package mysql

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
)

func TestOpeningAViewIsRefusedBeforeItRuns(t *testing.T) {
	ctx := context.Background()
	at := mysqltest.Database(t)
	mark := filepath.Join(t.TempDir(), "mark")
	for _, dir := range []string{filepath.Dir(mark), filepath.Dir(filepath.Dir(mark))} {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	mysqltest.Exec(t, at, "CREATE FUNCTION mark() RETURNS INT DETERMINISTIC BEGIN DECLARE n INT; SELECT 1 INTO OUTFILE '"+mark+"'; RETURN 1; END")
	mysqltest.Exec(t, at, `CREATE TABLE t (a INT); CREATE TABLE other (a INT); CREATE SEQUENCE q;
		CREATE SQL SECURITY INVOKER VIEW plain AS SELECT a FROM t WHERE mark() = 1; CREATE SQL SECURITY INVOKER VIEW bare AS SELECT mark() AS a;
		CREATE ALGORITHM=TEMPTABLE SQL SECURITY INVOKER VIEW kept AS SELECT mark() AS a UNION SELECT 2`)
	config, err := configure(at)
	if err != nil {
		t.Fatal(err)
	}
	one, err := connect(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer one.close()
	if err := one.touch(ctx, []string{"t", "other", "q"}); err != nil {
		t.Errorf("open tables and a sequence: %v", err)
	}
	for _, names := range [][]string{{"plain"}, {"bare"}, {"kept"}, {"t", "kept", "q"}} {
		if err := one.touch(ctx, names); !errors.Is(err, errMoving) {
			t.Errorf("open %v: %v, want errMoving", names, err)
		}
	}
	if _, err := os.Stat(mark); !os.IsNotExist(err) {
		t.Errorf("a view ran: %v", err)
	}
}

func TestASnapshotThatDDLHinderedCanBeBegunAnewByTheSameSessions(t *testing.T) {
	ctx := context.Background()
	at := mysqltest.Database(t)
	mysqltest.Exec(t, at, "CREATE TABLE a (n INT); CREATE TABLE b (n INT)")
	config, err := configure(at)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{name: config.DBName, readers: make(chan *session, 8)}
	defer s.Close()
	if err := s.connect(ctx, config, 8); err != nil {
		t.Fatal(err)
	}
	locker, err := connect(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer locker.close()
	begin := func() error {
		if err := s.list(ctx, s.all[0]); err != nil {
			return err
		}
		return s.beginLocked(ctx, locker)
	}
	altered := hinder(t, at, config.DBName)
	if err := begin(); !moving(err) {
		t.Errorf("beside DDL: %v", err)
	}
	for i, one := range s.all {
		if _, err := one.value(ctx, "SELECT 1"); err != nil {
			t.Errorf("session %d is lost: %v", i, err)
		}
	}
	altered()
	if err := begin(); err != nil {
		t.Errorf("after DDL: %v", err)
	}
}

// hinder lets DDL wait for a table's readers, so that others wait for the DDL; what it returns ends
// that.
func hinder(t *testing.T, at database.Location, name string) (end func()) {
	t.Helper()
	reader, err := mysqltest.Open(t, at).Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Exec("SELECT n FROM b"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	db := mysqltest.Open(t, at)
	go func() {
		_, err := db.Exec("ALTER TABLE b ADD COLUMN more INT")
		done <- err
	}()
	for waits := 0; waits == 0; {
		err := mysqltest.Open(t, at).QueryRow("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = '" + name + "' AND STATE = 'Waiting for table metadata lock'").Scan(&waits)
		if err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if err := reader.Rollback(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
