package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyCatalogAndDoctorPrintWhatTheSchemaSays(t *testing.T) {
	home, project := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(project, "a"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(definition string, args ...string) string {
		t.Helper()
		code, stdout, stderr := runWith(t, []string{"HOME=" + home}, append(args, "--json")...)
		if code != 0 || stdout == "" {
			t.Fatalf("%v ends with %d and prints %q, %q", args, code, stdout, stderr)
		}
		checkLines(t, stdout, definition)
		return stdout
	}
	run("summary_backup", "backup", "--init", project)
	second := recipientIn(t, run("key_generate", "key", "generate", "-o", filepath.Join(home, "second.txt")))
	run("key_recipients", "key", "add", "-n", second)
	run("key_recipients", "key", "add", second)
	run("key_recipients", "key", "remove", second)
	run("key_sheet", "key", "sheet", "-o", filepath.Join(home, "sheet.txt"))
	run("key_sheet_verify", "key", "sheet", "--verify", filepath.Join(home, "sheet.txt"))
	run("key_split", "key", "split", "2-of-3", "-o", filepath.Join(home, "shares"))
	run("key_writer_add", "key", "writer", "add", "a")
	run("key_writer_add", "key", "writer", "add", "b", "-o", filepath.Join(home, "b.key"))
	run("key_writer_add", "key", "writer", "add", "a", "--replaces", "a")
	run("key_writer_revoke", "key", "writer", "revoke", "b")
	run("list_key_writers", "key", "writer", "list")
	run("key_collector_add", "key", "collector", "add", "c")
	run("list_key_collectors", "key", "collector", "list")
	run("key_collector_revoke", "key", "collector", "revoke", "-n", "c")
	run("key_collector_revoke", "key", "collector", "revoke", "c")
	run("key_keeper_add", "key", "keeper", "add", "-n", "k")
	run("key_rotate", "key", "rotate", "--domain", "--yes")
	run("summary_key_rotate", "key", "rotate", "--reencrypt", "-n")
	run("catalog_date", "catalog", "date", "--from-claims")
	run("key_list", "key", "list")
	run("summary_catalog_rebuild", "catalog", "rebuild", "--files")
	run("summary_catalog_verify", "catalog", "verify")
	run("list_query", "catalog", "query", "SELECT *, 1.5 AS x, NULL AS y, x'00ff' AS z FROM files")
	run("doctor", "doctor")
}

// recipientIn finds the public key in a line of JSON.
func recipientIn(t *testing.T, line string) string {
	t.Helper()
	_, rest, ok := strings.Cut(line, `"recipient":"`)
	recipient, _, closed := strings.Cut(rest, `"`)
	if !ok || !closed {
		t.Fatalf("no recipient in %s", line)
	}
	return recipient
}
