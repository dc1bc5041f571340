package message

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/collect"
	"github.com/packstone/packstone/pipeline/keep"
)

func TestTheWorstProblemOfLocksCounts(t *testing.T) {
	for _, test := range []struct {
		report keep.Report
		code   int
		said   []string
	}{
		{keep.Report{}, exitcode.Done, nil},
		{keep.Report{Withheld: keep.Count{Objects: 2, Bytes: 3}}, exitcode.Missing, []string{"--accept-growth"}},
		{keep.Report{Doubt: errors.New("a gap")}, exitcode.Missing, []string{"the locks of all"}},
		{keep.Report{Doubt: errors.New("a gap"), OnlyKnown: true}, exitcode.Integrity, []string{"and no others"}},
		{keep.Report{Missing: 1, Withheld: keep.Count{Objects: 1}}, exitcode.Integrity, []string{"--accept-growth", "packstone check"}},
		{keep.Report{Overwritten: 1, OverwrittenFirst: []string{"packs/a"}, Problems: []string{"odd"}}, exitcode.Integrity, []string{"odd", "packs/a"}},
	} {
		code, problems := KeepProblems(&test.report)
		if code != test.code || len(problems) != len(test.said) {
			t.Errorf("%+v: code %d and %v, want %d and %q", test.report, code, problems, test.code, test.said)
			continue
		}
		for i, part := range test.said {
			if !strings.Contains(problems[i].Error(), part) {
				t.Errorf("%+v: said %v, want %q", test.report, problems[i], part)
			}
		}
	}
}

func TestWhatToDoAboutAFailureIsSaid(t *testing.T) {
	other := errors.New("x")
	for _, test := range []struct {
		err  error
		part string
	}{
		{other, "x"},
		{collect.ErrTimeUp, "deleted 3 packs"},
		{collect.ErrChanged, "nothing was deleted"},
		{store.ErrDenied, "--print-policy collector"},
	} {
		if got := (Prune{Packs: 3, Bytes: 10}).Outcome(test.err); !errors.Is(got, test.err) || !strings.Contains(got.Error(), test.part) {
			t.Errorf("%v: got %v, want %q", test.err, got, test.part)
		}
	}
	extended := &keep.Report{Extended: keep.Count{Objects: 2}}
	for _, test := range []struct {
		report *keep.Report
		err    error
		part   string
	}{
		{&keep.Report{}, other, "x"},
		{extended, other, "extended 2 locks until then"},
		{extended, store.ErrDenied, "--print-policy keeper"},
		{extended, keep.ErrUnlocked, "docs/immutability.md"},
	} {
		if got := KeepOutcome(test.report, test.err); !errors.Is(got, test.err) || !strings.Contains(got.Error(), test.part) {
			t.Errorf("%v: got %v, want %q", test.err, got, test.part)
		}
	}
	if KeepOutcome(extended, nil) != nil || (Prune{}).Outcome(nil) != nil {
		t.Error("success is a failure")
	}
}

func TestVersionsThatStayAreTold(t *testing.T) {
	for _, test := range []struct {
		found store.Protection
		part  string
	}{
		{store.Protection{}, ""},
		{store.Protection{Versions: true}, "until a rule"},
		{store.Protection{Versions: true, Old: 48 * time.Hour}, "2 days later"},
	} {
		if got := OldVersions(test.found); !strings.Contains(got, test.part) || (test.part == "") != (got == "") {
			t.Errorf("%+v: %q, want %q", test.found, got, test.part)
		}
	}
}

func TestAnAdmissionIsToldByItsKind(t *testing.T) {
	c := &catalog.Config{Number: 3}
	writer := &admin.Admission{Kind: admin.KindWriter, Name: "db1-2", Member: catalog.Member{Hosts: []string{"db1"}, Replaces: "db1"}}
	m := AdmissionOf(writer, c, false)
	if notes := m.Notes(); len(notes) != 2 || !strings.Contains(notes[0], "writer db1 is revoked") || notes[1] != "admitted writer db1-2 for db1 with configuration 3" {
		t.Errorf("notes %q", notes)
	}
	if added := m.OfWriter(); added.Replaces != "db1" || added.Hosts[0] != "db1" {
		t.Errorf("as JSON %+v", added)
	}
	keeper := AdmissionOf(&admin.Admission{Kind: admin.KindKeeper, Name: "guard"}, c, true)
	if keeper.Text() != "dry run: would admit keeper guard" {
		t.Errorf("%q", keeper.Text())
	}
}

func TestAWriterThatMayNotSpeakForItsOwnNameIsWarnedOf(t *testing.T) {
	db1, err := crypto.GenerateSigner("db1")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		hosts []string
		warns bool
	}{{[]string{"db1"}, false}, {[]string{"other"}, false}, {[]string{"a", "b"}, true}, {[]string{"*"}, false}} {
		got := Nameless(catalog.Member{Key: db1.Verifier().Text(), Hosts: test.hosts})
		if (got != "") != test.warns {
			t.Errorf("for %q: %q", test.hosts, got)
		}
	}
}
