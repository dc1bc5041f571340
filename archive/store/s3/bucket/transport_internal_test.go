package bucket

import (
	"net/http"
	"testing"
	"time"
)

// TestTheClockOfAServerIsBoundedByAnAnswer: an answer may take long, and many servers renew the date
// that they send once a second.
func TestTheClockOfAServerIsBoundedByAnAnswer(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 10, 0, time.UTC)
	for name, c := range map[string]struct {
		received, took      time.Duration // received so long after the date
		likely, least, most time.Duration
	}{
		"same clock":      {400 * time.Millisecond, 100 * time.Millisecond, 0, -400 * time.Millisecond, 1700 * time.Millisecond},
		"an old date":     {1900 * time.Millisecond, 0, 0, -1900 * time.Millisecond, 100 * time.Millisecond},
		"slow":            {5500 * time.Millisecond, 5400 * time.Millisecond, 0, -5500 * time.Millisecond, 1900 * time.Millisecond},
		"server is ahead": {-time.Minute, 0, time.Minute, time.Minute, 62 * time.Second},
		"a server behind": {time.Minute, time.Second, -57 * time.Second, -time.Minute, -57 * time.Second},
	} {
		client := &Client{clock: &clock{}}
		client.clock.note(at.Format(http.TimeFormat), at.Add(c.received), c.took)
		least, most := client.Skew()
		if likely := client.Ahead(); likely != c.likely || least != c.least || most != c.most {
			t.Errorf("%s: ahead by %v, from %v to %v; want %v, %v, %v", name, likely, least, most, c.likely, c.least, c.most)
		}
	}
	unknown := &Client{clock: &clock{}}
	if unknown.clock.note("today", at, 0); unknown.Ahead() != 0 || !unknown.Reached() {
		t.Error("an answer without a date says how far a clock is ahead")
	}
}
