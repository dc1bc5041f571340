package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
)

// TestWhatAKilledImportLeftIsDroppedWhenAskedTo makes what such an import leaves: a part of the
// tables, and the mark that lists them.
func TestWhatAKilledImportLeftIsDroppedWhenAskedTo(t *testing.T) {
	url, home := emptyDatabase(t, database.MariaDB), t.TempDir()
	leave := func() {
		for _, sql := range []string{
			"CREATE TABLE _packstone_import (kind VARCHAR(32) NOT NULL, name VARCHAR(64) NOT NULL)",
			"INSERT INTO _packstone_import VALUES ('table', 'begun'), ('table', 'not yet')",
			"CREATE TABLE begun (n INT)",
		} {
			if _, err := execute(t, url, sql); err != nil {
				t.Fatal(err)
			}
		}
	}
	leave()
	source := emptyDatabase(t, database.Postgres)
	if _, err := execute(t, source, "CREATE TABLE thing (id integer PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	wantExit(t, exitDone, home, "db", "export", "--from", source, "x.sqlite")
	_, errs := wantExit(t, exitRefused, home, "db", "import", "x.sqlite", "--to", url)
	if !strings.Contains(errs, "--empty-leftover") || !strings.Contains(errs, "_packstone_import") {
		t.Errorf("the refusal does not tell the cure: %s", errs)
	}
	wantExit(t, exitDone, home, "db", "import", "x.sqlite", "--to", url, "--empty-leftover")
	if got, err := execute(t, url, "SELECT GROUP_CONCAT(TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"); err != nil || strings.TrimSpace(got) != "thing" {
		t.Errorf("the database holds %q, %v; want the table that was imported", got, err)
	}

	if _, err := execute(t, url, "DROP TABLE thing"); err != nil {
		t.Fatal(err)
	}
	leave()
	settings := "version: 1\nrepository: repo\nsources:\n  metadata: {type: database, url: \"" + source + "\"}\nsets:\n  all: {sources: [metadata]}\n"
	if err := os.WriteFile(filepath.Join(home, "p.yaml"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	wantExit(t, exitDone, home, "-c", "p.yaml", "init")
	wantExit(t, exitDone, home, "-c", "p.yaml", "backup", "all")
	wantExit(t, exitUsage, home, "-c", "p.yaml", "restore", "latest", "--target", "out", "--empty-leftover")
	wantExit(t, exitRefused, home, "-c", "p.yaml", "restore", "latest:metadata", "--to", url)
	wantExit(t, exitDone, home, "-c", "p.yaml", "restore", "latest:metadata", "--to", url, "--empty-leftover")
}
