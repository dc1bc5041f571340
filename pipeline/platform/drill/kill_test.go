package drill_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/scratch"
	"github.com/packstone/packstone/pipeline/platform/drill"
)

// Variables by which the test binary becomes a process that drills, and waits at a step to be
// killed.
const (
	holdAt      = "DRILL_TEST_HOLD"
	holdIn      = "DRILL_TEST_DIRECTORY"
	holdScratch = "DRILL_TEST_SCRATCH"
	holdEngine  = "DRILL_TEST_ENGINE"
	holdServer  = "DRILL_TEST_SERVER"
)

func TestMain(m *testing.M) {
	if step := os.Getenv(holdAt); step != "" {
		fmt.Println("failed:", drillUntil(step))
		os.Exit(1)
	}
	mysqltest.Main(m)
}

// drillUntil drills, and stays at a step.
func drillUntil(step string) error {
	w, err := makeWorld(context.Background(), os.Getenv(holdIn), "")
	if err != nil {
		return err
	}
	w.scratch = os.Getenv(holdScratch)
	o := w.options()
	o.Places = map[string]drill.Place{"metadata": {Engine: os.Getenv(holdEngine), Server: os.Getenv(holdServer)}}
	o.Step = func(name string) {
		if name == step {
			fmt.Println("holds")
			_, _ = io.Copy(io.Discard, os.Stdin)
		}
	}
	_, err = drill.Run(context.Background(), o)
	return err
}

func TestAfterAKillTheNextDrillLeavesNothing(t *testing.T) {
	server := postgrestest.Database(t)
	url := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(url, []byte(server), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ engine, server, step string }{
		{database.SQLite, "", "make a place for metadata"},
		{database.SQLite, "", "restore files"},
		{database.SQLite, "", "compare files"},
		{database.Postgres, "", "restore metadata"}, // its server runs
		{database.MariaDB, "", "compare metadata"},
		{"", url, "compare metadata"},
	}
	for _, test := range tests {
		t.Run(test.engine+" "+test.step, func(t *testing.T) {
			if err := scratch.Installed(test.engine); test.engine != database.SQLite && test.engine != "" && err != nil && os.Getenv("CI") != "true" {
				t.Skip(err)
			}
			w := newWorld(t, "")
			killAt(t, w, test.step, holdEngine+"="+test.engine, holdServer+"="+test.server)
			left, err := filepath.Glob(filepath.Join(w.scratch, "drill-*"))
			if err != nil || len(left) != 1 {
				t.Fatalf("the kill has left %q, %v", left, err)
			}
			report, err := drill.Run(t.Context(), w.options())
			if err != nil {
				t.Fatal(err)
			}
			w.empty(t)
			if text := strings.Join(report.Remarks, "\n"); !strings.Contains(text, left[0]) {
				t.Errorf("%q does not tell of %s", text, left[0])
			}
			if ended, err := scratch.EndIn(t.Context(), left[0]); ended != 0 || err != nil {
				t.Errorf("%d processes still ran, %v", ended, err)
			}
			if n := borrowedOn(t, server); n != "0" {
				t.Errorf("%s databases are left on the server", n)
			}
		})
	}
}

func TestADrillAtWorkIsLeftAlone(t *testing.T) {
	w := newWorld(t, "")
	o := w.options()
	o.Step = func(name string) {
		if name != "compare files" {
			return
		}
		if removed, err := drill.Clean(t.Context(), w.scratch, databases()); len(removed) > 0 || err != nil {
			t.Errorf("removed %q, %v", removed, err)
		}
	}
	if _, err := drill.Run(t.Context(), o); err != nil {
		t.Error(err)
	}
}

// killAt runs a drill in a process of its own, and kills it at a step.
func killAt(t *testing.T, w *world, step string, env ...string) {
	t.Helper()
	dir := filepath.Join(filepath.Dir(w.scratch), "k")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), holdAt+"="+step, holdIn+"="+dir, holdScratch+"="+w.scratch), env...)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(out).ReadString('\n')
	if killErr := cmd.Process.Kill(); said != "holds\n" || err != nil || killErr != nil {
		t.Fatal(said, err, killErr)
	}
	_ = cmd.Wait()
}
