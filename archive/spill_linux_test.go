package archive

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

// gathering lets no Put go on before so many are in flight at once.
func gathering(most int64) *storetest.Faulty {
	var flying atomic.Int64
	all := make(chan struct{})
	var once sync.Once
	before := func(storetest.Op, string) error {
		if flying.Add(1) == most {
			once.Do(func() { close(all) })
		}
		<-all
		return nil
	}
	return &storetest.Faulty{Store: memory.New(), Before: storetest.On(before, storetest.Put)}
}

func TestPacksThatWaitBeyondTheMemoryLieInFilesWithoutNames(t *testing.T) {
	const inFlight = 8
	faulty := gathering(inFlight)
	b, dir := newBench(t, faulty), t.TempDir()
	out := &written{}
	w := NewWriter(t.Context(), faulty, WriterOptions{
		Recipients: b.recipients, PackSize: 128 << 10, Uploads: 2, Stored: out.sealed,
		InFlight: func() int { return inFlight }, Spill: dir,
	})
	slots, data := b.run(24, 70_000)
	for i, slot := range slots {
		if err := w.Add(t.Context(), slot, data[i*70_000:][:70_000], ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n := w.onDisk.n.Load(); n != 0 || len(w.packs) != 0 {
		t.Errorf("%d packs are left on disk, %d in memory", n, len(w.packs))
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
		t.Errorf("the directory holds %v, %v; want nothing", names, err)
	}
	reader := b.reader()
	for i, slot := range slots {
		chunk, _ := slot.Chunk()
		got, err := reader.ReadChunk(t.Context(), chunk, nil)
		if err != nil || !bytes.Equal(got, data[i*70_000:][:70_000]) {
			t.Fatalf("chunk %d: %d bytes, %v; want what was added", i, len(got), err)
		}
	}
}

func TestWhereNoFileCanBeMadePacksWaitInMemory(t *testing.T) {
	b := newBench(t, memory.New())
	w := NewWriter(t.Context(), b.store, WriterOptions{
		Recipients: b.recipients, PackSize: 128 << 10, Uploads: 1, InFlight: func() int { return 8 }, Spill: "/nowhere/at/all",
	})
	slots, data := b.run(24, 70_000)
	for i, slot := range slots {
		if err := w.Add(t.Context(), slot, data[i*70_000:][:70_000], ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Flush(t.Context()), w.Close()); err != nil {
		t.Error(err)
	}
}

func TestAFileIsUsedAgain(t *testing.T) {
	var pool spillPool
	kind := spillKind{t.TempDir(), 1 << 20}
	var file *spillFile
	for range 3 {
		object := noise(rand.New(rand.NewPCG(1, 2)), 1<<20)
		s, err := pool.keep(kind, object)
		if err != nil {
			t.Fatal(err)
		}
		stop := s.sending()
		s.file.shrink()
		if !bytes.Equal(s.object, object) {
			t.Fatal("what was kept is not what comes back")
		}
		stop()
		if file != nil && s.file != file {
			t.Error("another file is made where one is free")
		}
		file = s.file
		s.drop()
	}
}
