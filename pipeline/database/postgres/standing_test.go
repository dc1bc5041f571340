package postgres_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

func TestATargetThatHoldsAnythingIsNotEmpty(t *testing.T) {
	from := postgrestest.Database(t)
	postgrestest.Exec(t, from, "CREATE TABLE t (id int)")
	for _, c := range []struct{ sql, named string }{
		{"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "public.f()"},
		{"CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'", "public.p()"},
		{"CREATE AGGREGATE a(int) (SFUNC = int4pl, STYPE = int)", "public.a()"},
		{"CREATE TYPE c AS (a int)", "public.c"}, {"CREATE TYPE e AS ENUM ('x')", "public.e"},
		{"CREATE TYPE r AS RANGE (SUBTYPE = int)", "public.r"}, {"CREATE DOMAIN d AS int", "public.d"},
		{`CREATE OPERATOR === (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int)`, "operator public.==="},
		{"CREATE COLLATION k (provider = libc, locale = 'C')", "collation public.k"},
		{"CREATE TEXT SEARCH CONFIGURATION s (COPY = simple)", "text search configuration public.s"},
		{"SELECT lo_create(5)", "large object 5"}, {"CREATE VIEW v AS SELECT 1", "public.v"}, {"CREATE SEQUENCE q", "public.q"},
		{"CREATE EXTENSION hstore; CREATE EXTENSION tablefunc", ""}, {"CREATE SCHEMA other", ""},
	} {
		to := postgrestest.Database(t)
		postgrestest.Exec(t, to, c.sql)
		_, err := copied(t, postgres.Driver{}, postgres.Driver{}, from, to, convert.Options{})
		switch {
		case c.named == "":
			if err != nil {
				t.Errorf("after %s: %v", c.sql, err)
			}
		case !errors.Is(err, database.ErrNotEmpty) || !strings.Contains(err.Error(), c.named):
			t.Errorf("after %s: error %v, want one that names %s", c.sql, err, c.named)
		}
	}
}

func TestEventTriggersComeLastAndThoseOfTheTargetAreNamed(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, `CREATE TABLE ddl_log (n serial PRIMARY KEY, tag text); CREATE TABLE t (id int PRIMARY KEY); COMMENT ON TABLE t IS 'a table'; GRANT SELECT ON t TO pg_monitor;
		CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.ddl_log (tag) VALUES (tg_tag); END';
		CREATE EVENT TRIGGER log_ddl ON ddl_command_end EXECUTE FUNCTION log_ddl(); COMMENT ON COLUMN t.id IS 'a column'`)
	if _, err := copied(t, postgres.Driver{}, postgres.Driver{}, from, to, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	if a, b := dumpRows(t, from), dumpRows(t, to); a != b {
		t.Errorf("the log has what the import made:\n%s", firstDifference(a, b))
	}
	own := postgrestest.Database(t)
	postgrestest.Exec(t, own, `CREATE EXTENSION hstore; CREATE FUNCTION ev() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
		CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION ev(); ALTER EXTENSION hstore ADD FUNCTION ev()`)
	report, err := copied(t, postgres.Driver{}, postgres.Driver{}, from, own, convert.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(report.Inexact(), func(f database.Finding) bool { return f.Code == database.CodeActsOnIt && f.Object.Name == "mine" }) {
		t.Errorf("the target's event trigger is not named: %v", report.Inexact())
	}
}
