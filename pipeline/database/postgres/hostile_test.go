package postgres_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// hostile are statements that do not make the object that they are given for. MARK stands for
// something that is seen if it runs.
var hostile = []struct {
	object database.ObjectID
	sql    []string
}{
	{database.ObjectID{Kind: "view", Schema: "public", Name: "v"}, []string{
		`COPY (SELECT 1) TO PROGRAM 'MARK'`, `COPY public.t TO '/tmp/x'`, `DO $$BEGIN PERFORM MARK; END$$`, `CREATE ROLE mark SUPERUSER`,
		`CREATE VIEW "public"."v" AS SELECT 1; CREATE ROLE mark SUPERUSER`, `COMMIT; CREATE ROLE mark`, `ALTER SYSTEM SET archive_command = 'x'`,
		`DROP DATABASE template1`, `GRANT pg_execute_server_program TO PUBLIC`, `CREATE EXTENSION file_fdw`, `CREATE LANGUAGE plpython3u`, `LOAD '/tmp/x.so'`,
		`CREATE OR REPLACE VIEW pg_catalog.pg_roles AS SELECT 1`, `CREATE VIEW "public"."other" AS SELECT 1`, `CREATE VIEW "pg_catalog"."v" AS SELECT 1`,
		`CREATE /* "public"."v" AS */ ROLE mark`, `CREATE VIEW "public"."v" AS SELECT 1 -- ` + "\n; CREATE ROLE mark", `SELECT pg_read_file('/etc/passwd')`,
		`CREATE VIEW U&"public"."v" AS SELECT 1`, `CREATE VIEW "public"."v" AS SELECT E'\\'; CREATE ROLE mark; --'`, `SET ROLE postgres`, `CREATE TABLE "public"."v" AS SELECT 1`,
		`SELECT lo_import('/etc/passwd')`, `CREATE SUBSCRIPTION s CONNECTION 'host=evil' PUBLICATION p`, `REASSIGN OWNED BY postgres TO mallory`,
		`CREATE VIEW "public"."v" AS SELECT $x$; CREATE ROLE mark; $y$`, `VACUUM`, `NOTIFY x`, `LISTEN x`, `CHECKPOINT`, `IMPORT FOREIGN SCHEMA x FROM SERVER y INTO public`,
	}},
	{database.ObjectID{Kind: "materialized view", Schema: "public", Name: "m"}, []string{
		`CREATE MATERIALIZED VIEW "public"."m" AS SELECT pg_read_file('/etc/passwd')`, `CREATE MATERIALIZED VIEW "public"."m" AS SELECT 1 WITH DATA`,
		`REFRESH MATERIALIZED VIEW "public"."m"`,
	}},
	{database.ObjectID{Kind: "contents of materialized view", Schema: "public", Name: "m"}, []string{`REFRESH MATERIALIZED VIEW "public"."m"; SELECT 1`, `SELECT MARK`}},
	{database.ObjectID{Kind: "partition", Schema: "public", Name: "p"}, []string{
		`CREATE TABLE "public"."p" (a) AS SELECT pg_read_file('/etc/passwd')`, `CREATE TABLE "public"."p" AS EXECUTE x`,
		`CREATE TABLE "public"."p" ("a" integer DEFAULT MARK())`, `CREATE TABLE "public"."p" ("a" integer CHECK (MARK() > 0))`, `CREATE TABLE "public"."p" (LIKE pg_catalog.pg_authid)`,
		`ALTER TABLE ONLY "public"."t" ATTACH PARTITION "public"."p" FOR VALUES FROM (MARK()) TO (5)`, `ALTER TABLE ONLY "public"."t" ATTACH PARTITION "public"."p" FOR VALUES IN ((SELECT 1))`,
		`ALTER TABLE ONLY "public"."p" ALTER COLUMN a SET NOT NULL, ADD COLUMN b int DEFAULT MARK()`, `ALTER TABLE ONLY "public"."p" OWNER TO mallory`,
		`CREATE TABLE "public"."p" ("a" integer GENERATED ALWAYS AS IDENTITY, CONSTRAINT c CHECK (MARK() > 0))`, `CREATE TEMP TABLE "public"."p" ("a" integer)`,
	}},
	{database.ObjectID{Kind: "default", Table: "public.t", Name: "n"}, []string{
		`ALTER TABLE ONLY "public"."t" ALTER COLUMN "n" SET DEFAULT 1, ADD COLUMN b int DEFAULT MARK()`, `ALTER TABLE ONLY "public"."t" ALTER COLUMN "n" TYPE int USING MARK()`,
		`ALTER TABLE ONLY "pg_catalog"."pg_authid" ALTER COLUMN "n" SET DEFAULT 1`, `ALTER TABLE ONLY "public"."t" ALTER COLUMN "other" SET DEFAULT 1`,
	}},
	{database.ObjectID{Kind: "check", Table: "public.t", Name: "c"}, []string{
		`ALTER TABLE "public"."t" ADD CONSTRAINT "c" CHECK (n > 0), OWNER TO mallory`, `ALTER TABLE "public"."t" ADD CONSTRAINT "c" UNIQUE (n)`,
		`ALTER TABLE "public"."t" ADD CONSTRAINT "c" CHECK (n > 0) NOT VALID; SELECT MARK()`, `ALTER TABLE "public"."t" ADD COLUMN "c" int DEFAULT MARK()`,
	}},
	{database.ObjectID{Kind: "index", Table: "public.t", Name: "i"}, []string{
		`CREATE INDEX i ON public.t USING btree (n); SELECT MARK()`, `CREATE INDEX CONCURRENTLY i ON public.t USING btree (n)`, `CREATE INDEX i ON pg_catalog.pg_class USING btree (relname)`,
		`DROP TABLE public.t`, `ALTER INDEX i SET TABLESPACE x`,
	}},
	{database.ObjectID{Kind: "function", Schema: "public", Name: "f()"}, []string{
		`CREATE FUNCTION public.g() RETURNS int LANGUAGE sql AS 'SELECT 1'`, `CREATE FUNCTION pg_catalog.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
		`CREATE FUNCTION public.f(integer) RETURNS int LANGUAGE sql AS 'SELECT 1'`, `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
		`CREATE PROCEDURE public.f() LANGUAGE sql AS 'SELECT 1'`, `CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT MARK()`,
		`CREATE FUNCTION public.f() RETURNS int LANGUAGE sql LANGUAGE c AS 'x'`, `ALTER FUNCTION pg_catalog.pg_read_file(text) OWNER TO mallory`,
	}},
	{database.ObjectID{Kind: "extension", Name: "citext"}, []string{`CREATE EXTENSION IF NOT EXISTS "file_fdw" WITH SCHEMA "public"`, `CREATE EXTENSION IF NOT EXISTS "citext" WITH SCHEMA "public" CASCADE`, `CREATE EXTENSION citext FROM unpackaged`}},
	{database.ObjectID{Kind: "schema", Name: "s"}, []string{`CREATE SCHEMA IF NOT EXISTS "s" AUTHORIZATION postgres`, `CREATE SCHEMA s CREATE TABLE x AS SELECT 1`}},
	{database.ObjectID{Kind: "schema", Name: "pg_mine"}, []string{`CREATE SCHEMA IF NOT EXISTS "pg_mine"`}},
	{database.ObjectID{Kind: "cast", Name: "(oid AS text)"}, []string{`CREATE CAST (oid AS text) WITH FUNCTION public.f(oid) AS IMPLICIT`}},
	{database.ObjectID{Kind: "cast", Name: "(pg_catalog.oid AS pg_catalog.text)"}, []string{`CREATE CAST (pg_catalog.oid AS pg_catalog.text) WITH FUNCTION public.f(oid) AS IMPLICIT`}},
	{database.ObjectID{Kind: "operator", Schema: "public", Name: "=(integer, integer)"}, []string{
		`CREATE OPERATOR pg_catalog.= (FUNCTION = public.f, LEFTARG = integer, RIGHTARG = integer)`, `CREATE OPERATOR public.= (FUNCTION = public.f, LEFTARG = text, RIGHTARG = integer)`,
	}},
	{database.ObjectID{Kind: "trigger", Table: "public.t", Name: "x"}, []string{
		`CREATE TRIGGER x AFTER INSERT ON pg_catalog.pg_authid FOR EACH ROW EXECUTE FUNCTION public.f()`, `ALTER TABLE public.t DISABLE TRIGGER ALL`, `CREATE EVENT TRIGGER x ON ddl_command_start EXECUTE FUNCTION public.f()`,
	}},
	{database.ObjectID{Kind: "rule", Table: "public.t", Name: "r"}, []string{`CREATE RULE r AS ON INSERT TO pg_catalog.pg_authid DO ALSO SELECT 1`, `CREATE RULE r AS ON INSERT TO public.t DO ALSO SELECT 1; SELECT MARK()`}},
	{database.ObjectID{Kind: "policy", Table: "public.t", Name: "y"}, []string{`CREATE POLICY y ON public.other AS PERMISSIVE FOR ALL TO PUBLIC USING (true)`, `ALTER TABLE public.t DISABLE ROW LEVEL SECURITY`}},
	{database.ObjectID{Kind: "grant", Name: "GRANT"}, []string{
		`GRANT pg_read_all_data TO PUBLIC`, `GRANT postgres TO mallory`, `GRANT ALL ON TABLE pg_catalog.pg_authid TO PUBLIC; SELECT 1`, `GRANT CREATE ON LARGE OBJECT 7 TO PUBLIC`,
		`GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC`, `GRANT SET ON PARAMETER log_statement TO PUBLIC`, `GRANT CREATE ON DATABASE postgres TO PUBLIC`, `GRANT SELECT ON TABLE public.t, pg_catalog.pg_authid TO PUBLIC`,
		`GRANT CREATE ON SCHEMA pg_catalog TO PUBLIC`,
	}},
	{database.ObjectID{Kind: "comment", Name: "table public.t"}, []string{`COMMENT ON TABLE public.t IS 'x'; SELECT MARK()`, `COMMENT ON DATABASE postgres IS 'x'`, `COMMENT ON TABLE public.t IS (SELECT 1)`}},
	{database.ObjectID{Kind: "comment", Name: "database postgres"}, []string{`COMMENT ON DATABASE postgres IS 'x'`}},
	{database.ObjectID{Kind: "database setting", Name: "search_path for all roles"}, []string{
		`ALTER DATABASE template1 SET session_preload_libraries TO 'x'`, `DO $packstone$BEGIN EXECUTE 'CREATE ROLE mark'; END$packstone$`, `ALTER DATABASE x OWNER TO mallory`, `ALTER ROLE postgres PASSWORD 'x'`,
		`DO $packstone$BEGIN EXECUTE pg_catalog.format('CREATE ROLE %I', pg_catalog.current_database()); END$packstone$`, `ALTER DATABASE x SET "search_path" TO (SELECT 1)`,
	}},
	{database.ObjectID{Kind: "default privileges", Name: "x"}, []string{`ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO PUBLIC; SELECT MARK()`, `ALTER ROLE mallory SUPERUSER`}},
	{database.ObjectID{Kind: "ownership", Name: "mallory"}, []string{`ALTER TABLE pg_catalog.pg_authid OWNER TO mallory`, `ALTER DATABASE postgres OWNER TO mallory`, `ALTER ROLE mallory SUPERUSER`}},
	{database.ObjectID{Kind: "sequence", Schema: "public", Name: "q"}, []string{`CREATE SEQUENCE "public"."q" AS bigint START WITH (SELECT 1)`, `ALTER TABLE "public"."t" ALTER COLUMN n ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME "public"."other" START WITH 1)`}},
	{database.ObjectID{Kind: "domain", Schema: "public", Name: "d"}, []string{`CREATE DOMAIN "public"."d" AS integer; SELECT MARK()`, `CREATE DOMAIN "public"."e" AS integer`}},
	{database.ObjectID{Kind: "publication", Name: "u"}, []string{`CREATE PUBLICATION u; SELECT MARK()`, `CREATE PUBLICATION other FOR ALL TABLES`}},
	{database.ObjectID{Kind: "tablespace", Name: "public.t in x"}, []string{`ALTER TABLE pg_catalog.pg_class SET TABLESPACE x`, `CREATE TABLESPACE x LOCATION '/tmp'`}},
	{database.ObjectID{Kind: "owner of large objects", Name: "mallory"}, []string{`ALTER LARGE OBJECT 1 OWNER TO mallory; SELECT MARK()`, `SELECT lo_import('/etc/passwd')`}},
	{database.ObjectID{Kind: "no such kind", Name: "z"}, []string{`CREATE ROLE mark`}},
}

// schemaWith is a schema of one table, and an object besides.
func schemaWith(id database.ObjectID, phase database.Phase, ddl ...string) *database.Schema {
	table := &database.Table{Schema: "public", Name: "t", Columns: []*database.Column{{Name: "n", Type: database.Type{Kind: database.Int, Bits: 32, Native: "integer"}}}}
	return &database.Schema{
		Engine: database.Postgres, Namespace: "public", Tables: []*database.Table{table}, Owners: []*database.Principal{{Name: "postgres", Powers: []string{"superuser"}}},
		Objects: []*database.Object{
			{ObjectID: table.ObjectID(), Phase: database.Tables, DDL: []string{`CREATE TABLE "public"."t" ("n" integer)`}, Owner: "postgres"},
			{ObjectID: id, Phase: phase, DDL: ddl, Owner: "postgres"},
		},
	}
}

// planner opens a target that plans and does nothing else.
func planner(t testing.TB) func(*database.Schema, database.PlanOptions) (*database.Plan, error) {
	t.Helper()
	dst, err := postgres.Driver{}.OpenTarget(context.Background(), location(t, postgrestest.Database(t)), database.TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dst.Close() })
	return func(s *database.Schema, opts database.PlanOptions) (*database.Plan, error) {
		return dst.Plan(context.Background(), s, opts)
	}
}

func TestStatementsThatDoNotMakeTheirObjectDoNotRun(t *testing.T) {
	plan := planner(t)
	for _, c := range hostile {
		for _, sql := range c.sql {
			for _, phase := range []database.Phase{database.BeforeTables, database.AtEnd} {
				p, err := plan(schemaWith(c.object, phase, sql), database.PlanOptions{TrustCode: true})
				if err != nil {
					t.Fatalf("%s: %s: %v", c.object, sql, err)
				}
				if len(p.Statements) != 1 {
					t.Errorf("%s: %q runs", c.object, p.Statements[1:])
				}
				i := slices.IndexFunc(p.Findings, func(f database.Finding) bool { return f.Object == c.object })
				if i < 0 || p.Findings[i].Status != database.Dropped || p.Findings[i].Code != "DB303" {
					t.Errorf("%s: %s: it is not named: %v", c.object, sql, p.Findings)
				}
			}
		}
	}
}

// TestTheServerTakesOneStatementAtATime: even a text that was taken for one.
func TestTheServerTakesOneStatementAtATime(t *testing.T) {
	url := postgrestest.Database(t)
	s := schemaWith(database.ObjectID{Kind: "view", Schema: "public", Name: "v"}, database.AtEnd, `CREATE VIEW "public"."v" AS SELECT 1`)
	dst, err := postgres.Driver{}.OpenTarget(context.Background(), location(t, url), database.TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	plan, err := dst.Plan(context.Background(), s, database.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	postgres.Append(plan, "SELECT 1; CREATE ROLE mark_two")
	if err := dst.Create(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	findings, err := dst.(database.Concluder).Conclude(context.Background(), plan)
	if err != nil || len(findings) != 1 || !strings.Contains(findings[0].Reason, "multiple commands") {
		t.Errorf("findings %v, error %v, want a refusal of two commands", findings, err)
	}
}

// TestRowsGoOnlyIntoTablesThatTheImportMakes: a schema may name any other.
func TestRowsGoOnlyIntoTablesThatTheImportMakes(t *testing.T) {
	plan := planner(t)
	s := schemaWith(database.ObjectID{Kind: "view", Schema: "public", Name: "v"}, database.AtEnd, `CREATE VIEW "public"."v" AS SELECT 1`)
	s.Tables = append(s.Tables, &database.Table{Schema: "pg_catalog", Name: "pg_authid", Columns: []*database.Column{{Name: "rolname", Type: database.Type{Kind: database.Text}}}})
	if _, err := plan(s, database.PlanOptions{}); !errors.Is(err, database.ErrRefused) || !strings.Contains(err.Error(), "pg_authid") {
		t.Errorf("error %v, want a refusal that names the table", err)
	}
	s = schemaWith(database.ObjectID{Kind: "table", Schema: "pg_catalog", Name: "pg_mine"}, database.Tables, `CREATE TABLE "pg_catalog"."pg_mine" ("n" integer)`)
	s.Tables = append(s.Tables, &database.Table{Schema: "pg_catalog", Name: "pg_mine"})
	if _, err := plan(s, database.PlanOptions{}); !errors.Is(err, database.ErrRefused) {
		t.Errorf("error %v, want a refusal", err)
	}
}

// TestWhatOnlyASuperuserCouldHaveMadeIsDoubtedInAFile: and asked for in a snapshot only where it is
// not a superuser's.
func TestWhatOnlyASuperuserCouldHaveMadeIsDoubtedInAFile(t *testing.T) {
	plan := planner(t)
	for _, c := range []struct {
		object database.ObjectID
		sql    string
	}{
		{database.ObjectID{Kind: "extension", Name: "file_fdw"}, `CREATE EXTENSION IF NOT EXISTS "file_fdw" WITH SCHEMA "public"`},
		{database.ObjectID{Kind: "function", Schema: "public", Name: "f()"}, `CREATE FUNCTION public.f() RETURNS void LANGUAGE c AS '/tmp/evil.so', 'f'`},
		{database.ObjectID{Kind: "function", Schema: "public", Name: "f()"}, `CREATE FUNCTION public.f() RETURNS void AS $$x$$ LANGUAGE 'plpython3u'`},
		{database.ObjectID{Kind: "function", Schema: "public", Name: "f(text)"}, `CREATE FUNCTION public.f(text) RETURNS text LANGUAGE internal AS $function$pg_read_file_all$function$`},
		{database.ObjectID{Kind: "cast", Name: "(public.x AS bigint)"}, `CREATE CAST (public.x AS bigint) WITHOUT FUNCTION`},
		{database.ObjectID{Kind: "database setting", Name: "session_preload_libraries for all roles"}, `ALTER DATABASE x SET "session_preload_libraries" TO 'evil'`},
	} {
		s := schemaWith(c.object, database.AtEnd, c.sql)
		for _, handed := range []bool{true, false} {
			p, err := plan(s, database.PlanOptions{HandedOver: handed})
			if err != nil {
				t.Fatal(err)
			}
			if (len(p.Untrusted) == 1) != handed {
				t.Errorf("%s, handed over %v: untrusted are %v, findings %v", c.sql, handed, p.Untrusted, p.Findings)
			}
		}
	}
}

// TestASnapshotOfAFileIsTrustedNoMoreThanTheFile: an export may be backed up as any SQLite
// database.
func TestASnapshotOfAFileIsTrustedNoMoreThanTheFile(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, "CREATE TABLE t (n int); CREATE FUNCTION f(text) RETURNS text LANGUAGE internal AS 'upper'")
	file := "sqlite:" + filepath.Join(t.TempDir(), "x.sqlite")
	if _, err := copied(t, postgres.Driver{}, sqlite.Driver{Portable: true}, from, file, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	exported := databasetest.From(t, sqlite.Driver{}, file, database.SourceOptions{})
	streams := databasetest.WriteStreams(t, exported)
	exported.Close()
	direct := stored(t, from)
	for name, c := range map[string]struct {
		open func() (database.Source, error)
		want error
	}{
		"a file":     {func() (database.Source, error) { return rows.Open(streams, database.SourceOptions{}) }, database.ErrUntrusted},
		"a database": {func() (database.Source, error) { return direct(), nil }, nil},
	} {
		src, err := c.open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := databasetest.Into(t, postgres.Driver{}, to, src, convert.Options{}); !errors.Is(err, c.want) {
			t.Errorf("a snapshot of %s: %v, want %v", name, err, c.want)
		}
	}
}

// TestTheWordOfAFileIsShown: on it rests whose code the import of a superuser evaluates.
func TestTheWordOfAFileIsShown(t *testing.T) {
	s := schemaWith(database.ObjectID{Kind: "domain", Schema: "public", Name: "d"}, database.BeforeTables, `CREATE DOMAIN public.d AS integer CONSTRAINT c CHECK (pg_catalog.pg_read_file('/etc/passwd'::text) IS NOT NULL)`)
	s.Owners = []*database.Principal{{Name: "boss\n\"x", Powers: []string{"superuser"}}, {Name: "other"}}
	s.Objects[len(s.Objects)-1].Owner = s.Owners[0].Name
	for _, handed := range []bool{true, false} {
		p, err := planner(t)(s, database.PlanOptions{HandedOver: handed})
		if err != nil || len(p.Untrusted) > 0 {
			t.Fatal(p, err)
		}
		want := `-- by the word of the file, "boss\n\"x" was a superuser`
		if shown := strings.HasPrefix(p.Statements[0], want); shown != handed {
			t.Errorf("handed over %v: the first line is %q", handed, p.Statements[0])
		}
	}
}

// TestNeutralSchemaSmugglesNothing builds from what a schema says of types, expressions, names and
// actions, all of it hostile.
func TestNeutralSchemaSmugglesNothing(t *testing.T) {
	for _, native := range []string{"integer DEFAULT pg_read_file('/etc/passwd')", "integer)" + evil, "integer[] CHECK (pg_sleep(9) IS NULL)", "text; SELECT 1"} {
		importNeutral(t, native, "pg_sleep(9)")
	}
	for _, sql := range []string{"pg_read_file('/etc/passwd')", "pg_sleep(9)", "lo_import('/etc/passwd')", "public.evil()", evil, "(SELECT 1)", "x OPERATOR(public.+) 1"} {
		importNeutral(t, "integer", sql)
	}
}

// evil ends whatever it stands in.
const evil = `1); CREATE ROLE mark_neutral; --`

// importNeutral imports a schema whose type and expressions are these, and whose names and texts
// are evil.
func importNeutral(t *testing.T, native, sql string) {
	t.Helper()
	url := postgrestest.Database(t)
	e := database.Expr{Engine: database.Postgres, SQL: sql}
	table := &database.Table{
		Schema: "public", Name: `t"` + evil, Comment: `'); ` + evil + `\`, Checks: []*database.Check{{Name: `c"` + evil, Expr: e}},
		Columns: []*database.Column{
			{Name: `n"` + evil, Comment: `\' ` + evil, Type: database.Type{Kind: database.Int, Native: native, Collation: evil, Charset: evil}, Default: &e},
			{Name: "g", Type: database.Type{Kind: database.Int, Native: native}, Generated: &database.Generated{Expr: e, Stored: true}},
			{Name: "e", Type: database.Type{Kind: database.Enum, Values: []string{`'` + evil, `\`}}},
		},
		Indexes: []*database.Index{{Name: `i"` + evil, Parts: []database.IndexPart{{Expr: &e}}, Where: &e}, {Name: "j", Method: evil, Parts: []database.IndexPart{{Column: "g"}}}},
	}
	s := &database.Schema{Engine: database.Postgres, Namespace: "public", Tables: []*database.Table{table}, Settings: map[string]string{"search_path": evil}}
	report, err := databasetest.Into(t, postgres.Driver{}, url, &databasetest.Source{Model: s}, convert.Options{Plan: database.PlanOptions{NoNativeDDL: true, HandedOver: true}})
	if err != nil {
		t.Fatalf("%s, %s: %v", native, sql, err)
	}
	if found := query(t, url, "SELECT count(*)::text FROM pg_roles WHERE rolname LIKE 'mark%'"); found != "0" {
		t.Fatalf("%s, %s: a role was made", native, sql)
	}
	if dump := dumpSchema(t, url); strings.Contains(dump, "pg_read_file") || strings.Contains(dump, "pg_sleep") || strings.Contains(dump, "lo_import") {
		t.Errorf("%s, %s: %s", native, sql, dump)
	}
	if len(report.Inexact()) == 0 {
		t.Errorf("%s, %s: nothing is listed", native, sql)
	}
}
