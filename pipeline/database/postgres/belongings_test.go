package postgres_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// dumpOwned is dumpSchema with owners.
func dumpOwned(t *testing.T, url string) string {
	t.Helper()
	out, err := exec.Command(postgrestest.Tool(t, "pg_dump"), "-s", url).Output()
	if err != nil {
		t.Fatalf("pg_dump: %v", err)
	}
	return restrictLine.ReplaceAllString(string(out), "")
}

const databaseSettings = `SELECT string_agg(coalesce(r.rolname, 'all') || ': ' || s.setconfig::text, '; ' ORDER BY r.rolname) FROM pg_db_role_setting s
	JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE d.datname = current_database()`

func settings(t *testing.T, url string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	return queryText(t, conn, databaseSettings)
}

func TestOwnersSettingsAndDefaultPrivilegesComeBack(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Roles(t, from, "belongings_app", `"belongings Reader"`)
	postgrestest.Exec(t, from, `
		CREATE SCHEMA app AUTHORIZATION belongings_app;
		CREATE TABLE app.thing (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n serial, name text);
		ALTER TABLE app.thing OWNER TO belongings_app;
		CREATE TYPE app.mood AS ENUM ('ok'); ALTER TYPE app.mood OWNER TO belongings_app;
		CREATE VIEW app.names AS SELECT name FROM app.thing; ALTER VIEW app.names OWNER TO belongings_app;
		CREATE FUNCTION app.one(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION app.one(int) OWNER TO belongings_app;
		CREATE TABLE ours (id int);
		ALTER DEFAULT PRIVILEGES FOR ROLE belongings_app IN SCHEMA app GRANT SELECT ON TABLES TO "belongings Reader";
		ALTER DEFAULT PRIVILEGES FOR ROLE belongings_app REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
		DO $$BEGIN
			EXECUTE format('ALTER DATABASE %I SET search_path TO app, "$user", public', current_database());
			EXECUTE format('ALTER DATABASE %I SET application_name TO ''it''''s 100%%''', current_database());
			EXECUTE format('ALTER ROLE "belongings Reader" IN DATABASE %I SET work_mem TO ''8MB''', current_database());
		END$$`)
	report, err := copied(t, postgres.Driver{}, postgres.Driver{}, from, to, convert.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Inexact() {
		t.Errorf("not exact: %s", f)
	}
	if a, b := dumpOwned(t, from), dumpOwned(t, to); a != b {
		t.Errorf("schemas differ:\n%s", firstDifference(a, b))
	}
	if a, b := settings(t, from), settings(t, to); a != b || !strings.Contains(a, "search_path") || !strings.Contains(a, "Reader") {
		t.Errorf("settings came back as %q, want %q", b, a)
	}
}

func TestWhatBelongsToARoleThatIsNotThereIsListed(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Roles(t, from, "belongings_gone")
	postgrestest.Exec(t, from, "CREATE TABLE thing (id int); ALTER TABLE thing OWNER TO belongings_gone")
	file := "sqlite:" + filepath.Join(t.TempDir(), "x.sqlite")
	if _, err := copied(t, postgres.Driver{}, sqlite.Driver{Portable: true}, from, file, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	postgrestest.Exec(t, from, "ALTER TABLE thing OWNER TO CURRENT_USER; DROP ROLE belongings_gone")
	report, err := copied(t, sqlite.Driver{}, postgres.Driver{}, file, to, convert.Options{})
	if err != nil {
		t.Fatal(err)
	}
	list := report.Inexact()
	if len(list) != 1 || list[0].Object.Kind != "ownership" || list[0].Status != database.Dropped {
		t.Errorf("the report lists %v, want the ownership that was lost", list)
	}
}
