package platform

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/packstone/packstone/catalog"
)

func TestMapsAreSourcesAndTheirPlaces(t *testing.T) {
	got, err := ParseMaps([]string{"files=/srv/a=b", "metadata=postgres://owner@db/new"})
	if want := (Maps{"files": "/srv/a=b", "metadata": "postgres://owner@db/new"}); err != nil || !maps.Equal(got, want) {
		t.Errorf("the maps are %v, %v; want %v", got, err, want)
	}
	if got, err := ParseMaps(nil); got != nil || err != nil {
		t.Errorf("without maps they are %v, %v; want nil", got, err)
	}
	for _, bad := range [][]string{{"files"}, {"=/srv"}, {"files="}, {"files=/a", "files=/b"}} {
		if _, err := ParseMaps(bad); !errors.Is(err, catalog.ErrMisuse) {
			t.Errorf("%q is read, and the error is %v", bad, err)
		}
	}
}

func TestEverySourceOfASnapshotNeedsAPlace(t *testing.T) {
	s := &catalog.Snapshot{Sources: []catalog.SourceState{{Name: "files"}, {Name: "metadata"}}}
	for _, test := range []struct {
		maps   Maps
		others bool
		want   string // "": none
	}{
		{Maps{"files": "/a", "metadata": "b"}, false, ""},
		{Maps{"files": "/a"}, true, ""},
		{Maps{"files": "/a"}, false, "metadata has no place"},
		{Maps{"lake": "/a"}, true, "no such source, only files, metadata"},
	} {
		err := test.maps.Check(s, test.others)
		switch {
		case test.want == "" && err != nil, test.want != "" && !errors.Is(err, catalog.ErrMisuse):
			t.Errorf("%v, others %v: the error is %v", test.maps, test.others, err)
		case test.want != "" && !strings.Contains(err.Error(), test.want):
			t.Errorf("%v: %q does not say %q", test.maps, err, test.want)
		}
	}
}

func TestARestoreGoesOnOnlyWithOneToTheSameTimeAndPlaces(t *testing.T) {
	same := &Report{Set: "platform", At: "2026-11-20", State: Saved, Maps: Maps{"files": "/a"}}
	begun := &Report{Set: "platform", At: "2026-11-19", State: Begun}
	undoing := &Report{Set: "platform", At: "2026-11-20", State: Undoing, Maps: Maps{"files": "/a"}}
	for _, test := range []struct {
		name    string
		found   map[string]*Report
		want    *Report
		refused bool
	}{
		{"the same", map[string]*Report{"b.json": same, "a.json": begun}, same, false},
		{"one that has changed nothing", map[string]*Report{"a.json": begun}, nil, false},
		{"one that is being undone", map[string]*Report{"a.json": undoing}, nil, true},
		{"none", nil, nil, false},
	} {
		_, got, err := ToGoOn(test.found, "2026-11-20", Maps{"files": "/a"})
		if got != test.want || errors.Is(err, catalog.ErrRefused) != test.refused {
			t.Errorf("%s: got %v, %v", test.name, got, err)
		}
	}
	if _, got, err := ToGoOn(map[string]*Report{"a.json": same}, "2026-11-20", nil); got != nil || !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("a restore to other places goes on: %v, %v", got, err)
	}
}
