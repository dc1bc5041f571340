package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/cmd/internal/flagvalue"
)

// Bandwidth limits how much packstone run sends and receives at certain hours.
type Bandwidth struct {
	Hours    string `yaml:"hours,omitempty" doc:"When it holds, by the clock of this machine: 08:00-18:00; 22:00-06:00 goes over midnight. Without it, always."`
	Upload   string `yaml:"upload,omitempty" doc:"What is sent a second at most to a repository, and to each bucket of a lake: 5MiB; a plain number is KiB. Without it there is no limit."`
	Download string `yaml:"download,omitempty" doc:"What is received a second at most. Without it there is no limit."`
}

// BandwidthAt returns the limits in bytes per second at a moment, 0 for none. The first entry whose
// hours include now counts.
func (c *Config) BandwidthAt(now time.Time) (upload, download int64) {
	for _, b := range c.Bandwidth {
		if hours, err := parseHours(b.Hours); err == nil && hours.holds(now) {
			return rate(b.Upload), rate(b.Download)
		}
	}
	return 0, 0
}

// rate returns a rate that was checked before; 0 if there is none.
func rate(text string) int64 {
	var r flagvalue.Rate
	if text == "" || r.Set(text) != nil {
		return 0
	}
	return int64(r)
}

// hours is a part of each day, as times after midnight.
type hours struct{ from, to time.Duration }

// parseHours parses hours such as 08:00-18:00; "" is the whole day.
func parseHours(text string) (h hours, err error) {
	if text == "" {
		return hours{0, 24 * time.Hour}, nil
	}
	from, to, ok := strings.Cut(text, "-")
	if ok {
		h.from, err = parseClock(from)
	}
	if ok && err == nil {
		h.to, err = parseClock(to)
	}
	if !ok || err != nil || h.from == h.to || h.from == 24*time.Hour {
		return h, fmt.Errorf("%q: want two times of the day, such as 08:00-18:00 or 22:00-06:00", text)
	}
	return h, nil
}

func parseClock(text string) (time.Duration, error) {
	if strings.TrimSpace(text) == "24:00" {
		return 24 * time.Hour, nil
	}
	at, err := time.Parse("15:04", strings.TrimSpace(text))
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute, err
}

// holds reports whether a moment is in these hours, in local time.
func (h hours) holds(now time.Time) bool {
	at := time.Duration(now.Hour())*time.Hour + time.Duration(now.Minute())*time.Minute
	if h.from < h.to {
		return h.from <= at && at < h.to
	}
	return at >= h.from || at < h.to
}

// checkBandwidth checks all entries.
func (c *Config) checkBandwidth(d *decoder) {
	for i, b := range c.Bandwidth {
		if _, err := parseHours(b.Hours); err != nil {
			d.problemAt("bandwidth", "number %d: hours %v", i+1, err)
		}
		for _, limit := range [...]struct{ name, text string }{{"upload", b.Upload}, {"download", b.Download}} {
			var r flagvalue.Rate
			if err := r.Set(limit.text); limit.text != "" && (err != nil || r <= 0) {
				d.problemAt("bandwidth", "number %d: %s %q: want a rate such as 5MiB, above 0", i+1, limit.name, limit.text)
			}
		}
		if b.Upload == "" && b.Download == "" && b.Hours == "" {
			d.problemAt("bandwidth", "number %d is empty: give it hours, upload or download", i+1)
		}
		if b.Hours == "" && i < len(c.Bandwidth)-1 {
			d.problemAt("bandwidth", "number %d has no hours, so it always applies and those after it never do: put it last", i+1)
		}
	}
}

// The I/O scheduling classes of a process.
const (
	IOIdle       = "idle"
	IOBestEffort = "best-effort"
)

// checkPriority checks nice and ionice.
func (c *Config) checkPriority(d *decoder) {
	if c.Nice < 0 || c.Nice > 19 {
		d.problemAt("nice", "is %d; want 0 to 19, of which 19 yields most", c.Nice)
	}
	if c.IONice != "" && c.IONice != IOIdle && c.IONice != IOBestEffort {
		d.problemAt("ionice", "is %q; want idle or best-effort", c.IONice)
	}
}
