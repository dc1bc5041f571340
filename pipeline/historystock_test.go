package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlite"
	"github.com/packstone/packstone/pipeline/remote/s3"
	"github.com/packstone/packstone/pipeline/remote/s3/s3test"
	"github.com/packstone/packstone/pipeline/source"
	dbsource "github.com/packstone/packstone/pipeline/source/database"
	"github.com/packstone/packstone/pipeline/source/lake"
)

// stock is what a host has beside its files: a database and a lake, which are backed up with them as
// one set.
type stock struct {
	file string // of SQLite
	lake *s3test.Server
}

// holdings are what a stock holds, in words that can be compared.
type holdings struct {
	database []string          // what makes its tables, and their rows
	objects  map[string]string // by key, with what is stored beside the content
}

// tables are those of a stock when it begins.
var tables = []string{
	"CREATE TABLE account (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, balance REAL, extra BLOB)",
	"CREATE TABLE entry (code TEXT PRIMARY KEY, account INTEGER REFERENCES account (id), note) WITHOUT ROWID",
	"CREATE INDEX entry_of ON entry (account)",
	"INSERT INTO account VALUES (1, 'first', 1.5, NULL)",
}

func newStock(t testing.TB) *stock {
	s := &stock{file: filepath.Join(t.TempDir(), "living.sqlite"), lake: newLake()}
	if err := s.transact(tables); err != nil {
		t.Fatal(err)
	}
	s.lake.KeepVersions()
	s.lake.PutVersion("table/part-0", &s3test.Version{Data: []byte("rows"), Header: http.Header{"Content-Type": {"text/plain"}}, Modified: time.Now()})
	return s
}

// transact changes the database by one transaction.
func (s *stock) transact(statements []string) error {
	conn, err := sqlite3.Open("file:" + s.file)
	if err != nil {
		return err
	}
	err = conn.Exec("BEGIN; " + strings.Join(statements, "; ") + "; COMMIT")
	return errors.Join(err, conn.Close())
}

// change changes rows and objects, and sometimes a table.
func (s *stock) change(r *rand.Rand) error {
	var statements []string
	for range 1 + r.IntN(6) {
		statements = append(statements, anyChange(r))
	}
	for range 1 + r.IntN(3) {
		key := fmt.Sprintf("table/day=%d/part-%d", r.IntN(2), r.IntN(3))
		if r.IntN(4) == 0 {
			s.lake.Delete(key)
			continue
		}
		which := r.IntN(8)
		header := http.Header{"Content-Type": {"application/x-parquet"}, "X-Amz-Meta-Job": {fmt.Sprint("job ", which)}}
		s.lake.PutVersion(key, &s3test.Version{Data: randomBytes(1+300*which, uint64(which)), Header: header, Modified: time.Now()})
	}
	return s.transact(statements)
}

func anyChange(r *rand.Rand) string {
	id, code := 1+r.IntN(12), fmt.Sprint("code ", r.IntN(20))
	switch r.IntN(8) {
	case 0:
		return fmt.Sprintf("DELETE FROM account WHERE id = %d", id)
	case 1:
		return fmt.Sprintf("DELETE FROM entry WHERE code = '%s'", code)
	case 2:
		return fmt.Sprintf("UPDATE account SET balance = balance + %d.25, extra = x'%x'", r.IntN(9), randomBytes(r.IntN(40), r.Uint64()))
	case 3:
		return fmt.Sprintf("INSERT INTO account (name, balance) VALUES ('Zoë %d', NULL)", r.IntN(100))
	case 4:
		return fmt.Sprintf("CREATE TABLE IF NOT EXISTS extra%d (a, b TEXT); INSERT INTO extra%[1]d VALUES (%d, '%s')", r.IntN(2), r.Int32(), code)
	case 5:
		return fmt.Sprintf("DROP TABLE IF EXISTS extra%d", r.IntN(2))
	}
	return fmt.Sprintf("INSERT OR REPLACE INTO entry VALUES ('%s', NULL, %d)", code, r.Int64())
}

// holds says what the stock holds now.
func (s *stock) holds() (now holdings, err error) {
	now.objects = objectsIn(s.lake)
	now.database, err = dump(s.file)
	return now, err
}

// dump reads a database of SQLite without any code of the program.
func dump(file string) (lines []string, err error) {
	conn, err := sqlite3.OpenFlags("file:"+file, sqlite3.OPEN_READONLY|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	names, err := ask(conn, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
	if err != nil {
		return nil, err
	}
	if lines, err = ask(conn, "SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name"); err != nil {
		return nil, err
	}
	for _, name := range names {
		columns, err := ask(conn, "SELECT 'quote('||name||')' FROM pragma_table_xinfo('"+name+"')")
		if err != nil {
			return nil, err
		}
		rows, err := ask(conn, "SELECT '"+name+": '||"+strings.Join(columns, "||', '||")+" FROM "+name)
		if err != nil {
			return nil, err
		}
		slices.Sort(rows)
		lines = append(lines, rows...)
	}
	return lines, nil
}

// ask returns the first column of a query's rows.
func ask(conn *sqlite3.Conn, sql string) (texts []string, err error) {
	stmt, _, err := conn.Prepare(sql)
	if err != nil {
		return nil, err
	}
	for stmt.Step() {
		texts = append(texts, stmt.ColumnText(0))
	}
	return texts, stmt.Close()
}

// newLake makes an empty bucket in this process.
func newLake() *s3test.Server {
	server := s3test.New()
	server.URL = "http://lake.test"
	return server
}

// objectsIn describes the objects of a bucket, by their keys.
func objectsIn(server *s3test.Server) map[string]string {
	all := map[string]string{}
	for _, key := range server.Keys() {
		v := server.Get(key)
		var stored []string
		for _, name := range slices.Sorted(maps.Keys(v.Header)) {
			stored = append(stored, name+": "+strings.Join(v.Header[name], ", "))
		}
		all[key] = fmt.Sprintf("%q, %x", stored, v.Data)
	}
	return all
}

// inProcess answers requests without a network.
type inProcess struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	request := r.Clone(r.Context())
	if request.Body == nil {
		request.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	p.ServeHTTP(answer, request)
	result := answer.Result()
	result.Request = r
	return result, nil
}

// clientOf makes a client of a bucket in this process.
func clientOf(ctx context.Context, server *s3test.Server) (*s3.Bucket, error) {
	address, err := bucket.Parse(server.Address())
	if err != nil {
		return nil, err
	}
	client, err := bucket.Open(ctx, address, bucket.Options{AccessKey: s3test.AccessKey, SecretKey: s3test.SecretKey,
		Wrap: func(http.RoundTripper) http.RoundTripper { return inProcess{server} }})
	if err != nil {
		return nil, err
	}
	return s3.New(client, s3.Options{}), nil
}

// jobs back the stock up. states is where the database's source remembers its tables.
func (s *stock) jobs(states string) []backup.Job {
	return []backup.Job{
		{Name: "database", Type: "database", Location: "sqlite", Open: func(context.Context) (source.Source, error) {
			at, err := database.ParseLocation("sqlite:" + s.file)
			if err != nil {
				return nil, err
			}
			return dbsource.New(dbsource.Options{Driver: sqlite.Driver{}, At: at, Jobs: 2, StateDir: states})
		}},
		{Name: "lake", Type: "lake", Location: "bucket", Open: func(ctx context.Context) (source.Source, error) {
			b, err := clientOf(ctx, s.lake)
			if err != nil {
				return nil, err
			}
			return lake.New(b, lake.Options{AllowEmpty: true, Readers: 2})
		}},
	}
}
