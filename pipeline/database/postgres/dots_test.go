package postgres_test

import (
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// dotted has two of everything whose names are the same but for the place of a dot.
const dotted = `CREATE SCHEMA a; CREATE SCHEMA "a.b"; CREATE SCHEMA "a""b";
	CREATE TYPE a."b.t" AS ENUM ('x'); CREATE TYPE "a.b".t AS ENUM ('y');
	CREATE FUNCTION a."b.f"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE FUNCTION "a.b".f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
	CREATE TABLE a."b.c" (id serial PRIMARY KEY, v a."b.t", n int CHECK (n > 1)); CREATE TABLE "a.b".c (id serial PRIMARY KEY, v "a.b".t, n int UNIQUE CHECK (n > 2));
	CREATE TABLE "a.b"."c.d" (id int REFERENCES "a.b".c, other int REFERENCES a."b.c"); CREATE TABLE "a""b".c (id int GENERATED ALWAYS AS IDENTITY);
	INSERT INTO a."b.c" (v, n) VALUES ('x', 2), ('x', 3), ('x', 4); INSERT INTO "a.b".c (v, n) VALUES ('y', 3);
	INSERT INTO "a.b"."c.d" VALUES (1, 3); INSERT INTO "a""b".c DEFAULT VALUES;
	CREATE TRIGGER t BEFORE UPDATE ON a."b.c" FOR EACH ROW EXECUTE FUNCTION a."b.f"(); CREATE TRIGGER t BEFORE UPDATE ON "a.b".c FOR EACH ROW EXECUTE FUNCTION "a.b".f();
	ALTER TABLE "a.b".c ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON "a.b".c USING (n = 3); CREATE POLICY p ON a."b.c" USING (n = 2);
	CREATE RULE r AS ON DELETE TO a."b.c" DO INSTEAD NOTHING; CREATE STATISTICS "a.b".s ON id, n FROM "a.b".c;
	CREATE VIEW a."b.v" AS SELECT * FROM "a.b".c; CREATE VIEW "a.b".v AS SELECT * FROM a."b.c";
	CREATE INDEX ON "a.b".c (v); CREATE INDEX i ON a."b.c" (n);
	COMMENT ON TABLE "a.b".c IS 'second'; COMMENT ON TABLE a."b.c" IS 'first'; GRANT SELECT ON "a.b".c TO PUBLIC; GRANT INSERT ON a."b.c" TO PUBLIC; REVOKE ALL ON FUNCTION "a.b".f() FROM PUBLIC;
	CREATE TABLE "a.b".p (d int) PARTITION BY RANGE (d); CREATE TABLE a."b.p" PARTITION OF "a.b".p FOR VALUES FROM (1) TO (5); INSERT INTO "a.b".p VALUES (2)`

func TestNamesThatDifferByThePlaceOfADotComeBack(t *testing.T) {
	from, to, through := postgrestest.Database(t), postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, dotted)
	for _, f := range into(t, from, to, convert.Options{}).Inexact() {
		t.Error(f)
	}
	if a, b := dumpSchema(t, from), dumpSchema(t, to); a != b {
		t.Errorf("schemas differ:\n%s", firstDifference(a, b))
	}
	file := "sqlite:" + t.TempDir() + "/x.sqlite"
	if _, err := copied(t, postgres.Driver{}, sqlite.Driver{}, from, file, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := copied(t, sqlite.Driver{}, postgres.Driver{}, file, through, convert.Options{Plan: database.PlanOptions{HandedOver: true, TrustCode: true}}); err != nil {
		t.Fatal(err)
	}
	if a, b := dumpSchema(t, from), dumpSchema(t, through); a != b {
		t.Errorf("schemas differ through a file:\n%s", firstDifference(a, b))
	}
	for _, url := range []string{to, through} {
		const sums = `SELECT concat_ws(' ', (SELECT sum(n) FROM a."b.c"), (SELECT sum(n) FROM "a.b".c), (SELECT other FROM "a.b"."c.d"), nextval('a."b.c_id_seq"'), nextval('"a.b".c_id_seq'))`
		if got := query(t, url, sums); got != "9 3 3 4 2" {
			t.Errorf("the copy holds %s, want 9 3 3 4 2", got)
		}
	}
}
