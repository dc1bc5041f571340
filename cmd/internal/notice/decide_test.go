package notice

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/cmd/internal/health"
)

var begin = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func TestOnlyChangesOfStateAreToldAndOneReminderADay(t *testing.T) {
	type step struct {
		after   time.Duration
		state   health.State
		refused bool // nobody can be reached
	}
	hour := time.Hour
	tests := []struct {
		name  string
		steps []step
		want  string
	}{
		{"well", []step{{0, health.Protected, false}, {hour, health.Protected, false}}, ""},
		{"not run yet", []step{{0, health.Never, false}, {hour, health.Protected, false}}, ""},
		{"a failure and the end of it", []step{{0, health.Protected, false}, {hour, health.Failed, false}, {2 * hour, health.Failed, false}, {3 * hour, health.Protected, false}, {4 * hour, health.Protected, false}},
			"1h failed, 3h recovered"},
		{"each day", []step{{0, health.Incomplete, false}, {23 * hour, health.Incomplete, false}, {24 * hour, health.Incomplete, false}, {47 * hour, health.Incomplete, false}, {48 * hour, health.Incomplete, false}},
			"0h incomplete, 24h incomplete again, 48h incomplete again"},
		{"from bad to worse", []step{{0, health.Failed, false}, {hour, health.Late, false}, {2 * hour, health.Damaged, false}, {3 * hour, health.Tripped, false}},
			"0h failed, 1h late, 2h damaged, 3h tripwire"},
		{"nobody can be reached", []step{{0, health.Failed, true}, {5 * time.Minute, health.Failed, true}, {15 * time.Minute, health.Failed, true}, {30 * time.Minute, health.Failed, false}, {hour, health.Failed, false}},
			"0h failed, 0.25h failed, 0.5h failed"},
		{"nor told that it is over", []step{{0, health.Failed, false}, {hour, health.Protected, true}, {2 * hour, health.Protected, false}, {3 * hour, health.Protected, false}},
			"0h failed, 1h recovered, 2h recovered"},
		{"failed, snapshots gone, well", []step{{0, health.Failed, false}, {hour, health.Never, false}, {2 * hour, health.Protected, false}}, "0h failed, 2h recovered"},
	}
	for _, test := range tests {
		var m Memory
		var got []string
		for _, s := range test.steps {
			for _, n := range m.Decide([]health.Set{{Name: "s", Host: "h", State: s.state}}, begin.Add(s.after)) {
				word := fmt.Sprintf("%vh %s", s.after.Hours(), n.Event)
				if n.Reminder {
					word += " again"
				}
				got = append(got, word)
				m.Note(n, !s.refused)
			}
			m = kept(t, m)
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%s: told %q, want %q", test.name, strings.Join(got, ", "), test.want)
		}
	}
}

// kept is a memory after it was written and read.
func kept(t *testing.T, m Memory) (read Memory) {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

func TestSetsOfSeveralHostsAreToldApart(t *testing.T) {
	var m Memory
	for _, n := range m.Decide([]health.Set{{Name: "s", Host: "a", State: health.Failed}}, begin) {
		m.Note(n, true)
	}
	told := m.Decide([]health.Set{{Name: "s", Host: "a", State: health.Failed}, {Name: "s", Host: "b", State: health.Failed}}, begin)
	if len(told) != 1 || told[0].Host != "b" {
		t.Errorf("told %+v, want the failure of b", told)
	}
}

func TestANoticeSaysWhatAPersonNeeds(t *testing.T) {
	s := health.Set{Name: "platform", Host: "p1", State: health.Failed, Since: begin, Cause: "no route to the storage", Newest: begin.Add(-time.Hour)}
	n := noticeOf(s, Failed, true, begin.Add(24*time.Hour))
	want := "platform on p1: the backup failed.\nno route to the storage\nSince 2026-11-29T12:00:00Z.\nThe newest complete snapshot is of 2026-11-29T11:00:00Z."
	if n.Text != want || n.Title != "packstone: platform on p1: the backup failed (reminder)" {
		t.Errorf("got %q\n%s\nwant\n%s", n.Title, n.Text, want)
	}
}
