package program

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// heapBudget is the size in bytes up to which the heap may grow with garbage. A larger heap
// consists mostly of buffers that are used again, so it is collected as soon as an eighth of it is
// garbage.
var heapBudget atomic.Int64

func init() { heapBudget.Store(56 << 20) }

// SetHeapBudget allows the heap to grow with garbage up to this many bytes. It is for long work
// that needs more memory.
func SetHeapBudget(bytes int64) { heapBudget.Store(bytes) }

// heapPacer sets the pace of the garbage collector after each of its cycles, by a finalizer that it
// renews.
type heapPacer struct {
	live    []metrics.Sample
	percent int
}

// PaceHeap makes the garbage collector keep a large heap small, as long as the process runs.
func PaceHeap() {
	p := &heapPacer{live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	p.adjust()
}

func (p *heapPacer) adjust() {
	metrics.Read(p.live)
	if percent := gcPercent(p.live[0].Value.Uint64()); percent != p.percent {
		p.percent = percent
		debug.SetGCPercent(percent)
	}
	runtime.SetFinalizer(p, (*heapPacer).adjust)
}

// gcPercent returns the allowed garbage, as a percentage of live bytes.
func gcPercent(live uint64) int {
	const least, most = 12, 100
	if live == 0 {
		return most
	}
	room := (heapBudget.Load() - int64(live)) * 100 / int64(live)
	return int(max(least, min(most, room)))
}
