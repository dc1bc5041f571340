package output

import (
	"encoding/json"
	"testing"
	"time"
)

func TestTimesOfEveryYearHaveAForm(t *testing.T) {
	for want, at := range map[string]time.Time{
		`"2026-11-29T11:52:43.00000005Z"`:  time.Date(2026, 11, 29, 11, 52, 43, 50, time.UTC),
		`"+36812-02-20T00:36:16Z"`:         time.Unix(1<<40, 0).UTC(),
		`"-06741-06-19T17:50:56Z"`:         time.Unix(-1<<38, 0).UTC(),
		`"9999-12-31T23:59:59.999999999Z"`: time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		`"+10000-01-01T00:00:00.5Z"`:       time.Date(10000, 1, 1, 0, 0, 0, 500_000_000, time.UTC),
		`"0000-01-01T00:00:00Z"`:           time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := json.Marshal(Moment(at)); string(got) != want || err != nil {
			t.Errorf("%v: got %s, %v, want %s", at, got, err, want)
		}
	}
}
