package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/mirror"
	"github.com/packstone/packstone/crypto"
)

// openMirror opens a new mirror in a file, and returns its path too.
func openMirror(t testing.TB) (*mirror.Mirror, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cache", "catalog.db")
	m, err := mirror.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m, path
}

// ask returns the rows of an answer, and what the columns are named.
func ask(t *testing.T, m *mirror.Mirror, sql string) (columns, rows []string) {
	t.Helper()
	head := func(names []string) error {
		columns = names
		return nil
	}
	err := m.Query(t.Context(), sql, head, func(row []any) error {
		rows = append(rows, fmt.Sprint(row...))
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return columns, rows
}

// newRepository makes a repository whose writer and identity are at hand.
func newRepository(t testing.TB) *catalog.Repository {
	t.Helper()
	s := memory.New()
	identity, err := crypto.GenerateIdentity(true)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := crypto.RecipientOf(identity)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := crypto.GenerateSigner("owner")
	if err != nil {
		t.Fatal(err)
	}
	writer, err := crypto.GenerateSigner("host")
	if err != nil {
		t.Fatal(err)
	}
	key, err := catalog.Init(t.Context(), s, owner, writer, []age.Recipient{recipient}, nil, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keys := catalog.Keys{Identities: &crypto.IdentityFile{Identities: []age.Identity{identity}}, Writer: key}
	repo, err := catalog.Open(t.Context(), s, catalog.Options{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

// commit adds a snapshot without sources.
func commit(t testing.TB, repo *catalog.Repository, snapshot *catalog.Snapshot) {
	t.Helper()
	session, err := repo.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if _, err := session.Commit(t.Context(), catalog.Content{Snapshot: snapshot, Refs: &archive.RefSet{}}); err != nil {
		t.Fatal(err)
	}
}

func refresh(t testing.TB, m *mirror.Mirror, repo *catalog.Repository) {
	t.Helper()
	log, err := repo.ReadLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Refresh(t.Context(), repo, log); err != nil {
		t.Fatal(err)
	}
}

func TestRefreshFollowsTheLog(t *testing.T) {
	m, _ := openMirror(t)
	repo := newRepository(t)
	for n := 1; n <= 3; n++ {
		commit(t, repo, &catalog.Snapshot{Set: fmt.Sprint("set", n), Host: "h", Tags: []string{"a", "b"}})
		refresh(t, m, repo)
		_, rows := ask(t, m, "SELECT count(*), (SELECT count(*) FROM snapshot_tags), (SELECT count(*) FROM records) FROM snapshots")
		if want := fmt.Sprint(int64(n), int64(2*n), int64(n)); rows[0] != want {
			t.Errorf("after %d commits: snapshots, tags and records are %s, want %s", n, rows[0], want)
		}
	}
	_, rows := ask(t, m, "SELECT set_name FROM snapshots WHERE id IN (SELECT id FROM records WHERE sequence = 2)")
	if !slices.Equal(rows, []string{"set2"}) {
		t.Errorf("the second record is of %q, want set2", rows)
	}
}

func TestWhatTheRepositoryHasNoMoreGoes(t *testing.T) {
	m, _ := openMirror(t)
	repo := newRepository(t)
	commit(t, repo, &catalog.Snapshot{Tags: []string{"a"}})
	refresh(t, m, repo)
	empty := newRepository(t)
	refresh(t, m, empty)
	for _, view := range mirror.Views() {
		if _, rows := ask(t, m, "SELECT * FROM "+view.Name); len(rows) > 0 {
			t.Errorf("view %s still has %q", view.Name, rows)
		}
	}
}

func TestOnlyTheOwnerReadsTheFile(t *testing.T) {
	_, path := openMirror(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %v, want 0600", path, info.Mode())
	}
}

func TestAFileOfAnotherVersionOrDamagedIsMadeAnew(t *testing.T) {
	for name, spoil := range map[string]func(m *mirror.Mirror, path string) error{
		"rubbish": func(_ *mirror.Mirror, path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("rubbish ", 1000)), 0o600)
		},
		"another version": func(_ *mirror.Mirror, path string) error {
			return patch(path, 63, 99) // the last byte of user_version
		},
		"another program's": func(_ *mirror.Mirror, path string) error {
			return patch(path, 71, 1) // the last byte of application_id
		},
		"cut short": func(_ *mirror.Mirror, path string) error { return os.Truncate(path, 50) },
	} {
		t.Run(name, func(t *testing.T) {
			m, path := openMirror(t)
			m.Close()
			if err := spoil(m, path); err != nil {
				t.Fatal(err)
			}
			again, err := mirror.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			repo := newRepository(t)
			commit(t, repo, &catalog.Snapshot{})
			refresh(t, again, repo)
			if _, rows := ask(t, again, "SELECT count(*) FROM snapshots"); rows[0] != "1" {
				t.Errorf("it has %s snapshots, want 1", rows[0])
			}
		})
	}
}

// patch changes one byte of a file.
func patch(path string, offset int64, to byte) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte{to}, offset)
	return errors.Join(err, file.Close())
}

func TestQueriesOnlyRead(t *testing.T) {
	m, path := openMirror(t)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.db")
	nothing := func([]any) error { return nil }
	for _, sql := range []string{
		"", "nonsense", "DELETE FROM _record", "DROP VIEW snapshots", "SELECT 1; DELETE FROM _record", "SELECT 1 AS a, 2 AS a",
		"ATTACH '" + other + "' AS o", "VACUUM INTO '" + other + "'", "CREATE TABLE x(y)", "PRAGMA user_version = 7",
	} {
		err := m.Query(t.Context(), sql, func([]string) error { return nil }, nothing)
		if !errors.Is(err, mirror.ErrQuery) {
			t.Errorf("%q: %v, want %v", sql, err, mirror.ErrQuery)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(before) {
		t.Errorf("the file was changed, or can't be read: %v", err)
	}
	if _, err := os.Stat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s was made, or %v", other, err)
	}
}

func TestAQueryEndsWithItsContext(t *testing.T) {
	m, _ := openMirror(t)
	ctx, cancel := context.WithCancel(t.Context())
	endless := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
	err := m.Query(ctx, endless, func([]string) error { return nil }, func(row []any) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v, want %v", err, context.Canceled)
	}
}

// TestTheDocumentDescribesTheViews keeps docs/catalog.md in step: a heading for each view, and a
// row for each column in its order.
func TestTheDocumentDescribesTheViews(t *testing.T) {
	text, err := os.ReadFile("../../docs/catalog.md")
	if err != nil {
		t.Fatal(err)
	}
	m, _ := openMirror(t)
	sections := regexp.MustCompile(`(?m)^### `).Split(string(text), -1)[1:]
	column := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| .+ \\|$")
	views := mirror.Views()
	if len(sections) != len(views) {
		t.Fatalf("docs/catalog.md has %d views, the mirror %d", len(sections), len(views))
	}
	for i, view := range views {
		name, body, _ := strings.Cut(sections[i], "\n")
		want, _ := ask(t, m, "SELECT * FROM "+view.Name)
		var got []string
		for _, match := range column.FindAllStringSubmatch(body, -1) {
			got = append(got, match[1])
		}
		if name != "`"+view.Name+"`" || !slices.Equal(got, want) {
			t.Errorf("docs/catalog.md describes %s with columns %q, want `%s` with %q", name, got, view.Name, want)
		}
	}
	for _, match := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		ask(t, m, match[1])
	}
}
