package index

import (
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/archive"
)

// Of a run that is not relied on those packs are used that somebody vouches for, as the run tells
// them.
func TestOfAForeignRunOnlyWhatIsVouchedForIsUsed(t *testing.T) {
	for what, dir := range map[string]string{"on disk": "index", "in memory": ""} {
		t.Run(what, func(t *testing.T) {
			l := newLibrary(t, 2, 3)
			var own, foreign archive.Name
			for name, packs := range l.runs {
				if len(packs) == 2 {
					own = name
				} else {
					foreign = name
				}
			}
			said := map[archive.PackSum]bool{l.runs[foreign][1].Sum(): true}
			if dir != "" {
				dir = filepath.Join(t.TempDir(), dir)
			}
			x := l.empty(Options{Dir: dir})
			if _, err := x.Want(t.Context(), []archive.Name{own}, l.names()); err != nil {
				t.Fatal(err)
			}
			vouched := func() []bool { return l.found(x, 5) }
			if got := vouched(); got[2] || got[3] || got[4] || !got[0] || !got[1] {
				t.Errorf("before anybody vouches for a pack, found %v", got)
			}
			added, err := x.WantVouched(t.Context(), []archive.Name{own, foreign}, func(p archive.RunPack) bool { return said[p.Sum()] })
			if err != nil || added != 1 {
				t.Fatalf("%d runs are new, %v; want 1", added, err)
			}
			if got := vouched(); got[2] || !got[3] || got[4] || !got[0] || !got[1] {
				t.Errorf("found %v, want packs 0, 1 and 3", got)
			}
			if l.want(x) != 1 {
				t.Error("the run is not new though it was used in part only")
			}
			l.verify(x)
		})
	}
}

// found tells of packs from 0 on whether their chunks are found, and the packs themselves.
func (w *library) found(x *Index, packs uint64) (found []bool) {
	w.t.Helper()
	for n := range packs {
		_, chunk, err := x.Lookup(w.t.Context(), scaleID(n*scalePack+5, 0))
		if err != nil {
			w.t.Fatal(err)
		}
		pack, err := x.HasPack(w.t.Context(), scaleRunPack(n).Pack.Name)
		if err != nil || pack != chunk {
			w.t.Fatalf("pack %d is found: %v, its chunk: %v, %v", n, pack, chunk, err)
		}
		found = append(found, chunk)
	}
	return found
}
