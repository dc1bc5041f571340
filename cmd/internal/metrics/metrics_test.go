package metrics_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/metrics"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// facts are of a set that is well, one that is not, and one with a name that nobody should have.
func facts() metrics.Facts {
	run := health.Run{Start: now.Add(-2 * time.Hour), Duration: 90 * time.Second, Outcome: health.Done, BytesRead: 100, BytesAdded: 50, BytesStored: 25, Files: 7}
	good := health.Set{Name: "platform", Host: "p1", Newest: now.Add(-2 * time.Hour), MaxAge: 26 * time.Hour, Last: run, LastSuccess: run.End(), Snapshots: 3, Counted: true, Next: now.Add(time.Hour),
		Drilled: now.Add(-time.Hour), DrillTook: time.Minute, DrillRPO: 2 * time.Hour, DrillRTO: 40 * time.Second}
	bad := health.Set{Name: "bad\xff\"\n", Host: "p2", Newest: now.Add(-30 * time.Hour), MaxAge: 26 * time.Hour, Counted: true}
	return metrics.Facts{
		Sets:     []health.Set{health.Judge(good, now), health.Judge(bad, now), health.Judge(good, now), health.Judge(health.Set{Name: "new", Host: "p1"}, now)},
		Failures: []metrics.Failures{{Set: "platform", Host: "p1", Kind: metrics.KindOf(8), Count: 2}},
		Repositories: []metrics.Repository{{Name: "main", Bytes: 1 << 30, Packs: 64, Growth: 1 << 20, Verified: now.Add(-24 * time.Hour),
			LockedUntil: now.Add(30 * 24 * time.Hour)}},
	}
}

func get(t *testing.T, h http.Handler, path string) (code int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(text)
}

func source(f metrics.Facts) metrics.Source {
	return metrics.Source{Facts: func(context.Context) metrics.Facts { return f }, Version: "1.0", Now: func() time.Time { return now }}
}

func TestMetricsShowWhatIsKnownAndNothingElse(t *testing.T) {
	code, body := get(t, metrics.Handler(source(facts())), "/metrics")
	if code != 200 {
		t.Fatalf("%d\n%s", code, body)
	}
	for _, line := range []string{
		`packstone_newest_complete_age_seconds{host="p1",set="platform"} 7200`,
		`packstone_newest_complete_timestamp_seconds{host="p1",set="platform"} 1.7959464e+09`,
		`packstone_state{host="p1",set="platform",state="protected"} 1`,
		`packstone_snapshots{host="p1",set="platform"} 3`,
		`packstone_snapshots{host="p2",set="bad` + "\uFFFD" + `\"\n"} 0`,
		`packstone_drill_passed{host="p1",set="platform"} 1`,
		`packstone_drill_rto_seconds{host="p1",set="platform"} 40`,
		`packstone_drill_rpo_seconds{host="p1",set="platform"} 7200`,
		`packstone_state{host="p2",set="bad` + "\uFFFD" + `\"\n",state="late"} 1`,
		`packstone_state{host="p1",set="new",state="never"} 1`,
		`packstone_last_run_duration_seconds{host="p1",set="platform"} 90`,
		`packstone_run_failures_total{host="p1",kind="unreachable",set="platform"} 2`,
		`packstone_repository_size_bytes{repository="main"} 1.073741824e+09`,
		`packstone_build_info{version="1.0"} 1`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("lacks %s", line)
		}
	}
	for _, unknown := range []string{`last_run_files{host="p2"`, `packstone_snapshots{host="p1",set="new"`, `newest_complete_age_seconds{host="p1",set="new"`, `verified_timestamp_seconds{host`} {
		if strings.Contains(body, unknown) {
			t.Errorf("shows %s, of which nothing is known", unknown)
		}
	}
	if t.Failed() {
		t.Log(body)
	}
}

func TestHealthIsOfTheSetsAndReadinessOfTheProcess(t *testing.T) {
	s := source(facts())
	if code, body := get(t, metrics.Handler(s), "/healthz"); code != 503 || !strings.HasPrefix(body, "p2/bad\uFFFD\"\n: late\np1/new: never\n") {
		t.Errorf("/healthz: %d %q", code, body)
	}
	if code, body := get(t, metrics.Handler(s), "/readyz"); code != 200 || body != "ready\n" {
		t.Errorf("/readyz: %d %q", code, body)
	}
	s.Ready = func() error { return errors.New("the settings are not read yet") }
	if code, _ := get(t, metrics.Handler(s), "/readyz"); code != 503 {
		t.Errorf("/readyz: %d, want 503", code)
	}
	f := facts()
	f.Sets = f.Sets[:1]
	if code, body := get(t, metrics.Handler(source(f)), "/healthz"); code != 200 || body != "protected sets: 1\n" {
		t.Errorf("/healthz: %d %q", code, body)
	}
	if code, _ := get(t, metrics.Handler(s), "/else"); code != 404 {
		t.Errorf("/else: %d, want 404", code)
	}
}

func TestATextFileIsReplacedWholeAndAnybodyMayReadIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "packstone.prom")
	for range 2 {
		if err := metrics.WriteFile(path, facts(), "1.0"); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "packstone_max_age_seconds{") || strings.Contains(string(text), "_age_seconds{host=\"p1\",set=\"platform\"} 7200") {
		t.Errorf("wrote\n%s", text)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if all, err := os.ReadDir(filepath.Dir(path)); err != nil || len(all) != 1 {
		t.Errorf("left %v, %v", all, err)
	}
	if err := metrics.WriteFile(filepath.Join(t.TempDir(), "missing", "x.prom"), facts(), ""); err == nil {
		t.Error("wrote into a directory that is not there")
	}
}

// promtool finds Prometheus' own checker, which packages of Debian have.
func promtool(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"promtool", "../../../.bin/promtool"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("promtool is not here: make alerts installs it and runs this test")
	return ""
}

func TestPromtoolAcceptsMetricsAlertsAndTheirTests(t *testing.T) {
	tool := promtool(t)
	_, body := get(t, metrics.Handler(source(facts())), "/metrics")
	check := exec.Command(tool, "check", "metrics")
	check.Stdin = strings.NewReader(body)
	if said, err := check.CombinedOutput(); err != nil {
		t.Errorf("check metrics: %v\n%s", err, said)
	}
	for _, args := range [][]string{{"check", "config", "prometheus.yml"}, {"check", "rules", "packstone-alerts.yaml"}, {"test", "rules", "packstone-alerts.test.yaml"}} {
		cmd := exec.Command(tool, args...)
		cmd.Dir = "../../../docs/examples/prometheus"
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, said)
		}
	}
}

// TestTheDashboardAsksForMetricsThatAreThere compares names: promtool reads no dashboards.
func TestTheDashboardAsksForMetricsThatAreThere(t *testing.T) {
	dashboard, err := os.ReadFile("../../../docs/examples/prometheus/packstone-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	alerts, err := os.ReadFile("../../../docs/examples/prometheus/packstone-alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f := facts()
	f.Sets[0].Verified = now
	_, shown := get(t, metrics.Handler(source(f)), "/metrics")
	for _, name := range regexp.MustCompile(`packstone_[a-z_]+`).FindAllString(string(dashboard)+string(alerts), -1) {
		if !strings.Contains(shown, "\n"+name+"{") {
			t.Errorf("%s is asked for, and not shown", name)
		}
	}
}
