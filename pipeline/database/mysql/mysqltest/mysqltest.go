// Package mysqltest runs a real MariaDB server for tests. One server serves a
// test binary; its TestMain calls [Main].
package mysqltest

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the client behind Open

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/remote/servertest"
)

var shared struct {
	once sync.Once
	*server
	err error
}

var databases atomic.Int64

type server struct {
	dir     string
	port    int
	process *exec.Cmd
	leash   io.Closer
}

// keeper runs the server until its standard input ends, which happens when the
// test binary does, however it ends; then it stops it and removes its files.
const keeper = `dir=$1; shift; mariadbd "$@" & server=$!; read line; kill $server; wait $server; rm -rf "$dir"`

// Main runs the tests, stops the server if one was started, and exits.
func Main(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		shared.stop()
	}
	os.Exit(code)
}

// Port starts the server if need be and returns its port on 127.0.0.1. Where
// MariaDB is not installed the test is skipped, but fails in CI.
func Port(t testing.TB) int {
	t.Helper()
	for _, program := range []string{"mariadb-install-db", "mariadbd"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program)
		}
	}
	shared.once.Do(func() { shared.server, shared.err = start() })
	if shared.err != nil {
		t.Fatalf("start MariaDB: %v", shared.err)
	}
	return shared.port
}

func missing(t testing.TB, program string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", program)
	}
	t.Skipf("%s is not installed", program)
}

// Database makes an empty database, dropped when the test ends, and returns its
// location, as root.
func Database(t testing.TB) database.Location {
	t.Helper()
	name := fmt.Sprintf("test_%d", databases.Add(1))
	db := OpenAs(t, "root", "", "")
	if _, err := db.Exec("CREATE DATABASE " + name + " CHARACTER SET utf8mb4"); err != nil {
		t.Fatalf("create database %s: %v", name, err)
	}
	t.Cleanup(func() {
		db := OpenAs(t, "root", "", "")
		defer db.Close()
		if _, err := db.Exec("DROP DATABASE IF EXISTS " + name); err != nil {
			t.Errorf("drop database %s: %v", name, err)
		}
	})
	return Location(t, "root", "", name)
}

// Location names a database of the server for a user.
func Location(t testing.TB, user, password, name string) database.Location {
	t.Helper()
	at, err := database.ParseLocation(fmt.Sprintf("mysql://%s:%s@127.0.0.1:%d/%s", user, password, Port(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Name is the database of a location.
func Name(at database.Location) string {
	raw := at.Reveal()
	return raw[strings.LastIndexByte(raw, '/')+1:]
}

// Open opens a pool to a location, closed when the test ends. Statements may be
// joined by semicolons.
func Open(t testing.TB, at database.Location) *sql.DB {
	t.Helper()
	return OpenAs(t, "root", "", Name(at))
}

// OpenAs opens a pool as a user.
func OpenAs(t testing.TB, user, password, name string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(127.0.0.1:%d)/%s?multiStatements=true", user, password, Port(t), name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Exec runs a script.
func Exec(t testing.TB, at database.Location, script string) {
	t.Helper()
	if _, err := Open(t, at).Exec(script); err != nil {
		t.Fatalf("run script: %v", err)
	}
}

// start installs a data directory and runs the server in it.
func start() (_ *server, err error) {
	s := &server{}
	if s.dir, err = os.MkdirTemp("", "packstone-mariadb-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(s.dir)
		}
	}()
	owner, err := s.owner()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(s.dir, "data")
	install := exec.Command("mariadb-install-db", append([]string{"--no-defaults", "--datadir=" + data, "--tmpdir=" + s.dir,
		"--auth-root-authentication-method=normal", "--skip-test-db"}, owner...)...)
	if out, err := install.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w: %s", err, out)
	}
	if s.port, err = servertest.FindFreePort(); err != nil {
		return nil, err
	}
	args := append([]string{"-c", keeper, "sh", s.dir, "--no-defaults", "--datadir=" + data, "--tmpdir=" + s.dir, "--bind-address=127.0.0.1",
		fmt.Sprintf("--port=%d", s.port), "--socket=" + filepath.Join(data, "s.sock"), "--pid-file=" + filepath.Join(data, "pid"),
		"--log-error=" + filepath.Join(data, "log"), "--log-bin=" + filepath.Join(data, "bin"), "--server-id=1", "--binlog-format=ROW",
		"--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0", "--max-allowed-packet=64M", "--event-scheduler=OFF"}, owner...)
	s.process = exec.Command("sh", args...)
	if s.leash, err = s.process.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	if err := s.wait(); err != nil {
		log, _ := os.ReadFile(filepath.Join(data, "log"))
		s.stop()
		return nil, fmt.Errorf("%w; its log: %s", err, log)
	}
	return s, nil
}

// owner gives the directory to the user mysql when we are root, as which the
// server does not like to run.
func (s *server) owner() ([]string, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	if _, err := user.Lookup("mysql"); err != nil {
		return nil, err
	}
	return []string{"--user=mysql"}, os.Chmod(s.dir, 0o777) // it is the directory for temporary tables, too
}

// wait returns when the server answers.
func (s *server) wait() error {
	db, err := sql.Open("mysql", fmt.Sprintf("root@tcp(127.0.0.1:%d)/", s.port))
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop lets the keeper end the server, and waits for it.
func (s *server) stop() {
	s.leash.Close()
	s.process.Wait()
	os.RemoveAll(s.dir)
}
