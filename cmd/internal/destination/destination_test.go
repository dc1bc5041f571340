package destination

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/restore"
)

func TestEachSourceHasAFolderAndWhatIsNamedByItsPathHasNone(t *testing.T) {
	files := &catalog.SourceState{Name: "files", Type: "files"}
	paths := &catalog.SourceState{Name: catalog.AdHoc, Type: "files"}
	db := &catalog.SourceState{Name: "metadata", Type: "database"}
	for _, test := range []struct {
		options Options
		source  *catalog.SourceState
		path    string
		want    string
	}{
		{Options{}, files, "", "/to/files"},
		{Options{}, files, "a/b", "/to/files/a/b"},
		{Options{}, paths, "", "/to"},
		{Options{}, paths, "srv/www", "/to"},
		{Options{FullPath: true}, paths, "srv/www", "/to/srv/www"},
		{Options{}, db, "", "/to/metadata.sqlite"},
		{Options{}, db, "tables", "/to/metadata/tables"}, // as the files that it is stored in
	} {
		test.options.Directory = "/to"
		d := Destination{Options: test.options, Legs: &restore.Legs{Path: test.path}}
		if got, err := d.Roots([]*catalog.SourceState{test.source}, nil); err != nil || !slices.Equal(got, []string{test.want}) {
			t.Errorf("%s at %q, %+v: %q, %v, want %q", test.source.Name, test.path, test.options, got, err, test.want)
		}
	}
}

func TestInPlaceTheRootsArePlacesOfThisMachine(t *testing.T) {
	way := []Return{{Places: []restore.Place{{Path: "/srv/a"}, {Below: "b"}}}, {Source: &catalog.SourceState{Name: "metadata"}}}
	d := Destination{Options: Options{InPlace: true}, Legs: &restore.Legs{}}
	if got, err := d.Roots([]*catalog.SourceState{{Name: "files"}}, way); err != nil || !slices.Equal(got, []string{"/srv/a"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAFileForACommandIsNoDatabase(t *testing.T) {
	db := &catalog.SourceState{Name: "metadata", Type: "database"}
	if d := (&Destination{Legs: &restore.Legs{}}); !d.IsDatabase(db) {
		t.Error("a whole database comes back as its files")
	}
	if d := (&Destination{Options: Options{Command: []string{"cat"}}, Legs: &restore.Legs{}}); d.IsDatabase(db) {
		t.Error("a command gets a database")
	}
}

func TestTheOutputOfACommandHasNoPlace(t *testing.T) {
	d := Destination{Options: Options{Snapshot: "latest"}, Legs: &restore.Legs{}}
	dump := &catalog.SourceState{Name: "dump", Type: "command"}
	_, _, err := d.Places(t.Context(), &config.Config{}, []*catalog.SourceState{dump})
	if !errors.Is(err, catalog.ErrMisuse) || !strings.Contains(err.Error(), "restore latest:dump --to-command") {
		t.Errorf("alone: %v", err)
	}
	other := &catalog.SourceState{Name: "other", Type: "command"}
	if _, _, err := d.Places(t.Context(), &config.Config{}, []*catalog.SourceState{dump, other}); err == nil || !strings.Contains(err.Error(), "other is the output") {
		t.Errorf("where none has a place: %v", err)
	}
}
