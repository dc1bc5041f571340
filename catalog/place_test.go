package catalog_test

import (
	"testing"

	"github.com/packstone/packstone/catalog"
)

func TestPlacesInSnapshots(t *testing.T) {
	for text, want := range map[string]catalog.Place{
		"latest":                         {Snapshot: "latest"},
		"latest~2:files":                 {Snapshot: "latest~2", Source: "files"},
		"4f2a:files/a/b:c":               {Snapshot: "4f2a", Source: "files", Path: "a/b:c"},
		"4f2a:/files/a/":                 {Snapshot: "4f2a", Source: "files", Path: "a"},
		"4f2a:":                          {Snapshot: "4f2a"},
		"@2026-11-20T14:00":              {Snapshot: "@2026-11-20T14:00"},
		"@2026-11-20T14:00:00Z:files":    {Snapshot: "@2026-11-20T14:00:00Z", Source: "files"},
		"@2026-11-20T14:00:files/x:y/z":  {Snapshot: "@2026-11-20T14:00", Source: "files", Path: "x:y/z"},
		"@2026-11-20:settings/api":       {Snapshot: "@2026-11-20", Source: "settings", Path: "api"},
		"@2026-11-20T14:00:05":           {Snapshot: "@2026-11-20T14:00:05"},
		"@2026-11-20T14:00:05+01:00:api": {Snapshot: "@2026-11-20T14:00:05+01:00", Source: "api"},
	} {
		if got := catalog.ParsePlace(text); got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

func TestPlacesFindTheirSource(t *testing.T) {
	named := &catalog.Snapshot{Sources: []catalog.SourceState{{Name: "files"}, {Name: "lake"}}}
	byPath := &catalog.Snapshot{Sources: []catalog.SourceState{{Name: catalog.AdHoc}}}
	for _, test := range []struct {
		text     string
		snapshot *catalog.Snapshot
		sources  int
		path     string
	}{
		{"latest", named, 2, ""},
		{"latest:lake", named, 1, ""},
		{"latest:/files/a/b/", named, 1, "a/b"},
		{"latest:settings", named, 0, ""},
		{"latest", byPath, 1, ""},
		{"latest:/", byPath, 1, ""},
		{"latest:/home/me/x:y", byPath, 1, "home/me/x:y"},
		{"latest:dump.sql", byPath, 1, "dump.sql"},
	} {
		at, err := catalog.ParsePlace(test.text).In(test.snapshot)
		if (err != nil) != (test.sources == 0) || len(at.Sources) != test.sources || at.Path != test.path {
			t.Errorf("%s: got %d sources, %q, %v; want %d, %q", test.text, len(at.Sources), at.Path, err, test.sources, test.path)
		}
	}
}

func TestAPlaceAtATimeNamesNoOtherSnapshot(t *testing.T) {
	for text, want := range map[string]catalog.Place{
		"": {Snapshot: "@2026-11-20"}, ":files/a": {Snapshot: "@2026-11-20", Source: "files", Path: "a"}, "latest:files": {Snapshot: "@2026-11-20", Source: "files"},
	} {
		if p, err := catalog.ParsePlaceAt(text, "2026-11-20"); err != nil || p != want {
			t.Errorf("%q: %+v, %v, want %+v", text, p, err, want)
		}
	}
	if p, err := catalog.ParsePlaceAt("0123abcd:files", "2026-11-20"); err == nil {
		t.Errorf("another snapshot: %+v, want an error", p)
	}
}
