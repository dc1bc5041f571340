package tripwire_test

import (
	"bytes"
	"compress/gzip"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/packstone/packstone/catalog/tripwire"
)

const mib = 1 << 20

// normal is a source of 1000 files and 100 MiB, of which a tenth does not compress.
func normal() *tripwire.Memory {
	c := tripwire.Count{Files: 1000, Bytes: 100 * mib, Rows: 5000, Dense: 10 * mib}
	return &tripwire.Memory{Complete: true, Sources: []tripwire.Source{{Name: "s", Location: "/s", Normal: c, Last: c}}}
}

// same is a backup of that source in which nothing has changed.
func same() tripwire.Seen {
	return tripwire.Seen{Name: "s", Location: "/s", Files: 1000, Bytes: 100 * mib, Rows: 5000, Compared: true}
}

func tripped(trips []tripwire.Trip) string {
	var what []string
	for _, t := range trips {
		what = append(what, t.What)
	}
	return strings.Join(what, " ")
}

func TestALossTripsAndOrdinaryWorkDoesNot(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *tripwire.Seen)
		want   string
	}{
		{"nothing changed", func(*tripwire.Seen) {}, ""},
		{"a quarter deleted", func(s *tripwire.Seen) { s.Files, s.Bytes = 750, 75*mib }, ""},
		{"a third deleted", func(s *tripwire.Seen) { s.Files, s.Bytes = 660, 66*mib }, "files"},
		{"a third of the rows gone", func(s *tripwire.Seen) { s.Rows = 3400 }, ""},
		{"most rows gone", func(s *tripwire.Seen) { s.Rows = 2000 }, "rows"},
		{"doubled by new files", func(s *tripwire.Seen) {
			s.Files, s.Bytes, s.NewFiles, s.NewBytes, s.NewFresh, s.Read = 2000, 200*mib, 1000, 100*mib, 100*mib, 100*mib
		}, ""},
		{"all files touched, little changed", func(s *tripwire.Seen) { s.Changed, s.Read = 10*mib, 100*mib; s.ReadDense = 10 * mib }, ""},
		{"encrypted in place", func(s *tripwire.Seen) { s.Changed, s.Read, s.ReadDense = 60*mib, 60*mib, 60*mib }, "changed incompressible"},
		{"encrypted under other names", func(s *tripwire.Seen) {
			s.NewFiles, s.NewBytes, s.NewFresh, s.Read, s.ReadDense = 900, 90*mib, 90*mib, 90*mib, 90*mib
		}, "renamed changed incompressible"},
		{"a directory moved", func(s *tripwire.Seen) { s.NewFiles, s.NewBytes, s.Read, s.ReadDense = 400, 40*mib, 40*mib, 4*mib }, ""},
		{"most moved", func(s *tripwire.Seen) { s.NewFiles, s.NewBytes, s.Read, s.ReadDense = 700, 70*mib, 70*mib, 7*mib }, "renamed"},
		{"without a last tree all looks new", func(s *tripwire.Seen) {
			s.Compared, s.NewFiles, s.NewBytes, s.NewFresh, s.Read, s.ReadDense = false, 1000, 100*mib, 0, 100*mib, 10*mib
		}, ""},
		{"without a last tree it is seen what is gone", func(s *tripwire.Seen) { s.Compared, s.Files, s.Read, s.Bytes = false, 100, 10*mib, 10*mib }, "files"},
		{"elsewhere", func(s *tripwire.Seen) { s.Location, s.Files = "/t", 1 }, ""},
		{"another source", func(s *tripwire.Seen) { s.Name, s.Files = "t", 1 }, ""},
		{"a database's own files", func(s *tripwire.Seen) { s.Kind, s.Files, s.NewFiles = tripwire.Database, 10, 10 }, ""},
		{"a dump is another each time", func(s *tripwire.Seen) {
			s.Kind, s.Changed, s.Read, s.ReadDense = tripwire.Dump, 100*mib, 100*mib, 100*mib
		}, ""},
		{"half a dump", func(s *tripwire.Seen) { s.Kind, s.Bytes = tripwire.Dump, 40*mib }, "bytes"},
	}
	for _, test := range tests {
		s := same()
		test.change(&s)
		trips := tripwire.Judge(normal(), []tripwire.Seen{s}, tripwire.Default)
		if got := tripped(trips); got != test.want {
			t.Errorf("%s: tripped over %q, want %q: %v", test.name, got, test.want, trips)
		}
		if trips := tripwire.Judge(normal(), []tripwire.Seen{s}, tripwire.Limits{}); len(trips) > 0 {
			t.Errorf("%s: tripped over %v without limits", test.name, trips)
		}
	}
}

func TestOfLittleNothingIsSaid(t *testing.T) {
	c := tripwire.Count{Files: 9, Bytes: 1000, Rows: 99}
	m := &tripwire.Memory{Complete: true, Sources: []tripwire.Source{{Name: "s", Normal: c, Last: c}}}
	if trips := tripwire.Judge(m, []tripwire.Seen{{Name: "s", Compared: true, Files: 1, Rows: 1, NewFiles: 9}}, tripwire.Default); len(trips) > 0 {
		t.Errorf("tripped over %v", trips)
	}
	if trips := tripwire.Judge(m, []tripwire.Seen{{Name: "s", Compared: true}}, tripwire.Default); tripped(trips) != "files rows" {
		t.Errorf("where all is gone: tripped over %v", trips)
	}
	if trips := tripwire.Judge(m, []tripwire.Seen{{Name: "s", Compared: true}}, tripwire.Limits{}); len(trips) > 0 {
		t.Errorf("where nobody looks: tripped over %v", trips)
	}
	if trips := tripwire.Judge(nil, []tripwire.Seen{same()}, tripwire.Default); len(trips) > 0 {
		t.Errorf("tripped over %v without a memory", trips)
	}
}

// TestALossStaysOneUntilItIsAccepted goes on with backups after one that was marked: nothing
// changes any more, and still they are compared with what was there before.
func TestALossStaysOneUntilItIsAccepted(t *testing.T) {
	encrypted := same()
	encrypted.Changed, encrypted.ChangedFresh, encrypted.Read, encrypted.ReadDense = 90*mib, 90*mib, 90*mib, 90*mib
	m := normal()
	steps := []struct {
		name     string
		seen     tripwire.Seen
		accepted bool
		want     string
	}{
		{"encrypted", encrypted, false, "changed incompressible"},
		{"unchanged since", same(), false, "changed incompressible"},
		{"accepted", same(), true, ""},
		{"unchanged since then", same(), false, ""},
	}
	for _, step := range steps {
		limits := tripwire.Default
		if step.accepted {
			limits = tripwire.Limits{}
		}
		trips := tripwire.Judge(m, []tripwire.Seen{step.seen}, limits)
		if got := tripped(trips); got != step.want {
			t.Errorf("%s: tripped over %q, want %q", step.name, got, step.want)
		}
		m = m.Next([]tripwire.Seen{step.seen}, true, len(trips) > 0)
	}
}

func TestWhatComesBackIsNoLossAnyMore(t *testing.T) {
	inPlace, renamed := same(), same()
	inPlace.Changed, inPlace.ChangedFresh, inPlace.Read, inPlace.ReadDense = 90*mib, 90*mib, 90*mib, 90*mib
	renamed.NewFiles, renamed.NewBytes, renamed.NewFresh, renamed.Read, renamed.ReadDense = 900, 90*mib, 90*mib, 90*mib, 90*mib
	backInPlace, backRenamed := same(), same()
	backInPlace.Changed, backInPlace.Read, backInPlace.ReadDense = 90*mib, 90*mib, 0
	backRenamed.NewFiles, backRenamed.NewKnown, backRenamed.NewBytes, backRenamed.Read = 900, 900, 90*mib, 90*mib
	for name, both := range map[string][2]tripwire.Seen{"in place": {inPlace, backInPlace}, "renamed": {renamed, backRenamed}} {
		m := normal()
		if trips := tripwire.Judge(m, both[:1], tripwire.Default); len(trips) == 0 {
			t.Errorf("%s: it did not trip", name)
		}
		m = m.Next(both[:1], true, true)
		if trips := tripwire.Judge(m, both[1:], tripwire.Default); len(trips) > 0 {
			t.Errorf("%s: what came back tripped over %v", name, trips)
		}
	}
}

func TestIncompleteSnapshotsBecomeNormalOnlyWhereNoneIsComplete(t *testing.T) {
	fewer := same()
	fewer.Files = 800
	m := normal().Next([]tripwire.Seen{fewer}, false, false)
	if n := m.Sources[0].Normal.Files; n != 1000 || !m.Complete {
		t.Errorf("normal are %d files, complete is %v; want the complete snapshot's 1000", n, m.Complete)
	}
	var none *tripwire.Memory
	m = none.Next([]tripwire.Seen{same()}, false, false).Next([]tripwire.Seen{fewer}, false, false)
	if n := m.Sources[0].Normal.Files; n != 800 || m.Complete {
		t.Errorf("normal are %d files, complete is %v; want the last incomplete snapshot's 800", n, m.Complete)
	}
}

func TestDenseTellsWhatDoesNotCompress(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 64<<10)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	text := bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog. 0123456789\n"), 2000)
	for i := range text {
		if i%7 == 0 {
			text[i] = byte('a' + r.IntN(26))
		}
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(text)
	w.Close()
	for _, test := range []struct {
		name string
		data []byte
		want bool
	}{{"noise", noise, true}, {"an archive", packed.Bytes(), true}, {"text", text, false}, {"zeros", make([]byte, 8192), false}, {"little", noise[:511], false}} {
		if got := tripwire.Dense(test.data); got != test.want {
			t.Errorf("%s: dense is %v, want %v", test.name, got, test.want)
		}
	}
}

func BenchmarkDense(b *testing.B) {
	data := bytes.Repeat([]byte("some text "), 1000)
	for b.Loop() {
		tripwire.Dense(data)
	}
}
