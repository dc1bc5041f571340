package catalog

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
)

// at is the n-th hour of the day on which the snapshots of these tests are made.
func at(n int) time.Time { return time.Date(2026, 6, 1, n, 0, 0, 0, time.UTC) }

// made is the snapshot of an hour, whose id begins with that hour.
func made(hour int, host string, edit ...func(*Snapshot)) *Snapshot {
	s := &Snapshot{ID: archive.Name{0xaa, byte(hour)}, Host: host, Time: at(hour)}
	for _, e := range edit {
		e(s)
	}
	return s
}

func outside(s *Snapshot)    { s.Standing = Outside }
func unbound(s *Snapshot)    { s.Standing = Unbound }
func backdated(s *Snapshot)  { s.Undated = true }
func incomplete(s *Snapshot) { s.Sources = []SourceState{{Name: "x", Coverage: Coverage{Missed: 1}}} }

func of(set string, sources ...string) func(*Snapshot) {
	return func(s *Snapshot) {
		s.Set = set
		for _, name := range sources {
			s.Sources = append(s.Sources, SourceState{Name: name})
		}
	}
}

func paths(of ...string) func(*Snapshot) {
	return func(s *Snapshot) { s.Sources = []SourceState{{Name: "/", Paths: of}} }
}

func stream(s *Snapshot) { s.Sources = []SourceState{{Name: "/", Type: "command"}} }

func TestWhichSnapshotANameMeans(t *testing.T) {
	for _, c := range []struct {
		what   string
		all    []*Snapshot
		name   string
		filter Filter
		want   int // hour; 0: an error
		err    error
		says   string
	}{
		{"the newest", []*Snapshot{made(1, "a"), made(2, "a")}, "latest", Filter{}, 2, nil, ""},
		{"the one before", []*Snapshot{made(1, "a"), made(2, "a")}, "latest~1", Filter{}, 1, nil, ""},
		{"none before", []*Snapshot{made(1, "a")}, "latest~1", Filter{}, 0, ErrNoSnapshot, "only one complete snapshot"},
		{"at a time", []*Snapshot{made(1, "a"), made(3, "a")}, "@2026-06-01T02:00Z", Filter{}, 1, nil, ""},

		{"outside is passed over", []*Snapshot{made(1, "a"), made(2, "a", outside)}, "latest", Filter{}, 1, nil, ""},
		{"outside is not counted", []*Snapshot{made(1, "a"), made(2, "a", outside), made(3, "a")}, "latest~1", Filter{}, 1, nil, ""},
		{"outside is passed over at a time", []*Snapshot{made(1, "a"), made(2, "a", outside)}, "@2026-06-01T05:00Z", Filter{}, 1, nil, ""},
		{"outside makes no host ambiguous", []*Snapshot{made(1, "a"), made(2, "b", outside)}, "latest", Filter{}, 1, nil, ""},
		{"outside makes no set ambiguous", []*Snapshot{made(1, "a"), made(2, "a", outside, of("x"))}, "latest", Filter{}, 1, nil, ""},
		{"outside alone", []*Snapshot{made(2, "a", outside)}, "latest", Filter{}, 0, ErrNoSnapshot, "may not back up the host"},
		{"outside by its id", []*Snapshot{made(1, "a"), made(2, "a", outside)}, "aa02", Filter{}, 2, nil, ""},

		{"unbound where nobody is bound", []*Snapshot{made(1, "a", unbound), made(2, "a", unbound)}, "latest", Filter{}, 2, nil, ""},
		{"unbound gives way", []*Snapshot{made(1, "a"), made(2, "a", unbound)}, "latest", Filter{}, 1, nil, ""},
		{"unbound gives way whatever its set", []*Snapshot{made(1, "a", of("p")), made(2, "a", unbound, of("x"))}, "latest", Filter{}, 1, nil, ""},
		{"unbound gives way to an incomplete one", []*Snapshot{made(1, "a", incomplete), made(2, "a", unbound)}, "latest", Filter{}, 0, ErrNoSnapshot, "is incomplete"},
		{"unbound before anybody was bound", []*Snapshot{made(1, "a", unbound), made(2, "a")}, "@2026-06-01T01:30Z", Filter{}, 1, nil, ""},
		{"unbound of another host", []*Snapshot{made(1, "a"), made(2, "b", unbound)}, "latest", Filter{Host: "b"}, 2, nil, ""},

		{"no set among others", []*Snapshot{made(1, "a", of("")), made(2, "a", of("x"))}, "latest", Filter{Paths: true}, 1, nil, ""},
		{"several sets", []*Snapshot{made(1, "a", of("")), made(2, "a", of("x"))}, "latest", Filter{}, 0, ErrAmbiguous, "choose one: --set '', --set x"},
		{"by its path", []*Snapshot{made(1, "a", paths("/b", "/c")), made(2, "a", paths("/c"))}, "latest", Filter{Of: []string{"/b"}}, 1, nil, ""},
		{"by a path of several", []*Snapshot{made(1, "a", paths("/b", "/c")), made(2, "a", paths("/c"))}, "latest", Filter{Of: []string{"/c"}}, 2, nil, ""},
		{"by a path of none", []*Snapshot{made(1, "a", paths("/b", "/c"))}, "latest", Filter{Of: []string{"/b", "/d"}}, 0, ErrNoSnapshot, "no snapshot matches --path /b --path /d"},
		{"several hosts", []*Snapshot{made(1, "b c"), made(2, "a")}, "latest", Filter{}, 0, ErrAmbiguous, "choose one: --host a, --host 'b c'"},
		{"one of several hosts", []*Snapshot{made(1, "b"), made(2, "a")}, "latest", Filter{Host: "b"}, 1, nil, ""},
		{"this host of several", []*Snapshot{made(1, "b"), made(2, "a")}, "latest", Filter{Prefer: "b"}, 1, nil, ""},
		{"this host has none", []*Snapshot{made(1, "b"), made(2, "a")}, "latest", Filter{Prefer: "c"}, 0, ErrAmbiguous, "--host a, --host b"},
		{"this host has none, another has", []*Snapshot{made(1, "b")}, "latest", Filter{Prefer: "c"}, 1, nil, ""},
		{"nobody's host", []*Snapshot{made(1, ""), made(2, "a")}, "latest", Filter{}, 0, ErrAmbiguous, "--host '', --host a"},

		{"several sets", []*Snapshot{made(1, "a", of("p")), made(2, "a")}, "latest", Filter{}, 0, ErrAmbiguous, "choose one: --set '', --set p"},
		{"a set", []*Snapshot{made(1, "a", of("p")), made(2, "a")}, "latest", Filter{Set: "p"}, 1, nil, ""},
		{"paths", []*Snapshot{made(1, "a"), made(2, "a", of("p"))}, "latest", Filter{Paths: true}, 1, nil, ""},
		{"the backup that holds a path", []*Snapshot{made(1, "a", paths("/etc")), made(2, "a", of("p", "files")), made(3, "a", paths("/srv"))}, "latest", Filter{Source: "etc", Below: "ssh"}, 1, nil, ""},
		{"the backup below a path", []*Snapshot{made(1, "a", paths("/srv/files")), made(3, "a", paths("/srvx"))}, "latest", Filter{Source: "srv"}, 1, nil, ""},
		{"no backup that holds a path", []*Snapshot{made(1, "a", paths("/etc")), made(2, "a", of("p", "files"))}, "latest", Filter{Source: "nope", Below: "x"}, 0, ErrNoSnapshot, "no snapshot has a source nope or holds a path /nope/x"},
		{"the stream that may hold a file", []*Snapshot{made(1, "a", stream), made(2, "a", of("p", "files")), made(3, "a", paths("/srv"))}, "latest", Filter{Source: "x.ldif"}, 1, nil, ""},
		{"a path before a stream", []*Snapshot{made(1, "a", paths("/x.ldif")), made(2, "a", of("p", "files")), made(3, "a", stream)}, "latest", Filter{Source: "x.ldif"}, 1, nil, ""},
		{"no stream holds a folder", []*Snapshot{made(1, "a", stream), made(2, "a", of("p", "files"))}, "latest", Filter{Source: "nope", Below: "x"}, 0, ErrNoSnapshot, "no snapshot has a source nope or holds a path /nope/x"},
		{"no source of the only set", []*Snapshot{made(2, "a", of("p", "files"))}, "latest", Filter{Source: "nope"}, 2, nil, ""},
		{"a source and a path of one name", []*Snapshot{made(1, "a", paths("/files")), made(2, "a", of("p", "files"))}, "latest", Filter{Source: "files"}, 0, ErrAmbiguous, "--set '', --set p"},
		{"a host that harms a terminal", []*Snapshot{made(1, "a"), made(2, "b\n\x1b[2J'")}, "latest", Filter{}, 0, ErrAmbiguous, `--host a, --host $'b\x0a\x1b[2J\''`},
		{"the set that holds a source", []*Snapshot{made(1, "a", of("p", "files")), made(2, "a", of("q", "lake"))}, "latest", Filter{Source: "files"}, 1, nil, ""},
		{"this host's only set", []*Snapshot{made(1, "a", of("p")), made(2, "b", of("q"))}, "latest", Filter{Prefer: "a"}, 1, nil, ""},

		{"incomplete is passed over", []*Snapshot{made(1, "a"), made(2, "a", incomplete)}, "latest", Filter{}, 1, nil, ""},
		{"incomplete is accepted", []*Snapshot{made(1, "a"), made(2, "a", incomplete)}, "latest", Filter{Incomplete: true}, 2, nil, ""},

		{"dated back gives way", []*Snapshot{made(1, "a"), made(2, "a", backdated), made(3, "a")}, "@2026-06-01T02:30Z", Filter{}, 1, nil, ""},
		{"all were copied", []*Snapshot{made(1, "a", backdated), made(2, "a", backdated)}, "@2026-06-01T02:30Z", Filter{}, 2, nil, ""},
		{"dated back before all others", []*Snapshot{made(1, "a", backdated), made(3, "a")}, "@2026-06-01T02:30Z", Filter{}, 1, nil, ""},
		{"dated back, another host is dated", []*Snapshot{made(1, "b"), made(2, "a", backdated)}, "@2026-06-01T02:30Z", Filter{Host: "a"}, 2, nil, ""},
		{"dated back gives no way to what is outside", []*Snapshot{made(1, "a", outside), made(2, "a", backdated)}, "@2026-06-01T02:30Z", Filter{}, 2, nil, ""},
	} {
		got, err := Select(c.all, c.name, c.filter)
		switch {
		case c.want > 0 && (err != nil || !got.Time.Equal(at(c.want))):
			t.Errorf("%s: got %v, %v, want that of hour %d", c.what, got, err, c.want)
		case c.want == 0 && (!errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: got error %v, want %v that says %q", c.what, err, c.err, c.says)
		}
	}
}

func TestWhatOneTypesForAHostIsQuotedForAShell(t *testing.T) {
	for text, want := range map[string]string{"db1": "db1", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'", "web-1.example.org": "web-1.example.org"} {
		if got := shellWord(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestTheTimeOfASnapshotMayBeAheadOfThisHostByADay(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.Local)
	for _, test := range []struct {
		text string
		ok   bool
	}{{"", true}, {"2026-11-20T14:00", true}, {"2026-11-21T12:00", true}, {"2026-11-21T12:01", false}, {"noon", false}} {
		at, err := ParseSnapshotTime(test.text, now)
		if (err == nil) != test.ok || (test.text == "") != at.IsZero() && test.ok {
			t.Errorf("%q: %v, %v", test.text, at, err)
		}
	}
}

func TestADateEndsWithItsDay(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.Local)
	for _, test := range []struct {
		text string
		want time.Time
	}{
		{"", time.Time{}},
		{"2026-11-20", time.Date(2026, 11, 20, 23, 59, 59, 0, time.Local)},
		{"2026-11-20T12:30", time.Date(2026, 11, 20, 12, 30, 0, 0, time.Local)},
	} {
		if end, err := ParseEnd(test.text, now); err != nil || !end.Equal(test.want) {
			t.Errorf("%q: %v, %v, want %v", test.text, end, err, test.want)
		}
	}
	for _, text := range []string{"2026-11-19", "2026-11-20T11:00", "never"} {
		if end, err := ParseEnd(text, now); err == nil {
			t.Errorf("%q is taken as %v", text, end)
		}
	}
}

func TestGroupsAreReadAndMisspeltOnesRefused(t *testing.T) {
	for text, want := range map[string]GroupBy{
		"set,host,paths": {}, "": {AnySet: true, AnyHost: true, AnyPaths: true}, "set, path": {AnyHost: true}, "host": {AnySet: true, AnyPaths: true},
	} {
		if by, err := ParseGroupBy(text); err != nil || by != want {
			t.Errorf("%q: %+v, %v, want %+v", text, by, err, want)
		}
	}
	if _, err := ParseGroupBy("set,tags"); !errors.Is(err, ErrMisuse) {
		t.Errorf("tags: %v, want ErrMisuse", err)
	}
}
