package mysql_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/mysql"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

func TestMariaDBPassesTheSuite(t *testing.T) {
	mysqltest.Port(t)
	databasetest.Run(t, databasetest.Engine{
		Name: database.MariaDB, Driver: mysql.Driver{},
		New: func(t testing.TB) string { return mysqltest.Database(t).Reveal() },
		Exec: func(t testing.TB, url, sql string) error {
			_, err := mysqltest.Open(t, databasetest.Locate(t, url)).Exec("SET SESSION sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES'); " + sql)
			return err
		},
	})
}

func TestThroughAFileAndBackIsTheSameToTheDumpProgram(t *testing.T) {
	from, to := awkward(t), mysqltest.Database(t)
	file := "sqlite:" + filepath.Join(t.TempDir(), "copy.sqlite")
	src := openSource(t, from, database.SourceOptions{Jobs: 2})
	report, err := databasetest.Into(t, sqlite.Driver{}, file, src, convert.Options{Jobs: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Inexact() {
		t.Log(f)
	}
	src.Close()
	back := databasetest.From(t, sqlite.Driver{}, file, database.SourceOptions{})
	report, err = databasetest.Into(t, mysql.Driver{}, to.Reveal(), back, convert.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Inexact() {
		t.Errorf("on the way back: %s", f)
	}
	if diff := differences(dump(t, from), dump(t, to)); len(diff) > 0 {
		t.Errorf("the dumps differ:\n%.3000s", strings.Join(diff, "\n"))
	}
	if diff := differences(exactValues(t, from), exactValues(t, to)); len(diff) > 0 {
		t.Errorf("values differ:\n%.3000s", strings.Join(diff, "\n"))
	}
}

// makeSQLite runs a script in a new SQLite file.
func makeSQLite(t *testing.T, file, script string) {
	t.Helper()
	conn, err := sqlite3.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec(script); err != nil {
		t.Fatal(err)
	}
}
