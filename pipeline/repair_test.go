package pipeline_test

import (
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/check"
)

func TestCopyBackTakesOnlyWhatTheNameSays(t *testing.T) {
	content := []byte("what the object held")
	object := archive.Data.Object(archive.Name(sha256.Sum256(content)))
	for name, test := range map[string]struct {
		there, copy []byte // nil: missing
		want        error
		left        []byte
	}{
		"damaged":            {[]byte("damaged"), content, nil, content},
		"missing":            {nil, content, nil, content},
		"good":               {content, content, nil, content},
		"the copy is no use": {[]byte("damaged"), []byte("damaged as well"), archive.ErrDamaged, []byte("damaged")},
		"there is no copy":   {[]byte("damaged"), nil, store.ErrNotExist, []byte("damaged")},
	} {
		to, from := memory.New(), memory.New()
		if test.there != nil {
			to.Set(object, test.there)
		}
		if test.copy != nil {
			from.Set(object, test.copy)
		}
		err := check.CopyBack(t.Context(), to, from, object)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
		if got, err := to.Get(t.Context(), object, 0, -1, nil); err != nil || string(got) != string(test.left) {
			t.Errorf("%s: left %q, %v; want %q", name, got, err, test.left)
		}
	}
}

// A repair from the source stores what the lost pack held, and reads no pack for it.
func TestARepairFromTheSourceStoresExactlyWhatIsLost(t *testing.T) {
	w := newWorld(t)
	now := randomSource(30, 20_000, 1)
	w.mustBackup(now)
	lost := w.names("packs/")[0]
	w.lose(lost)
	report := checked(t, w, check.Options{ReadData: true})
	i := slices.IndexFunc(report.Findings, func(f check.Finding) bool { return f.Object == lost })
	if i < 0 {
		t.Fatalf("a check finds %v, want %s", report.Findings, lost)
	}
	hurt := uint64(len(report.Findings[i].Files)) // each is one chunk
	o := w.options(now)
	o.Force, o.Lost, o.Progress = true, report.Bad, new(pipeline.Progress)
	calls := &storetest.Faulty{Store: w.store}
	if _, err := w.backup(calls, o); err != nil {
		t.Fatal(err)
	}
	if n := o.Progress.ChunksNew.Load(); n != hurt || hurt == 0 {
		t.Errorf("%d chunks are stored again of %d that are lost", n, hurt)
	}
	for _, call := range calls.Calls() {
		if call.Op == storetest.Get && kindOf(call.Name) == "packs" {
			t.Errorf("the repair reads %s", call.Name)
		}
	}
	if report := checked(t, w, check.Options{ReadData: true}); len(report.Findings) > 0 || len(report.Healed) != 1 {
		t.Errorf("afterwards: %v, healed %v", report.Findings, report.Healed)
	}
	w.same(0, now)
}

func TestOnlyObjectsNamedByTheirHashAreContent(t *testing.T) {
	name := archive.Name(sha256.Sum256(nil))
	for object, want := range map[string]bool{
		archive.Data.Object(name): true, archive.Trees.Object(name): true, archive.Runs.Object(name): true, archive.Refs.Object(name): true,
		"packs/" + name.String(): false, "log/vm.0/0000000001": false, "packstone.json": false, "": false, "4f2a91c0:files/a": false,
	} {
		if got := check.IsContent(object); got != want {
			t.Errorf("%q: got %v, want %v", object, got, want)
		}
	}
}
