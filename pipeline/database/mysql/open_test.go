package mysql

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

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
