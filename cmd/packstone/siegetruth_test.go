package main

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/ncruces/go-sqlite3"
)

// What changes while it is backed up is such that a backup can be held against it afterwards: the
// content of a file follows from its name and its version, and all rows from how many transactions
// each writer has committed.

const (
	siegeFiles   = 40
	siegeWriters = 2
	siegeRows    = 300 // of each writer, in each table
)

// instant bounds what a backup may hold: what was there when it began, and what could be when it
// ended.
type instant struct {
	files        [siegeFiles]int64
	transactions [siegeWriters]int64
}

// truth is what somebody changes, and how far.
type truth struct {
	dir      string // of the files
	database string // its URL, past all bad networks

	begun, done         [siegeFiles]atomic.Int64   // versions of files
	committing, commits [siegeWriters]atomic.Int64 // transactions
}

// before is an instant that nothing that begins now may be older than, after one that nothing that has
// ended may be newer than.
func (w *truth) before() instant { return read(&w.done, &w.commits) }
func (w *truth) after() instant  { return read(&w.begun, &w.committing) }

func read(files *[siegeFiles]atomic.Int64, transactions *[siegeWriters]atomic.Int64) (m instant) {
	for i := range files {
		m.files[i] = files[i].Load()
	}
	for i := range transactions {
		m.transactions[i] = transactions[i].Load()
	}
	return m
}

// fileOf is a version of a file.
func fileOf(name string, version int64) []byte {
	seed := sha256.Sum256(fmt.Appendf(nil, "%s %d", name, version))
	random := rand.NewChaCha8(seed)
	body := make([]byte, 500+random.Uint64()%40_000)
	random.Read(body)
	return append(fmt.Appendf(nil, "%s %d\n", name, version), body...)
}

// versionOf tells which version of a file a content is. Any other content is an error.
func versionOf(name string, content []byte) (version int64, err error) {
	if _, err := fmt.Sscanf(string(content[:min(len(content), 60)]), name+" %d\n", &version); err != nil {
		return 0, fmt.Errorf("%s begins with %.40q: %w", name, content, err)
	}
	if !bytes.Equal(content, fileOf(name, version)) {
		return 0, fmt.Errorf("%s is not its version %d", name, version)
	}
	return version, nil
}

func siegeFile(i int) string { return fmt.Sprintf("file%02d", i) }

// write makes the next version of a file, which appears whole.
func (w *truth) write(i int) error {
	name, version := siegeFile(i), w.begun[i].Add(1)
	aside := filepath.Join(filepath.Dir(w.dir), "aside")
	if err := os.WriteFile(aside, fileOf(name, version), 0o600); err != nil {
		return err
	}
	if err := os.Rename(aside, filepath.Join(w.dir, name)); err != nil {
		return err
	}
	w.done[i].Store(version)
	return nil
}

// row is which row a transaction of a writer changes.
func row(writer int, transaction int64) int {
	return writer*1000 + int(transaction*7919%siegeRows)
}

const siegeTables = `CREATE TABLE here (id int PRIMARY KEY, n bigint NOT NULL, body text NOT NULL);
CREATE TABLE there (id int PRIMARY KEY, n bigint NOT NULL, body text NOT NULL);
CREATE TABLE account (id int PRIMARY KEY, amount bigint NOT NULL);
INSERT INTO here SELECT w * 1000 + i, 0, md5(w * 1000 + i || ':0') FROM generate_series(0, 1) w, generate_series(0, 299) i;
INSERT INTO there SELECT * FROM here; INSERT INTO account SELECT id, 1000 FROM here`

// transact commits the next transaction of a writer: a pair of rows is kept equal, and money moves.
func (w *truth) transact(t *testing.T, conn *pgx.Conn, writer int) error {
	n := w.committing[writer].Add(1)
	at, other := row(writer, n), row(writer, n+1)
	script := fmt.Sprintf(`BEGIN; UPDATE here SET n = n + 1, body = md5(id || ':' || n + 1) WHERE id = %[1]d;
		UPDATE account SET amount = amount - %[3]d WHERE id = %[1]d; UPDATE account SET amount = amount + %[3]d WHERE id = %[2]d;
		UPDATE there SET n = n + 1, body = md5(id || ':' || n + 1) WHERE id = %[1]d; COMMIT`, at, other, n%100)
	if _, err := conn.PgConn().Exec(t.Context(), script).ReadAll(); err != nil {
		return err
	}
	w.commits[writer].Store(n)
	return nil
}

// change changes files and rows until stop is closed.
func (w *truth) change(t *testing.T, stop <-chan struct{}) *sync.WaitGroup {
	t.Helper()
	steadily := func(pause time.Duration, each func() error) {
		for {
			select {
			case <-stop:
				return
			case <-time.After(pause):
			}
			if err := each(); err != nil {
				t.Errorf("change what is backed up: %v", err)
				return
			}
		}
	}
	var all sync.WaitGroup
	all.Go(func() { steadily(40*time.Millisecond, func() error { return w.write(rand.IntN(siegeFiles)) }) })
	for writer := range siegeWriters {
		conn, err := pgx.Connect(t.Context(), w.database)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer conn.Close(t.Context())
			steadily(5*time.Millisecond, func() error { return w.transact(t, conn, writer) })
		})
	}
	return &all
}

// filesWere tells what is wrong with files that came back from a backup between two moments.
func filesWere(dir string, from, to instant) (wrong []string) {
	for i := range siegeFiles {
		name := siegeFile(i)
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		version, err := versionOf(name, content)
		switch {
		case err != nil:
			wrong = append(wrong, err.Error())
		case version < from.files[i] || version > to.files[i]:
			wrong = append(wrong, fmt.Sprintf("%s is version %d, want one from %d to %d", name, version, from.files[i], to.files[i]))
		}
	}
	return wrong
}

// rowsWere is filesWere for the tables. Their rows are given as texts: id, n, body of here and
// there, and id, amount of account.
func rowsWere(tables map[string][]string, from, to instant) (wrong []string) {
	var counts [siegeWriters]int64
	for _, line := range tables["here"] {
		var id int
		var n int64
		if _, err := fmt.Sscanf(line, "%d %d", &id, &n); err != nil {
			return []string{err.Error()}
		}
		counts[id/1000] += n
	}
	for writer, n := range counts {
		if n < from.transactions[writer] || n > to.transactions[writer] {
			wrong = append(wrong, fmt.Sprintf("%d transactions of writer %d, want from %d to %d", n, writer, from.transactions[writer], to.transactions[writer]))
		}
	}
	for name, want := range rowsAfter(counts) {
		if got := strings.Join(tables[name], "\n"); got != strings.Join(want, "\n") {
			wrong = append(wrong, fmt.Sprintf("table %s is not what %v transactions make of it:\n%s", name, counts, strings.Join(differentLines(strings.Join(want, "\n"), got), "\n")))
		}
	}
	return wrong
}

// rowsAfter are the rows of all tables after so many transactions of each writer.
func rowsAfter(counts [siegeWriters]int64) map[string][]string {
	tables := map[string][]string{}
	for writer, count := range counts {
		var n, amount [siegeRows]int64
		for k := int64(1); k <= count; k++ {
			n[row(writer, k)%1000]++
			amount[row(writer, k)%1000] -= k % 100
			amount[row(writer, k+1)%1000] += k % 100
		}
		for i := range siegeRows {
			id := writer*1000 + i
			pair := fmt.Sprintf("%d %d %x", id, n[i], md5.Sum(fmt.Appendf(nil, "%d:%d", id, n[i])))
			tables["here"] = append(tables["here"], pair)
			tables["there"] = append(tables["there"], pair)
			tables["account"] = append(tables["account"], fmt.Sprintf("%d %d", id, 1000+amount[i]))
		}
	}
	return tables
}

var siegeQueries = map[string]string{
	"here":    "SELECT id || ' ' || n || ' ' || body FROM here ORDER BY id",
	"there":   "SELECT id || ' ' || n || ' ' || body FROM there ORDER BY id",
	"account": "SELECT id || ' ' || amount FROM account ORDER BY id",
}

// rowsOfFile reads the tables from a SQLite file.
func rowsOfFile(file string) (map[string][]string, error) {
	db, err := sqlite3.OpenFlags(file, sqlite3.OPEN_READONLY)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	tables := map[string][]string{}
	for name, query := range siegeQueries {
		rows, _, err := db.Prepare(query)
		if err != nil {
			return nil, err
		}
		for rows.Step() {
			tables[name] = append(tables[name], rows.ColumnText(0))
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
	}
	return tables, nil
}

// rowsOfServer reads them from a server.
func rowsOfServer(t *testing.T, url string) map[string][]string {
	t.Helper()
	tables := map[string][]string{}
	for name, query := range siegeQueries {
		out, err := execute(t, url, query)
		if err != nil {
			t.Fatal(err)
		}
		tables[name] = strings.Split(strings.TrimSpace(out), "\n")
	}
	return tables
}

// What a siege would miss it could not warn of.
func TestATruthSeesWhatIsTornStaleOrAhead(t *testing.T) {
	from, to := instant{transactions: [siegeWriters]int64{10, 20}}, instant{transactions: [siegeWriters]int64{12, 20}}
	dir := t.TempDir()
	for i := range siegeFiles {
		from.files[i], to.files[i] = 2, 3
		if err := os.WriteFile(filepath.Join(dir, siegeFile(i)), fileOf(siegeFile(i), 2+int64(i%2)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if wrong := append(filesWere(dir, from, to), rowsWere(rowsAfter([siegeWriters]int64{11, 20}), from, to)...); len(wrong) > 0 {
		t.Errorf("what is right is wrong: %q", wrong)
	}
	name := siegeFile(7)
	mixed := append(fileOf(name, 2)[:400:400], fileOf(name, 3)[400:]...)
	for what, content := range map[string][]byte{"stale": fileOf(name, 1), "ahead": fileOf(name, 4), "torn": mixed, "short": fileOf(name, 2)[:300], "of another": fileOf(siegeFile(8), 2), "empty": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if wrong := filesWere(dir, from, to); len(wrong) != 1 {
			t.Errorf("a file that is %s: %q", what, wrong)
		}
	}
	for what, counts := range map[string][siegeWriters]int64{"stale": {9, 20}, "ahead": {12, 21}} {
		if wrong := rowsWere(rowsAfter(counts), from, to); len(wrong) != 1 {
			t.Errorf("rows that are %s: %q", what, wrong)
		}
	}
	for table, rows := range rowsAfter([siegeWriters]int64{12, 20}) {
		torn := rowsAfter([siegeWriters]int64{11, 20})
		torn[table] = rows
		if wrong := rowsWere(torn, from, to); len(wrong) == 0 {
			t.Errorf("a table %s of another moment is not seen", table)
		}
	}
}
