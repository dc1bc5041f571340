package databasetest_test

import (
	"maps"
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/mysql"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// made makes a database of an engine by a script, "" for an empty one.
func made(t *testing.T, engine, script string) (database.Driver, string) {
	t.Helper()
	switch engine {
	case database.Postgres:
		url := postgrestest.Database(t)
		if script != "" {
			postgrestest.Exec(t, url, script)
		}
		return postgres.Driver{}, url
	case database.MariaDB:
		at := mysqltest.Database(t)
		if script != "" {
			mysqltest.Exec(t, at, script)
		}
		return mysql.Driver{}, at.Reveal()
	}
	file := filepath.Join(t.TempDir(), "db.sqlite")
	if script != "" {
		makeSQLite(t, file, script)
	}
	return sqlite.Driver{}, "sqlite:" + file
}

func TestWhatIsLostOnTheWayIsNamedAndNothingElse(t *testing.T) {
	const lite, pg, my = database.SQLite, database.Postgres, database.MariaDB
	type lost = map[string]database.Code
	for name, c := range map[string]struct {
		from, script string
		to           map[string]lost
	}{
		"rows without a parent": {lite, `CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id)); INSERT INTO c VALUES (1, 99)`,
			map[string]lost{lite: {"foreign key c.c_fk1": database.CodeOrphans}, pg: {"foreign key c.c_fk1": database.CodeOrphans}, my: {"foreign key c.c_fk1": database.CodeOrphans}}},
		"rows that came while checks were off": {pg, `CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p); SET session_replication_role = replica; INSERT INTO c VALUES (1, 99)`,
			map[string]lost{lite: {"foreign key public.c.c_p_fkey": database.CodeOrphans}, pg: {"foreign key public.c.c_p_fkey": database.CodeOrphans}, my: {"foreign key public.c.c_p_fkey": database.CodeOrphans}}},
		"a parent that is not unique": {lite, `CREATE TABLE p (a, b); CREATE TABLE c (a REFERENCES p (a)); INSERT INTO p VALUES (1, 2); INSERT INTO c VALUES (1)`,
			map[string]lost{lite: {}, pg: {"foreign key c.c_fk1": database.CodeForeignKeyLost}}},
		"defaults": {lite, `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT DEFAULT "pen""ding", b TEXT DEFAULT word, c INT DEFAULT +5, d INT DEFAULT 0x10); INSERT INTO t (id) VALUES (1)`,
			map[string]lost{lite: {}, pg: {}, my: {}}},
		"defaults that are no values of their columns": {lite, `CREATE TABLE t (id INTEGER PRIMARY KEY, b bool DEFAULT 'false', i int DEFAULT 'none', d datetime DEFAULT 'never', g datetime DEFAULT '2024-02-03 04:05:06', n int DEFAULT '7'); INSERT INTO t VALUES (1, 5, 2, '2024-01-01 00:00:00', '2024-01-01 00:00:00', 3)`,
			map[string]lost{lite: {}, pg: {"default t.b": database.CodeDefaultLost, "default t.i": database.CodeDefaultLost, "default t.d": database.CodeDefaultLost},
				my: {"default t.b": database.CodeDefaultLost, "default t.i": database.CodeDefaultLost, "default t.d": database.CodeDefaultLost}}},
		"a computed column that is not null": {pg, `CREATE TABLE t (id int PRIMARY KEY, n int, late bool NOT NULL GENERATED ALWAYS AS (n IS NULL) STORED, twice int NOT NULL GENERATED ALWAYS AS (id + id) STORED); INSERT INTO t VALUES (1, 2), (2, NULL)`,
			map[string]lost{my: {"column public.t.late": database.CodeCheckLost, "column public.t.twice": database.CodeCheckLost}, lite: {"column public.t.late": database.CodeGeneratedPlain}, pg: {}}},
		"mixed contents": {lite, `CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 1), (2, 'x'), (3, 1.5), (4, NULL)`,
			map[string]lost{lite: {}, pg: {"column t.v": database.CodeTypeChanged}, my: {"column t.v": database.CodeTypeChanged}}},
		"a primary key with nulls": {lite, `CREATE TABLE t (a int, b int, PRIMARY KEY (a, b)); INSERT INTO t VALUES (1, NULL), (1, NULL), (2, 3)`,
			map[string]lost{lite: {}, pg: {"primary key t.": database.CodeKeyNulls}, my: {"primary key t.": database.CodeKeyNulls}}},
		"a key of another type": {lite, `CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p TEXT REFERENCES p); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, '1')`,
			map[string]lost{pg: {"foreign key c.c_fk1": database.CodeForeignKeyLost}}},
		"columns that hide the row's number": {pg, `CREATE TABLE r (rowid text PRIMARY KEY, f float8); INSERT INTO r VALUES ('b', '-0'), ('a', 1), ('c', 0);
			CREATE TABLE s (rowid int, oid int, _rowid_ int, f float8); INSERT INTO s VALUES (3, 3, 3, '-0'), (2, 2, 2, 0), (1, 1, 1, '-0')`,
			map[string]lost{lite: {"column public.s._rowid_": database.CodeRenamed}}},
		"values that a key takes for equal": {pg, `CREATE TABLE p (n numeric PRIMARY KEY, k char(4) UNIQUE, i interval UNIQUE); INSERT INTO p VALUES (1.0, 'a', '1 day');
			CREATE TABLE c (n numeric REFERENCES p, k char(10) REFERENCES p (k), i interval REFERENCES p (i)); INSERT INTO c VALUES (1.00, 'a', '24 hours')`,
			map[string]lost{lite: {"foreign key public.c.c_n_fkey": database.CodeUnequal, "foreign key public.c.c_k_fkey": database.CodeUnequal, "foreign key public.c.c_i_fkey": database.CodeUnequal,
				"column public.p.n": database.CodeComparesOther, "column public.c.n": database.CodeComparesOther}}},
		"conditions": {pg, `CREATE TABLE t (id serial PRIMARY KEY, c char(4), n int, CONSTRAINT a CHECK (id > 0), CONSTRAINT b CHECK (length(c) = 1), CONSTRAINT d CHECK (n > 0)); INSERT INTO t (c, n) VALUES ('a', 1)`,
			map[string]lost{my: {"check public.t.a": database.CodeCheckLost, "check public.t.b": database.CodeCheckLost}}},
		"a unique index": {pg, `CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL); CREATE UNIQUE INDEX u ON t (a); CREATE TABLE c (a int REFERENCES t (a))`,
			map[string]lost{lite: {}, my: {}}},
		"a collation that folds": {my, "CREATE TABLE p (code varchar(10) COLLATE utf8mb4_bin PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, code varchar(10) COLLATE utf8mb4_bin, CONSTRAINT f FOREIGN KEY (code) REFERENCES p (code)); INSERT INTO p VALUES ('x'); INSERT INTO c VALUES (1, 'x ')",
			map[string]lost{lite: {"foreign key c.f": database.CodeUnequal}, pg: {"foreign key c.f": database.CodeUnequal}, my: {}}},
		"names that only a dot tells apart": {pg, `CREATE SCHEMA "a.b"; CREATE SCHEMA a; CREATE TABLE "a.b".c (id int PRIMARY KEY); CREATE TABLE a."b.c" (id int PRIMARY KEY, o int REFERENCES "a.b".c); INSERT INTO "a.b".c VALUES (1); INSERT INTO a."b.c" VALUES (2, 1)`,
			map[string]lost{lite: {"schema a": database.CodeSchemaJoined, `schema a.b`: database.CodeSchemaJoined}, my: {"schema a": database.CodeSchemaJoined, `schema a.b`: database.CodeSchemaJoined}, pg: {}}},
		"a sequence at its end": {my, "CREATE SEQUENCE s MAXVALUE 2; DO NEXTVAL(s); DO NEXTVAL(s); CREATE TABLE t (id int PRIMARY KEY)",
			map[string]lost{pg: {}, my: {}}},
		"a table that shows others": {my, "CREATE TABLE a (id int) ENGINE=MyISAM; CREATE TABLE m (id int) ENGINE=MERGE UNION=(a); INSERT INTO a VALUES (1)",
			map[string]lost{my: {"table a": database.CodeUnsnapshoted, "merge table m": database.CodeDropped}, pg: {"table a": database.CodeUnsnapshoted, "merge table m": database.CodeDropped}}},
		"a system's time": {my, "CREATE TABLE sv (id int PRIMARY KEY, rs timestamp(6) GENERATED ALWAYS AS ROW START, re timestamp(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (rs, re)) WITH SYSTEM VERSIONING; INSERT INTO sv (id) VALUES (1)",
			map[string]lost{my: {"table sv": database.CodeHistory}, lite: {"table sv": database.CodeHistory}, pg: {"table sv": database.CodeHistory}}},
	} {
		for engine, want := range c.to {
			t.Run(name+" to "+engine, func(t *testing.T) {
				from, url := made(t, c.from, c.script)
				to, target := made(t, engine, "")
				report, err := databasetest.Into(t, to, target, databasetest.From(t, from, url, database.SourceOptions{}), convert.Options{})
				if err != nil {
					t.Fatal(err)
				}
				got := lost{}
				for _, f := range report.Inexact() {
					got[f.Object.String()] = f.Code
				}
				if !maps.Equal(got, want) {
					t.Errorf("lost is %v, want %v", report.Inexact(), want)
				}
				verifyAgainst(t, from, url, to, target)
			})
		}
	}
}

// verifyAgainst compares a database with its copy.
func verifyAgainst(t *testing.T, from database.Driver, url string, to database.Driver, target string) {
	t.Helper()
	at, err := database.ParseLocation(target)
	if err != nil {
		t.Fatal(err)
	}
	dst, err := to.OpenTarget(t.Context(), at, database.TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	if _, err := convert.Verify(t.Context(), databasetest.From(t, from, url, database.SourceOptions{}), dst, convert.Options{}); err != nil {
		t.Errorf("verify: %v", err)
	}
}
