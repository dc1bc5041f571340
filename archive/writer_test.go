package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

var errBroken = errors.New("the wire is cut")

func TestPadmeLeavesFewSizes(t *testing.T) {
	for _, c := range []struct{ n, floor, want int64 }{
		{0, 0, 0}, {1, 0, 1}, {2, 0, 2}, {9, 0, 10}, {100, 0, 104}, {1000, 0, 1024}, {100_000, 0, 100_352},
		{1, 16384, 16384}, {16384, 16384, 16384}, {16385, 16384, 17408}, {32 << 20, 0, 32 << 20}, {32<<20 + 1, 0, 33 << 20},
	} {
		if got := Padme(c.n, c.floor); got != c.want {
			t.Errorf("Padme(%d, %d): got %d, want %d", c.n, c.floor, got, c.want)
		}
	}
	for n := int64(1); n < 1<<40; n += n/7 + 1 {
		if got := Padme(n, 0); got < n || float64(got) > float64(n)*1.12 || Padme(got, 0) != got {
			t.Errorf("Padme(%d): got %d, which is too small, too large, or not padded itself", n, got)
		}
	}
}

func TestEveryCallReturnsAFailedUpload(t *testing.T) {
	for n := 1; n <= 4; n++ {
		for name, faulty := range map[string]*storetest.Faulty{
			"request lost": {Store: memory.New(), Before: storetest.On(storetest.From(n, errBroken), storetest.Put)},
			"answer lost":  {Store: memory.New(), After: storetest.On(storetest.From(n, errBroken), storetest.Put)},
		} {
			t.Run(fmt.Sprintf("put %d, %s", n, name), func(t *testing.T) { writeUntilItFails(t, faulty, n-1) })
		}
	}
}

func writeUntilItFails(t *testing.T, faulty *storetest.Faulty, stored int) {
	b := newBench(t, faulty)
	r := rand.New(rand.NewPCG(1, 7))
	told := 0
	w := NewWriter(t.Context(), faulty, WriterOptions{
		Recipients: b.recipients, PackSize: 128 << 10, Uploads: 1, Stored: func(*Pack, *Directory) { told++ },
	})
	var slots []*Slot
	var err error
	for i := 0; i < 100 && err == nil; i++ {
		data := noise(r, 70_000)
		slots = append(slots, NewSlot(b.data.Sum(data), len(data)))
		err = w.Add(t.Context(), slots[i], data, "")
	}
	again := w.Flush(t.Context())
	if !errors.Is(err, errBroken) || !errors.Is(again, errBroken) || !strings.Contains(err.Error(), "packs/") {
		t.Errorf("add: got %v; flush: got %v; want the failure and the pack's name", err, again)
	}
	if err := w.Close(); !errors.Is(err, errBroken) {
		t.Errorf("close: got %v, want the failure", err)
	}
	placed := 0
	for _, slot := range slots {
		if _, ok := slot.Chunk(); ok {
			placed++
		}
	}
	if told != stored || placed < stored {
		t.Errorf("%d packs were told, want %d: only what the store acknowledged; %d chunks have places", told, stored, placed)
	}
}

func TestAPackThatIsThereAlreadyIsStored(t *testing.T) {
	faulty := &storetest.Faulty{Store: memory.New(), After: storetest.On(storetest.Nth(1, store.ErrExist), storetest.Put)}
	b := newBench(t, faulty)
	out := b.write(t, WriterOptions{}, [][]byte{[]byte("sent twice, for the first answer was lost")})
	if data, err := b.reader().ReadChunk(t.Context(), out.chunks[0], nil); err != nil || len(data) == 0 {
		t.Errorf("read: %q, %v", data, err)
	}
}

func TestAbandonedWriterLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	faulty := &storetest.Faulty{Store: memory.New(), Latency: time.Hour}
	b := newBench(t, faulty)
	w := NewWriter(ctx, faulty, WriterOptions{Recipients: b.recipients, PackSize: 128 << 10, Uploads: 1})
	r := rand.New(rand.NewPCG(2, 7))
	failed := make(chan error)
	go func() {
		for {
			data := noise(r, 70_000)
			if err := w.Add(context.Background(), NewSlot(b.data.Sum(data), len(data)), data, ""); err != nil {
				failed <- err
				return
			}
		}
	}()
	for faulty.Count(storetest.Put) == 0 {
		runtime.Gosched()
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("add: got %v, want that the context has ended", err)
	}
	for runtime.NumGoroutine() > before || len(w.packs) > 0 {
		time.Sleep(time.Millisecond) // until the test times out, if they never end, or a pack stays in memory
	}
}

func TestAddGivesUpWaitingWhenItsContextEnds(t *testing.T) {
	faulty := &storetest.Faulty{Store: memory.New(), Latency: time.Hour}
	b := newBench(t, faulty)
	w := NewWriter(t.Context(), faulty, WriterOptions{Recipients: b.recipients, PackSize: 128 << 10, Uploads: 1})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(3, uint64(i)))
			for {
				data := noise(r, 70_000)
				if err := w.Add(ctx, NewSlot(b.data.Sum(data), len(data)), data, ""); err != nil {
					return
				}
			}
		})
	}
	for faulty.Count(storetest.Put) == 0 {
		runtime.Gosched()
	}
	cancel()
	wg.Wait()
	if err := w.Close(); err == nil {
		t.Error("a writer that has lost chunks closes without an error")
	}
}

func TestWriterGoesOnAfterAFlush(t *testing.T) {
	b := newBench(t, memory.New())
	w := NewWriter(t.Context(), b.store, WriterOptions{Recipients: b.recipients})
	for i := range 3 {
		data := []byte(fmt.Sprintf("content %d", i))
		slot := NewSlot(b.data.Sum(data), len(data))
		if err := w.Add(t.Context(), slot, data, "txt"); err != nil {
			t.Fatal(err)
		}
		if _, ok := slot.Chunk(); ok {
			t.Error("a chunk has a place before its pack is stored")
		}
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		c, _ := slot.Chunk()
		if got, err := b.reader().ReadChunk(t.Context(), c, nil); err != nil || !bytes.Equal(got, data) {
			t.Errorf("chunk %d: got %q, %v", i, got, err)
		}
	}
	if err := errors.Join(w.Flush(t.Context()), w.Close(), w.Close()); err != nil {
		t.Errorf("flush of nothing, and close: %v", err)
	}
	if err := w.Flush(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("flush after close: got %v, want ErrClosed", err)
	}
}

func TestManyGoroutinesAddAtOnce(t *testing.T) {
	b := newBench(t, memory.New())
	out := &written{}
	w := NewWriter(t.Context(), b.store, WriterOptions{Recipients: b.recipients, PackSize: 1 << 20, Stored: out.sealed})
	contents := make([][][]byte, 6)
	slots := make([][]*Slot, len(contents))
	var wg sync.WaitGroup
	for g := range contents {
		contents[g] = mixture(uint64(g), 60)
		wg.Go(func() {
			for i, data := range contents[g] {
				slot := NewSlot(b.data.Sum(data), len(data))
				slots[g] = append(slots[g], slot)
				if err := w.Add(t.Context(), slot, data, fmt.Sprint(i%40)); err != nil {
					t.Errorf("add: %v", err)
				}
			}
			if err := w.Flush(t.Context()); err != nil {
				t.Errorf("flush: %v", err)
			}
		})
	}
	wg.Wait()
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	reader := b.reader()
	for g := range slots {
		for i, slot := range slots[g] {
			c, ok := slot.Chunk()
			if !ok {
				t.Fatalf("chunk %d of goroutine %d has no place", i, g)
			}
			if data, err := reader.ReadChunk(t.Context(), c, nil); err != nil || !bytes.Equal(data, contents[g][i]) {
				t.Fatalf("chunk %d of goroutine %d: %v", i, g, err)
			}
		}
	}
}

func TestLikeIsCompressedWithLike(t *testing.T) {
	b := newBench(t, memory.New())
	contents := make([][]byte, 300)
	for i := range contents {
		contents[i] = []byte(fmt.Sprintf(`{"kind": "%d", "number": %d}`, i%3, i))
	}
	out := b.write(t, WriterOptions{}, contents)
	if frames := len(out.packs[0].Directory.Frames); frames != 3 {
		t.Errorf("300 small chunks of 3 kinds lie in %d frames, want 3", frames)
	}
}

func TestUnusableOptionsAreRefused(t *testing.T) {
	b := newBench(t, memory.New())
	for name, o := range map[string]WriterOptions{
		"no recipients":       {},
		"another kind":        {Recipients: b.recipients, Kind: Runs},
		"packs too small":     {Recipients: b.recipients, PackSize: 100},
		"packs too big":       {Recipients: b.recipients, PackSize: 1 << 30},
		"frames too big":      {Recipients: b.recipients, FrameSize: MaxChunk},
		"an unheard-of level": {Recipients: b.recipients, Level: 99},
	} {
		w := NewWriter(t.Context(), b.store, o)
		if err := w.Add(t.Context(), NewSlot(ID{}, 1), []byte("x"), ""); err == nil {
			t.Errorf("%s: add does not fail", name)
		}
		if err := w.Close(); err == nil {
			t.Errorf("%s: close does not fail", name)
		}
	}
}

func TestChunkThatFitsNoPackIsRefused(t *testing.T) {
	b := newBench(t, memory.New())
	w := NewWriter(t.Context(), b.store, WriterOptions{Recipients: b.recipients, PackSize: 128 << 10})
	data := noise(rand.New(rand.NewPCG(4, 7)), 200_000)
	if err := w.Add(t.Context(), NewSlot(b.data.Sum(data), len(data)), data, ""); err == nil {
		t.Error("200 KB of noise go into a pack of 128 KiB")
	}
	if err := w.Close(); err == nil {
		t.Error("the failure is forgotten")
	}
}

// run makes chunks of one size that lie one after the other.
func (b *bench) run(count, size int) (slots []*Slot, data []byte) {
	data = noise(rand.New(rand.NewPCG(9, 7)), count*size)
	for at := 0; at < len(data); at += size {
		slots = append(slots, NewSlot(b.data.Sum(data[at:at+size]), size))
	}
	return slots, data
}

func TestChunksOfARunShareFramesThatGetSmallerBeforeThePackIsFull(t *testing.T) {
	b := newBench(t, memory.New())
	var out written
	w := NewWriter(t.Context(), b.store, WriterOptions{
		Recipients: b.recipients, Stored: out.sealed, Uploads: 1, PackSize: 4 << 20, FrameSize: 64 << 10,
	})
	defer w.Close()
	slots, data := b.run(90, 50_000)
	for filled, want := range map[int64]int{0: 10, 3 << 20: 10, 3<<20 + 1: 1} {
		w.filled.Store(filled)
		if n, _ := w.cutFrame(slots); n != want {
			t.Errorf("with %d bytes in the pack a frame takes %d chunks, want %d", filled, n, want)
		}
	}
	w.filled.Store(0)
	if err := w.AddRun(t.Context(), slots, data, "raw"); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, pack := range out.packs {
		frames := pack.Directory.Frames
		if frames[0].Chunks == 1 { // cut while the pack before was nearly full
			frames = frames[1:]
		}
		if frames[0].Chunks != 10 {
			t.Errorf("chunks in the first frames of a pack: %v, want ten", frames)
		}
	}
	reader := b.reader()
	for i, slot := range slots {
		chunk, _ := slot.Chunk()
		got, err := reader.ReadChunk(t.Context(), chunk, nil)
		if err != nil || !bytes.Equal(got, data[i*50_000:(i+1)*50_000]) {
			t.Fatalf("chunk %d: %d bytes, %v; want what was added", i, len(got), err)
		}
	}
}

func TestAShortRunIsGroupedWithOthers(t *testing.T) {
	b := newBench(t, memory.New())
	var out written
	w := NewWriter(t.Context(), b.store, WriterOptions{Recipients: b.recipients, Stored: out.sealed})
	defer w.Close()
	slots, data := b.run(4, 10_000)
	if err := w.AddRun(t.Context(), slots[:3], data[:30_000], "raw"); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(t.Context(), slots[3], data[30_000:], "raw"); err != nil {
		t.Fatal(err)
	}
	if err := w.AddRun(t.Context(), slots, data[:39_999], "raw"); err == nil {
		t.Error("a run with less data than its slots say is taken")
	}
	if err := w.AddRun(t.Context(), slots[:3], data, "raw"); err == nil {
		t.Error("a run with more data than its slots say is taken")
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if frames := out.packs[0].Directory.Frames; len(frames) != 1 || frames[0].Chunks != 4 {
		t.Errorf("frames: %+v, want one with four chunks", frames)
	}
}

// source is the package's own source code: real text.
func source(t testing.TB) []byte {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func TestLevelFollowsTheContent(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 7))
	var s sampler
	if got := s.level("jpg", noise(r, 1<<20)); got != LevelFastest {
		t.Errorf("noise: got level %d, want the fastest", got)
	}
	if got := s.level("csv", source(t)); got != LevelDefault {
		t.Errorf("source code: got level %d, want the default", got)
	}
	if got := s.level("csv", noise(r, 1<<20)); got != LevelDefault {
		t.Errorf("before the next sample: got level %d, want the same again", got)
	}
	for range sampleEvery >> 20 {
		s.level("csv", noise(r, 1<<20))
	}
	if got := s.level("csv", noise(r, 10)); got != LevelFastest {
		t.Errorf("after more noise: got level %d, want the fastest", got)
	}
}

func TestFormatComesBack(t *testing.T) {
	for _, classic := range []bool{false, true} {
		f := NewFormat("owner+0+key", classic)
		data, err := EncodeFormat(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseFormat(bytes.Replace(data, []byte("{"), []byte(`{"later": {"x": [1]},`), 1))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(f) {
			t.Errorf("got %+v, %v; want %+v", got, err, f)
		}
		if c, found := got.Class("large"); !found || c.Max != 4<<20 {
			t.Errorf("class large: %+v, %v", c, found)
		}
	}
}

func TestFormatOfLaterVersionsIsRefused(t *testing.T) {
	data, err := EncodeFormat(NewFormat("owner", false))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		old, new string
		want     error
	}{
		{`"version": 1`, `"version": 2`, ErrFormat},
		{`"requires": []`, `"requires": ["time travel"]`, ErrFormat},
		{`"zstd"`, `"brotli"`, ErrFormat},
		{`"hybrid"`, `"quantum"`, ErrFormat},
		{`"gear-half-1"`, `"gear-half-2"`, ErrFormat},
		{`"version": 1`, `"version": 0`, ErrDamaged},
		{`"repository": "`, `"repository": "x`, ErrDamaged},
		{`"average": 16384`, `"average": 1`, ErrDamaged},
		{`"name": "small"`, `"name": "large"`, ErrDamaged},
		{`{`, ``, ErrDamaged},
	} {
		changed := strings.Replace(string(data), c.old, c.new, 1)
		if _, err := ParseFormat([]byte(changed)); changed == string(data) || !errors.Is(err, c.want) {
			t.Errorf("%s for %s: got %v, want %v", c.new, c.old, err, c.want)
		}
	}
}

// TestSealTellsPlacesBeforeTheStoreHasAnswered has a store that does not answer before it is let
// go.
func TestSealTellsPlacesBeforeTheStoreHasAnswered(t *testing.T) {
	letGo := make(chan struct{})
	held := &storetest.Faulty{Store: memory.New(), Before: storetest.On(func(storetest.Op, string) error { <-letGo; return nil }, storetest.Put)}
	b := newBench(t, held)
	var stored []*Pack
	w := NewWriter(t.Context(), held, WriterOptions{Recipients: b.recipients, Stored: func(p *Pack, _ *Directory) { stored = append(stored, p) }})
	defer w.Close()
	data := noise(rand.New(rand.NewPCG(1, 8)), 5000)
	slot := NewSlot(b.data.Sum(data), len(data))
	if err := errors.Join(w.Add(t.Context(), slot, data, ""), w.Seal(t.Context())); err != nil {
		t.Fatal(err)
	}
	chunk, placed := slot.Chunk()
	if !placed {
		t.Fatal("a sealed chunk has no place")
	}
	close(letGo)
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(stored) != 1 || stored[0].Name != chunk.Place.Pack.Name {
		t.Errorf("stored %v, the chunk's place is in %s", stored, chunk.Place.Pack.Name)
	}
	if got, err := b.reader().ReadChunk(t.Context(), chunk, nil); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the chunk reads as %d bytes, %v", len(got), err)
	}
}
