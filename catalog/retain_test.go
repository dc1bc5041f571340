package catalog

import (
	"slices"
	"testing"
)

func TestTheNewestOfEachGroupKeepTheirOrder(t *testing.T) {
	var all []*Snapshot
	for _, host := range []string{"a", "b", "a", "a", "b"} {
		all = append(all, &Snapshot{Set: "platform", Host: host, Standing: Bound})
	}
	if got := (GroupBy{}).Newest(all, 2); !slices.Equal(got, []*Snapshot{all[1], all[2], all[3], all[4]}) {
		t.Errorf("the newest two of each host are %v", got)
	}
	if got := (GroupBy{AnyHost: true}).Newest(all, 1); !slices.Equal(got, all[4:]) {
		t.Errorf("the newest of all hosts is %v", got)
	}
}

func TestADivisionKeepsTheOrderOfGroupsAndOfWhatIsInThem(t *testing.T) {
	var all []*Snapshot
	for _, host := range []string{"b", "a", "b"} {
		all = append(all, &Snapshot{Host: host})
	}
	got := Divide(all, func(s *Snapshot) string { return s.Host })
	if len(got) != 2 || !slices.Equal(got[0], []*Snapshot{all[0], all[2]}) || !slices.Equal(got[1], all[1:2]) {
		t.Errorf("the groups are %v", got)
	}
	if got := Divide(nil, nil); got != nil {
		t.Errorf("of nothing the groups are %v", got)
	}
}
