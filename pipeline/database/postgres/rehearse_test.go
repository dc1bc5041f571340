package postgres_test

import (
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

// schemaOf is a database's schema, through a filter.
func schemaOf(t *testing.T, url string, filter database.Filter) *database.Schema {
	t.Helper()
	src, err := postgres.Driver{}.OpenSource(t.Context(), location(t, url), database.SourceOptions{Filter: filter})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	schema, err := src.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestWhatARestoreWouldLeaveOutIsKnownBefore(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, `CREATE TYPE mytext; CREATE FUNCTION mytext_in(cstring) RETURNS mytext LANGUAGE internal IMMUTABLE STRICT AS 'textin';
		CREATE FUNCTION mytext_out(public.mytext) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout'; CREATE TYPE mytext (INPUT = mytext_in, OUTPUT = mytext_out, LIKE = text);
		CREATE TABLE t (id int PRIMARY KEY, v mytext); CREATE VIEW above AS SELECT id, v FROM t; CREATE TABLE fine (id int PRIMARY KEY, n int); CREATE INDEX plain ON fine (id);
		CREATE OPERATOR CLASS mine FOR TYPE int USING hash AS OPERATOR 1 =, FUNCTION 1 hashint4(int); CREATE INDEX special ON fine USING hash (n mine)`)
	findings, err := postgres.Driver{}.Rehearse(schemaOf(t, url, database.Filter{}))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"table public.t": "type public.mytext", "view public.above": "type public.mytext", "index public.fine.special": "operator class",
		"function public.mytext_in(cstring)": "type public.mytext", "function public.mytext_out(public.mytext)": "type public.mytext", "primary key public.t.t_pkey": "type public.mytext",
	}
	for _, f := range findings {
		if why := want[f.Object.String()]; why == "" || !strings.Contains(f.Reason, why) {
			t.Errorf("%s: %q, want it to name %q", f.Object, f.Reason, why)
		}
		delete(want, f.Object.String())
	}
	for object := range want {
		t.Errorf("%s is not named", object)
	}
	if findings, err = (postgres.Driver{}).Rehearse(schemaOf(t, url, database.Filter{Tables: []string{"t"}})); err != nil || len(findings) == 0 {
		t.Errorf("of a part of the database: %v, %v", findings, err)
	}
	if findings, err = (postgres.Driver{}).Rehearse(schemaOf(t, url, database.Filter{Tables: []string{"fine"}, ExcludeTables: []string{"t"}})); err != nil || len(findings) != 3 {
		t.Errorf("of the other part: %v, %v, want the index and two functions", findings, err)
	}
}

func TestNothingOfWhatComesBackIsSaidToBeLeftOut(t *testing.T) {
	for _, script := range []string{"awkward", "kinds", "shapes"} {
		url := postgrestest.Database(t)
		loadScript(t, url, "testdata/"+script+".sql")
		findings, err := postgres.Driver{}.Rehearse(schemaOf(t, url, database.Filter{}))
		if err != nil {
			t.Error(err)
		}
		for _, f := range findings {
			t.Errorf("%s: %v", script, f)
		}
	}
}
