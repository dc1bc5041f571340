package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

// holder stands between a client and the server. What a client sends is held back, for good or
// until it is let go, from the first message on that has a word in it; held is closed then.
type holder struct {
	url  string // of the same database, through it
	held chan struct{}
	free chan struct{}

	once  sync.Once
	mu    sync.Mutex
	conns []net.Conn
}

func hold(t testing.TB, address, word string) *holder {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	u.Host = listener.Addr().String()
	h := &holder{url: u.String(), held: make(chan struct{}), free: make(chan struct{})}
	t.Cleanup(func() { listener.Close(); h.cut() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go h.pass(client, server, word)
		}
	}()
	return h
}

func (h *holder) pass(client net.Conn, server, word string) {
	to, err := net.Dial("tcp", server)
	if err != nil {
		client.Close()
		return
	}
	h.mu.Lock()
	h.conns = append(h.conns, client, to)
	h.mu.Unlock()
	go func() { io.Copy(client, to); client.Close() }()
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if bytes.Contains(buffer[:n], []byte(word)) {
			h.once.Do(func() { close(h.held) })
			<-h.free
		}
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}

// cut ends all connections.
func (h *holder) cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.conns {
		c.Close()
	}
}

// workshop has something of every kind that a marker lists, and enough rows for more than one
// batch.
const workshop = `CREATE SCHEMA app; CREATE TYPE app.color AS ENUM ('red', 'blue'); CREATE DOMAIN app.size AS int CHECK (VALUE > 0); CREATE TYPE app.pair AS (a int, b int);
	CREATE FUNCTION app.twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'; CREATE PROCEDURE app.nothing() LANGUAGE sql AS ''; CREATE SEQUENCE app.free;
	CREATE FUNCTION app.pair(app.color) RETURNS app.pair LANGUAGE sql AS 'SELECT (1, 2)::app.pair'; CREATE CAST (app.color AS app.pair) WITH FUNCTION app.pair(app.color);
	CREATE TABLE app.parent (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, size app.size, color app.color DEFAULT 'red', name text UNIQUE, twice int GENERATED ALWAYS AS (size * 2) STORED);
	INSERT INTO app.parent (size, name) SELECT i, repeat('x', 100) || i FROM generate_series(1, 8000) i;
	CREATE TABLE public.child (id serial, parent int REFERENCES app.parent, note text); INSERT INTO public.child (parent, note) SELECT i, md5(i::text) FROM generate_series(1, 8000) i;
	CREATE INDEX child_note ON public.child (note); CREATE INDEX child_late ON public.child (app.twice(parent)); CREATE VIEW public.both_of AS SELECT c.id, p.name FROM public.child c JOIN app.parent p ON p.id = c.parent;
	CREATE TABLE public.split (n int PRIMARY KEY, t text) PARTITION BY RANGE (n); CREATE TABLE public.split1 PARTITION OF public.split FOR VALUES FROM (0) TO (10); INSERT INTO public.split VALUES (1, 'a');
	CREATE TABLE public.few (n int, parent int REFERENCES app.parent); INSERT INTO public.few VALUES (1, 1);
	CREATE MATERIALIZED VIEW public.kept AS SELECT count(*) FROM app.parent; GRANT USAGE ON SCHEMA app TO PUBLIC; GRANT SELECT ON app.parent TO PUBLIC;
	SELECT lo_from_bytea(4711, 'large'); SELECT setval('app.free', 17); COMMENT ON TABLE app.parent IS 'of children'`

// TestImportOfAChild is what the tests below run in a process of its own.
func TestImportOfAChild(t *testing.T) {
	from, to := os.Getenv("CHILD_FROM"), os.Getenv("CHILD_TO")
	if from == "" {
		t.Skip("it is run by others")
	}
	_, err := fill(t, from, to, database.TargetOptions{Jobs: 3})
	t.Fatal("it was to be killed", err)
}

func fill(t testing.TB, from, to string, opts database.TargetOptions) (*database.Report, error) {
	t.Helper()
	ctx := context.Background()
	src, err := postgres.Driver{}.OpenSource(ctx, location(t, from), database.SourceOptions{Jobs: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := postgres.Driver{}.OpenTarget(ctx, location(t, to), opts)
	if err != nil {
		t.Fatal(err)
	}
	report, err := convert.Run(ctx, src, dst, convert.Options{Jobs: opts.Jobs})
	return report, errors.Join(err, dst.Close())
}

func TestWhatAKilledImportLeavesIsFoundNamedAndEmptied(t *testing.T) {
	from := postgrestest.Database(t)
	postgrestest.Exec(t, from, workshop)
	for at, word := range map[string]string{"rows": "FROM STDIN", "indexes": "CREATE INDEX", "constraints": "VALIDATE CONSTRAINT", "the end": "DROP SCHEMA _packstone_import"} {
		t.Run(at, func(t *testing.T) {
			to := postgrestest.Database(t)
			before := schemaRights(t, to)
			killAt(t, from, to, word)
			_, err := postgres.Driver{}.OpenSource(context.Background(), location(t, to), database.SourceOptions{})
			if err == nil || !strings.Contains(err.Error(), "_packstone_import.made") {
				t.Errorf("a half-filled database opens as a source: %v", err)
			}
			_, err = fill(t, from, to, database.TargetOptions{Jobs: 3})
			if !errors.Is(err, database.ErrLeftover) || !strings.Contains(err.Error(), "_packstone_import.made") {
				t.Fatalf("error %v, want ErrLeftover", err)
			}
			if _, err := fill(t, from, to, database.TargetOptions{Jobs: 1, EmptyLeftover: true}); err != nil {
				t.Fatal(err)
			}
			sameDatabase(t, from, to)
			if after := schemaRights(t, to); !strings.HasPrefix(after, before) {
				t.Errorf("rights on schemas: %s, were %s", after, before)
			}
		})
	}
}

// killAt kills an import when it is about to send a word.
func killAt(t *testing.T, from, to, word string) {
	t.Helper()
	h := hold(t, to, word)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self, "-test.run", "^TestImportOfAChild$")
	child.Env = append(os.Environ(), "CHILD_FROM="+from, "CHILD_TO="+h.url)
	var out bytes.Buffer
	child.Stdout, child.Stderr = &out, &out
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	select {
	case <-h.held:
	case err := <-ended:
		t.Fatalf("the import ended before %q: %v: %s", word, err, out.Bytes())
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	h.cut()
}

func sameDatabase(t testing.TB, from, to string) {
	t.Helper()
	if a, b := dumpSchema(t, from), dumpSchema(t, to); a != b {
		t.Errorf("schemas differ:\n%s", firstDifference(a, b))
	}
	if a, b := dumpRows(t, from), dumpRows(t, to); a != b {
		t.Errorf("rows differ:\n%s", firstDifference(a, b))
	}
}

// schemaRights are owners of and rights on schemas, the oldest first.
func schemaRights(t testing.TB, url string) string {
	t.Helper()
	return query(t, url, "SELECT string_agg(format('%s %s %s', nspname, pg_get_userbyid(nspowner), nspacl), ', ' ORDER BY oid) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'")
}

func TestOnlyWhatAnImportMadeIsEmptied(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, workshop)
	killAt(t, from, to, "FROM STDIN")
	postgrestest.Exec(t, to, "CREATE TABLE public.precious (n int)")
	held := query(t, to, "SELECT count(*)::text FROM pg_class")
	_, err := fill(t, from, to, database.TargetOptions{Jobs: 3, EmptyLeftover: true})
	if !errors.Is(err, database.ErrNotEmpty) || !strings.Contains(err.Error(), "public.precious") {
		t.Errorf("error %v, want one that names what is not the import's", err)
	}
	if now := query(t, to, "SELECT count(*)::text FROM pg_class"); now != held {
		t.Errorf("%s relations, were %s", now, held)
	}
	postgrestest.Roles(t, to, "forger SUPERUSER LOGIN")
	postgrestest.Exec(t, to, "DROP TABLE public.precious; ALTER SCHEMA _packstone_import OWNER TO forger")
	_, err = fill(t, from, to, database.TargetOptions{Jobs: 3, EmptyLeftover: true})
	if !errors.Is(err, database.ErrNotEmpty) || !strings.Contains(err.Error(), "forger") {
		t.Errorf("error %v, want one that says whose the marker is", err)
	}
}

func TestAnImportThatFailsLeavesNothing(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, workshop)
	before := schemaRights(t, to)
	h := hold(t, to, "VALIDATE CONSTRAINT")
	failed := make(chan error, 1)
	go func() {
		_, err := fill(t, from, h.url, database.TargetOptions{Jobs: 3})
		failed <- err
	}()
	<-h.held
	postgrestest.Exec(t, to, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'packstone' AND datname = current_database()")
	close(h.free)
	if err := <-failed; err == nil {
		t.Fatal("no error of a connection that was ended")
	}
	if now := schemaRights(t, to); now != before {
		t.Errorf("rights on schemas: %s, were %s", now, before)
	}
	if _, err := fill(t, from, to, database.TargetOptions{Jobs: 3}); err != nil {
		t.Errorf("the database is not empty: %v", err)
	}
	sameDatabase(t, from, to)
}

// TestNobodyElseGetsAtWhatIsBeingImported looks, between two transactions, whether an owner could
// add code of his that the import would run, or use what is to be guarded later.
func TestNobodyElseGetsAtWhatIsBeingImported(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Roles(t, from, "tenant LOGIN")
	postgrestest.Exec(t, from, `CREATE SCHEMA app AUTHORIZATION tenant; GRANT CREATE, USAGE ON SCHEMA public TO tenant; SET ROLE tenant; CREATE DOMAIN app.size AS int; CREATE TABLE app.t (n app.size); CREATE TABLE public.u (n int PRIMARY KEY);
		INSERT INTO app.t VALUES (1); INSERT INTO public.u VALUES (1); CREATE FUNCTION public.who() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text'; RESET ROLE`)
	postgrestest.Exec(t, to, "ALTER DATABASE "+strings.TrimPrefix(mustPath(t, to), "/")+" OWNER TO tenant")
	h := hold(t, to, "FROM STDIN")
	done := make(chan error, 1)
	go func() {
		_, err := fill(t, from, h.url, database.TargetOptions{Jobs: 3})
		done <- err
	}()
	<-h.held
	if marked := query(t, to, "SELECT count(*)::text FROM _packstone_import.made"); marked == "0" {
		t.Error("the marker lists nothing")
	}
	conn := session(t, as(t, to, "tenant"))
	for _, sql := range []string{
		"ALTER DOMAIN app.size ADD CHECK (VALUE > 0)", "SELECT * FROM app.t", "SELECT * FROM public.u", "SELECT public.who()", "ALTER TABLE public.u ADD CHECK (n > 0)", "CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"GRANT USAGE ON SCHEMA public TO tenant", "ALTER SCHEMA app RENAME TO other", "SELECT * FROM _packstone_import.made", "CREATE TRIGGER x BEFORE INSERT ON public.u FOR EACH ROW EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()",
	} {
		if _, err := conn.Exec(context.Background(), sql); err == nil {
			t.Errorf("while the import goes on, its owner-to-be may run %s", sql)
		}
	}
	close(h.free)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	do(t, conn, "SELECT * FROM app.t")
	do(t, conn, "ALTER DOMAIN app.size ADD CHECK (VALUE > 0)")
	sameDatabaseButOwner(t, from, to)
}

func mustPath(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path
}

func sameDatabaseButOwner(t testing.TB, from, to string) {
	t.Helper()
	if a, b := schemaRights(t, from), schemaRights(t, to); a != b {
		t.Errorf("rights on schemas: %s, want %s", b, a)
	}
}

// TestWhereOthersCannotBeKeptOutThereIsOneTransaction has an owner who may use every schema.
func TestWhereOthersCannotBeKeptOutThereIsOneTransaction(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Roles(t, from, "reading LOGIN")
	postgrestest.Exec(t, from, "GRANT pg_read_all_data TO reading; CREATE TABLE public.t (n int); ALTER TABLE public.t OWNER TO reading; INSERT INTO public.t VALUES (1)")
	t.Cleanup(func() { postgrestest.Exec(t, from, "REVOKE pg_read_all_data FROM reading") })
	h := hold(t, to, "FROM STDIN")
	done := make(chan error, 1)
	go func() {
		_, err := fill(t, from, h.url, database.TargetOptions{Jobs: 3})
		done <- err
	}()
	<-h.held
	if there := query(t, to, "SELECT count(*)::text FROM pg_class WHERE relname IN ('t', 'made')"); there != "0" {
		t.Errorf("%s tables are there before the end", there)
	}
	close(h.free)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
