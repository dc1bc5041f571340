package tree

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/crypto"
)

// TestTreesInRealPacks writes contents and pages into sealed packs, the merger ahead of the writer,
// and reads them back by their places.
func TestTreesInRealPacks(t *testing.T) {
	ctx := t.Context()
	identity, err := crypto.GenerateIdentity(true)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := crypto.RecipientOf(identity)
	if err != nil {
		t.Fatal(err)
	}
	domain, err := crypto.NewDomain("00112233445566778899aabbccddeeff")
	if err != nil {
		t.Fatal(err)
	}
	s := memory.New()
	open := func(kind archive.Kind) *archive.Writer {
		w := archive.NewWriter(ctx, s, archive.WriterOptions{Kind: kind, Recipients: []age.Recipient{recipient}, PackSize: 256 << 10})
		t.Cleanup(func() { w.Close() })
		return w
	}
	data, pages := open(archive.Data), open(archive.Trees)
	reader := archive.NewReader(s, []age.Identity{identity}, domain.DataID(), domain.TreeID(), archive.ReaderOptions{})
	load := func(ctx context.Context, want []archive.Chunk, each func(int, []byte) error) error {
		return fetchAll(ctx, reader, want, each)
	}
	opts := WriterOptions{
		Key: domain.PageKey(), ID: func(page []byte) archive.ID { return domain.TreeID().Sum(page) }, Seal: pages.Seal, Flush: pages.Flush,
		Store: func(ctx context.Context, slot *archive.Slot, page []byte) error {
			return pages.Add(ctx, slot, page, "page")
		},
	}

	files := make(map[string]string)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 6000 {
		files[fmt.Sprintf("d%02d/f%04d", i/100, i)] = fmt.Sprintf("content %d of %d", r.Uint64(), i)
	}
	var last *Tree
	for day := range 4 {
		for i := range 6000 {
			if r.IntN(50) == 0 && day > 0 {
				files[fmt.Sprintf("d%02d/f%04d", i/100, i)] += fmt.Sprint(" day ", day)
			}
		}
		root, err := backUp(ctx, files, last, opts, data, domain.DataID())
		if err := errors.Join(err, pages.Flush(ctx)); err != nil {
			t.Fatal(err)
		}
		last = Open(root, load, OpenOptions{})
		count := 0
		for n, err := range last.All(ctx, "") {
			if err != nil {
				t.Fatal(err)
			}
			got, err := reader.ReadChunk(ctx, n.Chunks[0], nil)
			if count%50 == 0 && (err != nil || string(got) != files[n.Path]) {
				t.Fatalf("day %d: %s holds %q, %v, want %q", day, n.Path, got, err, files[n.Path])
			}
			count++
		}
		if count != len(files) {
			t.Fatalf("day %d: %d files, want %d", day, count, len(files))
		}
	}
	if len(last.Root().Runs) < 2 {
		t.Errorf("%d runs, want deltas", len(last.Root().Runs))
	}
}

func fetchAll(ctx context.Context, r *archive.Reader, want []archive.Chunk, each func(int, []byte) error) error {
	byPack := make(map[archive.Name][]int)
	for i := range want {
		name := want[i].Place.Pack.Name
		byPack[name] = append(byPack[name], i)
	}
	for _, list := range byPack {
		some := make([]archive.Chunk, len(list))
		for k, i := range list {
			some[k] = want[i]
		}
		err := r.Fetch(ctx, some[0].Place.Pack, some, func(k int, page []byte) error { return each(list[k], page) })
		if err != nil {
			return err
		}
	}
	return nil
}

func backUp(ctx context.Context, files map[string]string, last *Tree, opts WriterOptions, data *archive.Writer, key *crypto.IDKey) (Root, error) {
	type found struct {
		node Node
		step Step
		err  error
	}
	ahead := make(chan found, 500)
	go func() {
		defer close(ahead)
		g := last.Merge()
		defer g.Close()
		model := make(content)
		for path := range files {
			model[path] = nil
		}
		for _, path := range model.paths() {
			f := found{node: Node{Entry: entry.Entry{Path: path, Type: entry.File, Size: int64(len(files[path]))}}}
			f.step, f.err = g.Next(ctx, &f.node.Entry)
			ahead <- f
		}
	}()
	w := NewWriter(last, opts)
	for f := range ahead {
		if f.err != nil {
			return Root{}, f.err
		}
		if f.step.Old != nil && entry.Unchanged(&f.step.Old.Entry, &f.node.Entry) {
			if err := w.Keep(ctx, f.step); err != nil {
				return Root{}, err
			}
			continue
		}
		text := []byte(files[f.node.Path])
		slot := archive.NewSlot(key.Sum(text), len(text))
		if err := data.Add(ctx, slot, text, "txt"); err != nil {
			return Root{}, err
		}
		f.node.Chunks = make([]archive.Chunk, 1)
		if err := w.Add(ctx, &f.node, []*archive.Slot{slot}, f.step); err != nil {
			return Root{}, err
		}
	}
	if err := data.Flush(ctx); err != nil {
		return Root{}, err
	}
	return w.Finish(ctx)
}
