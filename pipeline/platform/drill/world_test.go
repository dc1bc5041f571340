package drill_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/mysql"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/sqlite"
	"github.com/packstone/packstone/pipeline/platform/drill"
	"github.com/packstone/packstone/pipeline/source"
	dbsource "github.com/packstone/packstone/pipeline/source/database"
	"github.com/packstone/packstone/pipeline/source/files"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/directory"
)

// world is a repository in memory with a snapshot of files and a database.
type world struct {
	repo     *catalog.Repository
	snapshot *catalog.Snapshot
	scratch  string // the directory of drills
}

var drivers = database.Drivers{"postgres": postgres.Driver{}, "mysql": mysql.Driver{}, "mariadb": mysql.Driver{}, "sqlite": sqlite.Driver{}}

// makeWorld backs up files, and the database at a URL; "": one of SQLite.
func makeWorld(ctx context.Context, dir, url string) (w *world, err error) {
	w = &world{scratch: filepath.Join(dir, "s")}
	if w.repo, err = newRepository(ctx); err != nil {
		return nil, err
	}
	at, err := origin(ctx, dir, url)
	if err != nil {
		return nil, err
	}
	tree := filepath.Join(dir, "origin")
	jobs := []backup.Job{
		{Name: "metadata", Type: "database", Location: "here", Open: func(context.Context) (source.Source, error) {
			driver, err := drivers.For(at)
			if err != nil {
				return nil, err
			}
			return dbsource.New(dbsource.Options{Driver: driver, At: at})
		}},
		{Name: "files", Type: "files", Location: tree, Open: func(context.Context) (source.Source, error) {
			return files.New(files.Options{Roots: []string{tree}})
		}},
	}
	w.snapshot, err = backup.Run(ctx, w.repo, backup.Options{Set: "platform", Host: "host", Concurrency: 1, Jobs: jobs})
	return w, err
}

func newRepository(ctx context.Context) (*catalog.Repository, error) {
	owner, err := crypto.GenerateSigner("owner")
	if err != nil {
		return nil, err
	}
	host, err := crypto.GenerateSigner("host")
	if err != nil {
		return nil, err
	}
	identity, err := crypto.GenerateIdentity(true)
	if err != nil {
		return nil, err
	}
	recipient, err := crypto.RecipientOf(identity)
	if err != nil {
		return nil, err
	}
	s := memory.New()
	writer, err := catalog.Init(ctx, s, owner, host, []age.Recipient{recipient}, nil, catalog.Options{})
	if err != nil {
		return nil, err
	}
	identities := &crypto.IdentityFile{Identities: []age.Identity{identity}, Owners: []crypto.OwnerPin{{Repository: writer.Repository, Owner: owner.Verifier()}}}
	return catalog.Open(ctx, s, catalog.Options{Keys: catalog.Keys{Writer: writer, Identities: identities}, Software: "test"})
}

// origin makes what is backed up.
func origin(ctx context.Context, dir, url string) (at database.Location, err error) {
	sub := filepath.Join(dir, "origin", "sub")
	err = os.MkdirAll(sub, 0o755)
	for name, text := range map[string]string{"../a.txt": "some text", "b.txt": "other text", "locked.txt": "read only", "empty": ""} {
		err = errors.Join(err, os.WriteFile(filepath.Join(sub, name), []byte(text), 0o640))
	}
	err = errors.Join(err, os.Chmod(filepath.Join(sub, "locked.txt"), 0o400), os.Symlink("b.txt", filepath.Join(sub, "link")))
	if url == "" {
		file := filepath.Join(dir, "origin.sqlite")
		err = errors.Join(err, os.WriteFile(file, nil, 0o600))
		url = "sqlite:" + file
	}
	if err != nil {
		return at, err
	}
	if at, err = database.ParseLocation(url); err != nil {
		return at, err
	}
	if at.Scheme() == "sqlite" {
		return at, fillSQLite(ctx, at)
	}
	asker, err := askerOf(at)
	if err != nil {
		return at, err
	}
	session, err := asker.OpenSession(ctx, at)
	if err != nil {
		return at, err
	}
	for _, sql := range tables {
		if _, bad := session.Exec(ctx, sql); bad != nil {
			err = errors.Join(err, bad)
		}
	}
	return at, errors.Join(err, session.Close())
}

// tables fill a database of any engine.
var tables = []string{
	"CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL)",
	"CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES t (id), amount DECIMAL(8,2))",
	"INSERT INTO t VALUES (1, 'one'), (2, 'two')",
	"INSERT INTO child VALUES (1, 1, 1.50), (2, 2, 2.50)",
}

func askerOf(at database.Location) (database.Asker, error) {
	driver, err := drivers.For(at)
	if err != nil {
		return nil, err
	}
	return driver.(database.Asker), nil
}

// options are those of a drill of the world's snapshot.
func (w *world) options() drill.Options {
	return drill.Options{
		Repo: w.repo, Snapshot: w.snapshot, By: "host", Directory: w.scratch, Places: map[string]drill.Place{"metadata": {Engine: database.SQLite}},
		OpenDirectory: func(root string, _ *catalog.SourceState, warn func(string, error)) (target.Target, error) {
			return directory.New(root, directory.Options{NoOwner: os.Geteuid() != 0, Warn: warn})
		},
		Databases: databases(),
		Command:   func(context.Context, []string, []string) error { return nil },
		Free:      func(string) (uint64, error) { return 1 << 40, nil },
	}
}

func databases() drill.Databases {
	return drill.Databases{
		Target: func(ctx context.Context, at database.Location, o database.TargetOptions) (database.Target, error) {
			driver, err := drivers.For(at)
			if err != nil {
				return nil, err
			}
			return driver.OpenTarget(ctx, at, o)
		},
		Asker:  askerOf,
		SQLite: func(file string) (database.Location, error) { return database.ParseLocation("sqlite:" + file) },
		Read: func(file string) (database.Location, error) {
			text, err := os.ReadFile(file)
			if err != nil {
				return database.Location{}, err
			}
			return database.ParseLocation(string(text))
		},
	}
}

// newWorld is makeWorld for a test, which ends with a check.
func newWorld(t *testing.T, url string) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "drilltest") // short, and open to the users of servers
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w, err := makeWorld(t.Context(), dir, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		report, err := check.Run(context.Background(), w.repo, check.Options{ReadData: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Findings {
			t.Errorf("check: %s: %v", f.Object, f.Err)
		}
		w.empty(t)
	})
	return w
}

// empty fails the test if a drill has left anything.
func (w *world) empty(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(w.scratch, "drill-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q %v", left, err)
	}
}

// fillSQLite makes the tables in a new file.
func fillSQLite(ctx context.Context, at database.Location) error {
	conn, err := openSQLite(at.Reveal())
	if err != nil {
		return err
	}
	for _, sql := range tables {
		if err := conn.Exec(sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return conn.Close()
}

// recorded is what the repository has of the last drill.
func (w *world) recorded(t *testing.T) *catalog.DrillReport {
	t.Helper()
	log, err := w.repo.ReadLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reports, problems, err := w.repo.ReadDrills(t.Context(), log)
	if err != nil || len(problems) > 0 || len(reports) == 0 {
		t.Fatal(len(reports), problems, err)
	}
	if time.Since(reports[0].Began) > time.Hour {
		t.Errorf("it began on %s", reports[0].Began)
	}
	return reports[0]
}
