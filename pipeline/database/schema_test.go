package database

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestFilterTakesWhatItsPatternsName(t *testing.T) {
	for _, c := range []struct {
		filter       Filter
		schema, name string
		want         bool
	}{
		{Filter{}, "public", "a", true},
		{Filter{Tables: []string{"a"}}, "public", "a", true},
		{Filter{Tables: []string{"a"}}, "public", "ab", false},
		{Filter{Tables: []string{"a*c"}}, "public", "abxc", true},
		{Filter{Tables: []string{"a*c"}}, "public", "abxcd", false},
		{Filter{Tables: []string{"other.*"}}, "public", "a", false},
		{Filter{Tables: []string{"other.*"}}, "other", "a", true},
		{Filter{Tables: []string{"public.a"}}, "", "a", true},
		{Filter{ExcludeTables: []string{"*_log"}}, "public", "x_log", false},
		{Filter{Schemas: []string{"o*"}}, "other", "a", true},
		{Filter{Schemas: []string{"o*"}}, "public", "a", false},
		{Filter{Tables: []string{strings.Repeat("*a", 30)}}, "public", strings.Repeat("a", 5000) + "b", false},
	} {
		if got := c.filter.Takes("public", c.schema, c.name); got != c.want {
			t.Errorf("%.60v takes %s.%.20s: %v, want %v", c.filter, c.schema, c.name, got, c.want)
		}
	}
}

func TestImpossibleDatesAreFoundExactly(t *testing.T) {
	for text, want := range map[string]bool{
		"0000-00-00": true, "2026-02-31": true, "2026-00-10": true, "2026-11-00": true, "0000-01-01 00:00:00": true, "2023-02-29": true,
		"0009-12-04": false, "2024-02-29": false, "0001-01-01": false, "infinity": false, "12345-01-01": false, "9999-12-31 23:59:59": false,
	} {
		if got := ImpossibleDate(text); got != want {
			t.Errorf("ImpossibleDate(%s) = %v, want %v", text, got, want)
		}
	}
}

func TestTimesBecomeIntervalsAsPostgreSQLPrintsThem(t *testing.T) {
	for text, want := range map[string]string{
		"-838:59:59": "PT-838H-59M-59S", "00:00:00": "PT0S", "01:00:00.5": "PT1H0.5S", "838:00:01.000001": "PT838H1.000001S", "00:30:00": "PT30M",
	} {
		got, _, err := TimeToInterval(Cell{Class: ClassText, Bytes: []byte(text)})
		if err != nil || string(got.Bytes) != want {
			t.Errorf("TimeToInterval(%s) = %s, %v, want %s", text, got.Bytes, err, want)
		}
	}
}

func TestPasswordThatIsPartOfItsMaskIsHiddenOnce(t *testing.T) {
	at, err := ParseLocation("postgres://u:x@host/name")
	if err != nil {
		t.Fatal(err)
	}
	want := "open postgres://u:xxxxx@host/name: no xxxxx"
	if got := at.Wrap("open", errors.New("no x")).Error(); got != want {
		t.Errorf("got %.200q, want %q", got, want)
	}
}

func TestShortPasswordIsHiddenAsAWordOnly(t *testing.T) {
	at, err := ParseLocation("mysql://my:my@host/mystery?tls=my")
	if err != nil {
		t.Fatal(err)
	}
	want := "open mysql://my:xxxxx@host/mystery?tls=xxxxx: mystery is not there for 'xxxxx' (xxxxx)"
	if got := at.Wrap("open", errors.New("mystery is not there for 'my' (my)")).Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLocationsHideEverySpellingOfAPassword(t *testing.T) {
	at, err := ParseLocation("mysql://u:p%40ss@h/db?password=q%20q")
	if err != nil {
		t.Fatal(err)
	}
	wrapped := at.Wrap("open", fmt.Errorf("%w: bad login u:p@ss or p%%40ss, q q", ErrUnreachable))
	for _, text := range []string{at.String(), fmt.Sprintf("%v %#v", at, at), wrapped.Error()} {
		for _, secret := range []string{"p@ss", "p%40ss", "q q", "q%20q", "q+q"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q shows %s", text, secret)
			}
		}
	}
	if !errors.Is(wrapped, ErrUnreachable) {
		t.Error("Wrap hides the cause")
	}
	if file, err := ParseLocation("sqlite:a b?.db"); err != nil || file.Reveal() != "a b?.db" {
		t.Errorf("sqlite path %q, %v", file.Reveal(), err)
	}
}

func TestPatternsThatMatchNothingAreNamed(t *testing.T) {
	s := &Schema{Namespace: "public", Tables: []*Table{{Name: "a"}, {Schema: "other", Name: "b"}}}
	f := Filter{Tables: []string{"a", "public.a", "c*", "other.*"}, Schemas: []string{"other", "publik"}, ExcludeTables: []string{"none"}}
	if got, want := f.Unmatched(s), []string{"c*", "publik"}; !slices.Equal(got, want) {
		t.Errorf("%q match nothing, want %q", got, want)
	}
}

func TestNoTwoPairsOfNamesAreJoinedToTheSame(t *testing.T) {
	seen := map[string][2]string{}
	parts := []string{"a", "b.c", "a.b", "c", `"a`, `a"`, `a".b`, `"a.b"`, ".", `"`, `b".c`, "A", " "}
	for _, schema := range parts {
		for _, name := range parts {
			id := JoinName(schema, name)
			if other, twice := seen[id]; twice {
				t.Errorf("%q and %q are both %s", other, [2]string{schema, name}, id)
			}
			seen[id] = [2]string{schema, name}
			if s, n := SplitName(id); s != schema || n != name {
				t.Errorf("%s is parted into %q and %q, want %q and %q", id, s, n, schema, name)
			}
		}
	}
	for id, want := range map[string][2]string{"plain": {"", "plain"}, `"open`: {"", `"open`}, `"a"b`: {"", `"a"b`}} {
		if s, n := SplitName(id); s != want[0] || n != want[1] {
			t.Errorf("%s is parted into %q and %q, want %q", id, s, n, want)
		}
	}
}
