package sqlite

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
)

// fileWith makes a file with one table, and returns a connection to it.
func fileWith(t *testing.T, path, table, journal string) *sqlite3.Conn {
	t.Helper()
	conn, err := open(t.Context(), path, create)
	if err == nil {
		err = errors.Join(conn.Exec("PRAGMA journal_mode = "+journal), conn.Exec("CREATE TABLE "+table+" (x)"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// tableIn is the only table of a file.
func tableIn(t *testing.T, path string) (name string) {
	t.Helper()
	conn, err := open(t.Context(), path, readOnly)
	if err == nil {
		defer conn.Close()
		err = query(conn, "SELECT group_concat(name) FROM sqlite_schema", func(s *sqlite3.Stmt) error { name = s.ColumnText(0); return nil })
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return name
}

func swapAt(t *testing.T, path string) database.Swap {
	t.Helper()
	at, err := database.ParseLocation("sqlite:" + path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Driver{}.OpenSwap(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestAFileTakesThePlaceOfALivingOne(t *testing.T) {
	for _, journal := range []string{"WAL", "DELETE"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "app.db")
		fileWith(t, path, "old", journal).Close()
		fileWith(t, filepath.Join(dir, "fresh"), "new", "DELETE").Close()
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		s := swapAt(t, path)
		if err := errors.Join(s.Ready(t.Context(), ""), s.Exchange(t.Context(), "aside", "fresh")); err != nil {
			t.Fatal(err)
		}
		if living, kept := tableIn(t, path), tableIn(t, filepath.Join(dir, "aside")); living != "new" || kept != "old" {
			t.Errorf("%s: the living one holds %s, the one that is kept %s", journal, living, kept)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: the mode is %v, %v", journal, info.Mode(), err)
		}
		if err := s.Exchange(t.Context(), "fresh", "aside"); err != nil {
			t.Fatal(err)
		}
		if living := tableIn(t, path); living != "old" {
			t.Errorf("%s: after the way back the living one holds %s", journal, living)
		}
		if err := errors.Join(s.Drop(t.Context(), "fresh"), s.Drop(t.Context(), "fresh")); err != nil {
			t.Fatal(err)
		}
		if got := names(t, dir); slices.Contains(got, "aside") || slices.Contains(got, "fresh") {
			t.Errorf("%s: there is %v", journal, got)
		}
	}
}

func TestAFileThatIsInUseIsNotExchanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	conn := fileWith(t, path, "old", "DELETE")
	defer conn.Close()
	if err := conn.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	s := swapAt(t, path)
	for _, err := range []error{s.Ready(t.Context(), ""), s.Exchange(t.Context(), "aside", "")} {
		if !errors.Is(err, database.ErrNoSwap) {
			t.Errorf("in use: %v", err)
		}
	}
	if err := errors.Join(conn.Exec("ROLLBACK"), s.Ready(t.Context(), "")); err != nil {
		t.Error(err)
	}
}

func TestAFileThatIsNoDatabaseIsKeptWithWhatIsBesideIt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	fileWith(t, filepath.Join(dir, "fresh"), "new", "DELETE").Close()
	for _, name := range []string{path, path + "-wal"} {
		if err := os.WriteFile(name, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := swapAt(t, path)
	if err := s.Exchange(t.Context(), "aside", "fresh"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"app.db", "aside", "aside-wal"}) || tableIn(t, path) != "new" {
		t.Errorf("there is %v", got)
	}
	if err := s.Exchange(t.Context(), "undone", "aside"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"app.db", "app.db-wal", "undone"}) {
		t.Errorf("after the way back there is %v", got)
	}
}

func TestAnExchangeThatWasCutOffIsDoneAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	fileWith(t, path, "old", "DELETE").Close()
	fileWith(t, filepath.Join(dir, "fresh"), "new", "DELETE").Close()
	if err := os.Link(path, filepath.Join(dir, "aside")); err != nil {
		t.Fatal(err)
	}
	if err := swapAt(t, path).Exchange(t.Context(), "aside", "fresh"); err != nil {
		t.Fatal(err)
	}
	if living, kept := tableIn(t, path), tableIn(t, filepath.Join(dir, "aside")); living != "new" || kept != "old" {
		t.Errorf("the living one holds %s, the one that is kept %s", living, kept)
	}
}
