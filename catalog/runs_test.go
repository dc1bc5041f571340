package catalog

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
)

func TestNoIndexRunIsTooLargeToBeRead(t *testing.T) {
	huge := &archive.Directory{Frames: make([]archive.Frame, 1), IDs: make([]archive.ID, 3<<17), Lengths: make([]uint32, 3<<17)}
	small := &archive.Directory{Frames: make([]archive.Frame, 1), IDs: make([]archive.ID, 100), Lengths: make([]uint32, 100)}
	var packs []archive.RunPack
	for i := range 5000 {
		p := archive.RunPack{Pack: &archive.Pack{Kind: archive.Data}, Directory: small}
		if i%100 == 0 {
			p.Directory = huge
		}
		packs = append(packs, p)
	}
	listed, runs := 0, 0
	for run := range readableRuns(packs) {
		listed, runs = listed+len(run), runs+1
		if size := len(archive.EncodeRun(run)); size > store.MaxObject/4 || len(run) > RunPacks {
			t.Errorf("a run of %d packs has %d bytes", len(run), size)
		}
	}
	if listed != len(packs) || runs > 110 {
		t.Errorf("%d of %d packs are listed, in %d runs", listed, len(packs), runs)
	}
	worst := &archive.Directory{Frames: make([]archive.Frame, archive.MaxChunks), IDs: make([]archive.ID, archive.MaxChunks), Lengths: make([]uint32, archive.MaxChunks)}
	if size := len(archive.EncodeRun(one(archive.RunPack{Pack: &archive.Pack{Kind: archive.Data}, Directory: worst}))); size > store.MaxObject/4 {
		t.Errorf("a run of the largest pack has %d bytes", size)
	}
}

// fineChunks is how many chunks a fine pack has: fewRuns+1 of them are too much for one index run.
const fineChunks = RunWeight/(fewRuns+1) + 1

// finePack uploads a pack of very many small chunks.
func (w *world) finePack(s *Session, number int) (archive.RunPack, *archive.RefSet) {
	w.t.Helper()
	var made archive.RunPack
	p := archive.NewWriter(w.t.Context(), s.repo.Store, archive.WriterOptions{
		Recipients: s.Recipients(), PackSize: 16 << 20,
		Stored: func(p *archive.Pack, d *archive.Directory) { made = archive.RunPack{Pack: p, Directory: d} },
	})
	defer p.Close()
	key := s.Domain().DataID()
	for i := range fineChunks {
		chunk := binary.BigEndian.AppendUint64(nil, uint64(number*fineChunks+i))
		if err := p.Add(w.t.Context(), archive.NewSlot(key.Sum(chunk), len(chunk)), chunk, ""); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := p.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if n := made.Directory.Len(); n != fineChunks {
		w.t.Fatalf("a pack has %d of %d chunks", n, fineChunks)
	}
	refs := &archive.RefSet{}
	for i := range fineChunks {
		refs.Add(made.Pack, uint32(i))
	}
	return made, refs
}

// listsAll fails the test unless these runs list so many packs, and are several.
func (w *world) listsAll(runs []string, packs int) {
	w.t.Helper()
	listed := 0
	for _, run := range runs {
		name, err := archive.ParseName(run)
		if err != nil {
			w.t.Fatal(err)
		}
		found, err := w.reader().LoadRun(w.t.Context(), name)
		if err != nil {
			w.t.Fatal(err)
		}
		listed += len(found)
	}
	if len(runs) < 2 || len(runs) > fewRuns || listed != packs {
		w.t.Errorf("%d runs list %d of %d packs", len(runs), listed, packs)
	}
}

func TestWhatIsTooMuchForOneIndexRunIsPublishedInSeveral(t *testing.T) {
	w := newWorld(t)
	s := w.begin()
	var packs []archive.RunPack
	all := &archive.RefSet{}
	for i := range fewRuns + 1 {
		p, refs := w.finePack(s, i)
		packs = append(packs, p)
		all.Union(refs)
	}
	if _, err := s.Commit(t.Context(), Content{Snapshot: snapshotNow(), Packs: packs, Refs: all}); err != nil {
		t.Fatal(err)
	}
	records := w.log().Records
	w.listsAll(records[len(records)-1].Index, len(packs))
	w.sound()
}

func TestSmallIndexRunsAreNotRolledUpToOneThatIsTooLarge(t *testing.T) {
	w := newWorld(t)
	for i := range fewRuns + 1 {
		s := w.begin()
		p, refs := w.finePack(s, i)
		if _, err := s.Commit(t.Context(), Content{Snapshot: snapshotNow(), Packs: one(p), Refs: refs}); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	w.rollUp()
	rolled, err := w.reader().readRollBody(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var runs []string
	for _, run := range rolled.Index {
		runs = append(runs, run.Run)
	}
	w.listsAll(runs, fewRuns+1)
	w.sound()
}

// TestIndexRunsThatAreJoinedListWhatIsLostAndNeeded: a repair must know what lay in a lost pack.
func TestIndexRunsThatAreJoinedListWhatIsLostAndNeeded(t *testing.T) {
	w := decidingWorld(t)
	var ids, packs []archive.Name
	for i := range fewRuns + 2 {
		id, p := w.committed(fmt.Sprint("content ", i))
		ids, packs = append(ids, id), append(packs, p.Pack.Name)
	}
	w.remove(archive.Data.Object(packs[0]))
	w.remove(archive.Data.Object(packs[1]))
	w.forget(w.owner, ids[1])
	w.rollUp()
	runs, err := w.reader().readRollBody(t.Context(), 1)
	if err != nil || len(runs.Index) != 1 {
		t.Fatalf("got %d runs, %v, want one", len(runs.Index), err)
	}
	name, err := archive.ParseName(runs.Index[0].Run)
	if err != nil {
		t.Fatal(err)
	}
	joined, err := w.reader().LoadRun(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	listed := PackSet{}
	for _, p := range joined {
		listed[p.Pack.Name] = true
	}
	if len(joined) != fewRuns+1 || !listed[packs[0]] || listed[packs[1]] {
		t.Errorf("%d packs are listed, the needed one %v, the forgotten one %v", len(joined), listed[packs[0]], listed[packs[1]])
	}
}
