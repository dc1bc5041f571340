package program

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

func TestALargeHeapIsCollectedSooner(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 10 << 20: 100, 28 << 20: 100, 40 << 20: 40, 56 << 20: 12, 1 << 40: 12} {
		if got := gcPercent(live); got != want {
			t.Errorf("of %d live bytes: got %d %%, want %d", live, got, want)
		}
	}
}

func TestThePaceFollowsTheHeap(t *testing.T) {
	PaceHeap()
	held := make([]byte, 2*heapBudget.Load())
	percent := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	for metrics.Read(percent); percent[0].Value.Uint64() != 12; metrics.Read(percent) {
		runtime.GC() // until the test times out, if the pace never changes
		time.Sleep(time.Millisecond)
	}
	runtime.KeepAlive(held)
}
