package main

import (
	"compress/gzip"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

func init() {
	scriptCommands["newdb"] = newDatabase
	scriptCommands["sql"] = runSQL
	scriptCommands["samedb"] = sameDatabase
}

// newDatabase ENGINE VAR... makes an empty database on a server that ends with the tests, for every
// variable, which becomes its URL.
func newDatabase(ts *testscript.TestScript, neg bool, args []string) {
	t, ok := ts.Value(testKey{}).(testing.TB)
	if neg || !ok || len(args) < 2 {
		ts.Fatalf("usage: newdb mariadb|postgres VAR...")
	}
	for _, name := range args[1:] {
		ts.Setenv(name, emptyDatabase(t, args[0]))
	}
}

// emptyDatabase makes a database and returns its URL, which has no password.
func emptyDatabase(t testing.TB, engine string) string {
	t.Helper()
	switch engine {
	case database.MariaDB:
		return fmt.Sprintf("mysql://root@127.0.0.1:%d/%s", mysqltest.Port(t), mysqltest.Name(mysqltest.Database(t)))
	case database.Postgres:
		return postgrestest.Database(t)
	}
	t.Fatalf("no server of %s is known", engine)
	return ""
}

// runSQL URL SQL|@FILE runs statements; the rows of the last go to the output, their values between
// tabs. In place of a file, @awkward stands for all that is awkward in the engine, and @chinook for
// a shop with its customers and invoices.
func runSQL(ts *testscript.TestScript, neg bool, args []string) {
	t, ok := ts.Value(testKey{}).(testing.TB)
	if !ok || len(args) != 2 {
		ts.Fatalf("usage: sql URL SQL|@FILE")
	}
	script := args[1]
	if name, ok := strings.CutPrefix(script, "@"); ok {
		if name != "awkward" && name != "chinook" {
			name = ts.MkAbs(name)
		}
		script = sample(t, args[0], name)
	}
	out, err := execute(t, args[0], script)
	if (err != nil) != neg {
		ts.Fatalf("sql %.200s: %v", args[1], err)
	}
	fmt.Fprint(ts.Stdout(), out)
}

// sample is a script that fills a database.
func sample(t testing.TB, url, name string) string {
	t.Helper()
	mysql := strings.HasPrefix(url, "mysql:")
	switch name {
	case "awkward":
		engine := "postgres"
		if mysql {
			engine = "mysql"
		}
		return readText(t, filepath.Join("../../pipeline/database", engine, "testdata/awkward.sql"))
	case "chinook":
		script := readText(t, "testdata/database/chinook.sql.gz")
		if mysql {
			script = "SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES'); " + strings.ReplaceAll(script, " TIMESTAMP", " DATETIME")
		}
		return script
	}
	return readText(t, name)
}

func readText(t testing.TB, name string) string {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var content io.Reader = file
	if strings.HasSuffix(name, ".gz") {
		if content, err = gzip.NewReader(file); err != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// execute runs statements in the database of a URL and prints the rows of the last.
func execute(t testing.TB, url, script string) (string, error) {
	t.Helper()
	if !strings.HasPrefix(url, "mysql:") {
		return executePostgres(t, url, script)
	}
	at, err := database.ParseLocation(url)
	if err != nil {
		t.Fatal(err)
	}
	db := mysqltest.Open(t, at)
	defer db.Close()
	rows, err := db.Query(script)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	return printRows(rows)
}

// printRows prints the rows of the last result that has any columns.
func printRows(rows *sql.Rows) (string, error) {
	var last string
	for more := true; more; more = rows.NextResultSet() {
		names, err := rows.Columns()
		if err != nil {
			return "", err
		}
		if len(names) == 0 {
			continue
		}
		last = ""
		values, places := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			places[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(places...); err != nil {
				return "", err
			}
			var line []string
			for _, v := range values {
				line = append(line, v.String)
			}
			last += strings.Join(line, "\t") + "\n"
		}
	}
	return last, rows.Err()
}

func executePostgres(t testing.TB, url, script string) (string, error) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return "", err
	}
	defer conn.Close(t.Context())
	results, err := conn.PgConn().Exec(t.Context(), script).ReadAll()
	if err != nil || len(results) == 0 {
		return "", err
	}
	var out strings.Builder
	for _, row := range results[len(results)-1].Rows {
		var line []string
		for _, v := range row {
			line = append(line, string(v))
		}
		out.WriteString(strings.Join(line, "\t") + "\n")
	}
	return out.String(), nil
}

// sameDatabase A B compares two databases of one engine by means that are not ours: the engine's
// own dump of the schema, and the rows as the engine prints them.
func sameDatabase(ts *testscript.TestScript, neg bool, args []string) {
	t, ok := ts.Value(testKey{}).(testing.TB)
	if !ok || len(args) != 2 {
		ts.Fatalf("usage: samedb URL URL")
	}
	a, err := describe(t, args[0])
	ts.Check(err)
	b, err := describe(t, args[1])
	ts.Check(err)
	if different := differentLines(a, b); (len(different) > 0) != neg {
		ts.Fatalf("%s and %s: %d lines differ:\n%.4000s", args[0], args[1], len(different), strings.Join(different, "\n"))
	}
}

// differentLines lists the lines that only one text has.
func differentLines(a, b string) (out []string) {
	left, right := strings.Split(a, "\n"), strings.Split(b, "\n")
	for _, line := range left {
		if !slices.Contains(right, line) {
			out = append(out, "- "+line)
		}
	}
	for _, line := range right {
		if !slices.Contains(left, line) {
			out = append(out, "+ "+line)
		}
	}
	return out
}

// describe prints all that a database holds.
func describe(t testing.TB, url string) (string, error) {
	t.Helper()
	if strings.HasPrefix(url, "mysql:") {
		return describeMariaDB(t, url)
	}
	return describePostgres(t, url)
}

func describeMariaDB(t testing.TB, url string) (string, error) {
	t.Helper()
	_, name, _ := strings.Cut(strings.TrimPrefix(url, "mysql://"), "/")
	dump, err := exec.Command("mariadb-dump", "--no-defaults", "--protocol=tcp", "-h", "127.0.0.1", "-P", fmt.Sprint(mysqltest.Port(t)), "-u", "root",
		"--skip-comments", "--skip-dump-date", "--order-by-primary", "--hex-blob", "--routines", "--triggers", "--events", name).Output()
	if err != nil {
		return "", fmt.Errorf("mariadb-dump: %w", err)
	}
	values, err := dumpBlind(t, url)
	return strings.ReplaceAll(string(dump), name, "DATABASE") + values, err
}

// dumpBlind prints what mariadb-dump loses: all digits of a FLOAT, and dates that are none.
func dumpBlind(t testing.TB, url string) (string, error) {
	t.Helper()
	list, err := execute(t, url, `SELECT TABLE_NAME, GROUP_CONCAT(IF(DATA_TYPE = 'float', CONCAT('IFNULL(`+"`', COLUMN_NAME, '`"+` + 0e0, "NULL")'),
			CONCAT('IFNULL(`+"`', COLUMN_NAME, '`"+`, "NULL")')) ORDER BY ORDINAL_POSITION)
		FROM information_schema.COLUMNS JOIN information_schema.TABLES USING (TABLE_SCHEMA, TABLE_NAME)
		WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' AND DATA_TYPE IN ('float', 'double', 'date', 'datetime', 'timestamp')
		GROUP BY TABLE_NAME ORDER BY 1`)
	if err != nil {
		return "", err
	}
	out := ""
	for line := range strings.Lines(list) {
		table, columns, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		rows, err := execute(t, url, "SET time_zone = '+00:00'; SELECT CONCAT_WS('|', "+columns+") FROM `"+table+"` ORDER BY 1")
		if err != nil {
			return "", fmt.Errorf("read %s: %w", table, err)
		}
		for row := range strings.Lines(rows) {
			out += table + "|" + row
		}
	}
	return out, nil
}

// describePostgres is pg_dump's schema and a hash of every table's sorted rows, counters and large
// objects.
func describePostgres(t testing.TB, url string) (string, error) {
	t.Helper()
	dump, err := exec.Command(postgrestest.Tool(t, "pg_dump"), "-s", "--no-owner", url).Output()
	if err != nil {
		return "", fmt.Errorf("pg_dump: %w", err)
	}
	out := ""
	for line := range strings.Lines(string(dump)) {
		if !strings.HasPrefix(line, `\restrict`) && !strings.HasPrefix(line, `\unrestrict`) { // random words
			out += line
		}
	}
	for _, query := range []string{
		`SELECT 'sequence', schemaname, sequencename, last_value, start_value, increment_by, min_value, max_value, cycle, cache_size FROM pg_sequences ORDER BY 2, 3`,
		`SELECT 'large object', loid, md5(string_agg(data, '' ORDER BY pageno)) FROM pg_largeobject GROUP BY 2 ORDER BY 2`,
	} {
		rows, err := execute(t, url, query)
		if err != nil {
			return "", err
		}
		out += rows
	}
	hashes, err := hashPostgres(t, url)
	return out + hashes, err
}

func hashPostgres(t testing.TB, url string) (string, error) {
	t.Helper()
	tables, err := execute(t, url, `SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE (relkind = 'r' OR relkind = 'm' AND relispopulated) AND nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`)
	if err != nil {
		return "", err
	}
	out := ""
	for table := range strings.Lines(tables) {
		table = strings.TrimSpace(table)
		rows, err := execute(t, url, "SET timezone = 'UTC'; SET intervalstyle = 'iso_8601'; SET bytea_output = 'hex'; SELECT x::text FROM ONLY "+table+" x")
		if err != nil {
			return "", fmt.Errorf("read %s: %w", table, err)
		}
		sum := sha256.Sum256([]byte(strings.Join(slices.Sorted(strings.Lines(rows)), "")))
		out += table + " " + hex.EncodeToString(sum[:]) + "\n"
	}
	return out, nil
}

// packstoneAs runs the program with a home of its own and returns its exit code.
func packstoneAs(t testing.TB, home string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "packstone", args...)
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home+"/config", "XDG_DATA_HOME="+home+"/data", "XDG_CACHE_HOME="+home+"/cache")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), out.String(), errs.String()
	}
	if err != nil {
		t.Fatalf("run packstone %s: %v", strings.Join(args, " "), err)
	}
	return 0, out.String(), errs.String()
}

// wantExit runs the program and fails the test if it ends otherwise.
func wantExit(t testing.TB, want int, home string, args ...string) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := packstoneAs(t, home, args...)
	if code != want {
		t.Fatalf("packstone %s ends with %d, want %d:\n%s%s", strings.Join(args, " "), code, want, stdout, stderr)
	}
	return stdout, stderr
}
