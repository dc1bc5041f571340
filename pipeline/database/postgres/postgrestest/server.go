// Package postgrestest starts a real PostgreSQL for tests, from the programs
// that a distribution installs, and gives every test a database of its own.
package postgrestest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/remote/servertest"
)

// server is the one that this test binary shares.
var server struct {
	once sync.Once
	port int
	dir  string
	cmd  *exec.Cmd
	end  io.Closer // closing it stops the server
	err  error
	made int
	mu   sync.Mutex
}

// Main runs the tests, waits until the server that they started has stopped,
// and exits. Call it from TestMain; without it the server stops just after.
func Main(m *testing.M) {
	code := m.Run()
	stop()
	os.Exit(code)
}

// Database returns the URL of a new, empty database. Without PostgreSQL on this
// machine the test is skipped, or fails where CI=true is set.
func Database(t testing.TB) string {
	t.Helper()
	server.once.Do(start)
	if server.err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("start PostgreSQL: %v", server.err)
		}
		t.Skipf("no PostgreSQL: %v", server.err)
	}
	server.mu.Lock()
	server.made++
	name := fmt.Sprintf("test%d", server.made)
	server.mu.Unlock()
	Exec(t, address("postgres"), "CREATE DATABASE "+name+" TEMPLATE template0")
	return address(name)
}

// Roles makes roles for a test alone; each is a name and, after it, attributes. What is left of
// them has other names when the test ends.
func Roles(t testing.TB, url string, roles ...string) {
	t.Helper()
	for _, role := range roles {
		name, _, _ := strings.Cut(role, " ")
		if quoted := strings.SplitN(role, `"`, 3); len(quoted) == 3 {
			name = `"` + quoted[1] + `"`
		}
		Exec(t, url, "CREATE ROLE "+role)
		t.Cleanup(func() {
			server.mu.Lock()
			server.made++
			gone := fmt.Sprintf("gone_%d", server.made)
			server.mu.Unlock()
			Exec(t, url, fmt.Sprintf("DO $$BEGIN IF to_regrole('%[1]s') IS NOT NULL THEN ALTER ROLE %[1]s NOSUPERUSER; ALTER ROLE %[1]s RENAME TO %[2]s; END IF; END$$", name, gone))
		})
	}
}

// Exec runs SQL, which may be several statements, in the database of a URL.
func Exec(t testing.TB, url, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		t.Fatalf("exec %.200s: %v", sql, err)
	}
}

// Log is the path of what the server of Database says.
func Log(t testing.TB) string {
	t.Helper()
	if server.cmd == nil {
		t.Fatal("no server runs")
	}
	return filepath.Join(server.dir, "log")
}

// Has tells whether there is a client program beside the server.
func Has(name string) bool {
	dir, err := programs()
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, name))
	}
	return err == nil
}

// Tool returns the path of a client program beside the server. psql speaks to servers of every
// version; without another one of the server's own version the test is skipped.
func Tool(t testing.TB, name string) string {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Skip(err)
	}
	if Has(name) {
		return filepath.Join(dir, name)
	}
	if newest, err := newestInstalled(); err == nil && name == "psql" {
		return filepath.Join(newest, name)
	}
	t.Skipf("there is no %s beside the server", name)
	return ""
}

func address(name string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s", server.port, name)
}

// programs is the folder of the server's programs: the newest that is installed, or the one that
// PACKSTONE_POSTGRES names, which may have initdb and postgres only.
func programs() (string, error) {
	if named := os.Getenv("PACKSTONE_POSTGRES"); named != "" {
		return filepath.Abs(named)
	}
	return newestInstalled()
}

func newestInstalled() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("no /usr/lib/postgresql/*/bin/initdb")
	}
	sort.Strings(found)
	return filepath.Dir(found[len(found)-1]), nil
}

func start() { server.err = tryStart() }

func tryStart() error {
	bin, err := programs()
	if err != nil {
		return err
	}
	if server.dir, err = os.MkdirTemp("", "postgrestest"); err != nil {
		return err
	}
	if os.Getuid() == 0 {
		if out, err := exec.Command("chown", "postgres", server.dir).CombinedOutput(); err != nil {
			return fmt.Errorf("chown: %w: %s", err, out)
		}
	}
	data := filepath.Join(server.dir, "data")
	initdb := command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	if server.port, err = servertest.FindFreePort(); err != nil {
		return err
	}
	server.cmd = command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(server.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+server.dir, "-c", "fsync=off",
		"-c", "autovacuum=off", "-c", "max_wal_size=2GB", "-c", "wal_level=logical")
	if err := keep(); err != nil {
		return err
	}
	return wait()
}

// keeper runs the server until its own standard input ends, which it does with
// the test binary, however that ends; then it removes the server's files.
const keeper = `dir=$1; shift; "$@" 2>"$dir/log" & server=$!; read line; kill -INT $server; wait $server; rm -rf "$dir"`

func keep() error {
	run := server.cmd
	server.cmd = exec.Command("/bin/sh", append([]string{"-c", keeper, "sh", server.dir}, run.Args...)...)
	server.cmd.Dir, server.cmd.Env = run.Dir, run.Env
	end, err := server.cmd.StdinPipe()
	if err != nil {
		return err
	}
	server.end = end
	return server.cmd.Start()
}

// wait returns once the server takes connections.
func wait() error {
	var err error
	for range 2400 { // two minutes, on a machine that is busy
		var conn *pgx.Conn
		if conn, err = pgx.Connect(context.Background(), address("postgres")); err == nil {
			return conn.Close(context.Background())
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("wait for the server: %w", err)
}

// command runs a program as the user postgres, which the server demands.
func command(path string, args ...string) *exec.Cmd {
	if os.Getuid() == 0 {
		args = append([]string{"--reuid=postgres", "--regid=postgres", "--clear-groups", path}, args...)
		path = "setpriv"
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + server.dir, "LC_ALL=C.UTF-8"}
	return cmd
}

func stop() {
	if server.end != nil {
		server.end.Close()
		_ = server.cmd.Wait()
	}
}
