package entry

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
)

func TestPathsAreOrderedComponentByComponent(t *testing.T) {
	ordered := []string{
		"", "A", "a", "a/", "a/b", "a/b/c", "a/b.c", "a/b0", "a\x00", "a\x01/x", "a ", "a!", "a-", "a-/x", "a.", "a.txt", "a.txt/b", "a0", "a0/", "aa",
		"b", "b/a", "é", "\xfe", "\xff", "\xff/\xff", "\xff\xff",
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := ComparePaths(a, b), cmp.Compare(i, j); got != want {
				t.Errorf("ComparePaths(%q, %q): got %d, want %d", a, b, got, want)
			}
		}
	}
}

// byComponents is the order's definition.
func byComponents(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}

func FuzzOrderIsThatOfComponents(f *testing.F) {
	f.Add("a/b", "a.b", "a")
	f.Add("", "/", "\x00")
	f.Add("\xff/x", "\xff", "\xffx")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if a != "" && b != "" { // "" is the root, before everything
			if got, want := ComparePaths(a, b), byComponents(a, b); got != want {
				t.Errorf("ComparePaths(%q, %q): got %d, want %d", a, b, got, want)
			}
		}
		if ComparePaths(a, b) != -ComparePaths(b, a) || (ComparePaths(a, b) == 0) != (a == b) {
			t.Errorf("%q and %q: got %d one way and %d the other", a, b, ComparePaths(a, b), ComparePaths(b, a))
		}
		list := []string{a, b, c}
		slices.SortFunc(list, ComparePaths)
		if ComparePaths(list[0], list[2]) > 0 {
			t.Errorf("%q: sorted, yet the first comes after the last", list)
		}
	})
}

func TestWhatLiesInADirectoryFollowsIt(t *testing.T) {
	paths := []string{"d", "d-", "d.x", "d/a", "d/a/b", "d/z", "d0", "d!", "d/a.b", "d /x"}
	slices.SortFunc(paths, ComparePaths)
	want := []string{"d", "d/a", "d/a/b", "d/a.b", "d/z", "d /x", "d!", "d-", "d.x", "d0"}
	if !slices.Equal(paths, want) {
		t.Errorf("got  %q\nwant %q", paths, want)
	}
}

func full() Entry {
	return Entry{
		Path: "p", Type: File, Mode: 0o644, Size: 5, UID: 1, GID: 2, User: "u", Group: "g", ModTime: NanoTime(10), ChangeTime: NanoTime(11), Device: 12, Inode: 13,
		Links: 1, NodeDevice: 14, Target: "t", Xattrs: []Attribute{{Name: "user.x"}}, Extents: []Extent{{0, 5}}, Identity: "etag",
		Remote: []Attribute{{Name: "m"}},
	}
}

func TestUnchangedLooksAtWhatAListingTells(t *testing.T) {
	before := full()
	for _, c := range []struct {
		name   string
		change func(e *Entry)
		want   bool
	}{
		{"nothing", func(e *Entry) {}, true},
		{"type", func(e *Entry) { e.Type = Symlink }, false},
		{"mode", func(e *Entry) { e.Mode = 0o600 }, false},
		{"size", func(e *Entry) { e.Size = 6 }, false},
		{"owner", func(e *Entry) { e.UID = 9 }, false},
		{"group", func(e *Entry) { e.GID = 9 }, false},
		{"time", func(e *Entry) { e.ModTime.Nanos++ }, false},
		{"change time", func(e *Entry) { e.ChangeTime.Nanos++ }, false},
		{"inode", func(e *Entry) { e.Inode++ }, false},
		{"links", func(e *Entry) { e.Links++ }, false},
		{"node", func(e *Entry) { e.NodeDevice++ }, false},
		{"identity", func(e *Entry) { e.Identity = "other" }, false},
		{"change time unknown", func(e *Entry) { e.ChangeTime = Time{} }, true},
		{"inode unknown", func(e *Entry) { e.Inode = 0 }, true},
		{"device, which changes with a boot", func(e *Entry) { e.Device = 99 }, true},
		{"what Detail adds", func(e *Entry) {
			e.User, e.Group, e.Target, e.Xattrs, e.Extents, e.Remote = "", "", "", nil, nil, nil
		}, true},
	} {
		now := full()
		c.change(&now)
		if got := Unchanged(&before, &now); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		if got := Unchanged(&now, &before); got != c.want {
			t.Errorf("%s, the other way: got %v, want %v", c.name, got, c.want)
		}
	}
	before.Fuzzy = true
	if now := full(); Unchanged(&before, &now) {
		t.Error("content that changed while it was read counts as unchanged")
	}
}

// TestEveryFieldIsThoughtOf fails when a field is added: decide whether Unchanged looks at it, then
// count it here.
func TestEveryFieldIsThoughtOf(t *testing.T) {
	if n := reflect.TypeFor[Entry]().NumField(); n != 22 {
		t.Errorf("Entry has %d fields, want 22", n)
	}
}

func BenchmarkComparePaths(b *testing.B) {
	x, y := "srv/files/2024/reports/annual-report-0001.pdf", "srv/files/2024/reports/annual-report-0002.pdf"
	b.SetBytes(int64(len(x)))
	b.ReportAllocs()
	for b.Loop() {
		ComparePaths(x, y)
	}
}

func TestTimesOfEveryYear(t *testing.T) {
	for _, c := range []struct {
		time    Time
		ns      int64
		fits    bool
		seconds Time // truncated
	}{
		{NanoTime(-1), -1, true, Time{Seconds: -1}},
		{NanoTime(1_500_000_000), 1_500_000_000, true, Time{Seconds: 1}},
		{NanoTime(math.MaxInt64), math.MaxInt64, true, Time{Seconds: math.MaxInt64 / 1_000_000_000}},
		{NanoTime(math.MinInt64), math.MinInt64, true, Time{Seconds: math.MinInt64/1_000_000_000 - 1}},
		{Time{math.MaxInt64 / 1_000_000_000, 854775808}, 0, false, Time{Seconds: math.MaxInt64 / 1_000_000_000}},
		{Time{1 << 40, 7}, 0, false, Time{Seconds: 1 << 40}},
	} {
		ns, fits := c.time.Nanoseconds()
		if fits != c.fits || fits && ns != c.ns {
			t.Errorf("%+v in nanoseconds: got %d, %v, want %d, %v", c.time, ns, fits, c.ns, c.fits)
		}
		if got := TimeOf(c.time.Time()); got != c.time {
			t.Errorf("%+v there and back: got %+v", c.time, got)
		}
		if got := c.time.Truncate(time.Second); got != c.seconds {
			t.Errorf("%+v in whole seconds: got %+v, want %+v", c.time, got, c.seconds)
		}
	}
	if got, want := (Time{-3, 5}).Truncate(2*time.Second), (Time{Seconds: -4}); got != want {
		t.Errorf("rounded down before 1970: got %+v, want %+v", got, want)
	}
}

// FuzzPrintable prints any name: a terminal takes none of it for a command, and no two names look
// the same.
func FuzzPrintable(f *testing.F) {
	for _, seed := range []string{"a", "\x1b[2J", "\u202egpj.exe", "\xff", "\ufffd", `"a"`, "a\nb", "\u00a0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		shown := Printable(name)
		for _, r := range shown {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q is shown as %q", name, shown)
			}
		}
		if shown == name {
			return
		}
		if back, err := strconv.Unquote(shown); err != nil || back != name {
			t.Fatalf("%q is shown as %s, which reads as %q, %v", name, shown, back, err)
		}
	})
}
