package tables

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
)

// randomName is never the same twice in a test.
func randomName(r *rand.Rand) (n [32]byte) {
	for i := 0; i < len(n); i += 8 {
		binary.LittleEndian.PutUint64(n[i:], r.Uint64())
	}
	return n
}

// randomPacks makes packs of so many chunks, some of which may be in several.
func randomPacks(r *rand.Rand, packs, chunks int, again []archive.ID) []archive.RunPack {
	out := make([]archive.RunPack, packs)
	for i := range out {
		d := &archive.Directory{}
		for d.Len() < chunks {
			n := min(1+r.IntN(5), chunks-d.Len())
			d.Frames = append(d.Frames, archive.Frame{Stored: 1 + r.Uint32N(900), Chunks: uint32(n)})
			for range n {
				id := archive.ID(randomName(r))
				if len(again) > 0 && r.IntN(10) == 0 {
					id = again[r.IntN(len(again))]
				}
				d.IDs, d.Lengths = append(d.IDs, id), append(d.Lengths, 1+r.Uint32N(3000))
			}
		}
		kind := archive.Data
		if i%3 == 2 {
			kind = archive.Trees
		}
		out[i] = archive.RunPack{Pack: &archive.Pack{Name: randomName(r), Kind: kind, Header: 216, Size: 1 << 20}, Directory: d}
	}
	return out
}

// model is what a Set should say.
type model struct {
	places map[archive.ID][]archive.Chunk
	packs  map[archive.Name]*archive.Directory
	ids    []archive.ID
}

func newModel() *model {
	return &model{places: map[archive.ID][]archive.Chunk{}, packs: map[archive.Name]*archive.Directory{}}
}

func (m *model) add(packs []archive.RunPack) {
	for _, p := range packs {
		m.packs[p.Pack.Name] = p.Directory
		for c := range p.Directory.All(p.Pack) {
			m.places[c.ID] = append(m.places[c.ID], c)
			m.ids = append(m.ids, c.ID)
		}
	}
}

// same compares places whatever their order, and whichever pointers they have.
func same(got []Match, want []archive.Chunk) bool {
	if len(got) == len(want) && len(got) < 2 {
		return len(got) == 0 || equal(got[0].Chunk, want[0])
	}
	text := func(c archive.Chunk) string {
		p := *c.Place.Pack
		c.Place.Pack = nil
		return fmt.Sprint(c, p)
	}
	var a, b []string
	for _, m := range got {
		a = append(a, text(m.Chunk))
	}
	for _, c := range want {
		b = append(b, text(c))
	}
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func equal(a, b archive.Chunk) bool {
	p, q := *a.Place.Pack, *b.Place.Pack
	a.Place.Pack, b.Place.Pack = nil, nil
	return a == b && p == q
}

// verify asks s for everything, and for what was never added.
func (m *model) verify(t *testing.T, s *Set, r *rand.Rand) {
	t.Helper()
	ids := slices.Clone(m.ids)
	for range len(ids) + 100 {
		ids = append(ids, randomName(r))
	}
	for _, id := range ids {
		if got, err := s.Find(id, nil); err != nil || !same(got, m.places[id]) {
			t.Fatalf("find %s: got %v, %v; want %v", id, got, err, m.places[id])
		}
	}
	m.verifyPacks(t, s)
}

func (m *model) verifyPacks(t *testing.T, s *Set) {
	t.Helper()
	seen := 0
	for p, err := range s.Packs() {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		d, err := s.Directory(p)
		if err != nil || !d.Equal(m.packs[p.Name]) {
			t.Fatalf("directory of pack %s: got %v, %v", p.Name, d, err)
		}
		if named, err := s.PacksNamed(p.Name); err != nil || len(named) != 1 || named[0].Pack != p.Pack || named[0].Chunks != d.Len() {
			t.Fatalf("pack %s by its name: %v, %v", p.Name, named, err)
		}
	}
	if seen != len(m.packs) {
		t.Errorf("%d packs, want %d", seen, len(m.packs))
	}
}

// extend adds a run in a Writer of its own.
func extend(t testing.TB, dir string, runs ...[]archive.RunPack) *Set {
	t.Helper()
	w, err := Extend(t.Context(), dir, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, packs := range runs {
		if err := w.Add(archive.Name(packs[0].Pack.Name), packs); err != nil {
			t.Fatal(err)
		}
	}
	s, err := w.Commit(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestTablesFindEveryPlaceAndNoOther(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	m, dir := newModel(), t.TempDir()
	empty, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.verify(t, empty, r)
	for round := range 8 {
		var again []archive.ID
		if round > 0 {
			again = m.ids[:min(50, len(m.ids))]
		}
		packs := randomPacks(r, 1+r.IntN(9), 1+r.IntN(400), again)
		m.add(packs)
		m.verify(t, extend(t, dir, packs), r)
	}
	reopened, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer reopened.Close()
	m.verify(t, reopened, r)
}

func TestIdsThatBeginAlikeAreToldApart(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	m, dir := newModel(), t.TempDir()
	first := archive.ID(randomName(r))
	for round := range 2 {
		packs := randomPacks(r, 3, 300, nil)
		for _, p := range packs {
			copy(p.Pack.Name[:8], first[:])
			for i := range p.Directory.IDs {
				switch {
				case i%2 == 0: // more than a page of them
					copy(p.Directory.IDs[i][:8], first[:])
				case i%7 == 0:
					p.Directory.IDs[i] = first
				case i%11 == 0: // the ends of the order
					binary.BigEndian.PutUint64(p.Directory.IDs[i][:], uint64(0)-uint64(round&1))
				}
			}
		}
		m.add(packs)
		m.verify(t, extend(t, dir, packs), r)
	}
}

func TestAnOpenSetStaysAsItIsWhileOthersExtend(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	m, dir := newModel(), t.TempDir()
	packs := randomPacks(r, 5, 300, nil)
	m.add(packs)
	s := extend(t, dir, packs)
	var wg sync.WaitGroup
	wg.Go(func() {
		r := rand.New(rand.NewPCG(3, 3))
		for range 6 {
			extend(t, dir, randomPacks(r, 3, 100, nil))
		}
	})
	for range 3 {
		m.verify(t, s, r)
	}
	wg.Wait()
	m.verify(t, s, r)
}

func TestWhatWasNotCommittedIsDropped(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	m, dir := newModel(), t.TempDir()
	packs := randomPacks(r, 5, 300, nil)
	m.add(packs)
	extend(t, dir, packs)
	w, err := Extend(t.Context(), dir, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Extend(t.Context(), dir, 0); !errors.Is(err, ErrBusy) {
		t.Errorf("a second writer: got %v, want ErrBusy", err)
	}
	if err := w.Add(randomName(r), randomPacks(r, 50, 100, nil)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	more := randomPacks(r, 2, 100, nil)
	m.add(more)
	m.verify(t, extend(t, dir, more), r)
}

func TestKeysAreSortedWhateverTheyAre(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for n := range 200 {
		keys := make([]key, n*n/10)
		for i := range keys {
			keys[i] = key{r.Uint64() >> (r.IntN(2) * r.IntN(64)), uint64(r.IntN(3))}
		}
		want := slices.Clone(keys)
		slices.SortFunc(want, key.compare)
		if got := sorted(keys); !slices.Equal(got, want) {
			t.Fatalf("%d keys: got %v, want %v", len(keys), got, want)
		}
	}
}

func TestTablesAreMergedSoThatFewAreAsked(t *testing.T) {
	for _, c := range []struct {
		keys  []int64
		most  int64
		first int
	}{
		{nil, 0, 0},
		{[]int64{5}, 0, 1},
		{[]int64{5, 5}, 0, 0},
		{[]int64{1 << 20, 5}, 0, 2},
		{[]int64{1 << 20, 5, 5}, 0, 1},
		{[]int64{1 << 30, 1 << 24, 1 << 20, 1 << 19}, 0, 2},
		{[]int64{1 << 20, 1 << 20, 1 << 20}, 0, 0},
		{[]int64{1 << 30, 1 << 28, 1 << 26, 1 << 26}, 0, 0},
		{[]int64{1 << 30, 1 << 28, 1 << 26, 1 << 26}, 1 << 27, 2},
		{[]int64{1 << 20, 1 << 20}, 1 << 20, 2},
		{[]int64{9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}, 10, 0},
	} {
		var notes []tableNote
		for _, n := range c.keys {
			notes = append(notes, tableNote{keys: n})
		}
		if got := mergeFrom(notes, c.most); got != c.first {
			t.Errorf("tables of %d keys are merged from %d on, want %d (at most %d keys)", c.keys, got, c.first, c.most)
		}
	}
	r := rand.New(rand.NewPCG(5, 5))
	dir := t.TempDir()
	for range 20 {
		if n := extend(t, dir, randomPacks(r, 1, 50, nil)).Tables(); n > 1 {
			t.Fatalf("%d small tables", n)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 5 {
		t.Errorf("%d files after many extensions (%v), want the manifest, the lock, chunks, packs and keys", len(entries), err)
	}
}

func TestMemoryIsThatOfFilterAndFences(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	packs := randomPacks(r, 200, 1000, nil)
	s := extend(t, t.TempDir(), packs)
	before := s.Memory()
	for range 100_000 {
		if _, err := s.Find(randomName(r), nil); err != nil {
			t.Fatal(err)
		}
	}
	if per := float64(s.Memory()-before) / 200_000; per > 1.6 {
		t.Errorf("the filter takes %.2f bytes a chunk", per)
	}
}

// damage is something that happens to a file.
var damage = map[string]func(b []byte, r *rand.Rand) []byte{
	"a bit flips":      func(b []byte, r *rand.Rand) []byte { b[r.IntN(len(b))] ^= 1 << r.IntN(8); return b },
	"cut short":        func(b []byte, r *rand.Rand) []byte { return b[:r.IntN(len(b))] },
	"a page of zeros":  func(b []byte, r *rand.Rand) []byte { clear(somePage(b, r)); return b },
	"pages change":     func(b []byte, r *rand.Rand) []byte { copy(somePage(b, r), bytes.Clone(somePage(b, r))); return b },
	"gone":             func([]byte, *rand.Rand) []byte { return nil },
	"of another index": nil,
}

func somePage(b []byte, r *rand.Rand) []byte {
	at := r.IntN((len(b)+pageSize-1)/pageSize) * pageSize
	return b[at:min(at+pageSize, len(b))]
}

func TestDamageGivesAnErrorOrTheTruth(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	m, whole, other := newModel(), t.TempDir(), t.TempDir()
	packs := randomPacks(r, 20, 200, nil)
	m.add(packs)
	extend(t, whole, packs)
	extend(t, other, randomPacks(r, 20, 200, nil))
	for _, kind := range []string{manifestName, "chunks", "packs", "keys"} {
		for what, do := range damage {
			for range 3 {
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
					t.Fatal(err)
				}
				hurt(t, fileOf(t, dir, kind), fileOf(t, other, kind), do, r)
				m.verifyDamaged(t, dir, kind+" "+what, r)
			}
		}
	}
}

func fileOf(t *testing.T, dir, kind string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, kind+"*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("files %s: %q, %v", kind, found, err)
	}
	return found[0]
}

func hurt(t *testing.T, path, other string, do func([]byte, *rand.Rand) []byte, r *rand.Rand) {
	t.Helper()
	from := path
	if do == nil {
		from = other
	}
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if do != nil {
		b = do(b, r)
	}
	if b == nil {
		err = os.Remove(path)
	} else {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// verifyDamaged allows errors and no wrong answers; then it extends what is left, after which
// everything must be right.
func (m *model) verifyDamaged(t *testing.T, dir, what string, r *rand.Rand) {
	t.Helper()
	s, err := Open(dir)
	if err == nil {
		err = m.answers(t, s, what)
		s.Close()
	}
	if err != nil && !errors.Is(err, ErrDamaged) {
		t.Errorf("%s: got %v, want ErrDamaged", what, err)
	}
	w, err := Extend(t.Context(), dir, time.Minute)
	if err != nil {
		t.Fatalf("%s: extend: %v", what, err)
	}
	defer w.Close()
	w.Reset()
	if s, err = w.Commit(0); err != nil {
		t.Fatalf("%s: after Reset: %v", what, err)
	}
	defer s.Close()
	newModel().verify(t, s, r)
}

// answers fails the test for what is wrong, and returns what s itself says is.
func (m *model) answers(t *testing.T, s *Set, what string) error {
	if s.Runs() == 0 {
		return nil // as if nothing was there: all of it is read again
	}
	for id, want := range m.places {
		got, err := s.Find(id, nil)
		if err != nil {
			return err
		}
		if !same(got, want) {
			t.Errorf("%s: find %s: got %v, want %v", what, id, got, want)
		}
	}
	for p, err := range s.Packs() {
		if err != nil {
			return err
		}
		d, err := s.Directory(p)
		if err != nil {
			return err
		}
		if !d.Equal(m.packs[p.Name]) {
			t.Errorf("%s: directory of %s is wrong", what, p.Name)
		}
	}
	return nil
}

func TestADirectoryThatCannotBeMadeIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Extend(t.Context(), filepath.Join(path, "below"), time.Minute); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want an error that is not of a missing file", err)
	}
}

func FuzzManifest(f *testing.F) {
	f.Add((&manifest{generation: 1}).encode())
	full := &manifest{generation: 2, chunkPages: 9, packPages: 9, tables: []tableNote{{1, 10}}, runs: make([]runNote, 3)}
	f.Add(full.encode())
	f.Add([]byte(manifestMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("got %v, want ErrDamaged", err)
			}
			return
		}
		if got := m.encode(); !bytes.Equal(got, b) {
			t.Errorf("%x was read as %x", b, got)
		}
	})
}

// FuzzTables makes every file hold fuzzed pages whose sums are right, as if a writer had erred.
func FuzzTables(f *testing.F) {
	f.Add([]byte("a"), []byte("b"), []byte("c"), uint16(1))
	f.Add(bytes.Repeat([]byte{0xff}, 5000), bytes.Repeat([]byte{1}, 5000), bytes.Repeat([]byte{0}, 5000), uint16(400))
	f.Fuzz(func(t *testing.T, chunks, packs, keys []byte, n uint16) {
		dir := t.TempDir()
		m := &manifest{generation: 7, runs: make([]runNote, 1)}
		m.chunkPages = writePages(t, filepath.Join(dir, chunksName(7)), 7, chunks, 1)
		m.packPages = writePages(t, filepath.Join(dir, packsName(7)), ^uint64(7), packs, 1)
		count := int64(n)%(m.chunkPages*perPage(chunkSize)) + 1
		l := layoutOf(count)
		writePages(t, filepath.Join(dir, keysName(8)), 8, keys, l.keyPages+l.filterPages+l.fencePages)
		m.tables = []tableNote{{8, count}}
		if err := m.write(dir); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("got %v, want ErrDamaged", err)
			}
			return
		}
		defer s.Close()
		var id archive.ID
		copy(id[:], keys)
		_, _ = s.Find(id, nil)
		_, _ = s.PacksNamed(archive.Name(id))
		for p, err := range s.Packs() {
			if err == nil {
				_, _ = s.Directory(p)
			}
		}
	})
}

// writePages writes pages of b with good sums, as many as are wanted at least, and at most as many
// if more than one.
func writePages(t *testing.T, path string, number uint64, b []byte, pages int64) int64 {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := newPageWriter(&pageFile{f, number}, pageBody, 0)
	for i := int64(0); i < pages; i++ {
		p, err := w.next()
		if err != nil {
			t.Fatal(err)
		}
		b = b[copy(p, b):]
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	return pages
}

func TestNamesOfFilesAreTellingTheirKind(t *testing.T) {
	m := &manifest{generation: 1, tables: []tableNote{{2, 3}}}
	for name := range m.files() {
		if strings.ContainsAny(name, "/.") {
			t.Errorf("file %q", name)
		}
	}
	if len(m.files()) != 5 {
		t.Errorf("%d files", len(m.files()))
	}
}
