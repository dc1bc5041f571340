package postgres_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
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

// convert copies one database into another and returns the report.
func convert(t testing.TB, from, to database.Driver, fromURL, toURL string, opts database.Options) (*database.Report, error) {
	t.Helper()
	ctx := context.Background()
	src, err := from.OpenSource(ctx, location(t, fromURL), database.SourceOptions{Jobs: opts.Jobs})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := to.OpenTarget(ctx, location(t, toURL), database.TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	return database.Convert(ctx, src, dst, opts)
}

var restrictLine = regexp.MustCompile(`(?m)^\\(un)?restrict .*$`)

func dumpSchema(t testing.TB, url string) string {
	t.Helper()
	var errors bytes.Buffer
	cmd := exec.Command(postgrestest.Tool(t, "pg_dump"), "-s", "--no-owner", url)
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pg_dump: %v: %s", err, errors.String())
	}
	return restrictLine.ReplaceAllString(string(out), "")
}

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

func loadScript(t testing.TB, url, path string) {
	t.Helper()
	cmd := exec.Command(postgrestest.Tool(t, "psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("load %s: %v: %s", path, err, out)
	}
}

func TestPostgresIntoPostgresKeepsSchemaAndRows(t *testing.T) {
	for _, script := range scripts(t) {
		from, to := postgrestest.Database(t), postgrestest.Database(t)
		loadScript(t, from, script)
		report, err := convert(t, postgres.Driver{}, postgres.Driver{}, from, to, database.Options{Jobs: 2})
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
	out := []string{"testdata/awkward.sql"}
	if more := os.Getenv("PACKSTONE_TEST_SQL"); more != "" {
		out = append(out, strings.Split(more, ":")...)
	}
	return out
}
