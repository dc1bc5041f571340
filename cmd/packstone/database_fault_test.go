package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/database"
)

// fillBig makes a table.
func fillBig(t *testing.T, url string, rows int) {
	t.Helper()
	script := `CREATE TABLE big (id INT PRIMARY KEY, v TEXT NOT NULL); INSERT INTO big SELECT seq, REPEAT(MD5(seq), 10) FROM seq_1_to_%d`
	if !strings.HasPrefix(url, "mysql:") {
		script = `CREATE TABLE big (id int PRIMARY KEY, v text NOT NULL); INSERT INTO big SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, %d) i`
	}
	if _, err := execute(t, url, fmt.Sprintf(script, rows)); err != nil {
		t.Fatal(err)
	}
}

// Statements at which rows begin to flow into the table and out of it.
const (
	loading = "(?i)LOAD DATA|COPY [^;]*big[^;]* FROM STDIN"
	reading = "(?i)FROM `big` ORDER|COPY [^;]*big[^;]* TO STDOUT"
)

// hangUp ends the sessions in a database, but ours.
func hangUp(t *testing.T, url string) {
	t.Helper()
	if !strings.HasPrefix(url, "mysql:") {
		if _, err := execute(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
			t.Fatal(err)
		}
		return
	}
	ids, err := execute(t, url, "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range strings.Fields(ids) {
		execute(t, url, "KILL CONNECTION "+id) // one may have ended by itself
	}
}

// start begins an import or export and returns when the server has the statement at which the gate
// stands.
func start(t *testing.T, home string, g *gate, args ...string) (cmd *exec.Cmd, ended chan error, errs *strings.Builder) {
	t.Helper()
	cmd, errs = exec.Command("packstone", append([]string{"db"}, args...)...), &strings.Builder{}
	cmd.Dir, cmd.Stderr = home, errs
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CACHE_HOME="+home+"/cache")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended = make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() })
	select {
	case err := <-ended:
		t.Fatalf("packstone ended before the statement %s: %v: %s", g.at, err, errs)
	case <-g.reached:
	}
	return cmd, ended, errs
}

func tables(t *testing.T, url string) string {
	t.Helper()
	query := "SELECT GROUP_CONCAT(TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
	if !strings.HasPrefix(url, "mysql:") {
		query = "SELECT string_agg(relname, ',') FROM pg_class WHERE relnamespace = 'public'::regnamespace"
	}
	out, err := execute(t, url, query)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

const bigRows = 10_000

func TestImportWhoseServerHangsUpLeavesNothing(t *testing.T) {
	for _, engine := range []string{database.MariaDB, database.Postgres} {
		t.Run(engine, func(t *testing.T) {
			home, from, to := t.TempDir(), emptyDatabase(t, engine), emptyDatabase(t, engine)
			fillBig(t, from, bigRows)
			if code, _, errs := packstoneAs(t, home, "db", "export", "--from", from, "big.sqlite"); code != exitDone && code != exitMissing {
				t.Fatalf("export ends with %d: %s", code, errs)
			}
			g, through := newGate(t, to, loading)
			cmd, ended, errs := start(t, home, g, "import", "big.sqlite", "--to", through)
			hangUp(t, to)
			g.open()
			<-ended
			if got := cmd.ProcessState.ExitCode(); got != exitUnreachable {
				t.Errorf("the import ended with %d, want %d: %s", got, exitUnreachable, errs)
			}
			if got := tables(t, to); got != "" {
				t.Errorf("%q is left", got)
			}
			waitForSessions(t, to)
			wantExit(t, exitDone, home, "db", "import", "big.sqlite", "--to", to)
			wantExit(t, exitDone, home, "db", "verify", "--from", from, "--against", to)
		})
	}
}

func TestExportWhoseServerHangsUpLeavesNothing(t *testing.T) {
	for _, engine := range []string{database.MariaDB, database.Postgres} {
		t.Run(engine, func(t *testing.T) {
			home, from := t.TempDir(), emptyDatabase(t, engine)
			fillBig(t, from, 10*bigRows) // 33 MB are more than sockets hold, so that the server cannot have sent all
			g, through := newGate(t, from, reading)
			cmd, ended, errs := start(t, home, g, "export", "--from", through, "big.sqlite")
			hangUp(t, from)
			g.open()
			<-ended
			if got := cmd.ProcessState.ExitCode(); got != exitUnreachable {
				t.Errorf("the export ended with %d, want %d: %s", got, exitUnreachable, errs)
			}
			left, err := filepath.Glob(filepath.Join(home, "big*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestKilledImportIsFoundAndEmptiedOnRequest(t *testing.T) {
	home, from, to := t.TempDir(), emptyDatabase(t, database.MariaDB), emptyDatabase(t, database.MariaDB)
	fillBig(t, from, bigRows)
	wantExit(t, exitMissing, home, "db", "export", "--from", from, "big.sqlite")
	g, through := newGate(t, to, loading)
	cmd, ended, _ := start(t, home, g, "import", "big.sqlite", "--to", through)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	g.open()
	if got := tables(t, to); !strings.Contains(got, "big") || !strings.Contains(got, "_packstone_import") {
		t.Fatalf("a killed import left %q, want its table and the marker", got)
	}
	waitForSessions(t, to)
	_, errs := wantExit(t, exitRefused, home, "db", "import", "big.sqlite", "--to", to)
	if !strings.Contains(errs, "killed") || !strings.Contains(errs, "--"+emptyLeftoverFlag) {
		t.Errorf("the refusal does not tell of the killed import and what to do: %s", errs)
	}
	// What is half full is no source.
	if code, _, errs := packstoneAs(t, home, "db", "export", "--from", to, "half.sqlite"); code == exitDone || code == exitMissing || !strings.Contains(errs, "_packstone_import") {
		t.Errorf("the export of a half-filled database ends with %d and says %s", code, errs)
	}
	wantExit(t, exitDone, home, "db", "import", "big.sqlite", "--to", to, "--"+emptyLeftoverFlag)
	wantExit(t, exitDone, home, "db", "verify", "--from", from, "--against", to)
	wantExit(t, exitRefused, home, "db", "import", "big.sqlite", "--to", to, "--"+emptyLeftoverFlag)
}

// waitForSessions returns when the server has noticed that a client is gone, and has let go what
// that one held.
func waitForSessions(t *testing.T, url string) {
	t.Helper()
	query := "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()"
	if !strings.HasPrefix(url, "mysql:") {
		query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
	}
	for { // until the test times out, if a session stays
		out, err := execute(t, url, query)
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(out) == "0" {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestFullDiskLeavesNoFile exports to a file system that is too small. Only root can make one.
func TestFullDiskLeavesNoFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounts a file system, which only root can")
	}
	for _, engine := range []string{database.MariaDB, database.Postgres} {
		t.Run(engine, func(t *testing.T) {
			home, from := t.TempDir(), emptyDatabase(t, engine)
			fillBig(t, from, 50_000)
			small := filepath.Join(home, "small")
			if err := os.Mkdir(small, 0o755); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "none", small).CombinedOutput(); err != nil {
				t.Skipf("mount: %v: %s", err, out)
			}
			defer exec.Command("umount", small).Run()
			_, errs := wantExit(t, exitFailed, home, "db", "export", "--from", from, filepath.Join(small, "big.sqlite"))
			if !strings.Contains(errs, "full") && !strings.Contains(errs, "no space") {
				t.Errorf("the message does not tell of the full disk: %s", errs)
			}
			left, err := os.ReadDir(small)
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// pairsAgree exports while two writers commit the same numbers to two tables, and returns how often
// the tables agreed.
func pairsAgree(t *testing.T, engine string, rounds int) (agreed int) {
	t.Helper()
	home, from := t.TempDir(), emptyDatabase(t, engine)
	if _, err := execute(t, from, "CREATE TABLE a (n INT PRIMARY KEY); CREATE TABLE b (n INT PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	fillBig(t, from, 20_000)
	stop, done := make(chan struct{}), make(chan error, 2)
	for writer := range 2 {
		go func() { done <- commitPairs(t, from, writer, stop) }()
	}
	last := 0
	for round := range rounds {
		waitForPairs(t, from, last)
		file := filepath.Join(home, fmt.Sprintf("%d.sqlite", round))
		code, out, errs := packstoneAs(t, home, "db", "export", "--from", from, "--jobs", "4", file)
		if code != exitDone && code != exitMissing {
			t.Errorf("export ends with %d: %s%s", code, out, errs)
			break
		}
		a, odd := countPairs(t, file)
		if odd == 0 && a > last {
			agreed++
		} else {
			t.Errorf("round %d: %d pairs, %d before, and %d numbers stand in one table only", round, a, last, odd)
		}
		last = a
	}
	close(stop)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	return agreed
}

// waitForPairs waits until the writers have committed more than so many rows.
func waitForPairs(t *testing.T, url string, than int) {
	t.Helper()
	for count := 0; count <= than; time.Sleep(10 * time.Millisecond) {
		out, err := execute(t, url, "SELECT count(*) FROM a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(out, &count); err != nil {
			t.Fatalf("the server said %q: %v", out, err)
		}
	}
}

// commitPairs writes until stop is closed.
func commitPairs(t *testing.T, url string, writer int, stop chan struct{}) error {
	for n := writer * 100_000_000; ; n += 20 {
		select {
		case <-stop:
			return nil
		default:
		}
		var script strings.Builder
		for i := range 20 {
			fmt.Fprintf(&script, "BEGIN; INSERT INTO a VALUES (%[1]d); INSERT INTO b VALUES (%[1]d); COMMIT;", n+i)
		}
		if _, err := execute(t, url, script.String()); err != nil {
			return err
		}
	}
}

// countPairs counts what is in both tables, and what is in one only.
func countPairs(t *testing.T, file string) (both, odd int) {
	t.Helper()
	out, err := exec.Command("sqlite3", file, `SELECT count(*) FROM a JOIN b USING (n);
		SELECT count(*) FROM (SELECT n FROM a EXCEPT SELECT n FROM b) FULL JOIN (SELECT n FROM b EXCEPT SELECT n FROM a) USING (n)`).Output()
	if err != nil {
		t.Fatalf("sqlite3: %v", err)
	}
	if _, err := fmt.Sscan(string(out), &both, &odd); err != nil {
		t.Fatalf("sqlite3 said %q: %v", out, err)
	}
	return both, odd
}

func TestSoakPairsOfWritersAreInAnExportTogetherOrNotAtAll(t *testing.T) {
	if _, err := exec.LookPath("sqlite3"); err != nil {
		t.Skip(err)
	}
	for _, engine := range []string{database.MariaDB, database.Postgres} {
		t.Run(engine, func(t *testing.T) {
			if got := pairsAgree(t, engine, pairRounds); got != pairRounds {
				t.Errorf("%d of %d exports have all pairs", got, pairRounds)
			}
		})
	}
}

// TestLongCells takes cells to the limit of what MariaDB takes in one packet, and says so beyond
// it.
func TestLongCells(t *testing.T) {
	home, from := t.TempDir(), emptyDatabase(t, database.MariaDB)
	packet := func(n int) {
		if _, err := execute(t, from, fmt.Sprintf("SET GLOBAL max_allowed_packet = %d", n)); err != nil {
			t.Fatal(err)
		}
	}
	packet(64 << 20)
	defer packet(64 << 20)
	if _, err := execute(t, from, "CREATE TABLE long_ones (id INT PRIMARY KEY, b LONGBLOB, v LONGTEXT); INSERT INTO long_ones VALUES (1, 'x', ''), (2, REPEAT('ab\\t\\n\\0', 6000000), 'y'), (3, NULL, REPEAT('ü', 8000000))"); err != nil {
		t.Fatal(err)
	}
	wantExit(t, exitMissing, home, "db", "export", "--from", from, "long.sqlite")
	to := emptyDatabase(t, database.MariaDB)
	wantExit(t, exitDone, home, "db", "import", "long.sqlite", "--to", to)
	small := emptyDatabase(t, database.MariaDB)
	packet(16 << 20)
	_, errs := wantExit(t, exitFailed, home, "db", "import", "long.sqlite", "--to", small)
	if !strings.Contains(errs, "max_allowed_packet") || !strings.Contains(errs, "id=2") {
		t.Errorf("the message names neither the limit nor the row: %s", errs)
	}
	if got := tables(t, small); got != "" {
		t.Errorf("%q is left", got)
	}
}
