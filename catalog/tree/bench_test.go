package tree

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

// realistic is a file system of n entries, 40 files to a directory, of one chunk each, as they lie
// in packs after a first backup.
func realistic(n int) []Node {
	r := rand.New(rand.NewPCG(9, 9))
	nodes := make([]Node, 0, n)
	var at struct{ pack, ordinal, frame, start uint32 }
	for i := range n {
		dir := fmt.Sprintf("srv/project-%02d/module-%03d/part-%04d", i/100000, i/2000%100, i/40%10000)
		node := Node{Entry: entry.Entry{
			Path: dir, Type: entry.Directory, Mode: 0o755, UID: 1000, GID: 1000, User: "build", Group: "build",
			ModTime: entry.NanoTime(1.75e18 + r.Int64N(1e16)), Device: 66306, Inode: uint64(1000000 + i), Links: 2,
		}}
		node.ChangeTime = node.ModTime
		if i%40 > 0 {
			node.Path += fmt.Sprintf("/source-file-%02d.go", i%40)
			node.Type, node.Mode, node.Links = entry.File, 0o644, 1
			node.Size = r.Int64N(20000) + 1
			if at.start > 250000 {
				at.frame, at.start = at.frame+60000, 0
			}
			if at.frame > 32<<20 {
				at.pack, at.frame, at.ordinal = at.pack+1, 0, 0
			}
			node.Chunks = []archive.Chunk{{ID: randomID(r), Length: uint32(node.Size), Place: archive.Place{
				Pack: dataPacks[at.pack%40], Ordinal: at.ordinal, Frame: at.frame, Stored: 60000, Start: at.start,
			}}}
			at.ordinal, at.start = at.ordinal+1, at.start+uint32(node.Size)
		}
		nodes = append(nodes, node)
	}
	slices.SortFunc(nodes, func(a, b Node) int { return compare(a.Path, b.Path) })
	return nodes
}

func writeAll(b testing.TB, d *depot, prev *Tree, nodes []Node) Root {
	w := NewWriter(prev, d.options())
	for i := range nodes {
		if err := w.Add(context.Background(), &nodes[i], nil, Step{}); err != nil {
			b.Fatal(err)
		}
	}
	root, err := w.Finish(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	return root
}

func perEntry(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entry")
}

// BenchmarkWrite200k writes a base, with ids and places of pages but no packs.
func BenchmarkWrite200k(b *testing.B) {
	nodes := realistic(200000)
	b.ReportAllocs()
	for b.Loop() {
		d := newDepot()
		writeAll(b, d, nil, nodes)
		size := 0
		for _, page := range d.pages {
			size += len(page)
		}
		b.ReportMetric(float64(size)/200000, "B/entry")
		b.ReportMetric(float64(len(d.pages)), "pages")
	}
	perEntry(b, 200000)
}

// somePage is a page of the benchmark's tree with about 250 nodes.
func somePage(b *testing.B) ([]byte, int) {
	d := newDepot()
	writeAll(b, d, nil, realistic(5000))
	for _, raw := range d.pages {
		var p page
		if p.decode(raw) == nil && len(p.rows) > 200 && len(p.rows) < 350 {
			return raw, len(p.rows)
		}
	}
	b.Fatal("no such page")
	return nil, 0
}

func BenchmarkEncodePage(b *testing.B) {
	raw, n := somePage(b)
	var p page
	if err := p.decode(raw); err != nil {
		b.Fatal(err)
	}
	builder := newBuilder(0)
	var out bytes.Buffer
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		builder.reset(0)
		for i := range p.rows {
			builder.add(&row{node: &p.rows[i], chunks: p.rows[i].Chunks})
		}
		out.Reset()
		if err := builder.encode(&out); err != nil {
			b.Fatal(err)
		}
	}
	perEntry(b, n)
}

func BenchmarkDecodePage(b *testing.B) {
	raw, n := somePage(b)
	for _, fresh := range []bool{false, true} {
		b.Run(map[bool]string{false: "reused", true: "fresh"}[fresh], func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			p := new(page)
			for b.Loop() {
				if fresh {
					p = new(page)
				}
				if err := p.decode(raw); err != nil {
					b.Fatal(err)
				}
			}
			perEntry(b, n)
		})
	}
}

func BenchmarkReadAll200k(b *testing.B) {
	d := newDepot()
	tree := d.tree(writeAll(b, d, nil, realistic(200000)))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range tree.All(context.Background(), "") {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	perEntry(b, 200000)
}

// BenchmarkUnchanged is a backup of unchanged entries: the last tree is walked and every node kept.
func BenchmarkUnchanged(b *testing.B) {
	for _, n := range []int{200000, 1000000} {
		for _, deltas := range []int{0, 2} {
			b.Run(fmt.Sprintf("%dk/%d-deltas", n/1000, deltas), func(b *testing.B) {
				nodes := realistic(n)
				d := newDepot()
				tree := d.tree(writeAll(b, d, nil, nodes))
				for i := range deltas {
					for k := range nodes {
						if k%(200*(1+4*i)) == i {
							nodes[k].ModTime.Seconds++
						}
					}
					root, kept := backup(b, d, tree, nodes)
					if kept == n {
						b.Fatal("nothing changed")
					}
					tree = d.tree(root)
				}
				if len(tree.Root().Runs) != 1+deltas {
					b.Fatalf("%d runs", len(tree.Root().Runs))
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, kept := backup(b, d, tree, nodes); kept != n {
						b.Fatalf("%d of %d kept", kept, n)
					}
				}
				perEntry(b, n)
			})
		}
	}
}

func backup(b testing.TB, d *depot, prev *Tree, nodes []Node) (Root, int) {
	ctx := context.Background()
	w := NewWriter(prev, d.options())
	g := prev.Merge()
	defer g.Close()
	kept := 0
	for i := range nodes {
		step, err := g.Next(ctx, &nodes[i].Entry)
		if err == nil && step.Old != nil && entry.Unchanged(&step.Old.Entry, &nodes[i].Entry) {
			kept++
			err = w.Keep(ctx, step)
		} else if err == nil {
			err = w.Add(ctx, &nodes[i], nil, step)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	root, err := w.Finish(ctx)
	if err != nil {
		b.Fatal(err)
	}
	return root, kept
}

// BenchmarkFold200k folds deltas of a fifth of the entries, all over the tree, into a new base.
func BenchmarkFold200k(b *testing.B) {
	nodes := realistic(200000)
	d := newDepot()
	tree := d.tree(writeAll(b, d, nil, nodes))
	for k := range nodes {
		if k%5 == 0 {
			nodes[k].ModTime.Seconds++
		}
	}
	for b.Loop() {
		if root, _ := backup(b, d, tree, nodes); len(root.Runs) != 1 {
			b.Fatalf("%d runs", len(root.Runs))
		}
	}
	perEntry(b, len(nodes))
}

func BenchmarkLookup(b *testing.B) {
	nodes := realistic(200000)
	d := newDepot()
	tree := d.tree(writeAll(b, d, nil, nodes))
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tree.Lookup(context.Background(), nodes[i*7919%len(nodes)].Path); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
