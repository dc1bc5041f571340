package mirror_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/mirror"
	"github.com/packstone/packstone/catalog/tree"
)

// shelf keeps pages of trees in memory.
type shelf struct {
	mu    sync.Mutex
	pages map[archive.ID][]byte
	open  []*archive.Slot
	fail  error // of loads
}

func (s *shelf) store(_ context.Context, slot *archive.Slot, page []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[slot.ID()] = slices.Clone(page)
	s.open = append(s.open, slot)
	return nil
}

// flush puts what is open into one pack.
func (s *shelf) flush(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	pack := &archive.Pack{Name: sha256.Sum256(binary.AppendUvarint(nil, uint64(len(s.pages)))), Kind: archive.Trees, Size: 1 << 20, Header: 200}
	for i, slot := range s.open {
		slot.Seal(archive.Place{Pack: pack, Ordinal: uint32(i), Stored: 1})
	}
	s.open = nil
	return nil
}

func (s *shelf) load(_ context.Context, want []archive.Chunk, each func(int, []byte) error) error {
	for i, c := range want {
		s.mu.Lock()
		page, ok := s.pages[c.ID]
		s.mu.Unlock()
		if s.fail != nil || !ok {
			return errors.Join(s.fail, fmt.Errorf("page %s", c.ID))
		}
		if err := each(i, page); err != nil {
			return err
		}
	}
	return nil
}

// grow writes a tree of these nodes.
func grow(t testing.TB, s *shelf, nodes []tree.Node) tree.Root {
	t.Helper()
	slices.SortFunc(nodes, func(a, b tree.Node) int { return entry.ComparePaths(a.Path, b.Path) })
	w := tree.NewWriter(nil, tree.WriterOptions{ID: func(b []byte) archive.ID { return sha256.Sum256(b) }, Store: s.store, Seal: s.flush, Flush: s.flush})
	for i := range nodes {
		if err := w.Add(t.Context(), &nodes[i], nil, tree.Step{}); err != nil {
			t.Fatal(err)
		}
	}
	root, err := w.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func file(path string, size int64) tree.Node {
	return tree.Node{Entry: entry.Entry{Path: path, Type: entry.File, Size: size, Mode: 0o640, ModTime: entry.NanoTime(1_700_000_000_123_456_789), UID: 7, User: "u"}}
}

// planted is a snapshot of a tree of n files, known to a mirror.
func planted(t testing.TB, m *mirror.Mirror, n int) (*catalog.Snapshot, *shelf) {
	t.Helper()
	s := &shelf{pages: map[archive.ID][]byte{}}
	var nodes []tree.Node
	for i := range n {
		nodes = append(nodes, file(fmt.Sprintf("dir%d/sub%d/file%d", i%10, i%1000, i), int64(i)))
	}
	repo := newRepository(t)
	snapshot := &catalog.Snapshot{Sources: []catalog.SourceState{{Name: "files", Root: grow(t, s, nodes)}}}
	commit(t, repo, snapshot)
	refresh(t, m, repo)
	return snapshot, s
}

func TestFillListsEveryPathOnce(t *testing.T) {
	m, _ := openMirror(t)
	const n = 5000
	snapshot, s := planted(t, m, n)
	for try, want := range []uint64{n, 0} {
		if added, err := m.Fill(t.Context(), snapshot, s.load); err != nil || added != want {
			t.Fatalf("try %d adds %d, %v, want %d", try, added, err, want)
		}
	}
	_, rows := ask(t, m, "SELECT count(*), sum(size) FROM files")
	if want := fmt.Sprint(int64(n), int64(n*(n-1)/2)); rows[0] != want {
		t.Errorf("files and their bytes are %s, want %s", rows[0], want)
	}
	_, rows = ask(t, m, "SELECT source || ' ' || type || ' ' || mtime || ' ' || mtime_ns || ' ' || printf('%o', mode) || ' ' || uid || ' ' || owner FROM files WHERE path = 'dir1/sub1/file1'")
	if want := "files file 2023-11-14T22:13:20Z 1700000000123456789 640 7 u"; !slices.Equal(rows, []string{want}) {
		t.Errorf("got %q, want %q", rows, want)
	}
	if _, rows := ask(t, m, "SELECT has_files FROM snapshot_sources"); rows[0] != "1" {
		t.Errorf("has_files is %s, want 1", rows[0])
	}
}

func TestFillThatFailsLeavesNothing(t *testing.T) {
	m, _ := openMirror(t)
	snapshot, s := planted(t, m, 5000)
	lost := slices.Collect(maps.Keys(s.pages))[0]
	page := s.pages[lost]
	delete(s.pages, lost)
	if _, err := m.Fill(t.Context(), snapshot, s.load); err == nil {
		t.Fatal("a tree without one of its pages was listed")
	}
	if _, rows := ask(t, m, "SELECT count(*) FROM files"); rows[0] != "0" {
		t.Errorf("%s files are listed, want none", rows[0])
	}
	s.pages[lost] = page
	if added, err := m.Fill(t.Context(), snapshot, s.load); err != nil || added != 5000 {
		t.Errorf("later it adds %d, %v, want 5000", added, err)
	}
}

func TestFillTakesPathsOfAnyBytes(t *testing.T) {
	m, _ := openMirror(t)
	s := &shelf{pages: map[archive.ID][]byte{}}
	paths := []string{"a\xff", "a\nb", "ä", `a"b`, "a\x01b"}
	var nodes []tree.Node
	for _, path := range paths {
		nodes = append(nodes, file(path, 1))
	}
	repo := newRepository(t)
	snapshot := &catalog.Snapshot{Sources: []catalog.SourceState{{Name: "files", Root: grow(t, s, nodes)}}}
	commit(t, repo, snapshot)
	refresh(t, m, repo)
	if _, err := m.Fill(t.Context(), snapshot, s.load); err != nil {
		t.Fatal(err)
	}
	_, rows := ask(t, m, "SELECT path FROM files")
	slices.Sort(rows)
	slices.Sort(paths)
	if !slices.Equal(rows, paths) {
		t.Errorf("got %q, want %q", rows, paths)
	}
}

func BenchmarkFill(b *testing.B) {
	const n = 100_000
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		m, _ := openMirror(b)
		snapshot, s := planted(b, m, n)
		b.StartTimer()
		if _, err := m.Fill(b.Context(), snapshot, s.load); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/path")
}
