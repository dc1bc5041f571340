package scratch_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/mysql"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/scratch"
)

// hold is the variable by which the test binary becomes a process that starts a server and waits to
// be killed.
const hold = "SCRATCH_TEST_HOLD"

func TestMain(m *testing.M) {
	if at := os.Getenv(hold); at != "" {
		engine, dir, _ := strings.Cut(at, "=")
		if _, _, err := scratch.Start(context.Background(), engine, dir, askers[engine]); err != nil {
			fmt.Println("failed:", err)
		} else {
			fmt.Println("started")
		}
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}
	mysqltest.Main(m)
}

var askers = map[string]database.Asker{database.Postgres: postgres.Driver{}, database.MariaDB: mysql.Driver{}}

// room is a directory in which a server may run, whoever we are.
func room(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "scratch")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := scratch.EndIn(context.Background(), dir); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func installed(t *testing.T, engine string) {
	t.Helper()
	if err := scratch.Installed(engine); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

func TestAServerGivesAnEmptyDatabaseAndEnds(t *testing.T) {
	for engine, asker := range askers {
		t.Run(engine, func(t *testing.T) {
			installed(t, engine)
			dir := filepath.Join(room(t), "server")
			server, at, err := scratch.Start(t.Context(), engine, dir, asker)
			if err != nil {
				t.Fatal(err)
			}
			session, err := asker.OpenSession(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			for _, sql := range []string{"CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)"} {
				if _, err := session.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			changed, err := session.Exec(t.Context(), "UPDATE t SET a = 7")
			value, found, askErr := session.Ask(t.Context(), "SELECT a FROM t")
			if changed != 1 || err != nil || value != "7" || !found || askErr != nil {
				t.Errorf("changed %d %v, asked %q %v %v", changed, err, value, found, askErr)
			}
			if err := errors.Join(session.Close(), server.Stop(), server.Stop()); err != nil {
				t.Error(err)
			}
			if ended, err := scratch.EndIn(t.Context(), dir); ended != 0 || err != nil {
				t.Errorf("after Stop %d processes ran, %v", ended, err)
			}
		})
	}
}

// A login's PGPORT is for the platform's server. What the drill starts is found all the same.
func TestAServerIsFoundWhateverTheEnvironmentSaysOfOthers(t *testing.T) {
	installed(t, database.Postgres)
	t.Setenv("PGPORT", "1")
	t.Setenv("PGHOST", "elsewhere.example.org")
	t.Setenv("PGDATABASE", "elsewhere")
	server, at, err := scratch.Start(t.Context(), database.Postgres, filepath.Join(room(t), "server"), askers[database.Postgres])
	if err != nil {
		t.Fatal(err)
	}
	session, err := askers[database.Postgres].OpenSession(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(session.Close(), server.Stop()); err != nil {
		t.Error(err)
	}
}

func TestAServerThatCannotBeMadeLeavesNoProcess(t *testing.T) {
	installed(t, database.Postgres)
	dir := filepath.Join(room(t), strings.Repeat("long", 30))
	if _, _, err := scratch.Start(t.Context(), database.Postgres, dir, postgres.Driver{}); err == nil || !strings.Contains(err.Error(), "name a shorter directory") {
		t.Errorf("a path too long for a socket: %v", err)
	}
	if _, _, err := scratch.Start(t.Context(), database.Oracle, dir, postgres.Driver{}); !errors.Is(err, scratch.ErrNotInstalled) {
		t.Errorf("an engine without a recipe: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	short := filepath.Join(room(t), "server")
	if _, _, err := scratch.Start(ctx, database.Postgres, short, postgres.Driver{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after an interruption: %v", err)
	}
	if ended, err := scratch.EndIn(t.Context(), short); ended != 0 || err != nil {
		t.Errorf("%d processes ran, %v", ended, err)
	}
}

func TestAServerEndsWithTheProcessThatHasStartedIt(t *testing.T) {
	for engine := range askers {
		t.Run(engine, func(t *testing.T) {
			installed(t, engine)
			dir := filepath.Join(room(t), "server")
			starter := exec.Command(os.Args[0])
			starter.Env = append(os.Environ(), hold+"="+engine+"="+dir)
			if _, err := starter.StdinPipe(); err != nil {
				t.Fatal(err)
			}
			out, err := starter.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := starter.Start(); err != nil {
				t.Fatal(err)
			}
			said, err := bufio.NewReader(out).ReadString('\n')
			if said != "started\n" || err != nil {
				t.Fatal(said, err)
			}
			server := pidIn(t, dir)
			if err := starter.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = starter.Wait()
			for syscall.Kill(server, 0) == nil && !isZombie(server) { // the test's own time limit ends it
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
}

// pidIn is the process of the server of a directory.
func pidIn(t *testing.T, dir string) int {
	t.Helper()
	for _, name := range []string{"postmaster.pid", "pid"} {
		text, err := os.ReadFile(filepath.Join(dir, "data", name))
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(text), "\n")
		if pid, err := strconv.Atoi(strings.TrimSpace(first)); err == nil {
			return pid
		}
	}
	t.Fatal("the server has written no pid")
	return 0
}

// isZombie tells whether a process has ended, and nobody has waited for it.
func isZombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(text), ") ")
	return err == nil && strings.HasPrefix(state, "Z")
}

func TestADatabaseIsMadeBesideAnotherAndDropped(t *testing.T) {
	pg, err := database.ParseLocation(postgrestest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []struct {
		at    database.Location
		asker database.Asker
	}{{pg, postgres.Driver{}}, {mysqltest.Database(t), mysql.Driver{}}} {
		at, err := scratch.Borrow(t.Context(), server.at, "ab12", server.asker)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := scratch.Borrow(t.Context(), server.at, "ab12", server.asker); err == nil {
			t.Error("a database that is there was taken")
		}
		session, err := server.asker.OpenSession(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		if err := session.Close(); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := scratch.Return(t.Context(), server.at, "ab12", server.asker); err != nil {
				t.Error(err)
			}
		}
		if session, err := server.asker.OpenSession(t.Context(), at); err == nil {
			t.Error("the database is there after it was dropped", session.Close())
		}
	}
	if err := scratch.Return(t.Context(), pg, `x"; DROP`, postgres.Driver{}); err == nil {
		t.Error("a name that is no mark was dropped")
	}
}
