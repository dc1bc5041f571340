package schedule

import (
	"testing"
	"time"
)

// FuzzParse parses any schedule: its slots go forwards.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"30 2 * * *", "*/7 * * * * *", "@every 6h", "@every 0s", "@yearly", "0 0 31 2 *", "0 0 29 2 1", "TZ=UTC * * * * *", "59 23 L * ?", "0-59/0 * * * *", "@every 999999999h"} {
		f.Add(seed, int64(1_772_000_000))
	}
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Skip(err)
	}
	f.Fuzz(func(t *testing.T, expression string, seconds int64) {
		timing, err := Parse(expression, Options{Zone: zone, Jitter: time.Hour, Key: expression})
		if err != nil {
			return
		}
		after := time.Unix(seconds%4e9, 0)
		for range 10 {
			slot := timing.slot(after)
			if slot.IsZero() {
				return
			}
			if !slot.After(after) {
				t.Fatalf("%q: after %v comes %v", expression, after, slot)
			}
			after = slot
		}
	})
}
