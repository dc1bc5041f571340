package catalog

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

// left writes what a run leaves that has captured two entries before a checkpoint, and one after
// it.
func left(t *testing.T, dir string) *Unfinished {
	t.Helper()
	u := &Unfinished{path: filepath.Join(dir, "u"), base: "commit", exhausted: true, close: func() error { return nil }}
	u.Add(&CapturedEntry{Entry: entry.Entry{Path: "a"}, At: 5, Chunks: []CapturedChunk{{ID: archive.ID{1}, Length: 7}}}, false)
	u.Add(&CapturedEntry{Entry: entry.Entry{Path: "b\xff", Extents: []entry.Extent{}}}, false)
	u.Cut()
	u.Add(&CapturedEntry{Entry: entry.Entry{Path: "c"}}, false)
	u.Mark(archive.Name{9})
	u.Close(false)
	return u
}

func TestWhatWasCapturedIsFoundUpToTheLastLiveCheckpoint(t *testing.T) {
	dir := t.TempDir()
	path := left(t, dir).path
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	live := func(mark string) bool { return mark == archive.Name{9}.String() }
	for name, test := range map[string]struct {
		base string
		live func(string) bool
		data []byte
		good bool
	}{
		"whole":              {"commit", live, whole, true},
		"torn after":         {"commit", live, append(append([]byte{}, whole...), whole[:20]...), true},
		"torn before":        {"commit", live, whole[:60], false},
		"another commit":     {"later", live, whole, false},
		"checkpoint is gone": {"commit", func(string) bool { return false }, whole, false},
		"a changed byte":     {"commit", live, append(append([]byte{}, whole[:70]...), append([]byte{whole[70] ^ 1}, whole[71:]...)...), false},
		"empty":              {"commit", live, nil, false},
	} {
		if err := os.WriteFile(path, test.data, 0o600); err != nil {
			t.Fatal(err)
		}
		u := &Unfinished{path: path, base: test.base, close: func() error { return nil }}
		if good := u.openOld(test.live); good != test.good {
			t.Errorf("%s: it is good is %v, want %v", name, good, test.good)
		}
		a, none, b, c := u.Find("a"), u.Find("aa"), u.Find("b\xff"), u.Find("c")
		if (a != nil) != test.good || none != nil || (b != nil) != test.good || c != nil {
			t.Errorf("%s: found %v, %v, %v, %v", name, a, none, b, c)
		}
		if test.good && a != nil && b != nil && (a.At != 5 || len(a.Chunks) != 1 || a.Chunks[0].ID != archive.ID{1} || a.Chunks[0].Length != 7 || b.Entry.Extents == nil) {
			t.Errorf("%s: got %+v, %+v", name, a, b)
		}
		u.Close(false)
	}
}

func TestWhatALaterRunHasCapturedTakesThePlaceWhenItHasPassedAllOfTheEarlierOne(t *testing.T) {
	live := func(string) bool { return true }
	first := left(t, t.TempDir())
	u := &Unfinished{path: first.path, base: "commit", close: func() error { return nil }}
	u.exhausted = !u.openOld(live)
	add := func(path string) { u.Find(path); u.Add(&CapturedEntry{Entry: entry.Entry{Path: path}}, true) }
	add("a")
	u.Mark(archive.Name{8})
	before, err := os.ReadFile(first.path)
	if err != nil {
		t.Fatal(err)
	}
	add("b\xff")
	add("d")
	u.Mark(archive.Name{8})
	after, err := os.ReadFile(first.path)
	if err != nil || string(before) == string(after) {
		t.Errorf("it was not replaced: %v", err)
	}
	u.Close(true)
	if all, _ := os.ReadDir(filepath.Dir(first.path)); len(all) != 0 {
		t.Errorf("%q is left after the commit", all[0].Name())
	}
}

func FuzzUnfinished(f *testing.F) {
	whole, err := os.ReadFile(left(&testing.T{}, f.TempDir()).path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "u")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		u := &Unfinished{path: path, base: "commit", close: func() error { return nil }}
		if u.openOld(func(string) bool { return true }) {
			u.Find("b\xff")
		}
		u.Close(false)
	})
}
