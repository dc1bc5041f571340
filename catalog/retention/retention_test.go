package retention

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// series are complete snapshots of one group, one for each of so many times before noon.
func series(before ...time.Duration) (all []Snapshot) {
	for i, d := range before {
		all = append(all, Snapshot{ID: fmt.Sprint(i), Time: noon.Add(-d), Date: noon.Add(-d), Complete: true})
	}
	return all
}

func kept(verdicts []Verdict) (ids []string) {
	for _, v := range verdicts {
		if v.Kept() {
			ids = append(ids, v.ID)
		}
	}
	return ids
}

const (
	hours = time.Hour
	days  = 24 * hours
)

func TestRulesKeepTheNewestOfEachPeriod(t *testing.T) {
	every := func(step time.Duration, n int) (all []time.Duration) {
		for i := range n {
			all = append(all, time.Duration(i)*step)
		}
		return all
	}
	for _, test := range []struct {
		name   string
		policy Policy
		all    []Snapshot
		want   string
	}{
		{"last", Policy{Last: 2}, series(every(hours, 5)...), "0 1"},
		{"all", Policy{Last: All}, series(every(hours, 3)...), "0 1 2"},
		{"hourly", Policy{Hourly: 2}, series(every(20*time.Minute, 6)...), "0 1"},
		{"daily", Policy{Daily: 3}, series(every(6*hours, 12)...), "0 3 7"},
		{"weekly", Policy{Weekly: 2}, series(every(days, 10)...), "0 5"},
		{"monthly", Policy{Monthly: 2}, series(every(10*days, 6)...), "0 2"},
		{"quarterly", Policy{Quarterly: 2}, series(every(30*days, 6)...), "0 2"},
		{"yearly", Policy{Yearly: 3}, series(every(200*days, 5)...), "0 2 4"},
		{"days without a snapshot take no place", Policy{Daily: 2}, series(0, 40*days, 80*days), "0 1"},
		{"within", Policy{Within: Span{Days: 2}}, series(every(days, 5)...), "0 1"},
		{"just within", Policy{Within: Span{Days: 2}}, series(0, 48*hours-time.Second, 48*hours), "0 1"},
		{"daily within", Policy{WithinDaily: Span{Days: 2}}, series(every(6*hours, 12)...), "0 3 7"},
		{"two rules", Policy{Last: 1, Yearly: 2}, series(every(100*days, 5)...), "0 4"},
		{"the newest stays", Policy{IDs: []string{"1"}}, series(0, days, 2*days), "0 1"},
		{"no rule", Policy{}, series(0, days), "0 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := strings.Join(kept(Decide(test.all, test.policy, Options{Now: noon})), " "); got != test.want {
				t.Errorf("kept %s, want %s", got, test.want)
			}
		})
	}
}

func TestAnIncompleteSnapshotTakesNobodysPlace(t *testing.T) {
	all := series(0, hours, 2*hours, 3*hours)
	all[0].Complete, all[2].Complete = false, false
	got := kept(Decide(all, Policy{Last: 1}, Options{Now: noon}))
	if !slices.Equal(got, []string{"0", "1"}) {
		t.Errorf("kept %s, want the newest complete one and the newest incomplete one", got)
	}
}

func TestASnapshotThatLooksLikeALossTakesNobodysPlace(t *testing.T) {
	all := series(0, hours, 2*hours)
	all[0].Marked = true
	got := kept(Decide(all, Policy{Last: 1}, Options{Now: noon}))
	if !slices.Equal(got, []string{"0", "1"}) {
		t.Errorf("kept %s, want the marked one, and the newest of the others", got)
	}
}

func TestGroupsDoNotReplaceEachOther(t *testing.T) {
	all := series(2*hours, hours, 0)
	all[0].Group, all[1].Group, all[2].Group = "/a", "/b", "/b"
	if got := kept(Decide(all, Policy{Last: 2}, Options{Now: noon})); len(got) != 3 {
		t.Errorf("--keep-last 2 after /a, /b, /b keeps %s", got)
	}
}

func TestTagsKeepWhatHasAllOfThem(t *testing.T) {
	all := series(0, hours, 2*hours)
	all[1].Tags, all[2].Tags = []string{"a"}, []string{"b", "a"}
	if got := kept(Decide(all, Policy{Tags: [][]string{{"a", "b"}}}, Options{Now: noon})); !slices.Equal(got, []string{"0", "2"}) {
		t.Errorf("kept %s", got)
	}
}

func TestRemovingAllIsDoneWhereItWasAskedFor(t *testing.T) {
	all := series(0, hours)
	all[1].Held = true
	if got := kept(Decide(all, Policy{}, Options{Now: noon, RemoveAll: true})); !slices.Equal(got, []string{"1"}) {
		t.Errorf("kept %s, want what is held", got)
	}
}

func TestADayBeginsInTheZone(t *testing.T) {
	all := series(0, 13*hours) // 12:00 and 23:00 the day before
	zone := time.FixedZone("", 2*3600)
	if got := kept(Decide(all, Policy{Daily: 5}, Options{Now: noon, Zone: zone})); !slices.Equal(got, []string{"0"}) {
		t.Errorf("kept %s: in the zone both are of one day", got)
	}
}

func TestSpansComeBack(t *testing.T) {
	for text, want := range map[string]Span{"14d": {Days: 14}, "1y6m7d12h": {1, 6, 7, 12}, "2w": {Days: 14}} {
		s, err := ParseSpan(text)
		if err != nil || s != want {
			t.Errorf("%s: %v, %v", text, s, err)
		}
		if again, err := ParseSpan(s.String()); err != nil || again != s {
			t.Errorf("%s: came back as %v, %v", s, again, err)
		}
	}
	for _, text := range []string{"", "d", "5", "-1d", "1x", "1d ", "99999999999999999999d", "0d", "100001y", "17666w", "99999d99999d"} {
		if s, err := ParseSpan(text); err == nil {
			t.Errorf("%q was read as %v", text, s)
		}
	}
}

func FuzzParseSpan(f *testing.F) {
	for _, seed := range []string{"14d", "1y6m7d12h", "", "5", "1w1w"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSpan(text)
		if err != nil {
			return
		}
		if again, err := ParseSpan(s.String()); err != nil || again != s {
			t.Errorf("%q came back as %v, %v", text, again, err)
		}
		s.before(noon)
	})
}

// What follows holds for all snapshots and policies.

// anySnapshots draws up to twenty, in three groups, over years. Their clocks are right.
func anySnapshots(t *rapid.T) []Snapshot {
	n := rapid.IntRange(0, 20).Draw(t, "snapshots")
	all := make([]Snapshot, n)
	for i := range all {
		at := noon.Add(-time.Duration(rapid.Int64Range(0, 3*365*24*60).Draw(t, "minutes before")) * time.Minute)
		all[i] = Snapshot{
			ID: fmt.Sprint(i), Group: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "group"), Time: at, Date: at,
			Complete: rapid.IntRange(0, 3).Draw(t, "complete") > 0, Marked: rapid.IntRange(0, 5).Draw(t, "marked") == 0,
			Held: rapid.IntRange(0, 9).Draw(t, "held") == 0, Undated: rapid.IntRange(0, 9).Draw(t, "undated") == 0,
			Tags: rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y"}), 0, 2).Draw(t, "tags"),
		}
	}
	return all
}

func anyPolicy(t *rapid.T) Policy {
	count := func(name string) int { return rapid.SampledFrom([]int{0, 0, 0, 1, 2, 5, All}).Draw(t, name) }
	span := func(name string) Span {
		return Span{Days: rapid.SampledFrom([]int{0, 0, 0, 1, 30, 400}).Draw(t, name)}
	}
	p := Policy{
		Last: count("last"), Hourly: count("hourly"), Daily: count("daily"), Weekly: count("weekly"), Monthly: count("monthly"),
		Quarterly: count("quarterly"), Yearly: count("yearly"), Within: span("within"), WithinDaily: span("within daily"), WithinYearly: span("within yearly"),
	}
	if rapid.Bool().Draw(t, "by tag") {
		p.Tags = [][]string{{"x"}}
	}
	if rapid.Bool().Draw(t, "by id") {
		p.IDs = []string{"0", "7"}
	}
	return p
}

func anyOptions(t *rapid.T) Options {
	return Options{Now: noon, Floor: time.Duration(rapid.IntRange(0, 20).Draw(t, "floor")) * days}
}

func isKept(verdicts []Verdict, id string) bool { return slices.Contains(kept(verdicts), id) }

func TestTheNewestCompleteSnapshotOfAGroupIsNeverForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, p, o := anySnapshots(t), anyPolicy(t), anyOptions(t)
		verdicts := Decide(all, p, o)
		newest := map[string]time.Time{}
		for i := range all {
			if s := &all[i]; s.fills() && !s.Undated && s.Time.After(newest[s.Group]) {
				newest[s.Group] = s.Time
			}
		}
		there := map[string]bool{}
		for _, v := range verdicts {
			there[v.Group] = there[v.Group] || v.Kept() && v.fills() && v.Time.Equal(newest[v.Group])
		}
		for group := range newest {
			if !there[group] {
				t.Fatalf("the newest complete snapshot of %s is forgotten", group)
			}
		}
	})
}

func TestAGroupNeverLosesItsLastSnapshot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := anySnapshots(t)
		verdicts := Decide(all, anyPolicy(t), anyOptions(t))
		for i := range all {
			if !slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.Group == all[i].Group && v.Kept() }) {
				t.Fatalf("nothing is left of group %s", all[i].Group)
			}
		}
	})
}

func TestWhatIsHeldUndatedOrYoungStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, o := anySnapshots(t), anyOptions(t)
		o.RemoveAll = rapid.Bool().Draw(t, "remove all")
		for _, v := range Decide(all, anyPolicy(t), o) {
			if (v.Held || v.Undated || noon.Sub(v.Date) < o.Floor) && !v.Kept() {
				t.Fatalf("%+v is forgotten", v)
			}
		}
	})
}

func TestTheFloorGoesByTheDateOfTheStorage(t *testing.T) {
	all := series(0, days, 2*days)
	all[2].Time = noon.Add(-3 * 365 * days) // as its writer claims
	got := strings.Join(kept(Decide(all, Policy{Last: 1}, Options{Now: noon, Floor: 14 * days})), " ")
	if want := "0 1 2"; got != want {
		t.Errorf("kept %s, want %s: what came to the storage within the floor stays, whatever time it claims", got, want)
	}
}

func TestTheOrderOfSnapshotsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, p, o := anySnapshots(t), anyPolicy(t), anyOptions(t)
		before := kept(Decide(all, p, o))
		after := kept(Decide(rapid.Permutation(all).Draw(t, "order"), p, o))
		slices.Sort(before)
		slices.Sort(after)
		if !slices.Equal(before, after) {
			t.Fatalf("kept %s, and in another order %s", before, after)
		}
	})
}

func TestARuleMoreForgetsNothingMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, p, o := anySnapshots(t), anyPolicy(t), anyOptions(t)
		if p.Empty() {
			return // which keeps all
		}
		more := p
		more.Monthly, more.Tags = All, append(more.Tags, []string{"y"})
		verdicts := Decide(all, more, o)
		for _, id := range kept(Decide(all, p, o)) {
			if !isKept(verdicts, id) {
				t.Fatalf("%s is forgotten by a policy that keeps more", id)
			}
		}
	})
}

func TestDecidingTwiceForgetsNothingMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, p, o := anySnapshots(t), anyPolicy(t), anyOptions(t)
		first := Decide(all, p, o)
		left := slices.DeleteFunc(slices.Clone(all), func(s Snapshot) bool { return !isKept(first, s.ID) })
		for _, v := range Decide(left, p, o) {
			if !v.Kept() {
				t.Fatalf("%s was kept, and is forgotten by the same policy right after", v.ID)
			}
		}
	})
}

// A host's clock that is off by years shows in one of two ways: its snapshots are dated back, and
// count as undated; or they are ahead, and count as of their date.
func TestClocksThatAreOffByYearsLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, p, o := anySnapshots(t), anyPolicy(t), anyOptions(t)
		off := slices.Clone(all)
		for i := range off {
			if rapid.Bool().Draw(t, "years behind") {
				off[i].Time, off[i].Undated = off[i].Time.AddDate(-rapid.IntRange(1, 30).Draw(t, "years"), 0, 0), true
			}
		}
		verdicts := Decide(off, p, o)
		for _, id := range kept(Decide(all, p, o)) {
			if !isKept(verdicts, id) {
				t.Fatalf("%s would be kept if all clocks were right", id)
			}
		}
	})
}

func TestOneGroupSaysNothingOfAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, p, o := anySnapshots(t), anyPolicy(t), anyOptions(t)
		alone := slices.DeleteFunc(slices.Clone(all), func(s Snapshot) bool { return s.Group != "a" })
		together := Decide(all, p, o)
		for _, v := range Decide(alone, p, o) {
			if v.Kept() != isKept(together, v.ID) {
				t.Fatalf("%s is kept by itself: %v, beside other groups: %v", v.ID, v.Kept(), !v.Kept())
			}
		}
	})
}
