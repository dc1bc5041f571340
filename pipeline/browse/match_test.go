package browse_test

import (
	"testing"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/browse"
)

func TestATypeHasAWordAndALetter(t *testing.T) {
	for word, want := range map[string]entry.Type{"file": entry.File, "f": entry.File, "d": entry.Directory, "symlink": entry.Symlink, "l": entry.Symlink, "s": entry.Socket} {
		if got, ok := browse.TypeOf(word); got != want || !ok {
			t.Errorf("%s is %v, %v; want %v", word, got, ok, want)
		}
	}
	for _, word := range []string{"", "x", "F", "directory"} {
		if got, ok := browse.TypeOf(word); ok {
			t.Errorf("%q is %v", word, got)
		}
	}
}
