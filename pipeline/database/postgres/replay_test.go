package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

// found gives the finding about an object, exact if it has none.
func found(r *database.Report, object string) database.Finding {
	for _, f := range r.Inexact() {
		if f.Object.String() == object {
			return f
		}
	}
	return database.Finding{Status: database.Exact}
}

func into(t testing.TB, from, to string, opts convert.Options) *database.Report {
	t.Helper()
	report, err := copied(t, postgres.Driver{}, postgres.Driver{}, from, to, opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestFunctionsInConstraintsMayNameTablesAsUsersDo(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	if query(t, to, "SHOW server_version_num") >= "170000" {
		t.Skip("since PostgreSQL 17 the server itself calls what indexes call without a search_path")
	}
	postgrestest.Exec(t, from, `CREATE TABLE trg (n int); INSERT INTO trg VALUES (7);
		CREATE FUNCTION known(int) RETURNS bool LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM trg WHERE n = $1)';
		CREATE FUNCTION twice(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN same($1) * 2; END';
		CREATE FUNCTION same(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
		CREATE DOMAIN kept AS int CHECK (twice(VALUE) > 0);
		CREATE TABLE t (n int CONSTRAINT has CHECK (known(n)), k kept); CREATE INDEX doubled ON t (twice(n)); INSERT INTO t VALUES (7, 1)`)
	report := into(t, from, to, convert.Options{})
	for _, f := range report.Inexact() {
		t.Error(f)
	}
	if a, b := dumpSchema(t, from), dumpSchema(t, to); a != b {
		t.Errorf("schemas differ:\n%s", firstDifference(a, b))
	}
}

func TestAConstraintThatCannotBeMadeIsListed(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, `CREATE TABLE now_wrong (n int);
		CREATE FUNCTION few() RETURNS bool LANGUAGE sql AS 'SELECT count(*) = 0 FROM now_wrong';
		CREATE FUNCTION fails(int) RETURNS bool LANGUAGE sql AS 'SELECT $1 > 0';
		CREATE TABLE t (n int CONSTRAINT none CHECK (few()), m int CONSTRAINT broken CHECK (fails(m)));
		INSERT INTO t VALUES (1, 1); INSERT INTO now_wrong VALUES (1);
		CREATE FUNCTION pair_less(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 < $2';
		CREATE OPERATOR CLASS mine FOR TYPE int USING hash AS OPERATOR 1 =, FUNCTION 1 hashint4(int);
		CREATE INDEX special ON t USING hash (n mine);
		CREATE OR REPLACE FUNCTION fails(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN EXISTS (SELECT FROM gone); END'`)
	report := into(t, from, to, convert.Options{})
	for object, want := range map[string]database.Status{
		"check public.t.none": database.Approximated, "check public.t.broken": database.Approximated, "index public.t.special": database.Dropped,
	} {
		if f := found(report, object); f.Status != want || f.Reason == "" {
			t.Errorf("%s is %q (%s), want %q", object, f.Status, f.Reason, want)
		}
	}
	if dump := dumpSchema(t, to); strings.Count(dump, "NOT VALID") != 2 {
		t.Errorf("the checks are not there as NOT VALID:\n%s", dump)
	}
}

func TestRowsThatCameWhileChecksWereOffComeBack(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, `CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p); CREATE TABLE fine (p int REFERENCES p);
		CREATE TABLE d (p int REFERENCES p) PARTITION BY RANGE (p); CREATE TABLE d1 PARTITION OF d FOR VALUES FROM (0) TO (9);
		SET session_replication_role = replica; INSERT INTO p VALUES (1); INSERT INTO c VALUES (1), (99); INSERT INTO d VALUES (1), (8); INSERT INTO fine VALUES (1)`)
	report := into(t, from, to, convert.Options{})
	partitioned, keys := database.Dropped, "c_p_fkey false, fine_p_fkey true" // its key cannot be NOT VALID
	if query(t, to, "SHOW server_version_num") >= "180000" {
		partitioned, keys = database.Approximated, "c_p_fkey false, d_p_fkey false, d_p_fkey false, fine_p_fkey true"
	}
	for object, want := range map[string]database.Status{
		"foreign key public.c.c_p_fkey": database.Approximated, "foreign key public.d.d_p_fkey": partitioned, "foreign key public.fine.fine_p_fkey": database.Exact,
	} {
		if f := found(report, object); f.Status != want {
			t.Errorf("the finding about %s is %v, want %s", object, f, want)
		}
	}
	if got := query(t, to, `SELECT string_agg(conname || ' ' || convalidated, ', ' ORDER BY conname) FROM pg_constraint WHERE contype = 'f'`); got != keys {
		t.Errorf("the keys are %s, want %s", got, keys)
	}
}

func TestACheckThatWasNotValidStaysSo(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, `CREATE TABLE t (n int); INSERT INTO t VALUES (-1); ALTER TABLE t ADD CONSTRAINT positive CHECK (n > 0) NOT VALID`)
	into(t, from, to, convert.Options{Plan: database.PlanOptions{NoNativeDDL: true}})
	if dump := dumpSchema(t, to); !strings.Contains(dump, "NOT VALID") {
		t.Errorf("the check is not there:\n%s", dump)
	}
}

func TestAnImportNeedsNoRightToMakeWhatIsThere(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, `CREATE TABLE t (n int); INSERT INTO t VALUES (1)`)
	postgrestest.Roles(t, to, "plain LOGIN")
	postgrestest.Exec(t, to, `GRANT ALL ON SCHEMA public TO plain`)
	for _, native := range []bool{true, false} {
		into(t, from, strings.Replace(to, "postgres@", "plain@", 1), convert.Options{Plan: database.PlanOptions{NoNativeDDL: !native}})
		postgrestest.Exec(t, to, `DROP TABLE t`)
	}
}

func TestTwoImportsDoNotFillOneDatabase(t *testing.T) {
	ctx := context.Background()
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, `CREATE TABLE t (n int)`)
	src, err := postgres.Driver{}.OpenSource(ctx, location(t, from), database.SourceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	schema, err := src.Schema(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		dst, err := postgres.Driver{}.OpenTarget(ctx, location(t, to), database.TargetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer dst.Close()
		plan, err := dst.Plan(ctx, schema, database.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err = dst.Create(ctx, plan); n == 0 && err != nil {
			t.Fatal(err)
		}
		if n == 1 && (!errors.Is(err, database.ErrRefused) || !strings.Contains(err.Error(), "another import is filling it")) {
			t.Errorf("the second import: %v", err)
		}
	}
}

func TestWhatIsNotCarriedIsListed(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, `CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE f (n int) SERVER s;
		CREATE USER MAPPING FOR postgres SERVER s; CREATE VIEW above AS SELECT * FROM f;
		CREATE TEXT SEARCH TEMPLATE tpl (LEXIZE = dsimple_lexize);
		CREATE TEXT SEARCH PARSER psr (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
		CREATE CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8`)
	report := into(t, from, to, convert.Options{})
	for _, object := range []string{
		"foreign-data wrapper w", "server s", "foreign table public.f", "user mapping s for postgres", "view public.above",
		"text search template public.tpl", "text search parser public.psr", "conversion public.conv",
	} {
		if f := found(report, object); f.Status != database.Dropped {
			t.Errorf("%s is %q", object, f.Status)
		}
	}
}

func TestTextThatIsNoUTF8NamesItsTableAndTheCure(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, `DROP DATABASE IF EXISTS ascii`)
	postgrestest.Exec(t, url, `CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'`)
	at := url[:strings.LastIndex(url, "/")] + "/ascii"
	config, err := pgx.ParseConfig(at)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["client_encoding"] = "SQL_ASCII"
	conn, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.PgConn().Exec(context.Background(), "CREATE TABLE t (v text); INSERT INTO t VALUES (E'caf\\xe9')").ReadAll(); err != nil {
		t.Fatal(err)
	}
	conn.Close(context.Background())
	_, err = copied(t, postgres.Driver{}, postgres.Driver{}, at, url, convert.Options{})
	if err == nil || !strings.Contains(err.Error(), "public.t") || !strings.Contains(err.Error(), "docs/native-dumps.md") {
		t.Errorf("error %v", err)
	}
}

func TestWhatTheFilterLeavesOutIsNotLost(t *testing.T) {
	ctx := context.Background()
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, `CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1);
		CREATE INDEX i ON a (id); CREATE VIEW v AS SELECT * FROM a; COMMENT ON TABLE a IS 'x'`)
	src, err := postgres.Driver{}.OpenSource(ctx, location(t, from), database.SourceOptions{Filter: database.Filter{Tables: []string{"b"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := postgres.Driver{}.OpenTarget(ctx, location(t, to), database.TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	report, err := convert.Run(ctx, src, dst, convert.Options{Strict: true})
	if err != nil || len(report.Inexact()) > 0 || report.Chosen() == 0 {
		t.Errorf("error %v, report %+v", err, report)
	}
}
