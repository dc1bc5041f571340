package restore

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
)

func TestWantedPlacesAreThoseOfThePathAndNoneWithinAnother(t *testing.T) {
	for _, test := range []struct {
		below []string
		at    string
		want  []string
	}{
		{[]string{""}, "a/b", []string{""}},
		{[]string{"a", "b"}, "", []string{"a", "b"}},
		{[]string{"a", "b"}, "a/x", []string{"a"}},
		{[]string{"a", "ab"}, "a", []string{"a"}},
		{[]string{"home/me", "home"}, "", []string{"home"}},
		{[]string{"a"}, "c", nil},
	} {
		var places []Place
		for _, below := range test.below {
			places = append(places, Place{Below: below})
		}
		wanted, err := Wanted(places, "source", test.at)
		var got []string
		for _, p := range wanted {
			got = append(got, p.Below)
		}
		if !slices.Equal(got, test.want) || errors.Is(err, catalog.ErrRefused) != (test.want == nil) {
			t.Errorf("%q at %q: got %q, %v, want %q", test.below, test.at, got, err, test.want)
		}
	}
}

func TestARepositoryIsFoundAroundAPathAndBehindItsLinks(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	repository, beside := filepath.Join(root, "repository"), filepath.Join(root, "beside")
	for _, dir := range []string{filepath.Join(repository, "packs"), beside} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// A format of another version is a repository too.
	if err := os.WriteFile(filepath.Join(repository, archive.FormatObject), []byte(`{"version": 99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(repository, "packs"), filepath.Join(beside, "link")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		repository: repository, filepath.Join(repository, "packs", "not", "there"): repository, filepath.Join(beside, "link", "new"): repository, beside: "", root: "",
	} {
		if got := repositoryAround(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestTheRootsOfAPathAreWhereItCameTo(t *testing.T) {
	places := []Place{{Below: "", Path: "/srv/files"}, {Below: "api", Path: "/etc/api"}, {Below: "lake"}}
	for _, test := range []struct {
		at   string
		want []string
	}{
		{"", []string{"/srv/files", "/etc/api"}},
		{"api", []string{"/srv/files/api", "/etc/api"}},
		{"api/app.ini", []string{"/srv/files/api/app.ini", "/etc/api/app.ini"}},
	} {
		if got := Roots(places, test.at); !slices.Equal(got, test.want) {
			t.Errorf("%q came to %q, want %q", test.at, got, test.want)
		}
	}
}
