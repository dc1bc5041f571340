package index

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"math/bits"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
)

var (
	scaleChunks = flag.Uint64("index.chunks", scaleDefault, "chunks that the index is tried with")
	scaleDir    = flag.String("index.dir", "", "keep its tables in this directory, and use those that are there")
)

// What the index holds: so many chunks a frame, frames a pack and packs a run.
const (
	scaleFrame = 4
	scalePack  = 1000
	scaleRun   = 200
)

// scramble makes numbers that look random of 0, 1, 2 …, each another one.
func scramble(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// scaleID is the id of a chunk by its number, or with salt 1 the name of a pack.
func scaleID(number, salt uint64) (id [32]byte) {
	for i := range uint64(4) {
		binary.LittleEndian.PutUint64(id[8*i:], scramble(8*number+2*i+salt))
	}
	return id
}

func scaleLength(number uint64) uint32 { return 1 + uint32(scramble(number)%60_000) }

// scaleChunk is what the index should say of a chunk.
func scaleChunk(number uint64) archive.Chunk {
	pack, ordinal := number/scalePack, uint32(number%scalePack)
	c := archive.Chunk{ID: scaleID(number, 0), Length: scaleLength(number)}
	c.Place = archive.Place{Pack: scalePackOf(pack), Ordinal: ordinal, Frame: ordinal / scaleFrame * 30_000, Stored: 30_000}
	for i := number - uint64(ordinal%scaleFrame); i < number; i++ {
		c.Place.Start += scaleLength(i)
	}
	return c
}

func scalePackOf(number uint64) *archive.Pack {
	return &archive.Pack{Name: scaleID(number, 1), Kind: archive.Data, Size: 16 << 20, Header: 1643}
}

func scaleRunPack(number uint64) archive.RunPack {
	d := &archive.Directory{}
	for i := range uint64(scalePack) {
		if i%scaleFrame == 0 {
			d.Frames = append(d.Frames, archive.Frame{Stored: 30_000, Chunks: scaleFrame})
		}
		d.Lengths = append(d.Lengths, scaleLength(number*scalePack+i))
		d.IDs = append(d.IDs, scaleID(number*scalePack+i, 0))
	}
	return archive.RunPack{Pack: scalePackOf(number), Directory: d}
}

// scaleRunName is the name of a run of packs, which says what is in it.
func scaleRunName(first, packs uint64) (name archive.Name) {
	binary.LittleEndian.PutUint64(name[:], first)
	binary.LittleEndian.PutUint64(name[8:], packs)
	return name
}

func fetchScale(_ context.Context, name archive.Name) (packs []archive.RunPack, err error) {
	first := binary.LittleEndian.Uint64(name[:])
	for i := range binary.LittleEndian.Uint64(name[8:]) {
		packs = append(packs, scaleRunPack(first+i))
	}
	return packs, nil
}

// indexScale opens an index of so many chunks; the first look-up opens it.
func indexScale(t *testing.T, dir string, chunks uint64) *Index {
	t.Helper()
	index := New(Options{Dir: dir, Fetch: fetchScale, Warn: t.Errorf})
	t.Cleanup(index.Close)
	var runs []archive.Name
	for first := uint64(0); first < chunks/scalePack; first += scaleRun {
		runs = append(runs, scaleRunName(first, min(scaleRun, chunks/scalePack-first)))
	}
	if _, err := index.Want(t.Context(), runs, runs); err != nil {
		t.Fatal(err)
	}
	if _, found, err := index.Lookup(t.Context(), archive.ID{}); err != nil || found {
		t.Fatalf("look up what is not there: %v, %v", found, err)
	}
	return index
}

// TestIndexOfAnotherProcess does one step of TestIndexAtScale, in a process of its own so that its
// memory is what the step takes.
func TestIndexOfAnotherProcess(t *testing.T) {
	step, dir, _ := strings.Cut(os.Getenv("PACKSTONE_TEST_INDEX"), ":")
	chunks := *scaleChunks / scalePack * scalePack
	switch step {
	case "":
		t.Skip("it is a step of another test")
	case "build":
		start := time.Now()
		index := indexScale(t, dir, chunks)
		tell("cache built in %v, %d tables", time.Since(start), index.disk.Tables())
	case "look up":
		start := time.Now()
		index := indexScale(t, dir, chunks)
		tell("opened from the cache in %v, %d MiB of heap", time.Since(start), heapMiB())
		lookUpScale(t, index, chunks)
	}
	tell("peak RSS of this step %s", peakMemory())
}

// lookUpScale looks ids up, half of which are there, all at once and one by one.
func lookUpScale(t *testing.T, index *Index, chunks uint64) {
	t.Helper()
	n := min(1_000_000, chunks)
	ids := make([]archive.ID, n)
	// Half of the numbers are of chunks that are there, in no order.
	number := func(i uint64) uint64 {
		at, _ := bits.Mul64(scramble(i^n), chunks)
		return at + i%2*chunks
	}
	for i := range ids {
		ids[i] = scaleID(number(uint64(i)), 0)
	}
	start := time.Now()
	for i, id := range ids {
		c, _, err := index.Lookup(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		verifyScale(t, number(uint64(i)), chunks, c)
	}
	tell("%d look-ups in %v", n, time.Since(start))
	for hit := range uint64(2) {
		start, asked := time.Now(), uint64(0)
		for i := hit; i < n/5; i, asked = i+2, asked+1 {
			c, _, err := index.Lookup(t.Context(), ids[i])
			if err != nil {
				t.Fatal(err)
			}
			verifyScale(t, number(i), chunks, c)
		}
		tell("%d look-ups one by one (%s), %v each", asked, []string{"hits", "misses"}[hit], time.Since(start)/time.Duration(max(asked, 1)))
	}
	start = time.Now()
	first := chunks / 2
	for i := first; i < min(first+100_000, chunks); i++ {
		c, _, err := index.Lookup(t.Context(), scaleID(i, 0))
		if err != nil {
			t.Fatal(err)
		}
		verifyScale(t, i, chunks, c)
	}
	tell("neighbours one after the other, %v each", time.Since(start)/time.Duration(max(min(100_000, chunks-first), 1)))
	tell("the index takes %d MiB, %.2f bytes a chunk", index.Memory()>>20, float64(index.Memory())/float64(chunks))
}

func verifyScale(t *testing.T, number, chunks uint64, got archive.Chunk) {
	t.Helper()
	if number >= chunks {
		if got.Place.Pack != nil {
			t.Fatalf("chunk %d was found, and is not there: %+v", number, got)
		}
		return
	}
	want := scaleChunk(number)
	if got.Place.Pack == nil || *got.Place.Pack != *want.Place.Pack {
		t.Fatalf("chunk %d: got %+v, want %+v", number, got, want)
	}
	if want.Place.Pack = got.Place.Pack; got != want {
		t.Fatalf("chunk %d: got %+v, want %+v", number, got, want)
	}
}

// tell prints what another process passes on.
func tell(format string, args ...any) { fmt.Printf("scale: "+format+"\n", args...) }

func heapMiB() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc >> 20
}

// peakMemory is the most that the process has had resident; "unknown" where the system does not
// tell.
func peakMemory() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(text)
		}
	}
	return "unknown"
}

func TestIndexAtScale(t *testing.T) { atScale(t) }

// atScale builds the tables of many chunks and looks up in them.
func atScale(t *testing.T) {
	dir := *scaleDir
	if dir == "" {
		dir = t.TempDir()
	}
	for _, step := range []string{"build", "look up"} {
		runStep(t, step, dir)
	}
}

func runStep(t *testing.T, step, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestIndexOfAnotherProcess$", fmt.Sprintf("-index.chunks=%d", *scaleChunks))
	cmd.Env = append(os.Environ(), "PACKSTONE_TEST_INDEX="+step+":"+dir)
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if text, ok := strings.CutPrefix(line, "scale: "); ok {
			t.Logf("%s: %s", step, strings.TrimSpace(text))
		}
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", step, err, out)
	}
}
