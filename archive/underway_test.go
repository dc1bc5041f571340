package archive

import (
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store/memory"
)

// Whoever seals waits for what another goroutine has taken out of the open groups and is still
// compressing: a flush, or an add that has filled a group.
func TestSealWaitsForFramesThatOthersMake(t *testing.T) {
	for name, other := range map[string]func(*Writer, *Slot, []byte) error{
		"flush": func(w *Writer, slot *Slot, data []byte) error {
			if err := w.Add(t.Context(), slot, data, "x"); err != nil {
				return err
			}
			return w.Flush(t.Context())
		},
		"add": func(w *Writer, slot *Slot, data []byte) error {
			return w.AddRun(t.Context(), []*Slot{slot}, data, "x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := memory.New()
			b := newBench(t, s)
			size, busy := 1000, (*Writer).makesGroups
			if name == "add" {
				size, busy = dataFrame, (*Writer).adds // it fills a frame of its own
			}
			data := make([]byte, size)
			w := NewWriter(t.Context(), s, WriterOptions{Recipients: b.recipients})
			defer w.Close()
			slot := NewSlot(b.data.Sum(data), len(data))
			var held [][]byte
			for range cap(w.frames) {
				held = append(held, <-w.frames)
			}
			ended := make(chan error, 1)
			go func() { ended <- other(w, slot, data) }()
			for !busy(w) {
				time.Sleep(time.Millisecond)
			}
			placed := make(chan bool, 1)
			go func() {
				if err := w.Seal(t.Context()); err != nil {
					t.Error(err)
				}
				_, ok := slot.Chunk()
				placed <- ok
			}()
			time.Sleep(20 * time.Millisecond) // for a Seal that does not wait
			for _, frame := range held {
				w.frames <- frame
			}
			if !<-placed {
				t.Error("the chunk has no place")
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// makesGroups tells whether somebody makes frames of the groups that were open.
func (w *Writer) makesGroups() bool {
	w.groups.mu.Lock()
	defer w.groups.mu.Unlock()
	return len(w.groups.open) == 0 && len(w.closing) == 0
}

// adds tells whether an Add has begun.
func (w *Writer) adds() bool {
	w.adding.mu.Lock()
	defer w.adding.mu.Unlock()
	return w.adding.calls != nil
}
