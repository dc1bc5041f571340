package ddl

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/packstone/packstone/pipeline/database"
)

func bytesOf(text string) int { return len(text) }

func namesOf(rules NameRules, asked ...string) []string {
	m := (&Dialect{Names: rules}).mapper(nil, database.PlanOptions{})
	var wishes []*wish
	for _, name := range asked {
		wishes = append(wishes, &wish{in: where{"x"}, asked: name, legal: rules.Legal(name)})
	}
	m.grant(wishes)
	out := make([]string, len(wishes))
	for i, w := range wishes {
		out[i] = w.name
	}
	return out
}

func TestNamesAreLegalAndDoNotCollide(t *testing.T) {
	rules := NameRules{Max: 12, Unit: "bytes", Length: bytesOf, Takes: func(r rune) bool { return r != '"' }, Fold: strings.ToLower}
	asked := []string{"Artist", "ARTIST", "artist", `a"b`, "", "ends ", "éééééééé", "a very long name indeed", "a very long", "a very long name"}
	want := []string{"Artist", "ARTIST__2", "artist__3", "a_b", "unnamed", "ends_", "éééééé", "a very long_", "a very long", "a very lo__2"}
	for i, got := range namesOf(rules, asked...) {
		if got != want[i] {
			t.Errorf("%q became %q, want %q", asked[i], got, want[i])
		}
	}
}

func TestANameThatIsLegalIsKept(t *testing.T) {
	long := strings.Repeat("x", 63)
	got := namesOf(NameRules{Max: 63, Length: bytesOf}, long+"1", long+"2", long)
	if got[2] != long || got[0] == got[1] || len(got[0]) > 63 || len(got[1]) > 63 {
		t.Errorf("the names became %q", got)
	}
}

func FuzzNames(f *testing.F) {
	for _, seed := range []string{"", "x", `"; DROP TABLE "t`, "\x00\xff", "été", strings.Repeat("ü", 40), "a ", "a_"} {
		f.Add(seed, seed+"2")
	}
	rules := NameRules{Max: 30, Length: bytesOf, Takes: func(r rune) bool { return r != '"' }}
	f.Fuzz(func(t *testing.T, one, two string) {
		got := namesOf(rules, one, two)
		a, b := got[0], got[1]
		if a == b || a == "" || len(a) > 30 || len(b) > 30 || strings.ContainsAny(a+b, "\"\x00") || !utf8.ValidString(a+b) {
			t.Errorf("%q and %q became %q and %q", one, two, a, b)
		}
	})
}
