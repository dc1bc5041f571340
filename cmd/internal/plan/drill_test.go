package plan

import (
	"maps"
	"slices"
	"testing"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/platform/drill"
)

func TestDrillsOfAllSetsAreLookedForOnceInEachDirectory(t *testing.T) {
	set := func(directory string) config.Set { return config.Set{Drill: config.Drill{Directory: directory}} }
	settings := &config.Config{Sets: map[string]config.Set{"a": set("/srv/one"), "b": set("/srv/two"), "c": set("/srv/one")}}
	for _, test := range []struct {
		named string
		want  []string
	}{
		{"", []string{"/srv/one", "/srv/two"}},
		{"/srv/named", []string{"/srv/named"}},
	} {
		if got, err := DrillDirectories(test.named, settings); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, %v, want %q", test.named, got, err, test.want)
		}
	}
}

func TestAPlaceIsAnEngineOrAFileWithAURL(t *testing.T) {
	got := places(map[string]string{"crm": "sqlite", "erp": "/etc/packstone/scratch.url"})
	if want := map[string]drill.Place{"crm": {Engine: "sqlite"}, "erp": {Server: "/etc/packstone/scratch.url"}}; !maps.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
