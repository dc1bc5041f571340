package catalog

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/packstone/packstone/archive"
)

// TestDamagedRefsOfTheCacheAreReadAgain: what a snapshot needs is what its record names by its hash,
// whatever the cache has under that name.
func TestDamagedRefsOfTheCacheAreReadAgain(t *testing.T) {
	w := newWorld(t)
	s := w.begin()
	pack, refs := w.pack(s, "one")
	list, err := s.Commit(t.Context(), Content{Snapshot: snapshot(), Packs: []archive.RunPack{pack}, Refs: refs})
	s.Close()
	if err != nil {
		t.Fatal(err)
	}
	name, err := archive.ParseName(list.Full)
	if err != nil {
		t.Fatal(err)
	}
	cache, object := OpenCache(w.cache), archive.Refs.Object(name)
	stored := get(t, w.store, object)
	for what, data := range map[string][]byte{"flipped": flip(stored, len(stored)-1), "cut off": stored[:len(stored)/2], "empty": {}} {
		if err := cache.Write(objectsFolder+"/"+object, data); err != nil {
			t.Fatal(err)
		}
		s := w.begin()
		got, err := s.repo.LoadRefs(t.Context(), list)
		s.Close()
		if err != nil || !got.Equal(refs) {
			t.Errorf("%s: %v, %v, want what was stored", what, got, err)
		}
		if again, err := cache.Read(objectsFolder + "/" + object); err != nil || !bytes.Equal(again, stored) {
			t.Errorf("%s: the cache has other bytes still, %v", what, err)
		}
	}
}

func TestEachRefsGivesWhatLoadRefsDoes(t *testing.T) {
	w := newWorld(t)
	commit := func(parent *Base, refs *archive.RefSet, packs ...archive.RunPack) *Base {
		s := w.begin()
		defer s.Close()
		list, err := s.Commit(t.Context(), Content{Snapshot: snapshot(), Packs: packs, Refs: refs, Parent: parent})
		if err != nil {
			t.Fatal(err)
		}
		return &Base{List: list, Set: refs.Clone()}
	}
	var last *Base
	for range 2 { // rows of deltas that branch
		refs := &archive.RefSet{}
		last = nil
		for i := range 12 {
			s := w.begin()
			pack, more := w.pack(s, fmt.Sprint("row ", i))
			s.Close()
			refs = refs.Clone()
			refs.Union(more)
			if i%5 == 4 {
				commit(last, more, pack)
			}
			last = commit(last, refs, pack)
		}
		commit(last, refs)
	}
	r, log := w.reader(), w.log()
	given, deltas := map[archive.Name]bool{}, 0
	err := r.EachRefs(t.Context(), log, log.Records, func(users []*Record, set *archive.RefSet) error {
		want, err := r.LoadRefs(t.Context(), users[0].Refs)
		if err != nil || !set.Equal(want) {
			t.Errorf("%s: %d packs, want %d, %v", users[0].Name(), set.Len(), want.Len(), err)
		}
		for _, rec := range users {
			given[rec.Hash] = true
			deltas += len(rec.Refs.Deltas)
		}
		return nil
	})
	if err != nil || len(given) != len(log.Records) || deltas == 0 {
		t.Errorf("%d of %d records, %d deltas, %v", len(given), len(log.Records), deltas, err)
	}
}
