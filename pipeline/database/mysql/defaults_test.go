package mysql

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDefaultsThatAreNoTextAreSpeltByTheirBytes(t *testing.T) {
	for in, want := range map[string]string{
		"`a` varbinary(5) DEFAULT 'it''s'":                         "`a` varbinary(5) DEFAULT 'it''s'",
		"`a` varbinary(5) DEFAULT '\xff\\0\\'x''\\\\' COMMENT 'ä'": "`a` varbinary(5) DEFAULT X'ff0027782\x375c' COMMENT 'ä'",
		"`'` int, `b` binary(3) DEFAULT '\x80\xffA'":               "`'` int, `b` binary(3) DEFAULT X'80ff41'",
		"`a``' b` DEFAULT '\xff'":                                  "`a``' b` DEFAULT X'ff'",
	} {
		if got := hexDefaults(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestSequencesOfTheDatabaseItselfLoseItsName(t *testing.T) {
	for in, want := range map[string]string{
		"`id` int DEFAULT nextval(`d`.`s`)":                      "`id` int DEFAULT nextval(`s`)",
		"`id` int DEFAULT nextval(`e`.`s`)":                      "`id` int DEFAULT nextval(`e`.`s`)",
		"`id` int DEFAULT (nextval(`d`.`s`) + nextval(`d`.`s`))": "`id` int DEFAULT (nextval(`s`) + nextval(`s`))",
		"`nextval(``d``.` text DEFAULT 'nextval(`d`.`s`)'":       "`nextval(``d``.` text DEFAULT 'nextval(`d`.`s`)'",
	} {
		if got := ownCounters(in, "d"); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzDefaults(f *testing.F) {
	for _, seed := range []string{"`a` varbinary(5) DEFAULT '\xff\\0\\'x''\\\\' COMMENT 'ä'", "`id` int DEFAULT nextval(`d`.`s`)", "\xff`a", "nextval(`d`.`", "'\\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, create string) {
		if got := hexDefaults(create); utf8.ValidString(create) && got != create {
			t.Errorf("%q became %q", create, got)
		}
		got := ownCounters(create, "d")
		if len(got) > len(create) || ownCounters(got, "e") != got && !strings.Contains(create, "`e`.") {
			t.Errorf("%q became %q", create, got)
		}
		names, rest := cutNames(create)
		if len(names) > len(create) || !strings.HasSuffix(create, rest) {
			t.Errorf("%q begins with %q, and goes on with %q", create, names, rest)
		}
	})
}

// TestANameWithoutAnEndEndsAllTheSame: what a server prints of a schema is not to be relied on.
func TestANameWithoutAnEndEndsAllTheSame(t *testing.T) {
	if got := hexDefaults("\xff`a"); got != "\xff`a" {
		t.Errorf("got %q", got)
	}
	if got := ownCounters("nextval(`d`.`s", "d"); got != "nextval(`s" {
		t.Errorf("got %q", got)
	}
	if names, rest := cutNames("(`a`, `b"); !slices.Equal(names, []string{"a", "b"}) || rest != "" {
		t.Errorf("got %q, %q", names, rest)
	}
}
