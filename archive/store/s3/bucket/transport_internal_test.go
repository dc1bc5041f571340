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
		sent, received time.Duration // after the date of the answer
		likely, least  time.Duration
	}{
		"same clock":        {300 * time.Millisecond, 400 * time.Millisecond, 0, 0},
		"date not renewed":  {1100 * time.Millisecond, 1200 * time.Millisecond, 0, -time.Second},
		"next second":       {900 * time.Millisecond, 1100 * time.Millisecond, 0, -time.Second},
		"slow way back":     {100 * time.Millisecond, 5500 * time.Millisecond, 0, -5 * time.Second},
		"slow way there":    {-5500 * time.Millisecond, 100 * time.Millisecond, 0, 0},
		"server is ahead":   {-60 * time.Second, -60 * time.Second, 60 * time.Second, 60 * time.Second},
		"server is behind":  {60 * time.Second, 60 * time.Second, -59 * time.Second, -60 * time.Second},
		"behind and slow":   {60 * time.Second, 63 * time.Second, -59 * time.Second, -63 * time.Second},
		"a second too fast": {-500 * time.Millisecond, -400 * time.Millisecond, time.Second, time.Second},
	} {
		client := &Client{clock: &clock{}}
		client.clock.note(at.Format(http.TimeFormat), at.Add(c.sent), at.Add(c.received))
		if likely, least := client.Ahead(), client.AheadAtLeast(); likely != c.likely || least != c.least {
			t.Errorf("%s: ahead by %v, at least %v; want %v and %v", name, likely, least, c.likely, c.least)
		}
	}
	unknown := &Client{clock: &clock{}}
	if unknown.clock.note("today", at, at); unknown.Ahead() != 0 || unknown.AheadAtLeast() != 0 || !unknown.Reached() {
		t.Error("an answer without a date says how far a clock is ahead")
	}
}
