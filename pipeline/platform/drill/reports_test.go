package drill_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/platform/drill"
)

func reportOf(id byte, set string, began int64, passed bool) *catalog.DrillReport {
	return &catalog.DrillReport{ID: archive.Name{id, id}, Set: set, Host: "db1", Began: time.Unix(began, 0), Passed: passed}
}

func TestTheLatestDrillOfASetKnowsWhenOneHasPassed(t *testing.T) {
	got := drill.LatestOf([]*catalog.DrillReport{
		reportOf(0x31, "platform", 30, false), reportOf(0x41, "lake", 25, false), reportOf(0x21, "platform", 20, true), reportOf(0x11, "platform", 10, true),
	})
	if len(got) != 2 {
		t.Fatalf("%d sets have a last drill, want 2", len(got))
	}
	if p := got[0]; p.Set != "platform" || p.Passed || p.Began.Unix() != 30 || p.LastPassed.Unix() != 20 {
		t.Errorf("the last drill of platform is %+v, want the one of 30, and 20 as the last that has passed", p)
	}
	if l := got[1]; l.Set != "lake" || !l.LastPassed.IsZero() {
		t.Errorf("the last drill of lake is %+v, want one of which none has passed", l)
	}
}

func TestAReportIsFoundByTheBeginningOfItsId(t *testing.T) {
	all := []*catalog.DrillReport{reportOf(0x3a, "a", 3, true), reportOf(0x3b, "a", 2, true), reportOf(0x4c, "a", 1, true)}
	for _, test := range []struct {
		id   string
		want *catalog.DrillReport
	}{{"", all[0]}, {"3b", all[1]}, {"4", all[2]}} {
		if got, err := drill.FindReport(all, test.id); got != test.want || err != nil {
			t.Errorf("%q finds %v, %v; want %v", test.id, got, err, test.want.ID)
		}
	}
	if _, err := drill.FindReport(all, "3"); !errors.Is(err, catalog.ErrMisuse) {
		t.Errorf("two ids begin with 3, and the error is %v, want ErrMisuse", err)
	}
	if _, err := drill.FindReport(all, "5"); err == nil || errors.Is(err, catalog.ErrMisuse) {
		t.Errorf("no id begins with 5, and the error is %v", err)
	}
	if _, err := drill.FindReport(nil, ""); err == nil || !strings.Contains(err.Error(), "drill run") {
		t.Errorf("without reports the error is %v, want one that says how to make one", err)
	}
}

func TestChanceChoosesAmongWhatIsCompleteAndAlike(t *testing.T) {
	fit := &catalog.Snapshot{Set: "platform", Host: "db1", Tags: []string{"x"}}
	newest := &catalog.Snapshot{Set: "platform", Host: "db1"}
	others := []*catalog.Snapshot{newest, fit, {Set: "lake", Host: "db1", Tags: []string{"x"}}, {Set: "platform", Host: "db2", Tags: []string{"x"}}}
	f := catalog.Filter{Tags: []string{"x"}}
	for range 20 {
		if got := drill.Choose(newest, others, f); got != fit {
			t.Fatalf("chance chose %+v, want the only snapshot that fits", got)
		}
	}
	if got := drill.Choose(newest, others, catalog.Filter{Tags: []string{"y"}}); got != newest {
		t.Errorf("without a snapshot that fits it is %+v, want the newest", got)
	}
}
