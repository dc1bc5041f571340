package check

import (
	"testing"
	"time"
)

func TestTheSkewOfTheClockIsWhatLiesOutsideOfThePut(t *testing.T) {
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		stored time.Duration // after noon, when the put began; it took two seconds
		want   time.Duration
	}{
		{0, 0}, {time.Second, 0}, {2 * time.Second, 0}, {-500 * time.Millisecond, 0}, {-time.Hour, time.Hour}, {time.Hour, 2*time.Second - time.Hour},
	} {
		if got := skewOf(noon.Add(test.stored), noon, noon.Add(2*time.Second)); got != test.want {
			t.Errorf("stored %v after the put began: this machine is %v ahead, want %v", test.stored, got, test.want)
		}
	}
}
