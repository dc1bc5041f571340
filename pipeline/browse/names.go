package browse

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

// Names are the paths of a series of snapshots, of a set of one host, in memory: each with the
// snapshots that have it. A search of them reads no tree. Names are safe for concurrent use, but
// for Add, which is for one goroutine.
type Names struct {
	share *share

	mu      sync.RWMutex
	ids     []archive.Name    // of the snapshots, in the order of time
	sources map[string]*paths // by source

	last *catalog.Snapshot // that was added
}

// Room is memory that several Names share. They give back what they took when nobody uses them any
// more.
type Room struct{ left atomic.Int64 }

// NewRoom returns room for so many bytes.
func NewRoom(bytes int64) *Room {
	r := &Room{}
	r.left.Store(bytes)
	return r
}

// share is what Names have taken of a room.
type share struct {
	of    *Room
	taken atomic.Int64
}

func (s *share) take(bytes int) error {
	s.taken.Add(int64(bytes))
	if s.of.left.Add(-int64(bytes)) < 0 {
		return ErrTooLarge
	}
	return nil
}

func (s *share) giveBack() { s.of.left.Add(s.taken.Swap(0)) }

// paths are those of one source. They hold no pointers, which a garbage collector would follow.
type paths struct {
	stays []stay
	open  []uint32 // the stays that go on, by path
	text  []byte   // of all paths
}

// stay is a path in a row of snapshots. Its entry is that of the last of them.
type stay struct {
	begin, end  uint32 // of the path in the text
	size        int64
	modTime     entry.Time
	first, last uint32 // numbers of snapshots
	kind        entry.Type
	known       bool // modTime is
}

const (
	goesOn    = math.MaxUint32 // the last snapshot of a stay that has not ended
	stayBytes = 64             // with its number, without its path
	fewGone   = 100            // forgotten snapshots whose names may stay
)

// ErrTooLarge: the names take more memory than they may.
var ErrTooLarge = errors.New("too many names to be held in memory")

// NewNames returns names of no snapshot.
func NewNames(in *Room) *Names {
	n := &Names{share: &share{of: in}, sources: map[string]*paths{}}
	runtime.AddCleanup(n, (*share).giveBack, n.share)
	return n
}

// Next returns those of a series' snapshots, all of them in the order of time, that are to be
// added. It reports false if others were added before, so that new names are to be made.
func (n *Names) Next(all []*catalog.Snapshot) (next []*catalog.Snapshot, ok bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	next = all[len(n.present(all).in):]
	added := map[archive.Name]bool{}
	for _, id := range n.ids {
		added[id] = true
	}
	again := slices.ContainsFunc(next, func(s *catalog.Snapshot) bool { return added[s.ID] })
	return next, !again && len(n.ids) <= 2*len(all)+fewGone
}

// Add adds the next snapshot. Of it and the last one it reads what differs. After an error, which
// wraps ErrTooLarge if they have become too many, the names are of no use any more.
func (n *Names) Add(ctx context.Context, b *Browser, s *catalog.Snapshot) error {
	names := s.SourceNames()
	if n.last != nil {
		names = append(names, n.last.SourceNames()...)
	}
	slices.Sort(names)
	var changes []*pathsChange
	for _, name := range slices.Compact(names) {
		change, err := n.addSource(ctx, b, s, name)
		if err != nil {
			return fmt.Errorf("note the names in snapshot %s: %w", s.ShortID(), err)
		}
		changes = append(changes, change)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, change := range changes {
		change.end()
	}
	n.ids, n.last = append(n.ids, s.ID), s
	return nil
}

func (n *Names) addSource(ctx context.Context, b *Browser, s *catalog.Snapshot, name string) (*pathsChange, error) {
	now, err := b.TreeOf(s, name)
	if err != nil {
		return nil, err
	}
	old := tree.Open(tree.Root{}, nil, tree.OpenOptions{})
	if n.last != nil {
		if old, err = b.TreeOf(n.last, name); err != nil {
			return nil, err
		}
	}
	change, err := n.change(name, now.Root().Entries)
	if err != nil {
		return nil, err
	}
	for c, err := range differences(ctx, old, now) {
		if err == nil {
			err = n.apply(change, c)
		}
		if err != nil {
			return nil, err
		}
	}
	return change, nil
}

// differences is tree.Diff, and faster where all is new. The nodes of a change are good until the
// next one.
func differences(ctx context.Context, old, now *tree.Tree) iter.Seq2[tree.Change, error] {
	if old.Root().Entries > 0 {
		return tree.Diff(ctx, old, now)
	}
	return func(yield func(tree.Change, error) bool) {
		for node, err := range now.All(ctx, "") {
			c := tree.Change{New: node}
			if err == nil {
				c.Path = node.Path
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// change begins to change the paths of a source, of which there will be so many.
func (n *Names) change(name string, entries uint64) (*pathsChange, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if left := max(n.share.of.left.Load(), 0); entries > uint64(left/stayBytes)+uint64(n.share.taken.Load()/stayBytes) {
		return nil, ErrTooLarge
	}
	p := n.sources[name]
	if p == nil {
		p = &paths{stays: make([]stay, 0, entries)}
		n.sources[name] = p
	}
	return &pathsChange{paths: p, number: uint32(len(n.ids))}, nil
}

func (n *Names) apply(change *pathsChange, c tree.Change) error {
	if c.Path == "" {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.share.take(change.apply(c))
}

// pathsChange takes the changes of one snapshot, in the order of paths. A search meanwhile is of
// the snapshots before it.
type pathsChange struct {
	*paths
	number uint32
	open   []uint32 // as it will be, up to
	passed int      // of those that were open
}

// apply returns how many bytes more are taken.
func (c *pathsChange) apply(change tree.Change) (bytes int) {
	rest := c.paths.open[c.passed:]
	at, there := sort.Find(len(rest), func(i int) int { return entry.ComparePaths(change.Path, c.path(&c.stays[rest[i]])) })
	c.open = append(c.open, rest[:at]...)
	c.passed += at
	switch {
	case change.New == nil:
		if there {
			c.stays[rest[at]].last = c.number - 1
			c.passed++
		}
		return 0
	case there:
		c.stays[rest[at]].note(change.New)
		c.open = append(c.open, rest[at])
		c.passed++
		return 0
	}
	c.open = append(c.open, uint32(len(c.stays)))
	next := stay{begin: uint32(len(c.text)), end: uint32(len(c.text) + len(change.Path)), first: c.number, last: goesOn}
	next.note(change.New)
	c.text = append(c.text, change.Path...)
	c.stays = append(c.stays, next)
	return stayBytes + len(change.Path)
}

func (c *pathsChange) end() { c.paths.open = append(c.open, c.paths.open[c.passed:]...) }

// note takes what is shown of an entry.
func (s *stay) note(n *tree.Node) {
	s.kind, s.size, s.modTime, s.known = n.Type, n.Size, n.ModTime, n.HasModTime()
}

func (p *paths) path(s *stay) string { return string(p.text[s.begin:s.end]) }

// Found is a path that matches, in a row of snapshots.
type Found struct {
	Source        string
	Entry         entry.Entry // as the last snapshot that was added and has it knows it: of type, size and time alone
	First, Newest *catalog.Snapshot
	Snapshots     int
}

// Search calls each with the paths that match in some of the snapshots that were added, which are
// given in the order of time: first those in the last one, by source and path. A path that was gone
// for a while is found more than once, the newest time first.
func (n *Names) Search(q Query, in []*catalog.Snapshot, each func(f *Found) error) error {
	m, err := q.matcher()
	if err != nil {
		return err
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	of := n.present(in)
	if len(of.in) == 0 {
		return nil
	}
	names := make([]string, 0, len(n.sources))
	for name := range n.sources {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, open := range []bool{true, false} {
		for _, name := range names {
			if err := n.sources[name].search(m, of, open, func(f *Found) error { f.Source = name; return each(f) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// present are those of the snapshots that are searched: for each number how many come before it,
// and the snapshots themselves.
type present struct {
	before []uint32 // one more than there are numbers
	in     []*catalog.Snapshot
	newest uint32 // number
}

func (n *Names) present(in []*catalog.Snapshot) present {
	p := present{before: make([]uint32, len(n.ids)+1), newest: uint32(max(len(n.ids)-1, 0))}
	for i, id := range n.ids {
		if len(in) > 0 && in[0].ID == id {
			p.in, in = append(p.in, in[0]), in[1:]
		}
		p.before[i+1] = uint32(len(p.in))
	}
	return p
}

// Holds reports whether the snapshots, in the order of time, were all added in that order.
func (n *Names) Holds(in []*catalog.Snapshot) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return len(n.present(in).in) == len(in)
}

func (p *paths) search(m *matcher, of present, open bool, each func(*Found) error) error {
	look := func(s *stay) error {
		last := min(s.last, of.newest)
		if s.first > last || of.before[s.first] == of.before[last+1] || !m.mayMatch(p.text[s.begin:s.end]) || !m.matches(p.path(s)) {
			return nil
		}
		from, to := of.before[s.first], of.before[last+1]
		e := entry.Entry{Path: p.path(s), Type: s.kind, Size: s.size, ModTime: s.modTime}
		if s.known {
			e.Known |= entry.KnowsModTime
		}
		return each(&Found{Entry: e, First: of.in[from], Newest: of.in[to-1], Snapshots: int(to - from)})
	}
	if open {
		for _, i := range p.open {
			if err := look(&p.stays[i]); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range slices.Backward(p.stays) {
		if s := &p.stays[i]; s.last < of.newest {
			if err := look(s); err != nil {
				return err
			}
		}
	}
	return nil
}
