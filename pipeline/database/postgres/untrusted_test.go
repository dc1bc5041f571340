package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/rows"
)

// marks are the places where code has run, and as whom, by what it wrote to the server's log.
var marked = regexp.MustCompile(`LOG:  mark ([a-z ]+) by (\w+)`)

// marksOf runs f and says which marks were left meanwhile.
func marksOf(t testing.TB, f func()) []string {
	t.Helper()
	log := func() string { return readText(t, postgrestest.Log(t)) }
	before := len(log())
	f()
	found := map[string]bool{}
	for _, m := range marked.FindAllStringSubmatch(log()[before:], -1) {
		found[m[1]+" by "+m[2]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

func readText(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lair makes a role and functions of its own that leave a mark wherever they are called.
func lair(t testing.TB, url, role string) {
	t.Helper()
	postgrestest.Roles(t, url, role+" LOGIN")
	postgrestest.Exec(t, url, fmt.Sprintf(`CREATE SCHEMA lair AUTHORIZATION %[1]s; SET ROLE %[1]s;
		CREATE FUNCTION lair.mark(place text, n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RAISE LOG ''mark %% by %%'', place, current_user; RETURN n; END';
		CREATE FUNCTION lair.fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM lair.mark(''trigger'', 1); RETURN NEW; END';
		CREATE TABLE lair.t (n int, d int DEFAULT lair.mark('default', 1)); INSERT INTO lair.t VALUES (1, 1), (2, 2)`, role))
}

// byOwner are places where PostgreSQL evaluates, if at all, with the rights of whoever owns the
// table or uses it.
var byOwner = []string{
	`CREATE INDEX i ON lair.t (lair.mark('index', n))`,
	`CREATE INDEX p ON lair.t (n) WHERE lair.mark('partial', n) > 0`,
	`CREATE INDEX c ON lair.t ((n + lair.mark('constant', 1)))`,
	`CREATE STATISTICS lair.s ON (lair.mark('statistics', n)), d FROM lair.t; ANALYZE lair.t`,
	`ALTER TABLE lair.t ADD CONSTRAINT x EXCLUDE USING btree ((lair.mark('exclusion', n)) WITH =)`,
	`ALTER TABLE lair.t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON lair.t USING (lair.mark('policy', n) > 0)`,
	`CREATE TRIGGER f BEFORE INSERT OR UPDATE ON lair.t FOR EACH ROW EXECUTE FUNCTION lair.fires()`,
	`CREATE RULE r AS ON INSERT TO lair.t DO ALSO SELECT lair.mark('rule', 1)`,
	`CREATE VIEW lair.v AS SELECT lair.mark('view', n) FROM lair.t`,
	`CREATE MATERIALIZED VIEW lair.m AS SELECT lair.mark('matview', n) FROM lair.t`,
	`CREATE FUNCTION lair.adds(int, int) RETURNS int LANGUAGE sql AS 'SELECT lair.mark(''aggregate'', 1)'; CREATE AGGREGATE lair.agg(int) (SFUNC = lair.adds, STYPE = int, INITCOND = '0');
		CREATE MATERIALIZED VIEW lair.a AS SELECT lair.agg(n) FROM lair.t`,
	`CREATE FUNCTION lair.beats(int, int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN lair.mark(''operator'', 1); END';
		CREATE OPERATOR lair.*** (FUNCTION = lair.beats, LEFTARG = int, RIGHTARG = int); CREATE INDEX o ON lair.t ((n OPERATOR(lair.***) 2))`,
	`CREATE TYPE lair.own AS (n int); CREATE FUNCTION lair.toint(lair.own) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN lair.mark(''cast'', 1); END';
		CREATE CAST (lair.own AS int) WITH FUNCTION lair.toint(lair.own) AS IMPLICIT; CREATE TABLE lair.k (o lair.own); INSERT INTO lair.k VALUES (ROW(1)); CREATE INDEX ki ON lair.k ((o + 1))`,
	`CREATE FUNCTION lair.less(lair.own, lair.own) RETURNS float8 IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN lair.mark(''difference'', 1); END';
		CREATE FUNCTION lair.differs(float8, float8) RETURNS float8 IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN lair.mark(''difference'', 1); END';
		CREATE TYPE lair.span AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = lair.differs); CREATE TABLE lair.spans (s lair.span);
		INSERT INTO lair.spans SELECT lair.span(i, i + 1) FROM generate_series(1, 500) i; CREATE INDEX si ON lair.spans USING gist (s)`,
	`CREATE EXTENSION citext SCHEMA lair; CREATE FUNCTION lair.lower(lair.citext) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM lair.mark(''extension script'', 1); RETURN ''x''; END';
		CREATE TABLE lair.words (w lair.citext); INSERT INTO lair.words VALUES ('a'), ('B'); CREATE INDEX wi ON lair.words (w)`,
}

// byImporter are places where whoever imports evaluates, as pg_restore does: the object, and what
// makes it.
var byImporter = map[string]string{
	"check lair.t.c":         `ALTER TABLE lair.t ADD CONSTRAINT c CHECK (lair.mark('check', n) > 0)`,
	"table lair.g":           `CREATE TABLE lair.g (n int, g int GENERATED ALWAYS AS (lair.mark('generated', n)) STORED); INSERT INTO lair.g VALUES (1)`,
	"domain lair.dom":        `CREATE DOMAIN lair.dom AS int CHECK (lair.mark('domain', VALUE) > 0); CREATE TABLE lair.ds (d lair.dom); INSERT INTO lair.ds VALUES (1)`,
	"table lair.part":        `CREATE TABLE lair.part (n int) PARTITION BY RANGE (lair.mark('partition', n)); CREATE TABLE lair.part1 PARTITION OF lair.part FOR VALUES FROM (0) TO (9); INSERT INTO lair.part VALUES (1)`,
	"check lair.e.e_check":   `CREATE TABLE lair.e (n int CHECK (pg_catalog.pg_read_file('/etc/passwd') <> '')); RESET ROLE; INSERT INTO lair.e VALUES (1)`,
	"check lair.l.l_n_check": `CREATE TABLE lair.l (n int CHECK (pg_catalog.lo_import('/etc/passwd') IS NULL OR n > 0))`,
	"event trigger lair_event": `CREATE FUNCTION lair.event() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM lair.mark(''event trigger'', 1); END'; RESET ROLE;
		CREATE EVENT TRIGGER lair_event ON ddl_command_end EXECUTE FUNCTION lair.event()`,
	"check lair.q.q_check": `CREATE TABLE lair.q (n int CHECK (pg_catalog.query_to_xml('SELECT 1', true, true, '') IS NOT NULL)); INSERT INTO lair.q VALUES (1)`,
}

// stored reads a database and gives it as a backup holds it.
func stored(t testing.TB, url string) func() database.Source {
	t.Helper()
	src, err := postgres.Driver{}.OpenSource(context.Background(), location(t, url), database.SourceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	files := databasetest.WriteStreams(t, src)
	return func() database.Source {
		out, err := rows.Open(files, database.SourceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// restore puts a stored database into an empty one.
func restore(t testing.TB, from func() database.Source, to string, opts database.PlanOptions) (*database.Report, error) {
	t.Helper()
	return databasetest.Into(t, postgres.Driver{}, to, from(), convert.Options{Plan: opts, Jobs: 3})
}

// pgRestore does the same with the server's own programs.
func pgRestore(t testing.TB, from, to string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dump")
	if out, err := exec.Command(postgrestest.Tool(t, "pg_dump"), "-Fc", "-f", file, from).CombinedOutput(); err != nil {
		t.Fatalf("pg_dump: %v: %s", err, out)
	}
	// It goes on after errors, and says so by its exit code.
	_, _ = exec.Command(postgrestest.Tool(t, "pg_restore"), "-d", to, file).CombinedOutput()
}

func TestASuperusersImportRunsNothingThatPgRestoreWouldNot(t *testing.T) {
	from, beside, to := postgrestest.Database(t), postgrestest.Database(t), postgrestest.Database(t)
	lair(t, from, "mallory")
	postgrestest.Exec(t, from, "DO $$BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO mallory', current_database()); END$$")
	postgrestest.Exec(t, from, "SET ROLE mallory; "+strings.Join(byOwner, "; "))
	source := stored(t, from)
	theirs := marksOf(t, func() { pgRestore(t, from, beside) })
	var err error
	ours := marksOf(t, func() { _, err = restore(t, source, to, database.PlanOptions{}) })
	if err != nil {
		t.Fatal(err)
	}
	if len(ours) < 8 {
		t.Errorf("only %q has run: the test tries less than it says", ours)
	}
	for _, mark := range ours {
		if !slices.Contains(theirs, mark) || !strings.HasSuffix(mark, " by mallory") {
			t.Errorf("%q has run; pg_restore runs %q", mark, theirs)
		}
	}
	if a, b := dumpOwned(t, from), dumpOwned(t, to); a != b {
		t.Errorf("schemas differ:\n%s", firstDifference(a, b))
	}
}

func TestWhatASuperuserWouldEvaluateForOthersIsListedAndRefused(t *testing.T) {
	from, beside, to := postgrestest.Database(t), postgrestest.Database(t), postgrestest.Database(t)
	lair(t, from, "trudy")
	for _, sql := range byImporter {
		postgrestest.Exec(t, from, "SET ROLE trudy; "+sql)
	}
	source := stored(t, from)
	var report *database.Report
	var err error
	ours := marksOf(t, func() { report, err = restore(t, source, to, database.PlanOptions{}) })
	if !errors.Is(err, database.ErrUntrusted) || !errors.Is(err, database.ErrRefused) || len(ours) > 0 {
		t.Fatalf("error %v, want ErrUntrusted, and %q has run", err, ours)
	}
	listed := map[string]bool{}
	for _, f := range report.Untrusted {
		listed[f.Object.String()] = true
	}
	want := slices.Sorted(maps.Keys(byImporter))
	if got := slices.Sorted(maps.Keys(listed)); !slices.Equal(got, want) {
		t.Errorf("listed are %q, want %q", got, want)
	}
	theirs := marksOf(t, func() { pgRestore(t, from, beside) })
	ours = marksOf(t, func() { _, err = restore(t, source, to, database.PlanOptions{TrustCode: true}) })
	if err != nil {
		t.Fatalf("with TrustCode: %v", err)
	}
	for _, mark := range ours {
		if !slices.Contains(theirs, mark) {
			t.Errorf("%q has run; pg_restore runs %q", mark, theirs)
		}
	}
	if a, b := dumpOwned(t, from), dumpOwned(t, to); a != b {
		t.Errorf("schemas differ:\n%s", firstDifference(a, b))
	}
}

// TestObjectsOfSuperusersNeedNoTrust: so do plain conditions of anybody.
func TestObjectsOfSuperusersNeedNoTrust(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Roles(t, from, "plain_owner")
	postgrestest.Exec(t, from, `CREATE FUNCTION mine(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
		CREATE TABLE a (n int CHECK (mine(n) > 0), g int GENERATED ALWAYS AS (mine(n)) STORED); INSERT INTO a VALUES (1);
		CREATE EXTENSION citext; CREATE DOMAIN short AS text CHECK (length(VALUE) < 9 AND VALUE ~ '^[a-z]+$'); ALTER DOMAIN short OWNER TO plain_owner;
		CREATE TABLE b (n numeric(9,2) CHECK (n > 0 AND round(n, 1) BETWEEN 0::numeric AND 100), t text CHECK (t IN ('a', lower('B')) OR t = ANY (ARRAY['x', 'y'])), c citext CHECK (c <> 'no'),
			d date CHECK (d < CURRENT_DATE OR extract(year FROM d) > 1999), s short, at timestamp(3) CHECK (at > '2000-01-01'::timestamp(3) with time zone), u uuid CHECK (u <> gen_random_uuid()),
			g text GENERATED ALWAYS AS (upper(coalesce(t, 'none'))) STORED) PARTITION BY RANGE (lower(t));
		ALTER TABLE b OWNER TO plain_owner; CREATE TABLE b1 PARTITION OF b FOR VALUES FROM (MINVALUE) TO ('m'); ALTER TABLE b1 OWNER TO plain_owner`)
	report, err := restore(t, stored(t, from), to, database.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range slices.Concat(report.Inexact(), report.Untrusted) {
		t.Error(f)
	}
	if a, b := dumpOwned(t, from), dumpOwned(t, to); a != b {
		t.Errorf("schemas differ:\n%s", firstDifference(a, b))
	}
}

// definers makes a role with a function that runs with its rights, and a view and a rule, which do
// so too.
func definers(t testing.TB, url, role string) {
	t.Helper()
	postgrestest.Roles(t, url, role)
	postgrestest.Exec(t, url, fmt.Sprintf(`CREATE SCHEMA s AUTHORIZATION %[1]s; CREATE TABLE secrets (s text); SET ROLE %[1]s;
		CREATE FUNCTION s.f(n int DEFAULT 1, OUT m int) LANGUAGE sql SECURITY DEFINER AS 'SELECT $1'; REVOKE EXECUTE ON FUNCTION s.f(int) FROM PUBLIC;
		CREATE PROCEDURE s.p() LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN NULL; END';
		CREATE TABLE s.t (n int); CREATE VIEW s.v AS SELECT * FROM public.secrets; CREATE RULE r AS ON INSERT TO s.t DO ALSO INSERT INTO public.secrets VALUES ('x')`, role))
}

// rights tells whose the function is, whether it runs with its owner's rights, and how the view and
// the rule are.
const rights = `SELECT coalesce(string_agg(format('%s of %s %s', proname, pg_get_userbyid(proowner), CASE WHEN prosecdef THEN 'definer' ELSE 'invoker' END), ', ' ORDER BY proname), '')
	|| (SELECT format('; view of %s %s; rules %s', pg_get_userbyid(relowner), coalesce(reloptions::text, ''), (SELECT count(*) FROM pg_rewrite WHERE rulename = 'r')) FROM pg_class WHERE relname = 'v' AND relkind = 'v')
	FROM pg_proc WHERE pronamespace = 's'::regnamespace`

func query(t testing.TB, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	return queryText(t, conn, sql)
}

func TestCodeNeverComesToBelongToARoleWithMoreRights(t *testing.T) {
	for _, c := range []struct {
		name, role, between string
		opts                database.PlanOptions
		want                string
	}{
		{"the role is there", "definer1", "", database.PlanOptions{},
			"f of definer1 definer, p of definer1 definer; view of definer1 ; rules 1"},
		{"the role is missing", "definer2", "DROP OWNED BY definer2; DROP ROLE definer2", database.PlanOptions{},
			"f of postgres invoker, p of postgres invoker; view of postgres {security_invoker=true}; rules 0"},
		{"no owner is wanted", "definer3", "", database.PlanOptions{NoOwner: true},
			"f of postgres invoker, p of postgres invoker; view of postgres {security_invoker=true}; rules 0"},
		{"the role is a superuser now", "definer4", "ALTER ROLE definer4 SUPERUSER", database.PlanOptions{},
			"f of definer4 invoker, p of definer4 invoker; view of definer4 {security_invoker=true}; rules 0"},
		{"the role may do more now", "definer5", "GRANT pg_read_server_files TO definer5", database.PlanOptions{},
			"f of definer5 invoker, p of definer5 invoker; view of definer5 {security_invoker=true}; rules 0"},
		{"the role makes databases now", "definer8", "ALTER ROLE definer8 CREATEDB", database.PlanOptions{},
			"f of definer8 invoker, p of definer8 invoker; view of definer8 {security_invoker=true}; rules 0"},
		{"another takes its place", "definer6", "", database.PlanOptions{Roles: map[string]string{"definer6": "stand_in"}},
			"f of stand_in definer, p of stand_in definer; view of stand_in ; rules 1"},
		{"a superuser takes its place", "definer7", "", database.PlanOptions{Roles: map[string]string{"definer7": "postgres"}},
			"f of postgres invoker, p of postgres invoker; view of postgres {security_invoker=true}; rules 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := postgrestest.Database(t), postgrestest.Database(t)
			postgrestest.Roles(t, from, "stand_in")
			definers(t, from, c.role)
			source := stored(t, from)
			if c.between != "" {
				postgrestest.Exec(t, from, c.between)
			}
			report, err := restore(t, source, to, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := query(t, to, rights); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			changed := strings.Contains(c.want, "invoker")
			for _, object := range []string{"function s.f(n integer, OUT m integer)", "procedure s.p()", "view s.v", "rule s.t.r"} {
				if f := found(report, object); (f.Status != database.Exact) != changed {
					t.Errorf("%s is %q: %s", object, f.Status, f.Reason)
				}
			}
			if f := found(report, "view s.v"); changed && !strings.Contains(f.Reason, "may do more ("+powers[c.role]+")") {
				t.Errorf("%s: want which right it is: %s", f.Reason, powers[c.role])
			}
		})
	}
}

// powers are what the owners of the test above may do more than before.
var powers = map[string]string{
	"definer2": "superuser", "definer3": "superuser", "definer4": "superuser", "definer5": "member of pg_read_server_files", "definer7": "superuser", "definer8": "makes databases",
}

// TestAnOrdinaryImporterStandsForTheOwnerOfTheDatabase: what was others' gains nothing by it.
func TestAnOrdinaryImporterStandsForTheOwnerOfTheDatabase(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Roles(t, from, "was_owner LOGIN", "is_owner LOGIN")
	postgrestest.Exec(t, from, `GRANT ALL ON SCHEMA public TO was_owner;
		DO $$BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO was_owner', current_database()); END$$`)
	postgrestest.Exec(t, to, `DO $$BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO is_owner', current_database()); END$$`)
	definers(t, from, "stranger")
	postgrestest.Exec(t, from, "ALTER TABLE secrets OWNER TO was_owner; SET ROLE was_owner; CREATE FUNCTION own() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; CREATE VIEW seen AS SELECT * FROM secrets")
	report, err := restore(t, stored(t, from), strings.Replace(to, "postgres@", "is_owner@", 1), database.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := "f of is_owner invoker, p of is_owner invoker; view of is_owner {security_invoker=true}; rules 0"
	if got := query(t, to, rights); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := query(t, to, "SELECT format('%s %s %s', pg_get_userbyid(proowner), prosecdef, (SELECT reloptions FROM pg_class WHERE relname = 'seen')) FROM pg_proc WHERE proname = 'own'"); got != "is_owner t " {
		t.Errorf("the owner's own function and view are %q", got)
	}
	var lost []string
	for _, f := range report.Inexact() {
		if f.Object.Kind == "ownership" {
			lost = append(lost, f.Object.Name)
		}
	}
	if !slices.Equal(lost, []string{"stranger"}) {
		t.Errorf("lost owners are %q, want the stranger alone", lost)
	}
}

// TestGrantsOnWhatIsTheServersComeBack: by a superuser, and not by the word of a file.
func TestGrantsOnWhatIsTheServersComeBack(t *testing.T) {
	from, to, other := postgrestest.Database(t), postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Roles(t, from, "grantee")
	postgrestest.Exec(t, from, `CREATE EXTENSION citext; GRANT USAGE ON LANGUAGE plpgsql TO grantee; REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
		REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(double precision) FROM PUBLIC; GRANT SELECT (rolname) ON pg_catalog.pg_authid TO grantee; GRANT SELECT ON pg_catalog.pg_subscription TO grantee;
		REVOKE EXECUTE ON FUNCTION public.citext_eq(public.citext, public.citext) FROM PUBLIC; REVOKE USAGE ON TYPE public.citext FROM PUBLIC`)
	source := stored(t, from)
	report, err := restore(t, source, to, database.PlanOptions{})
	if err != nil || len(report.Inexact()) > 0 {
		t.Fatal(report.Inexact(), err)
	}
	if a, b := dumpOwned(t, from), dumpOwned(t, to); a != b {
		t.Errorf("schemas differ:\n%s", firstDifference(a, b))
	}
	report, err = restore(t, source, other, database.PlanOptions{HandedOver: true, TrustCode: true})
	if err != nil || len(report.Inexact()) != 7 {
		t.Errorf("of a file, %d are left out: %v, %v", len(report.Inexact()), report.Inexact(), err)
	}
}
