package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
)

// corridor is a platform of real servers: rows in PostgreSQL refer to files on an SFTP server and
// in a bucket, and four components have settings.
type corridor struct {
	t        *testing.T
	home     string
	postgres string // its URL, past all gates
	sftp     *sftptest.Server
	storage  *s3test.Server
	bucket   string
	written  int
}

func newCorridor(t *testing.T) *corridor {
	c := &corridor{t: t, home: t.TempDir(), postgres: emptyDatabase(t, database.Postgres), sftp: sftptest.Start(t, ""), storage: s3test.Start(t, s3test.Options{})}
	c.bucket = c.storage.Bucket(t)
	for _, dir := range []string{c.files(), c.lake()} {
		mustMkdir(t, dir)
	}
	for _, name := range []string{"api", "app_worker", "workers", "jupyter"} {
		mustMkdir(t, filepath.Join(c.home, "settings", name))
		putFile(t, filepath.Join(c.home, "settings", name, "app.ini"), []byte("name="+name+"\n"), 1)
	}
	c.sql("CREATE TABLE file (id int PRIMARY KEY, path text NOT NULL, part text NOT NULL)")
	c.settings(c.postgres, c.storage.Host)
	c.run(exitDone, "init")
	return c
}

func (c *corridor) files() string { return filepath.Join(c.sftp.Disk, "files") }
func (c *corridor) lake() string  { return filepath.Join(c.storage.Dir, c.bucket, "lake") }

// settings writes the settings file, with a database and a bucket at these addresses.
func (c *corridor) settings(postgres, s3 string) {
	c.t.Helper()
	text := fmt.Sprintf(`version: 1
repository: %[1]s/repository
sources:
  metadata: {type: database, url: %[2]q}
  files: {type: files, url: "sftp://%[3]s@127.0.0.1:%[4]d%[5]s", known_hosts: %[6]s, key_file: %[7]s}
  lake: {type: lake, path: "minio+http://%[8]s/%[9]s/lake"}
  settings:
    type: settings
    components: {api: %[1]s/settings/api, app_worker: %[1]s/settings/app_worker, workers: %[1]s/settings/workers, jupyter: %[1]s/settings/jupyter}
sets:
  platform: {sources: [metadata, files, lake, settings]}
`, c.home, postgres, c.sftp.Client().User, c.sftp.Port, c.files(), c.sftp.KnownHosts, c.sftp.KeyFile, s3, c.bucket)
	if err := os.WriteFile(filepath.Join(c.home, "packstone.yaml"), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *corridor) command(args ...string) (*exec.Cmd, *strings.Builder) {
	said := &strings.Builder{}
	cmd := exec.Command("packstone", args...)
	cmd.Env = append(os.Environ(), "HOME="+c.home, "XDG_CACHE_HOME="+c.home+"/cache", "XDG_STATE_HOME="+c.home+"/state", "XDG_CONFIG_HOME="+c.home+"/config", "TZ=UTC",
		"PACKSTONE_CONFIG="+filepath.Join(c.home, "packstone.yaml"), "PACKSTONE_S3_ACCESS_KEY="+c.storage.AccessKey, "PACKSTONE_S3_SECRET_KEY="+c.storage.SecretKey)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.home, said, said
	return cmd, said
}

func (c *corridor) run(want int, args ...string) string {
	c.t.Helper()
	cmd, said := c.command(args...)
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != want {
		c.t.Fatalf("%v ends with %d (%v), want %d:\n%s", args, got, err, want, said)
	}
	return said.String()
}

func (c *corridor) sql(text string) string {
	c.t.Helper()
	out, err := execute(c.t, c.postgres, text)
	if err != nil {
		c.t.Fatalf("%s: %v", text, err)
	}
	return strings.TrimSpace(out)
}

// put puts an object as a job of the platform would.
func (c *corridor) put(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.lake(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// write adds a file and an object, and then the row that refers to them.
func (c *corridor) write() {
	c.written++
	name := fmt.Sprintf("f%03d", c.written)
	putFile(c.t, filepath.Join(c.files(), name), incompressible(2000, uint64(c.written)), c.written)
	c.put(name, name)
	c.sql(fmt.Sprintf("INSERT INTO file VALUES (%d, '%s', '%s')", c.written, name, name))
}

// writeUntil writes steadily until something is done, and at least a few times.
func (c *corridor) writeUntil(done <-chan error) {
	for least := 5; ; least-- {
		c.write()
		select {
		case err := <-done:
			if err != nil {
				c.t.Fatal(err)
			}
			return
		default:
		}
	}
}

// backUp backs up while the platform is written to.
func (c *corridor) backUp(at string) {
	c.t.Helper()
	cmd, said := c.command("backup", "--time", at, "platform")
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, said)
		}
		ended <- err
	}()
	c.writeUntil(ended)
}

// state is all that the platform holds, in words.
func (c *corridor) state() string {
	c.t.Helper()
	var all []string
	for _, dir := range []string{c.files(), c.lake(), filepath.Join(c.home, "settings")} {
		for path, is := range describeTree(c.t, dir, false) {
			if end := strings.LastIndexByte(is, ' '); dir == c.lake() && end >= 0 {
				is = is[:end] // a bucket dates objects itself
			}
			if !strings.Contains(path, ".sgwtmp") {
				all = append(all, filepath.Base(dir)+"/"+path+" "+is)
			}
		}
	}
	slices.Sort(all)
	rows := "no table"
	if c.sql("SELECT to_regclass('file') IS NOT NULL") == "t" {
		rows = c.sql("SELECT id, path, part FROM file ORDER BY id")
	}
	return rows + "\n" + strings.Join(all, "\n")
}

// wantReferences holds every row to its files.
func (c *corridor) wantReferences() {
	c.t.Helper()
	rows := strings.Split(c.sql("SELECT path, part FROM file"), "\n")
	for _, row := range rows {
		path, part, _ := strings.Cut(row, "\t")
		for _, file := range []string{filepath.Join(c.files(), path), filepath.Join(c.lake(), part)} {
			if _, err := os.Stat(file); err != nil {
				c.t.Errorf("a row refers to what is not there: %v", err)
			}
		}
	}
	if len(rows) < 2 {
		c.t.Errorf("%d rows came back", len(rows))
	}
}

// destroy leaves little of the platform, and some of that wrong.
func (c *corridor) destroy() {
	c.t.Helper()
	for _, dir := range []string{c.files(), filepath.Join(c.home, "settings", "api")} {
		if err := os.RemoveAll(dir); err != nil {
			c.t.Fatal(err)
		}
	}
	mustMkdir(c.t, c.files())
	putFile(c.t, filepath.Join(c.files(), "f001"), []byte("worse"), 3)
	putFile(c.t, filepath.Join(c.home, "settings", "jupyter", "app.ini"), []byte("lost"), 3)
	c.put("f001", "worse")
	c.put("strange", "strange")
	c.sql("DROP TABLE IF EXISTS file; CREATE TABLE file (id int, path text, part text); INSERT INTO file VALUES (1, 'f001', 'f001')")
}

var restorePlatform = []string{"restore", "--set", "platform", "--at", "2026-02-01T11:30", "--in-place", "--delete", "--yes"}

// report is the newest report.
func (c *corridor) report() string {
	c.t.Helper()
	all, err := filepath.Glob(filepath.Join(c.home, "state", "packstone", "restores", "*.json"))
	if err != nil || len(all) == 0 {
		c.t.Fatalf("there is no report: %v", err)
	}
	modified := func(path string) time.Time {
		info, err := os.Stat(path)
		if err != nil {
			c.t.Fatal(err)
		}
		return info.ModTime()
	}
	slices.SortFunc(all, func(a, b string) int { return modified(a).Compare(modified(b)) })
	return all[len(all)-1]
}

// killAt runs a restore until a statement or request has reached a server, and kills it there.
func (c *corridor) killAt(g *gate, args ...string) {
	c.t.Helper()
	cmd, said := c.command(args...)
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		c.t.Fatalf("%v ended before %s: %v\n%s", args, g.at, err, said)
	case <-g.reached:
	}
	if said := c.run(exitHeld, args...); !strings.Contains(said, "another process") {
		c.t.Errorf("a second one at the same time says %s", said)
	}
	if err := cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	<-ended
	g.open()
}

func TestAPlatformThatIsKilledAtAnyPointComesBackAllTheSame(t *testing.T) {
	c := newCorridor(t)
	for range 3 {
		c.write()
	}
	c.backUp("2026-02-01T11:00")
	c.write()
	c.backUp("2026-02-01T12:00")
	c.destroy()
	destroyed := c.state()
	c.run(exitDone, restorePlatform...)
	c.wantReferences()
	want := c.state()
	c.run(exitDone, "restore", "--undo", c.report(), "--yes")
	if got := c.state(); got != destroyed {
		t.Fatalf("after --undo there is\n%s\nwant\n%s", got, destroyed)
	}
	inPostgres := func(statement string) *gate {
		g, through := newGate(t, c.postgres, statement)
		c.settings(through, c.storage.Host)
		return g
	}
	inBucket := func(request string) *gate {
		g, through := newGate(t, "http://x@"+c.storage.Host+"/", request)
		host, _, _ := strings.Cut(strings.TrimPrefix(through, "http://x@"), "/")
		c.settings(c.postgres, host)
		return g
	}
	lake := "/" + c.bucket + "/lake/f"
	for _, point := range []struct {
		name string
		gate func() *gate
		undo bool // at once, instead of going on
	}{
		{"while what is overwritten is saved", func() *gate { return inBucket("GET " + lake + "001") }, false},
		{"while the database is made", func() *gate { return inPostgres("CREATE DATABASE") }, false},
		{"while the database is filled", func() *gate { return inPostgres("(?i)COPY [^;]*file[^;]* FROM STDIN") }, false},
		{"while files come back", func() *gate { return inBucket("PUT " + lake) }, false},
		{"while files come back, and undone", func() *gate { return inBucket("PUT " + lake) }, true},
		{"before the databases are exchanged", func() *gate { return inPostgres("RENAME TO") }, false},
		{"before the databases are exchanged, and undone", func() *gate { return inPostgres("RENAME TO") }, true},
		{"after the databases are exchanged", func() *gate { return inPostgres("(?s)RENAME TO.*COMMIT") }, false},
		{"after the databases are exchanged, and undone", func() *gate { return inPostgres("(?s)RENAME TO.*COMMIT") }, true},
	} {
		c.killAt(point.gate(), restorePlatform...)
		if !point.undo {
			said := c.run(exitDone, restorePlatform...)
			if !strings.Contains(said, "an earlier run was cut off") {
				t.Errorf("killed %s, it does not go on: %s", point.name, said)
			}
			c.wantReferences()
			if got := c.state(); got != want {
				t.Fatalf("killed %s, and run again, there is\n%s\nwant\n%s", point.name, got, want)
			}
		}
		c.run(exitDone, "restore", "--undo", c.report(), "--yes")
		if got := c.state(); got != destroyed {
			t.Fatalf("killed %s, then undone, there is\n%s\nwant\n%s", point.name, got, destroyed)
		}
	}
	if left := c.sql("SELECT count(*) FROM pg_database WHERE datname ~ '_restored_'"); left != "0" {
		t.Errorf("%s databases that were half filled are left", left)
	}
	c.settings(c.postgres, c.storage.Host)
	c.run(exitDone, "check")
}

func TestWhatHasNotChangedIsSavedWithoutBeingRead(t *testing.T) {
	c := newCorridor(t)
	c.write()
	c.write()
	c.run(exitDone, "backup", "--time", "2026-02-01T11:00", "platform")
	c.put("f002", "worse")
	said := c.run(exitDone, "restore", "--set", "platform", "--at", "2026-02-01T11:30", "--in-place", "--yes")
	if want := ": 8 files, 5 of them read"; !strings.Contains(said, want) { // what is changed in the lake, and four of settings, which have names of their own
		t.Errorf("it does not say %q, but %s", want, said)
	}
	c.run(exitDone, "backup", "--time", "2026-02-01T11:00", "platform")
	c.run(exitDone, "check", "--read-data")
}

func TestAnUndoThatIsKilledGoesOn(t *testing.T) {
	c := newCorridor(t)
	for range 3 {
		c.write()
	}
	c.backUp("2026-02-01T11:00")
	c.destroy()
	destroyed := c.state()
	for _, statement := range []string{"RENAME TO", "(?s)RENAME TO.*COMMIT"} {
		c.settings(c.postgres, c.storage.Host)
		g, through := newGate(t, c.postgres, "undone.*"+statement)
		c.settings(through, c.storage.Host)
		c.run(exitDone, restorePlatform...)
		report := c.report()
		c.killAt(g, "restore", "--undo", report, "--yes")
		if said := c.run(exitRefused, restorePlatform...); !strings.Contains(said, "--undo "+report) {
			t.Errorf("a restore while another is being undone does not name the way on: %s", said)
		}
		c.run(exitDone, "restore", "--undo", report, "--yes")
		if got := c.state(); got != destroyed {
			t.Fatalf("after %s there is\n%s\nwant\n%s", statement, got, destroyed)
		}
	}
	c.run(exitDone, "check")
}
