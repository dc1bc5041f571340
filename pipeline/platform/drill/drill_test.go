package drill_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/scratch"
	"github.com/packstone/packstone/pipeline/platform/drill"
)

func openSQLite(path string) (*sqlite3.Conn, error) { return sqlite3.Open("file:" + path) }

func TestADrillPassesAndLeavesOnlyItsReport(t *testing.T) {
	w := newWorld(t, "")
	o := w.options()
	var steps []string
	o.Step = func(name string) { steps = append(steps, name) }
	report, err := drill.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w.empty(t)
	want := []string{"make a place for metadata", "restore metadata", "restore files", "compare metadata", "compare files",
		"damage metadata and compare again", "damage files and compare again", "clean up"}
	if !slices.Equal(steps, want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
	if len(report.Steps) != len(want) || report.RTO <= 0 || report.RPO < 0 || report.Seconds < report.RTO {
		t.Errorf("%d steps, RTO %g, RPO %g, in all %g", len(report.Steps), report.RTO, report.RPO, report.Seconds)
	}
	var controls []string
	for _, c := range report.Controls {
		if !c.Noticed || c.Item == "" || c.Said == "" {
			t.Errorf("control %+v", c)
		}
		if c.Kind == "row" && !strings.Contains(c.Said, "other values") {
			t.Errorf("a value is to be changed, and no row removed: %s", c.Said)
		}
		controls = append(controls, c.Kind)
	}
	if want := []string{"row", "file", "permission"}; !slices.Equal(controls, want) {
		t.Errorf("controls %q, want %q", controls, want)
	}
	if s := report.Sources; len(s) != 2 || s[0].Tables != 2 || s[0].Rows != 4 || s[1].Entries != 6 || s[1].Bytes != 28 {
		t.Errorf("sources %+v", s)
	}
	if got := w.recorded(t); got.ID != report.ID || !got.Passed || got.Snapshot != w.snapshot.ID.String() {
		t.Errorf("recorded %+v", got)
	}
}

func TestADrillWithoutANegativeControlFails(t *testing.T) {
	w := newWorld(t, "")
	o := w.options()
	o.DamageNothing()
	report, err := drill.Run(t.Context(), o)
	if !errors.Is(err, drill.ErrFailed) {
		t.Fatal(report, err)
	}
	for _, what := range []string{"a row of metadata", "a file of files", "a permission of files"} {
		if !slices.ContainsFunc(report.Failures, func(text string) bool {
			return strings.Contains(text, what) && strings.Contains(text, "has not noticed it")
		}) {
			t.Errorf("%q does not say that %s was not noticed", report.Failures, what)
		}
	}
	if got := w.recorded(t); got.Passed {
		t.Error("it is recorded as passed")
	}
}

// inRoom is the one room of a drill that is at work.
func (w *world) inRoom(t *testing.T, path ...string) string {
	t.Helper()
	rooms, err := filepath.Glob(filepath.Join(w.scratch, "drill-*"))
	if err != nil || len(rooms) != 1 {
		t.Fatal(rooms, err)
	}
	return filepath.Join(append([]string{rooms[0], "sources"}, path...)...)
}

func TestDamageBetweenRestoreAndComparisonIsNoticed(t *testing.T) {
	tests := []struct {
		name   string
		damage func(t *testing.T, w *world)
		want   string
	}{
		{"row", func(t *testing.T, w *world) {
			conn, err := openSQLite(w.inRoom(t, "metadata.sqlite"))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(conn.Exec("UPDATE t SET name = 'onf' WHERE id = 1"), conn.Close()); err != nil {
				t.Fatal(err)
			}
		}, "metadata: 1 difference, the first: t "},
		{"a row too many", func(t *testing.T, w *world) {
			conn, err := openSQLite(w.inRoom(t, "metadata.sqlite"))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(conn.Exec("INSERT INTO child VALUES (3, 1, 0)"), conn.Close()); err != nil {
				t.Fatal(err)
			}
		}, "3 rows, want 2"},
		{"file", func(t *testing.T, w *world) {
			path := w.inRoom(t, "files", "sub", "b.txt")
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.WriteFile(path, []byte("other tExt"), 0), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
				t.Fatal(err)
			}
		}, "files: 1 difference, the first: sub/b.txt "},
		{"permission", func(t *testing.T, w *world) {
			if err := os.Chmod(w.inRoom(t, "files", "sub", "b.txt"), 0o641); err != nil {
				t.Fatal(err)
			}
		}, "sub/b.txt has mode 0641, not 0640"},
		{"time", func(t *testing.T, w *world) {
			if err := os.Chtimes(w.inRoom(t, "files", "a.txt"), w.snapshot.Time, w.snapshot.Time); err != nil {
				t.Fatal(err)
			}
		}, "a.txt has another modification time"},
		{"missing", func(t *testing.T, w *world) {
			if err := os.Remove(w.inRoom(t, "files", "sub", "empty")); err != nil {
				t.Fatal(err)
			}
		}, "sub/empty is missing"},
		{"too much", func(t *testing.T, w *world) {
			if err := os.WriteFile(w.inRoom(t, "files", "new"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "new is not in the snapshot"},
		{"another link", func(t *testing.T, w *world) {
			link := w.inRoom(t, "files", "sub", "link")
			if err := errors.Join(os.Remove(link), os.Symlink("../a.txt", link)); err != nil {
				t.Fatal(err)
			}
		}, "sub/link leads elsewhere"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, "")
			o := w.options()
			o.Step = func(name string) {
				if name == "compare metadata" {
					test.damage(t, w)
				}
			}
			report, err := drill.Run(t.Context(), o)
			if !errors.Is(err, drill.ErrFailed) {
				t.Fatal(err)
			}
			said := slices.Clone(report.Failures)
			for _, s := range report.Sources {
				said = append(said, s.Differences...)
			}
			if text := strings.Join(said, "\n"); !strings.Contains(text, test.want) {
				t.Errorf("%s\ndoes not say %q", text, test.want)
			}
		})
	}
}

func TestAssertionsAreAskedOfTheScratchCopy(t *testing.T) {
	w := newWorld(t, "")
	o := w.options()
	failing := errors.New("it ended with 3")
	var variables []string
	o.Command = func(_ context.Context, command, vars []string) error {
		variables = vars
		if command[0] == "bad" {
			return failing
		}
		return nil
	}
	o.Assertions = []drill.Assertion{
		{Source: "metadata", SQL: "SELECT count(*) > 1 FROM t"}, {Source: "metadata", SQL: "SELECT name FROM t WHERE id = 2", Want: "two"},
		{Source: "metadata", SQL: "SELECT name FROM t WHERE id = 9", Want: "nine"}, {Source: "metadata", SQL: "SELECT nonsense"},
		{Source: "files", SQL: "SELECT 1"}, {Command: []string{"good"}}, {Command: []string{"bad", "argument"}},
	}
	report, err := drill.Run(t.Context(), o)
	if !errors.Is(err, drill.ErrFailed) {
		t.Fatal(err)
	}
	var holds []bool
	for _, a := range report.Assertions {
		holds = append(holds, a.Holds)
	}
	if want := []bool{true, true, false, false, false, true, false}; !slices.Equal(holds, want) {
		t.Errorf("hold %v, want %v: %+v", holds, want, report.Assertions)
	}
	if text := strings.Join(report.Failures, "\n"); !strings.Contains(text, "it is NULL, not nine") || !strings.Contains(text, "bad argument: it ended with 3") {
		t.Error(text)
	}
	for _, name := range []string{"PACKSTONE_DRILL=", "PACKSTONE_DRILL_METADATA=", "PACKSTONE_DRILL_FILES=", "PACKSTONE_DRILL_SNAPSHOT="} {
		if !slices.ContainsFunc(variables, func(v string) bool { return strings.HasPrefix(v, name) }) {
			t.Errorf("commands have no %s: %q", name, variables)
		}
	}
}

func TestTooLittleSpaceIsRefusedBeforeAnythingIsRestored(t *testing.T) {
	w := newWorld(t, "")
	o := w.options()
	o.Free = func(string) (uint64, error) { return drill.Need(w.snapshot) - 1, nil }
	o.Step = func(name string) { t.Errorf("step %s", name) }
	if _, err := drill.Run(t.Context(), o); !errors.Is(err, catalog.ErrRefused) {
		t.Error(err)
	}
	if err := os.MkdirAll(w.scratch, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(w.scratch, 0o777); err != nil {
		t.Fatal(err)
	}
	o.Free = w.options().Free
	if _, err := drill.Run(t.Context(), o); !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("a directory that others can write: %v", err)
	}
}

func TestAnInterruptedDrillLeavesNothingAndNoReport(t *testing.T) {
	for _, at := range []string{"make a place for metadata", "restore files", "compare metadata", "damage files and compare again"} {
		w := newWorld(t, "")
		o := w.options()
		ctx, cancel := context.WithCancel(t.Context())
		o.Step = func(name string) {
			if name == at {
				cancel()
			}
		}
		if report, err := drill.Run(ctx, o); report != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("at %q: %v %v", at, report, err)
		}
		w.empty(t)
	}
}

func TestDatabasesComeBackToServersOfTheirOwnEngine(t *testing.T) {
	for engine, url := range map[string]func() string{
		database.Postgres: func() string { return postgrestest.Database(t) },
		database.MariaDB:  func() string { return mysqltest.Database(t).Reveal() },
	} {
		t.Run(engine, func(t *testing.T) {
			if err := scratch.Installed(engine); err != nil && os.Getenv("CI") != "true" {
				t.Skip(err)
			}
			w := newWorld(t, url())
			o := w.options()
			o.Places = nil
			o.Assertions = []drill.Assertion{{Source: "metadata", SQL: "SELECT count(*) > 1 FROM t"}}
			report, err := drill.Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if s := report.Sources[0]; s.Place != engine || s.Tables != 2 || s.Rows != 4 {
				t.Errorf("source %+v", s)
			}
			if c := report.Controls[0]; c.Kind != "row" || !c.Noticed || !strings.Contains(c.Said, "other values") {
				t.Errorf("control %+v", c)
			}
		})
	}
}

func TestADatabaseIsRestoredBesideAnotherOnAServer(t *testing.T) {
	url := postgrestest.Database(t)
	w := newWorld(t, url)
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte(url), 0o600); err != nil {
		t.Fatal(err)
	}
	o := w.options()
	o.Places = map[string]drill.Place{"metadata": {Server: file}}
	if _, err := drill.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if names := borrowedOn(t, url); names != "0" {
		t.Errorf("%s databases are left", names)
	}
}

// borrowedOn counts the databases of drills on a server.
func borrowedOn(t *testing.T, url string) string {
	t.Helper()
	at, err := database.ParseLocation(url)
	if err != nil {
		t.Fatal(err)
	}
	asker, err := askerOf(at)
	if err != nil {
		t.Fatal(err)
	}
	session, err := asker.OpenSession(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	count, _, err := session.Ask(t.Context(), "SELECT count(*) FROM pg_database WHERE datname LIKE 'packstone_drill%'")
	if err = errors.Join(err, session.Close()); err != nil {
		t.Fatal(err)
	}
	return count
}

func TestAPageShowsHostileNamesAsText(t *testing.T) {
	hostile := `</td><script>alert("1")</script><img src=x onerror=y>` + "\x1b[31m\n"
	report := &catalog.DrillReport{
		Set: hostile, Host: hostile, By: hostile, Snapshot: hostile, Failures: []string{hostile}, Remarks: []string{hostile}, Writer: hostile, Software: hostile, Record: hostile,
		Steps: []catalog.DrillStep{{Name: hostile}}, Sources: []catalog.DrillSource{{Name: hostile, Type: hostile, Place: hostile, Differs: 1, Differences: []string{hostile}}},
		Assertions: []catalog.DrillAssertion{{Source: hostile, SQL: hostile, Want: hostile, Got: hostile, Error: hostile}, {Command: []string{hostile}}},
		Controls:   []catalog.DrillControl{{Kind: hostile, Source: hostile, Item: hostile, Said: hostile}, {Skipped: true}, {Noticed: true}},
	}
	var page strings.Builder
	if err := drill.WritePage(&page, report, hostile, "fingerprint"); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"<script", "<img", "href=", "url(", "http://", "https://"} {
		if strings.Contains(page.String(), wrong) {
			t.Errorf("the page holds %s", wrong)
		}
	}
	for _, want := range []string{"@page", "@media print", "Content-Security-Policy", "not noticed", "left out", "noticed", "fingerprint"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}
