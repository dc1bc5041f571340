package mysql_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
)

// marker makes functions that write a file where whoever runs them may do that.
type marker struct {
	dir string
}

func newMarker(t testing.TB) *marker {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return &marker{dir}
}

// functions is the DDL of a function for each place.
func (m *marker) functions(places ...string) string {
	var b strings.Builder
	for _, place := range places {
		fmt.Fprintf(&b, "CREATE FUNCTION mark_%[1]s() RETURNS INT DETERMINISTIC READS SQL DATA SQL SECURITY INVOKER BEGIN DECLARE n INT; SELECT 1 INTO OUTFILE '%[2]s/%[1]s'; RETURN 1; END;\n", place, m.dir)
	}
	return b.String()
}

// left are the places that ran.
func (m *marker) left(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// asOwner runs a script as an unprivileged user who owns the database.
func asOwner(t testing.TB, at database.Location, script string) {
	t.Helper()
	name := mysqltest.Name(at)
	mysqltest.Exec(t, at, "CREATE USER IF NOT EXISTS mallory_"+name+" IDENTIFIED BY 'm'; GRANT ALL ON "+name+".* TO mallory_"+name)
	if _, err := mysqltest.OpenAs(t, "mallory_"+name, "m", name).Exec(script); err != nil {
		t.Fatalf("run as the owner: %v", err)
	}
}

// codeScript has an owner's code in every place where the server may run it.
const codeScript = `CREATE TABLE t (id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL, s INT AS (a * 2) STORED, CHECK (a > 0)); INSERT INTO t (id, a) VALUES (1, 5), (2, 6);
	CREATE TABLE child (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES t (id)); INSERT INTO child VALUES (1, 1);
	CREATE SQL SECURITY INVOKER VIEW merged AS SELECT id, mark_view() AS m FROM t WHERE mark_where() = 1;
	CREATE ALGORITHM=TEMPTABLE SQL SECURITY INVOKER VIEW stored AS SELECT mark_temptable() AS m UNION SELECT mark_union();
	CREATE SQL SECURITY INVOKER VIEW nested AS SELECT * FROM (SELECT mark_derived() AS m LIMIT 1) q;
	CREATE TRIGGER tr BEFORE INSERT ON child FOR EACH ROW SET NEW.t = mark_trigger();
	CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DO SET @x = mark_event();
	CREATE PROCEDURE p() SELECT mark_procedure();
	CREATE TABLE parent (id INT PRIMARY KEY); CREATE TABLE orphan (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id)); INSERT INTO parent VALUES (1); INSERT INTO orphan VALUES (1, 1);
	SET foreign_key_checks = 0; DROP TABLE parent; CREATE SQL SECURITY INVOKER VIEW parent AS SELECT mark_parent() AS id; CREATE SEQUENCE q START 5;`

func codeDatabase(t testing.TB) (database.Location, *marker) {
	t.Helper()
	at, m := mysqltest.Database(t), newMarker(t)
	mysqltest.Exec(t, at, "SET GLOBAL log_bin_trust_function_creators = 1")
	asOwner(t, at, m.functions("view", "where", "temptable", "union", "derived", "trigger", "event", "procedure", "parent")+codeScript)
	return at, m
}

func TestReadingRunsNobodysCode(t *testing.T) {
	at, m := codeDatabase(t)
	name := mysqltest.Name(at)
	mysqltest.Exec(t, at, "CREATE USER reader_"+name+" IDENTIFIED BY 'r'; GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON "+name+".* TO reader_"+name+
		"; GRANT SELECT ON mysql.proc TO reader_"+name+"; GRANT RELOAD, FILE ON *.* TO reader_"+name)
	for _, reader := range []database.Location{at, mysqltest.Location(t, "reader_"+name, "r", name)} {
		for _, jobs := range []int{1, 2} {
			src := openSource(t, reader, database.SourceOptions{Jobs: jobs, Aside: t.TempDir()})
			schema, err := src.Schema(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			for _, table := range schema.Tables {
				if _, err := databasetest.Rows(context.Background(), src, table); err != nil {
					t.Errorf("read table %s: %v", table.Name, err)
				}
			}
			if _, err := src.Sequences(context.Background()); err != nil {
				t.Error(err)
			}
			src.Close()
		}
	}
	if places := m.left(t); len(places) > 0 {
		t.Errorf("code ran: %v", places)
	}
	dump := exec.Command("mariadb-dump", "--no-defaults", "--protocol=tcp", "-h", "127.0.0.1", "-P", strconv.Itoa(mysqltest.Port(t)), "-u", "root", "--routines", "--events", name)
	if out, err := dump.CombinedOutput(); err != nil {
		t.Fatalf("mariadb-dump: %v: %.300s", err, out)
	}
	t.Logf("mariadb-dump runs %q", m.left(t))
}

func TestAViewInTheParentsPlaceMakesItsKeyLoose(t *testing.T) {
	at, _ := codeDatabase(t)
	schema, err := openSource(t, at, database.SourceOptions{}).Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]bool{"child": false, "orphan": true} {
		if keys := schema.Find(table).ForeignKeys; len(keys) != 1 || keys[0].NotValid != want {
			t.Errorf("foreign keys of %s: %+v, want one that is loose: %t", table, keys, want)
		}
	}
}
