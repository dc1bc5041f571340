// Package metrics exports the verdicts of package health as Prometheus metrics: over HTTP, and as a
// text file for node_exporter. It exports times rather than ages, so that a file that is no longer
// updated still shows that a backup is late.
package metrics

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/health"
)

// Facts are what is known at a moment.
type Facts struct {
	Sets         []health.Set // judged
	Failures     []Failures
	Repositories []Repository
}

// Failures is how many runs of a set have failed in one way, since counting began.
type Failures struct {
	Set, Host string
	Kind      string // see KindOf
	Count     int64
}

// Repository is what is known of a repository as a whole. Unknown fields are zero.
type Repository struct {
	Name        string
	Bytes       int64     // of packs
	Packs       int64     //
	Growth      int64     // bytes that a day adds, as a mean of the last ones
	Verified    time.Time // the oldest of what was verified last
	LockedUntil time.Time // until when storage deletes nothing that is needed
}

// kinds are the kinds of failures, by exit code.
var kinds = map[int]string{
	exitcode.Usage: "usage", exitcode.Missing: "incomplete", exitcode.Refused: "refused", exitcode.Integrity: "integrity", exitcode.Held: "locked",
	exitcode.Unreachable: "unreachable", exitcode.Incomplete: "incomplete", exitcode.NoRepository: "no_repository", exitcode.Identity: "identity",
	exitcode.Interrupted: "interrupted",
}

// KindOf returns the kind of failure of a run with an exit code, as a label.
func KindOf(code int) string {
	if kind, ok := kinds[code]; ok {
		return kind
	}
	return "other"
}

// gauge is a metric of a set. ok is false if the value is unknown.
type gauge struct {
	desc  *prometheus.Desc
	value func(s *health.Set) (value float64, ok bool)
}

var ofSet = []string{"set", "host"}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("packstone_"+name, help, labels, nil)
}

// seconds returns a time in the form of Prometheus.
func seconds(t time.Time) (float64, bool) { return float64(t.UnixMilli()) / 1000, !t.IsZero() }

// truth is a number that says yes or no.
func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// ofRun returns a metric of the last run. It has no value if there was no run.
func ofRun(name, help string, value func(r *health.Run) float64) gauge {
	return gauge{describe("last_run_"+name, help, ofSet...), func(s *health.Set) (float64, bool) { return value(&s.Last), !s.Last.Start.IsZero() }}
}

var gauges = []gauge{
	{describe("newest_complete_timestamp_seconds", "When the newest snapshot was taken that is complete and that no tripwire marked.", ofSet...),
		func(s *health.Set) (float64, bool) { return seconds(s.Newest) }},
	{describe("max_age_seconds", "How old that snapshot may be.", ofSet...),
		func(s *health.Set) (float64, bool) { return s.MaxAge.Seconds(), s.MaxAge > 0 }},
	{describe("last_success_timestamp_seconds", "When the last run ended that left nothing out.", ofSet...),
		func(s *health.Set) (float64, bool) { return seconds(s.LastSuccess) }},
	{describe("next_run_timestamp_seconds", "When the set runs next.", ofSet...),
		func(s *health.Set) (float64, bool) { return seconds(s.Next) }},
	{describe("verified_timestamp_seconds", "When the content of the set was last verified.", ofSet...),
		func(s *health.Set) (float64, bool) { return seconds(s.Verified) }},
	{describe("drill_timestamp_seconds", "When the last drill of the set began.", ofSet...),
		func(s *health.Set) (float64, bool) { return seconds(s.Drilled) }},
	{describe("drill_passed", "1 if the last drill of the set has passed, else 0.", ofSet...),
		func(s *health.Set) (float64, bool) { return truth(s.DrillFault == ""), !s.Drilled.IsZero() }},
	{describe("drill_duration_seconds", "How long the last drill of the set took.", ofSet...),
		func(s *health.Set) (float64, bool) { return s.DrillTook.Seconds(), !s.Drilled.IsZero() }},
	{describe("drill_rto_seconds", "How long the last drill took until all was restored, compared and asserted.", ofSet...),
		func(s *health.Set) (float64, bool) { return s.DrillRTO.Seconds(), s.DrillRTO > 0 }},
	{describe("drill_rpo_seconds", "How old the oldest source was when that drill began.", ofSet...),
		func(s *health.Set) (float64, bool) { return s.DrillRPO.Seconds(), s.DrillRTO > 0 }},
	{describe("snapshots", "How many snapshots there are.", ofSet...),
		func(s *health.Set) (float64, bool) { return float64(s.Snapshots), s.Counted }},
	{describe("failures_in_a_row", "How many runs have failed, one after the other, up to now.", ofSet...),
		func(s *health.Set) (float64, bool) { return float64(s.Failures), true }},
	ofRun("timestamp_seconds", "When the last run began.", func(r *health.Run) float64 { t, _ := seconds(r.Start); return t }),
	ofRun("duration_seconds", "How long it took.", func(r *health.Run) float64 { return r.Duration.Seconds() }),
	ofRun("exit_code", "The exit code that it ended with.", func(r *health.Run) float64 { return float64(r.Code) }),
	ofRun("read_bytes", "Bytes that it read from the sources.", func(r *health.Run) float64 { return float64(r.BytesRead) }),
	ofRun("added_bytes", "Bytes in it that were new to the repository.", func(r *health.Run) float64 { return float64(r.BytesAdded) }),
	ofRun("stored_bytes", "Bytes that it uploaded.", func(r *health.Run) float64 { return float64(r.BytesStored) }),
	ofRun("files", "Files in its snapshot.", func(r *health.Run) float64 { return float64(r.Files) }),
}

// repositoryGauge is a metric of a repository.
type repositoryGauge struct {
	desc  *prometheus.Desc
	value func(r *Repository) (value float64, ok bool)
}

var repositoryGauges = []repositoryGauge{
	{describe("repository_size_bytes", "Bytes of the packs in the repository.", "repository"),
		func(r *Repository) (float64, bool) { return float64(r.Bytes), r.Bytes > 0 }},
	{describe("repository_packs", "Packs in the repository.", "repository"),
		func(r *Repository) (float64, bool) { return float64(r.Packs), r.Packs > 0 }},
	{describe("repository_growth_bytes_per_day", "Bytes that a day adds.", "repository"),
		func(r *Repository) (float64, bool) { return float64(r.Growth), r.Growth != 0 }},
	{describe("repository_verified_timestamp_seconds", "When what was verified longest ago was verified.", "repository"),
		func(r *Repository) (float64, bool) { return seconds(r.Verified) }},
	{describe("repository_locked_until_timestamp_seconds", "Until when the storage deletes nothing that is needed.", "repository"),
		func(r *Repository) (float64, bool) { return seconds(r.LockedUntil) }},
}

var (
	buildInfo = describe("build_info", "Which program it is.", "version")
	stateOf   = describe("state", "1 for the state that the set is in, 0 for the others.", "set", "host", "state")
	ageOf     = describe("newest_complete_age_seconds", "How old the newest snapshot is that is complete and that no tripwire marked.", ofSet...)
	failures  = describe("run_failures_total", "Runs that failed, by the way in which they did.", "set", "host", "kind")
)

// collector exports facts as metrics.
type collector struct {
	facts   Facts
	version string
	now     time.Time // zero: ages are left out
}

// Describe implements prometheus.Collector. It describes nothing, since the metrics depend on what
// is known.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	put(to, buildInfo, 1, c.version)
	seen := map[string]bool{}
	for i := range c.facts.Sets {
		if s := &c.facts.Sets[i]; !seen[s.Key()] {
			seen[s.Key()] = true
			c.collectSet(to, s)
		}
	}
	for _, f := range c.facts.Failures {
		if seen[f.Kind+"\x00"+f.Host+"/"+f.Set] {
			continue
		}
		seen[f.Kind+"\x00"+f.Host+"/"+f.Set] = true
		to <- prometheus.MustNewConstMetric(failures, prometheus.CounterValue, float64(f.Count), text(f.Set), text(f.Host), text(f.Kind))
	}
	for i := range c.facts.Repositories {
		r := &c.facts.Repositories[i]
		for _, g := range repositoryGauges {
			if value, ok := g.value(r); ok {
				put(to, g.desc, value, r.Name)
			}
		}
	}
}

func (c *collector) collectSet(to chan<- prometheus.Metric, s *health.Set) {
	for _, g := range gauges {
		if value, ok := g.value(s); ok {
			put(to, g.desc, value, s.Name, s.Host)
		}
	}
	if age := s.Age(c.now); age >= 0 && !c.now.IsZero() {
		put(to, ageOf, age.Seconds(), s.Name, s.Host)
	}
	for _, state := range health.States {
		value := 0.0
		if s.State == state {
			value = 1
		}
		put(to, stateOf, value, s.Name, s.Host, string(state))
	}
}

func put(to chan<- prometheus.Metric, desc *prometheus.Desc, value float64, labels ...string) {
	for i := range labels {
		labels[i] = text(labels[i])
	}
	to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

// text returns a valid label: names from a repository may contain any bytes.
func text(label string) string { return strings.ToValidUTF8(label, "\uFFFD") }

// registry returns a registry with the metrics.
func registry(c *collector) *prometheus.Registry {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	return r
}

// WriteFile writes the metrics for the textfile collector of node_exporter, which reads *.prom. It
// replaces the file atomically, and others may read it.
func WriteFile(path string, facts Facts, version string) error {
	return prometheus.WriteToTextfile(path, registry(&collector{facts: facts, version: version}))
}
