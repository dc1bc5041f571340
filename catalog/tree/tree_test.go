package tree

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

var testKey = blake3.Sum256([]byte("tree-page key of the tests"))

// depot stands in for the packs of pages: it keeps what is stored, and gives places at each flush
// or after some pages.
type depot struct {
	mu     sync.Mutex
	pages  map[archive.ID][]byte
	open   []waiting
	packs  int
	stored int // pages
	loaded int // pages
	calls  int // of load
	every  int // pages of a pack, 0: no limit
}

type waiting struct {
	slot   *archive.Slot
	length int
}

func newDepot() *depot { return &depot{pages: make(map[archive.ID][]byte)} }

func (d *depot) id(b []byte) archive.ID { return blake3.Sum256(b) }

func (d *depot) store(_ context.Context, slot *archive.Slot, page []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pages[slot.ID()] = slices.Clone(page)
	d.open = append(d.open, waiting{slot, len(page)})
	d.stored++
	if d.every > 0 && len(d.open) >= d.every {
		d.seal()
	}
	return nil
}

func (d *depot) seal() {
	if len(d.open) == 0 {
		return
	}
	d.packs++
	pack := &archive.Pack{Name: archive.Name(blake3.Sum256(binary.AppendUvarint(nil, uint64(d.packs)))), Kind: archive.Trees, Size: 1 << 20, Header: 1643}
	offset := uint32(0)
	for i, w := range d.open {
		w.slot.Seal(archive.Place{Pack: pack, Ordinal: uint32(i), Frame: offset, Stored: 9000, Start: 0})
		offset += 9000
	}
	d.open = nil
}

func (d *depot) flush(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seal()
	return nil
}

func (d *depot) load(_ context.Context, want []archive.Chunk, each func(int, []byte) error) error {
	d.mu.Lock()
	d.calls++
	d.loaded += len(want)
	d.mu.Unlock()
	for i := range want {
		d.mu.Lock()
		page, ok := d.pages[want[i].ID]
		d.mu.Unlock()
		if !ok || want[i].Place.Pack == nil || int(want[i].Length) != len(page) {
			return fmt.Errorf("no page %s of %d bytes", want[i].ID, want[i].Length)
		}
		scratch := slices.Clone(page)
		if err := each(i, scratch); err != nil {
			return err
		}
		clear(scratch) // a page is valid only until each returns
	}
	return nil
}

func (d *depot) options() WriterOptions {
	return WriterOptions{Key: testKey, ID: d.id, Store: d.store, Seal: d.flush, Flush: d.flush}
}

func (d *depot) tree(root Root) *Tree { return Open(root, d.load, OpenOptions{}) }

// dataPack is the n-th pack of file content.
func dataPack(n int) *archive.Pack {
	return &archive.Pack{Name: archive.Name(blake3.Sum256(fmt.Appendf(nil, "data %d", n))), Kind: archive.Data, Size: 32 << 20, Header: 1643}
}

var dataPacks = func() []*archive.Pack {
	list := make([]*archive.Pack, 40)
	for i := range list {
		list[i] = dataPack(i)
	}
	return list
}()

func randomID(r *rand.Rand) (id archive.ID) {
	for i := 0; i < len(id); i += 8 {
		binary.LittleEndian.PutUint64(id[i:], r.Uint64())
	}
	return id
}

func randomChunk(r *rand.Rand) archive.Chunk {
	return archive.Chunk{ID: randomID(r), Length: r.Uint32N(1 << 20), Place: randomPlace(r)}
}

func randomPlace(r *rand.Rand) archive.Place {
	return archive.Place{Pack: dataPacks[r.IntN(len(dataPacks))], Ordinal: r.Uint32N(1000), Frame: r.Uint32N(1 << 25), Stored: 1 + r.Uint32N(1<<18), Start: r.Uint32N(1 << 18)}
}

// randomPath is a path as file systems have them, some of them odd.
func randomPath(r *rand.Rand, spread int) string {
	words := []string{"usr", "lib", "a", "a.b", "a-b", "share", "x\xff\xfe", "\x01", "data", "very-long-directory-name-that-repeats", "etc", "z"}
	var parts []string
	for range 1 + r.IntN(4) {
		parts = append(parts, words[r.IntN(len(words))])
	}
	return strings.Join(parts, "/") + fmt.Sprintf("/f%d", r.IntN(spread))
}

// randomNode uses every field now and then.
func randomNode(r *rand.Rand, path string) *Node {
	n := &Node{Entry: entry.Entry{
		Path: path, Type: entry.Type(1 + r.IntN(7)), Mode: []uint32{0o644, 0o755, 0o4755}[r.IntN(3)],
		UID: r.Uint32N(3), GID: r.Uint32N(3), User: []string{"", "root", "www"}[r.IntN(3)], Group: []string{"", "wheel"}[r.IntN(2)],
		ModTime: entry.NanoTime(1.7e18 + r.Int64N(1e17)), Device: r.Uint64N(2), Inode: r.Uint64N(1 << 40), Links: 1 + r.Uint32N(2),
	}}
	if r.IntN(4) > 0 {
		n.ChangeTime = entry.Time{Seconds: n.ModTime.Seconds + r.Int64N(1000), Nanos: r.Uint32N(1e9)}
	}
	if r.IntN(20) == 0 {
		n.ModTime = entry.NanoTime(-r.Int64N(1e18))
	}
	if n.Type == entry.File {
		n.Size = r.Int64N(1 << 30)
		randomContent(r, n)
	}
	n.Fuzzy = r.IntN(50) == 0
	if n.Type == entry.Symlink {
		n.Target = "../" + path
	}
	if r.IntN(20) == 0 {
		n.NodeDevice, n.Identity = r.Uint64(), fmt.Sprintf("%x", r.Uint64())
	}
	if r.IntN(10) == 0 {
		n.Xattrs = []entry.Attribute{{Name: "security.selinux", Value: []byte("system_u:object_r:usr_t:s0")}, {Name: "user.x", Value: []byte{byte(r.IntN(3))}}}
	}
	if r.IntN(30) == 0 {
		n.Remote = []entry.Attribute{{Name: "content-type", Value: []byte("text/plain")}}
	}
	return n
}

func randomContent(r *rand.Rand, n *Node) {
	count := []int{0, 1, 1, 1, 1, 1, 2, 7}[r.IntN(8)]
	if r.IntN(300) == 0 {
		count = 400 + r.IntN(3000)
	}
	for range count {
		n.Chunks = append(n.Chunks, randomChunk(r))
	}
	if count == 1 {
		n.Size = int64(n.Chunks[0].Length)
	}
	if count > 1 {
		n.Hash = randomID(r)
	}
	switch r.IntN(40) {
	case 0:
		n.Extents = []entry.Extent{}
	case 1:
		for i := range int64(1 + r.IntN(2500)) {
			n.Extents = append(n.Extents, entry.Extent{Offset: i * 8192, Length: 4096})
		}
	}
}

// content is a tree as a map, the model that trees are compared with.
type content map[string]*Node

func randomTree(r *rand.Rand, n int) content {
	c := make(content)
	for range n {
		path := randomPath(r, n)
		c[path] = randomNode(r, path)
	}
	return c
}

func (c content) paths() []string {
	list := make([]string, 0, len(c))
	for path := range c {
		list = append(list, path)
	}
	slices.SortFunc(list, entry.ComparePaths)
	return list
}

// edit changes, deletes and adds about one of every n nodes.
func (c content) edit(r *rand.Rand, n int) content {
	out := make(content)
	for _, path := range c.paths() {
		switch r.IntN(3 * n) {
		case 0:
			out[path] = randomNode(r, path)
		case 1:
		case 2:
			out[path] = c[path]
			added := path + fmt.Sprintf("+%d", r.IntN(100))
			out[added] = randomNode(r, added)
		default:
			out[path] = c[path]
		}
	}
	return out
}

// write makes a tree of c on top of prev, the way a backup does.
func (c content) write(t testing.TB, prev *Tree, opts WriterOptions) (Root, error) {
	t.Helper()
	ctx := t.Context()
	w := NewWriter(prev, opts)
	g := prev.Merge()
	defer g.Close()
	for _, path := range c.paths() {
		step, err := g.Next(ctx, &c[path].Entry)
		if err != nil {
			return Root{}, err
		}
		if step.Old != nil && step.Usable && Same(step.Old, c[path]) {
			err = w.Keep(ctx, step)
		} else {
			err = w.Add(ctx, c[path], nil, step)
		}
		if err != nil {
			return Root{}, err
		}
	}
	return w.Finish(ctx)
}

func (c content) mustWrite(t testing.TB, prev *Tree, opts WriterOptions) Root {
	t.Helper()
	root, err := c.write(t, prev, opts)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// check fails unless tree holds exactly c.
func (c content) check(t *testing.T, tree *Tree) {
	t.Helper()
	want := c.paths()
	i := 0
	bytes := uint64(0)
	for n, err := range tree.All(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if i >= len(want) || n.Path != want[i] {
			t.Fatalf("node %d is %q, want %q", i, n.Path, slices.Concat(want, []string{"none"})[min(i, len(want))])
		}
		if !equal(n, c[n.Path]) {
			t.Fatalf("%q:\n got %+v\nwant %+v", n.Path, n, c[n.Path])
		}
		if n.Type == entry.File {
			bytes += uint64(n.Size)
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("%d nodes, want %d", i, len(want))
	}
	if r := tree.Root(); r.Entries != uint64(i) || r.Bytes != bytes {
		t.Fatalf("root counts %d nodes of %d bytes, there are %d of %d", r.Entries, r.Bytes, i, bytes)
	}
}

// equal compares places too, packs by their names.
func equal(a, b *Node) bool {
	return Same(a, b) && slices.EqualFunc(a.Chunks, b.Chunks, func(x, y archive.Chunk) bool {
		p, q := x.Place, y.Place
		if (p.Pack == nil) != (q.Pack == nil) || p.Pack != nil && *p.Pack != *q.Pack {
			return false
		}
		p.Pack, q.Pack = nil, nil
		return p == q
	})
}

func TestTreeHoldsWhatWasAdded(t *testing.T) {
	for _, n := range []int{0, 1, 2, 100, 3000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := randomTree(rand.New(rand.NewPCG(1, uint64(n))), n)
			d := newDepot()
			c.check(t, d.tree(c.mustWrite(t, nil, d.options())))
		})
	}
}

func TestEditsUponEditsAreRead(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(2, seed))
			d := newDepot()
			d.every = r.IntN(5)
			opts := d.options()
			opts.Hold = []int64{0, 1, 30000}[seed%3]
			c := randomTree(r, 6000)
			tree := d.tree(c.mustWrite(t, nil, opts))
			shapes := make(map[int]bool)
			for range 12 {
				before, old := c, tree
				c = c.edit(r, []int{3, 40, 150, 1000}[r.IntN(4)])
				tree = d.tree(c.mustWrite(t, tree, opts))
				c.check(t, tree)
				shapes[len(tree.Root().Runs)] = true
				checkDiff(t, before, c, old, tree)
				checkDifference(t, before, c, old, tree)
			}
			if len(shapes) < 2 {
				t.Errorf("all trees have the same number of runs: %v", shapes)
			}
		})
	}
}

// checkDiff compares Diff with what the models say.
func checkDiff(t *testing.T, a, b content, old, now *Tree) {
	t.Helper()
	both := make(content)
	for path, n := range a {
		both[path] = n
	}
	for path, n := range b {
		both[path] = n
	}
	var want []string
	for _, path := range both.paths() {
		if a[path] == nil || b[path] == nil || !Same(a[path], b[path]) {
			want = append(want, path)
		}
	}
	var got []string
	for change, err := range Diff(t.Context(), old, now) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, change.Path)
		if (change.Old == nil) != (a[change.Path] == nil) || change.Old != nil && !equal(change.Old, a[change.Path]) ||
			(change.New == nil) != (b[change.Path] == nil) || change.New != nil && !equal(change.New, b[change.Path]) {
			t.Fatalf("change of %q: got %+v", change.Path, change)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("diff has %d paths, want %d:\n got %q\nwant %q", len(got), len(want), got, want)
	}
}

func TestUnchangedTreeKeepsItsRootAndStoresNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 0))
	d := newDepot()
	c := randomTree(r, 5000)
	tree := d.tree(c.mustWrite(t, nil, d.options()))
	c = c.edit(r, 300)
	tree = d.tree(c.mustWrite(t, tree, d.options()))
	stored := d.stored
	root := c.mustWrite(t, tree, d.options())
	if d.stored != stored {
		t.Errorf("stored %d pages", d.stored-stored)
	}
	if fmt.Sprint(root) != fmt.Sprint(tree.Root()) {
		t.Errorf("root %+v, want %+v", root, tree.Root())
	}
}

func TestEveryFieldOfANodeIsKept(t *testing.T) {
	n := &Node{Chunks: []archive.Chunk{randomChunk(rand.New(rand.NewPCG(1, 2)))}, Hash: [32]byte{1}}
	fields := reflect.ValueOf(&n.Entry).Elem()
	for i := range fields.NumField() {
		switch f := fields.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(fmt.Sprint("text", i))
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int64:
			f.SetInt(int64(1e9 + i))
		case reflect.Uint8, reflect.Uint32, reflect.Uint64:
			f.SetUint(uint64(1 + i))
		case reflect.Struct:
			f.Set(reflect.ValueOf(entry.Time{Seconds: 1e9, Nanos: uint32(1 + i)}))
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		default:
			t.Fatalf("field %s is of a kind that the test does not know", fields.Type().Field(i).Name)
		}
	}
	n.Unknown = entry.Excluded
	d := newDepot()
	c := content{n.Path: n}
	got, err := Open(c.mustWrite(t, nil, d.options()), d.load, OpenOptions{Marks: true}).Lookup(t.Context(), n.Path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, n) {
		t.Errorf("got\n%+v\nwant\n%+v", got, n)
	}
	for i := range fields.NumField() {
		other := n.Clone()
		reflect.ValueOf(&other.Entry).Elem().Field(i).SetZero()
		if Same(n, other) {
			t.Errorf("nodes that differ in %s count as the same", fields.Type().Field(i).Name)
		}
	}
}

func TestErrorsOfOrder(t *testing.T) {
	d := newDepot()
	w := NewWriter(nil, d.options())
	n := &Node{Entry: entry.Entry{Path: "b", Type: entry.File}}
	if err := w.Add(t.Context(), n, nil, Step{}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"b", "a/x", ""} {
		n := &Node{Entry: entry.Entry{Path: path, Type: entry.File}}
		if err := w.Add(t.Context(), n, nil, Step{}); !errors.Is(err, ErrOrder) {
			t.Errorf("add %q after b: %v, want ErrOrder", path, err)
		}
	}
}
