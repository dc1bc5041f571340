package postgres_test

import (
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

// circles: two views, three views and a function, and one that is outside and uses them.
const circles = `CREATE TABLE t (id int PRIMARY KEY, a text COLLATE "C"); INSERT INTO t VALUES (1, 'x');
	CREATE VIEW ca AS SELECT id, a FROM t; CREATE VIEW cb AS SELECT id, a FROM ca;
	CREATE OR REPLACE VIEW ca WITH (security_barrier = true) AS SELECT id, a FROM t WHERE false UNION ALL SELECT id, a FROM cb WHERE false;
	CREATE VIEW fa AS SELECT 1 AS x; CREATE FUNCTION of_fa(fa) RETURNS int LANGUAGE sql STABLE AS 'SELECT 7';
	CREATE VIEW fb AS SELECT of_fa(fa) AS x FROM fa; CREATE OR REPLACE VIEW fa AS SELECT x FROM fb WHERE false;
	CREATE VIEW outside AS SELECT ca.id, fa.x FROM ca, fa`

func TestViewsThatDependOnThemselvesComeBack(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, circles)
	for _, f := range into(t, from, to, convert.Options{}).Inexact() {
		t.Error(f)
	}
	if a, b := dumpSchema(t, from), dumpSchema(t, to); a != b {
		t.Errorf("schemas differ:\n%s", firstDifference(a, b))
	}
}

func TestViewsThatDependOnThemselvesGetNoMoreRights(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Roles(t, from, "circular")
	postgrestest.Exec(t, from, `GRANT CREATE ON SCHEMA public TO circular; SET ROLE circular; `+circles)
	report := into(t, from, to, convert.Options{Plan: database.PlanOptions{NoOwner: true}})
	const invokers = `SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'v' AND 'security_invoker=true' = ANY (reloptions)`
	if got, want := query(t, to, invokers), "ca cb fa fb outside"; got != want {
		t.Errorf("of the views, %s read with the rights of whoever uses them, want %s", got, want)
	}
	if f := found(report, "view public.ca"); f.Code != database.CodeInvoker {
		t.Errorf("the finding about ca is %v", f)
	}
}

func TestDomainsWhoseChecksCallTheirFunctionsComeBack(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, `CREATE DOMAIN d AS int NOT NULL CONSTRAINT small CHECK (VALUE < 100); CREATE FUNCTION lower(int) RETURNS d LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 - 50; END';
		ALTER DOMAIN d ADD CONSTRAINT "is fine" CHECK (VALUE < 50 OR lower(VALUE) > 0); CREATE TABLE t (v d, w d[]); INSERT INTO t VALUES (1, '{2,60}'); CREATE DOMAIN e AS d CHECK (VALUE > 0)`)
	for _, f := range into(t, from, to, convert.Options{}).Inexact() {
		t.Error(f)
	}
	if a, b := dumpSchema(t, from), dumpSchema(t, to); a != b {
		t.Errorf("schemas differ:\n%s", firstDifference(a, b))
	}
	if got := query(t, to, "SELECT count(*)::text FROM pg_constraint WHERE contypid = 'd'::regtype AND convalidated AND contype = 'c'"); got != "2" {
		t.Errorf("%s checks of d are valid, want 2", got)
	}
}
