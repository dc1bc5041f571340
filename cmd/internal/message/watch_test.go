package message

import (
	"slices"
	"testing"
	"time"
)

func TestAWatchNamesWhoIsLate(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	w := Watch{Writers: []WatchWriter{{Name: "db1", Newest: now.Add(-time.Hour)}, {Name: "old", Newest: now.Add(-27 * time.Hour)}, {Name: "edge", Newest: now.Add(-26 * time.Hour)}, {Name: "other"}}}
	w.KeepOnly([]string{"db1", "old", "edge", "never"})
	if late := w.Judge(26*time.Hour, now); !slices.Equal(late, []string{"old", "never"}) {
		t.Errorf("late are %q", late)
	}
	if len(w.Writers) != 4 || w.MaxAge != 26*3600 || w.Writers[0].Age != 3600 || w.Writers[3].Age != -1 {
		t.Errorf("got %+v", w)
	}
}
