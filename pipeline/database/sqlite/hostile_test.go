package sqlite_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

func schemaWith(table string, id database.ObjectID, ddl ...string) *database.Schema {
	t := &database.Table{Name: "t", Columns: []*database.Column{{Name: "n", Type: database.Type{Kind: database.Any}}}}
	return &database.Schema{
		Engine: database.SQLite, Tables: []*database.Table{t},
		Objects: []*database.Object{{ObjectID: t.ObjectID(), Phase: database.Tables, DDL: []string{table}}, {ObjectID: id, Phase: database.AtEnd, DDL: ddl}},
	}
}

func TestStatementsThatDoNotMakeTheirObjectDoNotRun(t *testing.T) {
	for _, c := range []struct {
		object database.ObjectID
		sql    []string
	}{
		{database.ObjectID{Kind: "view", Name: "v"}, []string{
			"ATTACH '/tmp/x' AS x", "CREATE VIEW v AS SELECT 1; ATTACH '/tmp/x' AS x", "VACUUM INTO '/tmp/x'", "PRAGMA writable_schema = 1", "SELECT load_extension('x')", "DROP TABLE t", "CREATE VIEW w AS SELECT 1",
			"CREATE VIEW temp.v AS SELECT 1", "/* CREATE VIEW v AS SELECT 1 */ DELETE FROM t", "COMMIT", "DELETE FROM t",
		}},
		{database.ObjectID{Kind: "index", Table: "t", Name: "i"}, []string{"CREATE INDEX i ON other (n)", "CREATE INDEX j ON t (n)", "REINDEX", "CREATE INDEX i ON t (n); DELETE FROM t"}},
		{database.ObjectID{Kind: "trigger", Table: "t", Name: "x"}, []string{"CREATE TRIGGER x AFTER INSERT ON other BEGIN SELECT 1; END", "CREATE TRIGGER y AFTER INSERT ON t BEGIN SELECT 1; END", "DELETE FROM t"}},
		{database.ObjectID{Kind: "pragma", Name: "user_version"}, []string{"PRAGMA journal_mode = OFF", "PRAGMA user_version = 1; DELETE FROM t", "PRAGMA user_version", "ATTACH 'x' AS y"}},
		{database.ObjectID{Kind: "gadget", Name: "g"}, []string{"CREATE TABLE g (n)"}},
	} {
		for _, sql := range c.sql {
			for _, driver := range []sqlite.Driver{{}, {Portable: true}} {
				dst, err := driver.OpenTarget(context.Background(), databasetest.Locate(t, newFile(t)), database.TargetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				p, err := dst.Plan(context.Background(), schemaWith("CREATE TABLE t (n)", c.object, sql), database.PlanOptions{})
				if err != nil {
					t.Fatalf("%s: %s: %v", c.object, sql, err)
				}
				exact := slices.ContainsFunc(p.Findings, func(f database.Finding) bool { return f.Object == c.object && f.Status == database.Exact })
				if len(p.Statements) > 1 || exact {
					t.Errorf("%s: %q runs, or is said to be exact: %v", c.object, p.Statements, p.Findings)
				}
			}
		}
	}
	for _, sql := range []string{
		"CREATE TABLE t AS SELECT 1", "CREATE VIRTUAL TABLE t USING fts5 (n)", "CREATE TABLE u (n)", "CREATE TABLE t (n); DROP TABLE x", "CREATE TABLE t (n) AS SELECT 1", "ATTACH 'x' AS t", "CREATE TEMP TABLE t (n)",
	} {
		dst, err := sqlite.Driver{}.OpenTarget(context.Background(), databasetest.Locate(t, newFile(t)), database.TargetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dst.Plan(context.Background(), schemaWith(sql, database.ObjectID{Kind: "view", Name: "v"}), database.PlanOptions{}); !errors.Is(err, database.ErrRefused) {
			t.Errorf("%s: %v, want a refusal", sql, err)
		}
	}
}

// TestATriggerIsOneStatement: SQLite itself says where it ends.
func TestATriggerIsOneStatement(t *testing.T) {
	id, attached := database.ObjectID{Kind: "trigger", Table: "t", Name: "x"}, filepath.Join(t.TempDir(), "attached")
	s := schemaWith("CREATE TABLE t (n)", id, "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END; ATTACH '"+attached+"' AS a")
	report, err := databasetest.Into(t, sqlite.Driver{}, newFile(t), &databasetest.Source{Model: s}, convert.Options{})
	if err != nil || len(report.Inexact()) != 1 || report.Inexact()[0].Object != id {
		t.Errorf("error %v, inexact are %v", err, report.Inexact())
	}
	if _, err := os.Stat(attached); !os.IsNotExist(err) {
		t.Errorf("a file was attached: %v", err)
	}
}

// TestAFilesStatementsStandInOnePlace: what the stored schema says of them does not count.
func TestAFilesStatementsStandInOnePlace(t *testing.T) {
	shop, file := newFile(t), newFile(t)
	if err := exec(t, shop, "CREATE TABLE t (n); INSERT INTO t VALUES (1); CREATE VIEW v AS SELECT * FROM t"); err != nil {
		t.Fatal(err)
	}
	src := databasetest.From(t, sqlite.Driver{}, shop, database.SourceOptions{})
	if _, err := databasetest.Into(t, sqlite.Driver{Portable: true}, file, src, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	stored := readText(t, file, "SELECT value FROM _packstone_meta WHERE key = 'schema'")
	if strings.Contains(stored, "CREATE") {
		t.Errorf("the stored schema holds statements: %s", stored)
	}
	var s database.Schema
	if err := json.Unmarshal([]byte(stored), &s); err != nil {
		t.Fatal(err)
	}
	for _, o := range s.Objects {
		o.DDL = []string{"CREATE VIEW evil AS SELECT 1"}
	}
	changed, err := json.Marshal(&s)
	if err != nil {
		t.Fatal(err)
	}
	if err := exec(t, file, "UPDATE _packstone_meta SET value = '"+strings.ReplaceAll(string(changed), "'", "''")+"' WHERE key = 'schema'; UPDATE _packstone_object SET native_ddl = 'CREATE VIEW v AS SELECT n + 1 FROM t' WHERE kind = 'view'"); err != nil {
		t.Fatal(err)
	}
	back := newFile(t)
	report, err := databasetest.Into(t, sqlite.Driver{}, back, databasetest.From(t, sqlite.Driver{}, file, database.SourceOptions{}), convert.Options{})
	if err != nil || len(report.Inexact()) > 0 {
		t.Fatalf("%v, %v", err, report.Inexact())
	}
	if got := readText(t, back, "SELECT group_concat(sql) FROM sqlite_schema"); got != "CREATE TABLE t (n),CREATE VIEW v AS SELECT n + 1 FROM t" {
		t.Errorf("the copy holds %s", got)
	}
}

func TestAnUnsoundSchemaIsRefused(t *testing.T) {
	shop, file := newFile(t), newFile(t)
	if err := exec(t, shop, "CREATE TABLE t (n INTEGER PRIMARY KEY); CREATE TABLE c (n REFERENCES t (n) ON DELETE CASCADE)"); err != nil {
		t.Fatal(err)
	}
	src := databasetest.From(t, sqlite.Driver{}, shop, database.SourceOptions{})
	if _, err := databasetest.Into(t, sqlite.Driver{Portable: true}, file, src, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		`"on_delete":"CASCADE"`: `"on_delete":"CASCADE); ATTACH 'x' AS y; --"`, `"kind":"int"`: `"kind":"evil"`, `"phase":"tables"`: `"phase":"never"`, `"columns":["n"]`: `"columns":[]`, `"tables":[{`: `"tables":[null,{`,
	} {
		stored := readText(t, file, "SELECT value FROM _packstone_meta WHERE key = 'schema'")
		if !strings.Contains(stored, from) {
			t.Fatalf("%s is not in %s", from, stored)
		}
		set := func(text string) {
			if err := exec(t, file, "UPDATE _packstone_meta SET value = '"+strings.ReplaceAll(text, "'", "''")+"' WHERE key = 'schema'"); err != nil {
				t.Fatal(err)
			}
		}
		set(strings.Replace(stored, from, to, 1))
		_, err := sqlite.Driver{}.OpenSource(context.Background(), databasetest.Locate(t, file), database.SourceOptions{})
		if !errors.Is(err, database.ErrUnsound) || !errors.Is(err, database.ErrRefused) {
			t.Errorf("%s: %v, want ErrUnsound", to, err)
		}
		set(stored)
	}
}

func readText(t testing.TB, url, sql string) string {
	t.Helper()
	conn, err := sqlite3.Open(url[len("sqlite:"):])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stmt, _, err := conn.Prepare(sql)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	if !stmt.Step() {
		t.Fatalf("%s gives nothing", sql)
	}
	return stmt.ColumnText(0)
}
