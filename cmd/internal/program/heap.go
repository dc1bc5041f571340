package program

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// heapBudget is the size up to which the heap may grow with garbage, bytes. Most of what lives in a
// busy heap is buffers that are used again, so a larger one is collected as soon as an eighth of it
// is garbage.
var heapBudget atomic.Int64

func init() { heapBudget.Store(56 << 20) }

// SetHeapBudget lets the heap grow with garbage up to so many bytes: for work that keeps more in
// memory than others, and goes on for long.
func SetHeapBudget(bytes int64) { heapBudget.Store(bytes) }

// heapPacer sets the pace of the garbage collector after each of its cycles: as its own finalizer,
// which it sets again.
type heapPacer struct {
	live    []metrics.Sample
	percent int
}

// PaceHeap lets the garbage collector keep a large heap small. It holds for as long as the process
// runs.
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

// gcPercent is how much garbage there may be, relative to live bytes.
func gcPercent(live uint64) int {
	const least, most = 12, 100
	if live == 0 {
		return most
	}
	room := (heapBudget.Load() - int64(live)) * 100 / int64(live)
	return int(max(least, min(most, room)))
}
