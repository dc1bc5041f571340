package mount

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

func TestHolesAreFoundAsLseekFindsThem(t *testing.T) {
	sparse := &entry.Entry{Size: 100, Extents: []entry.Extent{{Offset: 10, Length: 10}, {Offset: 20, Length: 5}, {Offset: 50, Length: 10}}}
	solid, hollow := &entry.Entry{Size: 100}, &entry.Entry{Size: 100, Extents: []entry.Extent{}}
	for _, test := range []struct {
		e                *entry.Entry
		at, data, hole   int64
		noData, noHoleIs bool
	}{
		{e: solid, at: 0, data: 0, hole: 100},
		{e: solid, at: 99, data: 99, hole: 100},
		{e: solid, at: 100, noData: true, noHoleIs: true},
		{e: hollow, at: 5, noData: true, hole: 5},
		{e: sparse, at: 0, data: 10, hole: 0},
		{e: sparse, at: 12, data: 12, hole: 25},
		{e: sparse, at: 25, data: 50, hole: 25},
		{e: sparse, at: 60, noData: true, hole: 60},
	} {
		data, err := seekData(test.e, test.at)
		if test.noData != errors.Is(err, io.EOF) || data != test.data {
			t.Errorf("data of %+v from %d: got %d, %v; want %d, none %v", test.e.Extents, test.at, data, err, test.data, test.noData)
		}
		hole, err := seekHole(test.e, test.at)
		if test.noHoleIs != errors.Is(err, io.EOF) || hole != test.hole {
			t.Errorf("hole of %+v from %d: got %d, %v; want %d, none %v", test.e.Extents, test.at, hole, err, test.hole, test.noHoleIs)
		}
	}
}

func TestASetIsNamedWithItsHostWhereSeveralHaveIt(t *testing.T) {
	got := groups([]*catalog.Snapshot{{Set: "a", Host: "x"}, {Set: "a", Host: "y"}, {Set: "b", Host: "x"}, {Host: "x"}, {Set: "../c", Host: "x"}})
	want := map[group]string{{"../c", "x"}: ".._c", {"a", "x"}: "a@x", {"a", "y"}: "a@y", {"b", "x"}: "b", {"", "x"}: "-"}
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for g, name := range want {
		if got[g] != name {
			t.Errorf("%v is called %q, want %q", g, got[g], name)
		}
	}
}

func TestNamesOfSnapshotsAscendAndHoldNoColon(t *testing.T) {
	s := &catalog.Snapshot{Time: time.Date(2026, 11, 20, 14, 0, 5, 0, time.Local), ID: archive.Name{0xab, 0xcd}}
	if got, want := snapshotName(s), "2026-11-20T14-00-05_abcd00000000"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	s.Standing = catalog.Outside
	if got, want := snapshotName(s), "2026-11-20T14-00-05_abcd00000000_outside"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFilesThatAreReadAreRememberedUpToANumber(t *testing.T) {
	var r reading
	store := newContents(t.Context(), nil, 1<<20)
	opened := 0
	open := func() (*file, error) {
		opened++
		store.join(1)
		return &file{from: store}, nil
	}
	for i := range 2 * filesAtOnce {
		name := string(rune('a' + i))
		for range 2 {
			if _, err := r.get(name, open); err != nil {
				t.Fatal(err)
			}
		}
	}
	if opened != 2*filesAtOnce || len(r.files) != filesAtOnce || store.readers != filesAtOnce {
		t.Errorf("%d files were opened, %d are remembered and %d counted; want %d, %d and as many", opened, len(r.files), store.readers, 2*filesAtOnce, filesAtOnce)
	}
	r.finish(string(rune('a' + 2*filesAtOnce - 1)))
	if store.readers != filesAtOnce-1 {
		t.Errorf("%d are counted after one was finished, want %d", store.readers, filesAtOnce-1)
	}
}
