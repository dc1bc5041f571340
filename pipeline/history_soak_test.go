//go:build soak

package pipeline_test

import (
	"os"
	"testing"
	"time"
)

// tagged is how the command that runs a history again names the tags.
const tagged = "-tags soak "

// TestSoakHistories runs histories for SOAK_HOURS, an hour if nothing is said.
func TestSoakHistories(t *testing.T) {
	lasts := time.Hour
	if hours := os.Getenv("SOAK_HOURS"); hours != "" {
		var err error
		if lasts, err = time.ParseDuration(hours + "h"); err != nil {
			t.Fatalf("SOAK_HOURS=%s: %v", hours, err)
		}
	}
	ends := time.Now().Add(lasts)
	count := histories(t, "1000000", "72", func() bool { return time.Now().After(ends) })
	t.Logf("%.1f operations and %.0f calls a second", float64(count.steps.Load())/lasts.Seconds(), float64(count.calls.Load())/lasts.Seconds())
}
