package postgres

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

// linesOf reads a list; lines that begin with # say what it is.
func linesOf(t *testing.T, path string) (out []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			out = append(out, line)
		}
	}
	return out
}

// becomes says what becomes of each column of the catalog.
func becomes(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, line := range linesOf(t, "testdata/catalog.txt") {
		head, columns, _ := strings.Cut(line, ": ")
		table, how, _ := strings.Cut(head, " ")
		for _, column := range strings.Fields(columns) {
			if name := table + "." + column; out[name] != "" {
				t.Errorf("%s is listed twice", name)
			} else {
				out[name] = how
			}
		}
	}
	return out
}

// ownSource is the text of this package.
func ownSource(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(data)
	}
	return b.String()
}

// serverColumns are those of the catalog of the server that tests use.
func serverColumns(t *testing.T) (out []string) {
	t.Helper()
	at, err := database.ParseLocation(postgrestest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	conn, err := connect(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var name string
	err = each(ctx, conn, `SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'oid'`,
		[]any{&name}, func() error { out = append(out, name); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryColumnOfTheCatalogIsCarriedOrKnownNotToBe(t *testing.T) {
	listed := becomes(t)
	known := map[string]bool{}
	for _, line := range linesOf(t, "testdata/catalog18.txt") {
		fields := strings.Fields(line)
		for _, column := range fields[1:] {
			known[fields[0]+"."+column] = true
		}
	}
	for _, name := range serverColumns(t) {
		known[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if listed[name] == "" {
			t.Errorf("testdata/catalog.txt does not say what becomes of %s", name)
		}
	}
	source := ownSource(t)
	for name, how := range listed {
		word := how
		switch how {
		case "listed", "cluster", "derived", "not-carried":
			continue
		case "carried":
			_, word, _ = strings.Cut(name, ".")
		}
		if !regexp.MustCompile(`\b` + word + `\b`).MatchString(source) {
			t.Errorf("%s is said to be %s, and nothing here names %s", name, how, word)
		}
	}
}
