package files

import (
	"runtime"
	"testing"
	"weak"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/source/sourcetest"
)

// TestWhatWasVisitedIsForgotten holds the block of a directory while what was found below it is
// gone through.
func TestWhatWasVisitedIsForgotten(t *testing.T) {
	at := &frame{task: new(task)}
	var below []weak.Pointer[task]
	for range 100 {
		found := new(task)
		below = append(below, weak.Make(found))
		at.task.Value.items = append(at.task.Value.items, item{entry: new(entry.Entry), below: found})
	}
	for range below {
		if found, err := visitItems(at, new(sourcetest.Recorder)); err != nil || found == nil {
			t.Fatalf("got %v, %v, want what lies below the directory", found, err)
		}
	}
	runtime.GC()
	for i, found := range below {
		if found.Value() != nil {
			t.Errorf("what lies below directory %d is in memory after it was visited", i)
		}
	}
	runtime.KeepAlive(at)
}
