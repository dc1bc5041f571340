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

// jobs gives the extension hstore tables of its own, of whose rows it says that some are the
// user's: as the script of an extension does that has such tables.
const jobs = `CREATE EXTENSION hstore; CREATE SCHEMA later;
	CREATE TABLE job (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, cmd text, builtin bool, up text GENERATED ALWAYS AS (upper(cmd)) STORED);
	CREATE TABLE later.a_run (job int REFERENCES job, note text); CREATE TABLE plain (v text);
	INSERT INTO job (cmd, builtin) VALUES ('built in', true);
	ALTER EXTENSION hstore ADD TABLE job; ALTER EXTENSION hstore ADD SEQUENCE job_id_seq;
	ALTER EXTENSION hstore ADD SCHEMA later; ALTER EXTENSION hstore ADD TABLE later.a_run; ALTER EXTENSION hstore ADD TABLE plain;
	UPDATE pg_extension SET extconfig = ARRAY['later.a_run'::regclass, 'job'::regclass, 'job_id_seq'::regclass, 'plain'::regclass],
		extcondition = ARRAY['', 'WHERE NOT builtin', '', ''] WHERE extname = 'hstore';`

func TestRowsOfExtensionsTablesThatAreTheUsersComeBack(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, jobs+`INSERT INTO job (cmd, builtin) VALUES (E'night\tly \\ ''x''', false), (NULL, false), ('gone', true);
		INSERT INTO later.a_run VALUES (2, E'two\nlines'), (3, '');
		CREATE TABLE mine (job int REFERENCES job); INSERT INTO mine VALUES (2)`)
	postgrestest.Exec(t, to, jobs)
	report := into(t, from, to, convert.Options{})
	for _, f := range report.Inexact() {
		t.Error(f)
	}
	for sql, want := range map[string]string{
		`SELECT string_agg(format('%s %s %s %s', id, cmd, builtin, up), '; ' ORDER BY id) FROM job`: "1 built in t BUILT IN; 2 night\tly \\ 'x' f NIGHT\tLY \\ 'X'; 3  f ",
		`SELECT string_agg(format('%s %s', job, note), '; ' ORDER BY job) FROM later.a_run`:         "2 two\nlines; 3 ",
		`SELECT nextval('job_id_seq')::text`:                                                        "5",
	} {
		if got := query(t, to, sql); got != want {
			t.Errorf("%s gives %q, want %q", sql, got, want)
		}
	}
}

func TestRowsOfExtensionsTablesThatCannotBeReadAreNamed(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Roles(t, url, "keeper LOGIN", "stranger LOGIN")
	postgrestest.Exec(t, url, jobs+`INSERT INTO job (cmd, builtin) VALUES ('x', false); INSERT INTO plain VALUES ('y'); ALTER TABLE job OWNER TO keeper`)
	for reader, want := range map[string]map[string]string{
		"postgres": {"extension rows public.job": "belongs to no superuser", "extension rows public.plain": ""},
		"stranger": {"extension rows public.job": "may not read", "extension rows public.plain": "may not read"},
	} {
		at := location(t, strings.Replace(url, "postgres@", reader+"@", 1))
		src, err := postgres.Driver{}.OpenSource(t.Context(), at, database.SourceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		schema, err := src.Schema(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range schema.Objects {
			lost, listed := want[o.ObjectID.String()]
			if listed && (!strings.Contains(o.Lost, lost) || (lost == "") != (len(o.DDL) == 1)) {
				t.Errorf("%s reads %s as %q %q, want %q", reader, o.ObjectID, o.DDL, o.Lost, lost)
			}
			delete(want, o.ObjectID.String())
		}
		for missing := range want {
			t.Errorf("%s: %s is not listed", reader, missing)
		}
		src.Close()
	}
}

func TestRowsOfExtensionsFollowTheirExtension(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, `CREATE EXTENSION hstore; CREATE TABLE job (id serial PRIMARY KEY, cmd text); ALTER EXTENSION hstore ADD TABLE job; ALTER EXTENSION hstore ADD SEQUENCE job_id_seq;
		UPDATE pg_extension SET extconfig = ARRAY['job'::regclass], extcondition = ARRAY[''] WHERE extname = 'hstore'; INSERT INTO job (cmd) VALUES ('x')`)
	src, err := postgres.Driver{}.OpenSource(t.Context(), location(t, url), database.SourceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	schema, err := src.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, o := range schema.Objects {
		order = append(order, o.ObjectID.String())
	}
	rows, extension := slices.Index(order, "extension rows public.job"), slices.Index(order, "extension hstore")
	if extension < 0 || rows < extension {
		t.Errorf("the order is %q", order)
	}
}

func TestRowsOfExtensionsFromAFileAreDoubted(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, jobs+`INSERT INTO job (cmd, builtin) VALUES ('x', false); CREATE TABLE t (id int)`)
	postgrestest.Exec(t, to, jobs)
	_, err := copied(t, postgres.Driver{}, postgres.Driver{}, from, to, convert.Options{Plan: database.PlanOptions{HandedOver: true}})
	if !errors.Is(err, database.ErrUntrusted) || !strings.Contains(err.Error(), "extension rows public.job") {
		t.Errorf("they were taken: %v", err)
	}
}
