package page

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/browse"
)

// lives is a world in which files come, go, change and come again.
func lives(t *testing.T) *world {
	w := newBareWorld(t, trusted)
	remove := func(name string) {
		if err := os.Remove(filepath.Join(w.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	w.write("a/stays.txt", "1")
	w.write("a/leaves.txt", "1")
	w.write("b/Returns.TXT", "1")
	w.backup()
	remove("b/Returns.TXT")
	w.write("a/stays.txt", "22")
	w.backup()
	remove("a/leaves.txt")
	w.write("b/Returns.TXT", "333")
	w.write("b/comes.txt", "1")
	w.backup()
	return w
}

// searched are the hits of a search, by path.
func (w *world) searched(query string) map[string]hitSeen {
	w.t.Helper()
	var found struct {
		Hits     []hitSeen
		Searched int
	}
	answer := w.get(apiPrefix + "search?" + query)
	if err := json.Unmarshal(answer.Body.Bytes(), &found); err != nil {
		w.t.Fatalf("%s: %v: %s", query, err, answer.Body)
	}
	hits := map[string]hitSeen{}
	for _, h := range found.Hits {
		hits[h.Path] = h
	}
	return hits
}

type hitSeen struct {
	Path, Type, ID string
	Size           int64
	MTime          time.Time
	First, Last    time.Time
	Snapshots      int
}

// followed waits until the names in all snapshots are held.
func (w *world) followed() (*heldNames, *known) {
	w.t.Helper()
	s := w.Page.shelf(nil, "", true)
	k, err := s.known(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	s.names.following.Lock() // by who adds names until then
	defer s.names.following.Unlock()
	return &s.names, k
}

func TestASearchFindsTheSameInNamesAndInTrees(t *testing.T) {
	w := lives(t)
	check := func(when string) {
		t.Helper()
		all, k := w.followed()
		hold := func(names *browse.Names) { all.put(series{"platform", "host"}, noted{names: names}) }
		names := all.get(series{"platform", "host"}, k.snapshots)
		if names == nil || len(k.snapshots) != len(w.ids) {
			t.Fatalf("%s: the names of %d snapshots are not held", when, len(w.ids))
		}
		for _, query := range []string{"q=txt&all=yes", "q=txt", "q=returns&all=yes", "q=*s.tx%3F&all=yes", "q=b/*&all=yes", "q=/a/*.txt&all=yes", "q=[a-c]*&all=yes", "q=nothing&all=yes"} {
			hold(names)
			byNames := w.searched(query)
			hold(nil)
			if byTrees := w.searched(query); !reflect.DeepEqual(byNames, byTrees) {
				t.Errorf("%s: %s: names give %v, trees %v", when, query, byNames, byTrees)
			}
		}
		hold(names)
	}
	check("three snapshots")
	found := w.searched("q=txt&all=yes")
	for path, want := range map[string]struct {
		snapshots int
		newest    int
		size      int64
	}{"stays.txt": {3, 2, 2}, "leaves.txt": {2, 1, 1}, "Returns.TXT": {2, 2, 3}, "comes.txt": {1, 2, 1}} {
		i := slices.IndexFunc(keysOf(found), func(p string) bool { return filepath.Base(p) == path })
		if i < 0 {
			t.Fatalf("%s is not found: %v", path, found)
		}
		if got := found[keysOf(found)[i]]; got.Snapshots != want.snapshots || got.ID != w.ids[want.newest] || got.Size != want.size {
			t.Errorf("%s: got %+v, want it in %d snapshots, last in %s, with %d bytes", path, got, want.snapshots, w.ids[want.newest], want.size)
		}
	}
	w.write("b/comes.txt", "4444")
	w.write("c/new.txt", "1")
	w.backup()
	w.now = w.now.Add(stale)
	check("one more")
	w.room = browse.NewRoom(0)
	w.Page.shelf(nil, "", true).names.of = nil
	if found := w.searched("q=txt&all=yes"); len(found) != 5 {
		t.Errorf("without room for names: found %v, want five", found)
	}
}

func keysOf(m map[string]hitSeen) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func TestNamesOfSnapshotsThatAreForgottenAreNotFound(t *testing.T) {
	w := lives(t)
	all, k := w.followed()
	left := []*catalog.Snapshot{k.snapshots[0], k.snapshots[2]}
	names := all.get(series{"platform", "host"}, left)
	if names == nil {
		t.Fatal("the names of what is left are not held")
	}
	counts := map[string]int{}
	err := names.Search(browse.Query{Patterns: []string{"*.txt"}, AnyCase: true}, left, func(f *browse.Found) error {
		counts[filepath.Base(f.Entry.Path)] += f.Snapshots
		return nil
	})
	want := map[string]int{"stays.txt": 2, "leaves.txt": 1, "Returns.TXT": 2, "comes.txt": 1}
	if err != nil || !reflect.DeepEqual(counts, want) {
		t.Errorf("got %v, %v, want %v", counts, err, want)
	}
	if next, ok := names.Next(left); len(next) > 0 || !ok {
		t.Errorf("after a forget: to be added are %v, %v", next, ok)
	}
	if _, ok := names.Next(slices.Insert(slices.Clone(k.snapshots), 0, &catalog.Snapshot{})); ok {
		t.Error("a snapshot that came before others is to be added to the end")
	}
}

func TestNamesTakeNoMoreThanTheirRoom(t *testing.T) {
	w := lives(t)
	_, k := w.followed()
	b := w.Page.shelf(nil, "", true).newBrowser(k.repo)
	if err := browse.NewNames(browse.NewRoom(200)).Add(context.Background(), b, k.snapshots[0]); !errors.Is(err, browse.ErrTooLarge) {
		t.Errorf("in too little room: %v", err)
	}
	if err := browse.NewNames(browse.NewRoom(1<<20)).Add(context.Background(), b, k.snapshots[0]); err != nil {
		t.Errorf("in enough room: %v", err)
	}
}
