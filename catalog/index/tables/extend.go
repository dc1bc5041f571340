package tables

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/disk"
)

const (
	lockName = "lock"
	// keysAtOnce is how many keys are sorted in memory: 16 MiB.
	keysAtOnce = 1 << 20
	// A table is merged into the one before it, unless that has this many times its keys. Tables
	// smaller than smallTable count as having that size.
	tierRatio  = 4
	smallTable = 1 << 13
	fewTables  = 12
	lockPause  = 20 * time.Millisecond
)

// Writer extends the tables in a directory. At most one Writer exists at a time, in all processes.
// It is not safe for concurrent use.
type Writer struct {
	dir      string
	lock     *os.File
	manifest *manifest
	runs     map[archive.Name]bool
	chunks   *pageWriter // and packs: nil before the first Add
	packs    *pageWriter
	keys     []key
	fresh    []runNote // since the last commit
	dropped  bool      // what the manifest on disk speaks of
}

// Extend returns a Writer for the tables in dir, which it makes if it does not exist. It drops
// damaged tables. If another process is writing, Extend waits for it as long as patience lasts, and
// then fails with ErrBusy.
func Extend(ctx context.Context, dir string, patience time.Duration) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("extend the index on disk: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("extend the index on disk: %w", err)
	}
	w := &Writer{dir: dir, lock: lock}
	if err := w.wait(ctx, patience); err != nil {
		lock.Close()
		return nil, fmt.Errorf("extend the index on disk: %w", err)
	}
	w.begin()
	return w, nil
}

func (w *Writer) wait(ctx context.Context, patience time.Duration) error {
	for begun := time.Now(); ; {
		if free, err := disk.TryLock(w.lock); free || err != nil {
			return err
		}
		if time.Since(begun) >= patience {
			return ErrBusy
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lockPause):
		}
	}
}

// begin continues the existing tables, or starts new ones if these are damaged.
func (w *Writer) begin() {
	s, err := open(w.dir)
	if err != nil {
		w.Reset()
		return
	}
	defer s.Close()
	w.manifest = s.manifest
	w.runs = make(map[archive.Name]bool, len(s.runs))
	for name := range s.runs {
		w.runs[name] = true
	}
}

// Reset drops all content. The next commit makes that permanent.
func (w *Writer) Reset() {
	w.closeFiles()
	w.manifest = &manifest{generation: random()}
	w.runs, w.keys, w.fresh, w.dropped = map[archive.Name]bool{}, nil, nil, true
}

// Generation identifies a set of tables. It changes when the tables are dropped and made again.
func (w *Writer) Generation() uint64 { return w.manifest.generation }

// Generation identifies a set of tables. It changes when the tables are dropped and made again.
func (s *Set) Generation() uint64 { return s.manifest.generation }

// Count returns the number of chunks of all committed runs, and of those among them that are still
// used.
func (w *Writer) Count(isUsed func(run archive.Name) bool) (used, all int64) {
	for i := range w.manifest.runs {
		note := &w.manifest.runs[i]
		if all += int64(note.chunks); isUsed(note.name) {
			used += int64(note.chunks)
		}
	}
	return used, all
}

// Drop removes the tables in dir, unless another process has replaced them by tables of another
// generation. Generation 0 means any. It waits as Extend does.
func Drop(ctx context.Context, dir string, generation uint64, patience time.Duration) error {
	w, err := Extend(ctx, dir, patience)
	if err != nil {
		return err
	}
	defer w.Close()
	if generation == 0 || w.Generation() == generation {
		err = os.Remove(filepath.Join(dir, manifestName))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop the index on disk: %w", err)
	}
	return nil
}

// Has reports whether the tables contain a run.
func (w *Writer) Has(run archive.Name) bool { return w.runs[run] }

// Add adds a run. Memory stays bounded however many runs are added: from time to time Add commits.
func (w *Writer) Add(run archive.Name, packs []archive.RunPack) error {
	if w.runs[run] {
		return nil
	}
	if err := w.openFiles(); err != nil {
		return err
	}
	note := runNote{name: run, packs: uint32(len(packs))}
	number := len(w.manifest.runs) + len(w.fresh)
	for _, p := range packs {
		if err := w.add(p, number); err != nil {
			return err
		}
		note.chunks += uint32(p.Directory.Len())
	}
	w.fresh = append(w.fresh, note)
	w.runs[run] = true
	if len(w.keys) < keysAtOnce {
		return nil
	}
	return w.commit()
}

func (w *Writer) openFiles() error {
	if w.chunks != nil {
		return nil
	}
	m := w.manifest
	chunks, err := os.OpenFile(filepath.Join(w.dir, chunksName(m.generation)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("extend the index on disk: %w", err)
	}
	packs, err := os.OpenFile(filepath.Join(w.dir, packsName(m.generation)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		chunks.Close()
		return fmt.Errorf("extend the index on disk: %w", err)
	}
	w.chunks = newPageWriter(&pageFile{chunks, m.generation}, chunkSize, m.chunkPages)
	w.packs = newPageWriter(&pageFile{packs, ^m.generation}, packSize, m.packPages)
	return nil
}

func (w *Writer) closeFiles() {
	if w.chunks != nil {
		w.chunks.to.Close()
		w.packs.to.Close()
		w.chunks, w.packs = nil, nil
	}
}

func (w *Writer) add(p archive.RunPack, run int) error {
	pack := &Pack{Pack: *p.Pack, Run: run, Chunks: p.Directory.Len(), first: w.chunks.item()}
	number := w.packs.item()
	if number >= maxPacks || pack.first+int64(pack.Chunks) > maxItem {
		return fmt.Errorf("extend the index on disk: it is full")
	}
	b, err := w.packs.next()
	if err != nil {
		return err
	}
	pack.put(b)
	w.keys = append(w.keys, key{prefix(pack.Name[:]), uint64(number) | isPack})
	item := uint64(pack.first)
	for chunk := range p.Directory.All(nil) {
		b, err := w.chunks.next()
		if err != nil {
			return err
		}
		r := chunkRecord{uint32(number), chunk}
		r.put(b)
		w.keys = append(w.keys, key{prefix(chunk.ID[:]), item})
		item++
	}
	return nil
}

// commit makes the added runs count.
func (w *Writer) commit() error {
	if len(w.fresh) == 0 && !w.dropped {
		return nil
	}
	if err := w.openFiles(); err != nil {
		return err
	}
	if err := errors.Join(w.chunks.flush(), w.packs.flush()); err != nil {
		return err
	}
	next := *w.manifest
	if len(w.keys) > 0 {
		t, err := writeTable(w.dir, w.keys)
		if err != nil {
			return err
		}
		t.file.Close()
		next.tables = append(slices.Clone(next.tables), t.note())
	}
	next.chunkPages, next.packPages = w.chunks.at, w.packs.at
	next.runs = append(next.runs, w.fresh...)
	if err := next.write(w.dir); err != nil {
		return err
	}
	w.manifest, w.keys, w.fresh, w.dropped = &next, w.keys[:0], nil, false
	return nil
}

func writeTable(dir string, keys []key) (*table, error) {
	keys = sorted(keys)
	w, err := createTable(dir, int64(len(keys)))
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if err := w.add(k); err != nil {
			w.abandon()
			return nil, err
		}
	}
	t, err := w.finish()
	if err != nil {
		w.abandon()
	}
	return t, err
}

// sorted sorts keys. Keys are evenly distributed, so it first puts each near its place.
func sorted(keys []key) []key {
	shift := 64 - min(bits.Len(uint(len(keys)/8)), 20)
	if shift == 64 {
		slices.SortFunc(keys, key.compare)
		return keys
	}
	ends := make([]uint32, 1<<(64-shift)+1)
	for i := range keys {
		ends[keys[i].prefix>>shift+1]++
	}
	for i := 1; i < len(ends); i++ {
		ends[i] += ends[i-1]
	}
	out := make([]key, len(keys))
	for _, k := range keys {
		at := &ends[k.prefix>>shift]
		out[*at] = k
		*at++
	}
	start := uint32(0)
	for _, end := range ends[:len(ends)-1] {
		slices.SortFunc(out[start:end], key.compare)
		start = end
	}
	return out
}

// Commit makes the added runs count, merges tables if there are too many, and opens them. More runs
// may be added afterwards. It merges at most most keys as long as there are few tables; 0 means any
// number.
func (w *Writer) Commit(most int64) (*Set, error) {
	if err := w.commit(); err != nil {
		return nil, err
	}
	w.keys = nil
	if err := w.mergeTables(most); err != nil {
		return nil, err
	}
	w.sweep()
	return Open(w.dir)
}

// mergeTables merges the last tables that are too large compared with those before them.
func (w *Writer) mergeTables(most int64) error {
	first := mergeFrom(w.manifest.tables, most)
	if first == len(w.manifest.tables) {
		return nil
	}
	var from []*table
	defer func() {
		for _, t := range from {
			t.file.Close()
		}
	}()
	for _, note := range w.manifest.tables[first:] {
		t, err := openTable(w.dir, note)
		if err != nil {
			return err
		}
		from = append(from, t)
	}
	merged, err := merge(w.dir, from)
	if err != nil {
		return err
	}
	merged.file.Close()
	next := *w.manifest
	next.tables = append(slices.Clone(next.tables[:first]), merged.note())
	if err := next.write(w.dir); err != nil {
		return err
	}
	w.manifest = &next
	return nil
}

// mergeFrom returns the index from which tables should be merged into one; the number of tables if
// none should.
func mergeFrom(tables []tableNote, most int64) int {
	first, sum := len(tables)-1, int64(0)
	for i := len(tables) - 1; i > 0; i-- {
		sum += tables[i].keys
		if most > 0 && sum+tables[i-1].keys > most && len(tables) <= fewTables {
			break
		}
		if tables[i-1].keys < tierRatio*max(sum, smallTable) {
			first = i - 1
		}
	}
	if first >= len(tables)-1 {
		return len(tables)
	}
	return first
}

// sweep deletes files that no longer count. Readers keep them open.
func (w *Writer) sweep() {
	keep := w.manifest.files()
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !keep[entry.Name()] && !entry.IsDir() {
			os.Remove(filepath.Join(w.dir, entry.Name()))
		}
	}
}

// Close closes the Writer. What was not committed is dropped.
func (w *Writer) Close() {
	w.closeFiles()
	w.lock.Close()
}
