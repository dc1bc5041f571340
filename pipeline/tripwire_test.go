package pipeline_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/catalog/tripwire"
)

// texts is a source of n files that compress, of 30 kB each.
func texts(n int) *fakeSource {
	s := newSource()
	for i := range n {
		s.add(fmt.Sprintf("dir/%03d.txt", i), bytes.Repeat(fmt.Appendf(nil, "line %d of some text\n", i), 1500))
	}
	return s
}

// tripped backs a source up and says what it trips over.
func (w *world) tripped(s *fakeSource) string {
	w.t.Helper()
	o := w.options(s)
	o.Tripwire = tripwire.Default
	snapshot, err := w.backup(w.store, o)
	if err != nil {
		w.t.Fatal(err)
	}
	var what string
	for _, trip := range snapshot.Tripwire {
		what += trip.What + " "
	}
	return what
}

func TestASnapshotThatLooksLikeALossIsMarkedAndFillsNoPlace(t *testing.T) {
	w := newWorld(t)
	src := texts(40)
	if got := w.tripped(src); got != "" {
		t.Errorf("the first tripped over %s", got)
	}
	locked := src.clone()
	for path := range src.files {
		locked.change(path, randomBytes(30_000, uint64(len(path))+uint64(path[6])))
	}
	for range 2 { // the second finds nothing changed since the first
		if got := w.tripped(locked); got != "changed incompressible " {
			t.Errorf("what was encrypted tripped over %q", got)
		}
	}
	all := w.snapshots()
	for _, v := range retention.Decide(forRetention(t, w, all), retention.Policy{Last: 1}, retention.Options{Now: all[2].Date}) {
		if marked := v.ID != all[0].ID.String(); v.Marked != marked || !marked && !v.Kept() {
			t.Errorf("snapshot %s: marked is %v, kept for %q", v.ID, v.Marked, v.Keep)
		}
	}
	if got := w.tripped(src); got != "" {
		t.Errorf("what was brought back tripped over %s", got)
	}
	w.check()
}

// forRetention are snapshots as rules see them, held against what commits say in clear.
func forRetention(t *testing.T, w *world, all []*catalog.Snapshot) []retention.Snapshot {
	t.Helper()
	repo := w.reader()
	log, err := repo.ReadLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	opened := repo.ForRetention(log, all, catalog.GroupBy{})
	inClear := repo.ForRetention(log, nil, catalog.GroupBy{})
	for i := range opened {
		if opened[i].Marked != inClear[i].Marked {
			t.Errorf("snapshot %s: marked is %v, in clear %v", opened[i].ID, opened[i].Marked, inClear[i].Marked)
		}
	}
	return opened
}
