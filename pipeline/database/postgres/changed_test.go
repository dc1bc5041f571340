package postgres_test

import (
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

func TestValuesOfACodeThatWasChangedAreNamed(t *testing.T) {
	from, to, again := postgrestest.Database(t), postgrestest.Database(t), postgrestest.Database(t)
	for _, sql := range []string{ // each in a transaction of its own
		`CREATE FUNCTION norm(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)'; CREATE FUNCTION kept(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)'`,
		`CREATE TABLE t (name text, n text GENERATED ALWAYS AS (norm(name)) STORED, k text GENERATED ALWAYS AS (kept(name)) STORED, l int GENERATED ALWAYS AS (length(name)) STORED);
			INSERT INTO t (name) VALUES (' A')`,
		`CREATE OR REPLACE FUNCTION norm(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT btrim(lower($1))'`,
	} {
		postgrestest.Exec(t, from, sql)
	}
	report := into(t, from, to, convert.Options{})
	if f := found(report, "column public.t.n"); f.Code != database.CodeComputedAnew {
		t.Errorf("the finding about n is %v", f)
	}
	if n := len(report.Inexact()); n != 1 {
		t.Errorf("there are %d findings, want 1: %v", n, report.Inexact())
	}
	if got := query(t, to, "SELECT n || k FROM t"); got != "a a" {
		t.Errorf("the copy holds %q", got)
	}
	for _, f := range into(t, to, again, convert.Options{}).Inexact() {
		t.Errorf("a copy of the copy: %v", f)
	}
}

func TestCommentsOnExtensionsThatWereTakenAwayStayAway(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, `CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION seg; COMMENT ON EXTENSION hstore IS NULL; COMMENT ON EXTENSION citext IS 'ours'`)
	for _, f := range into(t, from, to, convert.Options{}).Inexact() {
		t.Error(f)
	}
	const comments = `SELECT string_agg(concat(extname, ': ', coalesce(obj_description(oid, 'pg_extension'), 'none')), '; ' ORDER BY extname) FROM pg_extension WHERE extname <> 'plpgsql'`
	if got, want := query(t, to, comments), query(t, from, comments); got != want {
		t.Errorf("the comments are %s, want %s", got, want)
	}
}
