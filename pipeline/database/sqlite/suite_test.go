package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// exec runs SQL as an application does, with foreign keys on.
func exec(t testing.TB, url, sql string) error {
	t.Helper()
	conn, err := sqlite3.Open(url[len("sqlite:"):])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec("PRAGMA foreign_keys = ON"); err != nil {
		t.Fatal(err)
	}
	return conn.Exec(sql)
}

func newFile(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.sqlite") }

func TestSQLitePassesTheSuite(t *testing.T) {
	databasetest.Run(t, databasetest.Engine{Name: database.SQLite, Driver: sqlite.Driver{}, New: newFile, Exec: exec})
}
