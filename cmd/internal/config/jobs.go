package config

import (
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // a container may have no zones

	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/schedule"
)

// Timing is when packstone run does something.
type Timing struct {
	Schedule string `yaml:"schedule,omitempty" doc:"When packstone run does it: minute, hour, day, month and weekday as in crontab, or @hourly, @daily, @weekly, @monthly, @yearly, @every 6h."`
	TimeZone string `yaml:"time_zone,omitempty" doc:"The time zone of the schedule, such as Europe/Berlin; else the machine's."`
	Jitter   string `yaml:"jitter,omitempty" doc:"It comes later by a part of this time, always by the same on one host, so that hosts do not all come at once: 15m."`
	RetryFor string `yaml:"retry_for,omitempty" doc:"For how long a run that failed is tried again, at growing distances: 2h. Without it, it waits for its next time."`
}

// Jobs are what packstone run does besides backups.
type Jobs struct {
	Forget ForgetJob `yaml:"forget,omitempty" doc:"Apply the retention of all sets, instead of that of a set after each of its backups here."`
	Prune  PruneJob  `yaml:"prune,omitempty" doc:"Delete what nothing needs any more, as packstone prune does."`
	Check  CheckJob  `yaml:"check,omitempty" doc:"Look for damage, as packstone check does."`
	Copy   CopyJob   `yaml:"copy,omitempty" doc:"Copy snapshots from one repository to others, as packstone copy does."`
	Drill  DrillJob  `yaml:"drill,omitempty" doc:"Restore a set to scratch places and compare it, as packstone drill run does."`
	Keep   KeepJob   `yaml:"keep,omitempty" doc:"Extend the locks of what a restore needs, as packstone keep does."`
}

// ForgetJob applies retention.
type ForgetJob struct {
	Timing `yaml:",inline"`
}

// PruneJob deletes unneeded data.
type PruneJob struct {
	Timing      `yaml:",inline"`
	MaxDuration string `yaml:"max_duration,omitempty" doc:"Stop after this time; the next run goes on."`
}

// CheckJob checks the repository.
type CheckJob struct {
	Timing      `yaml:",inline"`
	ReadData    string `yaml:"read_data,omitempty" doc:"The share of the packs of which every byte is read: 2%. Without it the structure alone is checked."`
	MaxDuration string `yaml:"max_duration,omitempty" doc:"Stop reading packs after this time."`
	Checksums   bool   `yaml:"checksums,omitempty" doc:"Compare the checksums that a bucket keeps of the packs that are not read."`
}

// KeepJob extends locks.
type KeepJob struct {
	Timing `yaml:",inline"`
	Mode   string `yaml:"mode,omitempty" doc:"How strict locks are: governance or compliance. Without it, as the bucket's default says."`
}

// CopyJob copies missing snapshots.
type CopyJob struct {
	Timing `yaml:",inline"`
	From   string   `yaml:"from,omitempty" doc:"The repository that is read: a name of repositories, or an address."`
	To     []string `yaml:"to,omitempty" doc:"Names of the repositories that are written. Without it, repository."`
}

// Targets returns the names of the repositories to write; "" is the only one, which has no name.
func (j CopyJob) Targets() []string {
	if len(j.To) == 0 {
		return []string{""}
	}
	return j.To
}

// Limit returns after which time a run of the job stops, 0 for none.
func (j PruneJob) Limit() time.Duration { return period(j.MaxDuration) }

// Limit returns after which time a run of the job stops reading, 0 for none.
func (j CheckJob) Limit() time.Duration { return period(j.MaxDuration) }

// Share returns the percentage of packs to read; false if none is read.
func (j CheckJob) Share() (percent float64, read bool) {
	var share flagvalue.Share
	if j.ReadData == "" || share.Set(j.ReadData) != nil {
		return 0, false
	}
	return share.Percent, true
}

// Scheduled reports whether there is a schedule.
func (t Timing) Scheduled() bool { return t.Schedule != "" }

// For returns the timing of something that a host does. key distinguishes it from everything else
// the host does.
func (t Timing) For(host, key string) (*schedule.Timing, error) {
	o := schedule.Options{Jitter: period(t.Jitter), RetryFor: period(t.RetryFor), Key: host + "/" + key}
	if t.TimeZone != "" {
		zone, err := time.LoadLocation(t.TimeZone)
		if err != nil {
			return nil, fmt.Errorf("time_zone: %w", err)
		}
		o.Zone = zone
	}
	return schedule.Parse(t.Schedule, o)
}

// Bound returns how old the newest complete snapshot of the set may be; 0 if there is no limit.
func (s Set) Bound() time.Duration { return period(s.MaxAge) }

// Watched reports whether the set should be backed up regularly.
func (s Set) Watched() bool { return s.Scheduled() || s.MaxAge != "" }

// period returns a duration that was checked before; 0 if there is none.
func period(text string) time.Duration {
	var p flagvalue.Period
	if text == "" || p.Set(text) != nil {
		return 0
	}
	return p.Length
}

// Scheduled reports whether packstone run has anything to do.
func (c *Config) Scheduled() bool {
	for _, set := range c.Sets {
		if set.Scheduled() {
			return true
		}
	}
	return c.Jobs.Forget.Scheduled() || c.Jobs.Prune.Scheduled() || c.Jobs.Check.Scheduled() || c.Jobs.Copy.Scheduled() || c.Jobs.Drill.Scheduled() ||
		c.Jobs.Keep.Scheduled()
}

// ProblemAt returns a problem of a setting that could be read, with its place. path is such as
// jobs.prune.
func (c *Config) ProblemAt(path, format string, args ...any) Problem {
	d := decoder{file: c.places.file, lines: c.places.lines}
	d.problemAt(path, format, args...)
	return d.problems[0]
}

// places holds the places of settings.
type places struct {
	file  string
	lines map[string]int
}

func (j *Jobs) check(d *decoder) {
	for path, timing := range map[string]Timing{"jobs.forget": j.Forget.Timing, "jobs.prune": j.Prune.Timing, "jobs.check": j.Check.Timing, "jobs.copy": j.Copy.Timing,
		"jobs.drill": j.Drill.Timing, "jobs.keep": j.Keep.Timing} {
		if d.lines[path] != 0 && !timing.Scheduled() {
			d.problemAt(path, "schedule is missing")
		}
		timing.check(d, path)
	}
	d.checkPeriod("jobs.prune.max_duration", j.Prune.MaxDuration)
	d.checkPeriod("jobs.check.max_duration", j.Check.MaxDuration)
	if m := j.Keep.Mode; m != "" && m != "governance" && m != "compliance" {
		d.problemAt("jobs.keep.mode", "%q is no mode of locks: want governance or compliance", m)
	}
	if _, read := j.Check.Share(); j.Check.ReadData != "" && !read {
		d.problemAt("jobs.check.read_data", "%q is not a percentage: want a share such as 2%%", j.Check.ReadData)
	}
}

// checkKeep checks that one of the repositories at least can lock objects.
func (c *Config) checkKeep(d *decoder) {
	addresses := []string{c.Repository}
	for _, name := range c.RepositoryNames() {
		addresses = append(addresses, c.Repositories[name].URL)
	}
	known := false
	for _, address := range addresses {
		at, err := ParseRepository(address)
		if address != "" && err == nil && at.IsBucket() {
			return
		}
		known = known || address != ""
	}
	if known && c.Jobs.Keep.Scheduled() {
		d.problemAt("jobs.keep", "no repository is in a bucket, and nothing else locks objects")
	}
}

// checkCopy checks what is copied, and where to.
func (c *Config) checkCopy(d *decoder) {
	j, path := &c.Jobs.Copy, "jobs.copy"
	if d.lines[path] == 0 {
		return
	}
	switch _, named := c.Repositories[j.From]; {
	case j.From == "":
		d.problemAt(path, "from is missing: which repository is read")
	case !named:
		at, err := ParseRepository(j.From)
		if err != nil {
			d.problemAt(path+".from", "%q is no name of repositories, and no address: %v", j.From, err)
		} else if at.Kind == Local {
			j.From = d.resolve(at.Path)
		}
	}
	c.checkTo(d, path+".to", j.To)
	switch {
	case len(j.To) == 0 && len(c.Repositories) > 0:
		d.problemAt(path, "to is missing: which of repositories are written")
	case slices.Contains(j.To, j.From), len(j.To) == 0 && j.From != "" && j.From == c.Repository:
		d.problemAt(path, "%s would be copied to itself", j.From)
	}
}

// check checks a timing. Without a schedule its other settings make no sense.
func (t Timing) check(d *decoder, path string) {
	d.checkPeriod(path+".jitter", t.Jitter)
	d.checkPeriod(path+".retry_for", t.RetryFor)
	if !t.Scheduled() {
		for name, value := range map[string]string{"time_zone": t.TimeZone, "jitter": t.Jitter, "retry_for": t.RetryFor} {
			if value != "" {
				d.problemAt(join(path, name), "needs a schedule")
			}
		}
		return
	}
	if t.TimeZone != "" {
		if _, err := time.LoadLocation(t.TimeZone); err != nil {
			d.problemAt(path+".time_zone", "%q is not a time zone; write it as Europe/Berlin or UTC", t.TimeZone)
			return
		}
	}
	if _, err := t.For("", ""); err != nil {
		d.problemAt(path+".schedule", "%v", err)
	}
}

func (d *decoder) checkPeriod(path, text string) {
	var p flagvalue.Period
	if text == "" {
		return
	}
	if err := p.Set(text); err != nil {
		d.problemAt(path, "%v", err)
	} else if p.Length == 0 {
		d.problemAt(path, "is 0; leave it out instead")
	}
}
