package postgres_test

import (
	"bytes"
	"context"
	"fmt"
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
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

func location(t testing.TB, url string) database.Location {
	t.Helper()
	at, err := database.ParseLocation(url)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// copied copies one database into another and returns the report.
func copied(t testing.TB, from, to database.Driver, fromURL, toURL string, opts convert.Options) (*database.Report, error) {
	t.Helper()
	ctx := context.Background()
	src, err := from.OpenSource(ctx, location(t, fromURL), database.SourceOptions{Jobs: opts.Jobs})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := to.OpenTarget(ctx, location(t, toURL), database.TargetOptions{Jobs: opts.Jobs})
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	return convert.Run(ctx, src, dst, opts)
}

var restrictLine = regexp.MustCompile(`(?m)^\\(un)?restrict .*$`)

// dumpSchema is what pg_dump makes of a schema, or the catalog where there is none of the server's
// version.
func dumpSchema(t testing.TB, url string) string {
	t.Helper()
	if !postgrestest.Has("pg_dump") {
		return query(t, url, catalogSQL)
	}
	var errors bytes.Buffer
	cmd := exec.Command(postgrestest.Tool(t, "pg_dump"), "-s", "--no-owner", url)
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pg_dump: %v: %s", err, errors.String())
	}
	return restrictLine.ReplaceAllString(string(out), "")
}

// catalogSQL tells a schema by what the server makes of its catalog, a line for each thing.
const catalogSQL = `WITH r AS (SELECT c.*, format('%I.%I', n.nspname, c.relname) AS id FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
SELECT coalesce(string_agg(line, E'\n' ORDER BY line COLLATE "C"), '') FROM (
	SELECT format('relation %s %s %s %s %s', id, relkind, relpersistence, reloptions, relreplident) AS line FROM r WHERE relkind NOT IN ('i', 'I')
	UNION ALL SELECT format('column %s %s %s %s %s %s %s %s %s', id, row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum), a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
		pg_get_expr(d.adbin, d.adrelid), a.attcompression) FROM r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE relkind <> 'i'
	UNION ALL SELECT format('constraint %s %s %s %s %s', id, k.conname, pg_get_constraintdef(k.oid), k.convalidated, k.conislocal) FROM r JOIN pg_constraint k ON k.conrelid = r.oid
	UNION ALL SELECT format('index %s %s', pg_get_indexdef(indexrelid), indisclustered) FROM r JOIN pg_index ON indrelid = r.oid WHERE indisvalid
	UNION ALL SELECT format('trigger %s %s %s', id, pg_get_triggerdef(t.oid), t.tgenabled) FROM r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
	UNION ALL SELECT format('rule %s %s', id, pg_get_ruledef(w.oid)) FROM r JOIN pg_rewrite w ON w.ev_class = r.oid
	UNION ALL SELECT format('policy %s %s %s %s %s', id, p.polname, p.polcmd, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) FROM r JOIN pg_policy p ON p.polrelid = r.oid
	UNION ALL SELECT format('statistics %s', pg_get_statisticsobjdef(s.oid)) FROM r JOIN pg_statistic_ext s ON s.stxrelid = r.oid
	UNION ALL SELECT format('sequence %s %s %s %s %s %s', id, s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcycle) FROM r JOIN pg_sequence s ON s.seqrelid = r.oid
	UNION ALL SELECT format('partition %s %s %s', id, pg_get_expr(relpartbound, oid), pg_get_partkeydef(oid)) FROM r WHERE relpartbound IS NOT NULL OR relkind = 'p'
	UNION ALL SELECT format('function %s', pg_get_functiondef(p.oid)) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND p.prokind <> 'a' AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
	UNION ALL SELECT format('label %s %s', e.enumtypid::regtype, e.enumlabel) FROM pg_enum e
	UNION ALL SELECT format('comment %s %s', i.identity, d.description) FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) i WHERE d.objoid >= 16384
) x`

// firstDifference shows where two texts part.
func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] != y[i] {
			return strings.Join(x[max(0, i-3):min(len(x), i+4)], "\n") + "\n--- is ---\n" + strings.Join(y[max(0, i-3):min(len(y), i+4)], "\n")
		}
	}
	return "one is longer"
}

// loadScript runs a script. A server that was built without lz4 gets the other compression.
func loadScript(t testing.TB, url, path string) {
	t.Helper()
	script, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if query(t, url, "SELECT array_to_string(enumvals, ' ') FROM pg_settings WHERE name = 'default_toast_compression'") == "pglz" {
		script = bytes.ReplaceAll(script, []byte("lz4"), []byte("pglz"))
	}
	cmd := exec.Command(postgrestest.Tool(t, "psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-d", url)
	cmd.Stdin = bytes.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("load %s: %v: %s", path, err, out)
	}
}

func TestPostgresIntoPostgresKeepsSchemaAndRows(t *testing.T) {
	for _, script := range scripts(t) {
		from, to := postgrestest.Database(t), postgrestest.Database(t)
		loadScript(t, from, script)
		report, err := copied(t, postgres.Driver{}, postgres.Driver{}, from, to, convert.Options{Jobs: 2})
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		for _, f := range report.Inexact() {
			t.Errorf("%s: %s", script, f)
		}
		if a, b := dumpSchema(t, from), dumpSchema(t, to); a != b {
			t.Errorf("%s: schemas differ:\n%s", script, firstDifference(a, b))
		}
	}
}

// scripts are our own schemas, and more where the environment names them.
func scripts(t testing.TB) []string {
	t.Helper()
	out := []string{"testdata/awkward.sql", "testdata/kinds.sql", "testdata/settings.sql", "testdata/shapes.sql"}
	if more := os.Getenv("PACKSTONE_TEST_SQL"); more != "" {
		out = append(out, strings.Split(more, ":")...)
	}
	return out
}

func TestPostgresThroughSQLiteKeepsSchemaAndRows(t *testing.T) {
	for _, script := range scripts(t) {
		from, to := postgrestest.Database(t), postgrestest.Database(t)
		loadScript(t, from, script)
		file := "sqlite:" + filepath.Join(t.TempDir(), "copy.sqlite")
		exported, err := copied(t, postgres.Driver{}, sqlite.Driver{}, from, file, convert.Options{Jobs: 2})
		if err != nil {
			t.Fatalf("export %s: %v", script, err)
		}
		for _, f := range exported.Inexact() {
			t.Logf("%s", f)
		}
		imported, err := copied(t, sqlite.Driver{}, postgres.Driver{}, file, to, convert.Options{})
		if err != nil {
			t.Fatalf("import %s: %v", script, err)
		}
		for _, f := range imported.Inexact() {
			t.Errorf("import %s: %s", script, f)
		}
		if a, b := dumpSchema(t, from), dumpSchema(t, to); a != b {
			t.Errorf("%s: schemas differ:\n%s", script, firstDifference(a, b))
		}
		if a, b := dumpRows(t, from), dumpRows(t, to); a != b {
			t.Errorf("%s: rows differ:\n%s", script, firstDifference(a, b))
		}
	}
}

// dumpRows prints every table's rows, sorted, and every sequence and large
// object, by the server's own means.
func dumpRows(t testing.TB, url string) string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var out strings.Builder
	for _, table := range strings.Split(queryText(t, conn, `SELECT coalesce(string_agg(format('%I.%I', n.nspname, c.relname), chr(10) ORDER BY n.nspname, c.relname), '') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`), "\n") {
		var rows bytes.Buffer
		_, err := conn.PgConn().CopyTo(ctx, &rows, "COPY (SELECT x::text FROM ONLY "+table+" x) TO STDOUT")
		lines := strings.Split(rows.String(), "\n")
		slices.Sort(lines)
		fmt.Fprintf(&out, "%s: %v\n%s\n", table, err, strings.Join(lines, "\n"))
	}
	out.WriteString(queryText(t, conn, `SELECT coalesce(string_agg(s::text, chr(10) ORDER BY s::text), '') FROM (SELECT schemaname, sequencename, last_value, start_value, increment_by, min_value, max_value, cycle, cache_size FROM pg_sequences) s`))
	out.WriteString(queryText(t, conn, `SELECT coalesce(string_agg(o::text, chr(10) ORDER BY o::text), '') FROM (SELECT m.oid, (SELECT md5(string_agg(data, '' ORDER BY pageno)) FROM pg_largeobject l WHERE l.loid = m.oid) FROM pg_largeobject_metadata m) o`))
	return out.String()
}

func queryText(t testing.TB, conn *pgx.Conn, sql string) string {
	t.Helper()
	var text string
	if err := conn.QueryRow(context.Background(), sql).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}
