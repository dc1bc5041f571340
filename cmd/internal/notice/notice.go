// Package notice tells people when a set's state changes: that it has failed, is late, incomplete,
// damaged or marked by a tripwire, and that it is well again, but never that a run succeeded.
// Decide, which does no I/O, determines what to report. A Sender delivers it by webhooks, mail,
// commands and pings.
//
// Nothing here fails a backup: a failed delivery is logged, and tried again later.
package notice

import (
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/cmd/internal/health"
)

// Event is what a notice is about. Its text is used in the setting on:, and in the JSON of a
// webhook.
type Event string

// The events.
const (
	Failed     Event = "failed"     // a run, or a drill, failed
	Late       Event = "late"       // the newest complete snapshot is older than max_age
	Incomplete Event = "incomplete" // something was left out
	Damaged    Event = "damaged"    // a check found damage
	Tripwire   Event = "tripwire"   // the last snapshot looks like a loss
	Recovered  Event = "recovered"  // all of that is over
)

// Events lists all events.
var Events = []Event{Failed, Late, Incomplete, Damaged, Tripwire, Recovered}

// eventOf returns the event for a state; "" for none.
func eventOf(s health.State) Event {
	switch s {
	case health.Failed, health.Undrilled:
		return Failed
	case health.Late:
		return Late
	case health.Incomplete:
		return Incomplete
	case health.Damaged:
		return Damaged
	case health.Tripped:
		return Tripwire
	case health.Protected:
		return Recovered
	}
	return ""
}

// Notice is one thing to report. Commands, and webhooks without a template, get it as JSON.
type Notice struct {
	Schema   string       `json:"schema"` // packstone.notice.v1
	Event    Event        `json:"event"`
	Reminder bool         `json:"reminder,omitempty"` // it was told before, and still holds
	Test     bool         `json:"test,omitempty"`     // nothing has happened: somebody tries whether notices arrive
	Set      string       `json:"set"`                // "" for paths
	Host     string       `json:"host"`
	State    health.State `json:"state"`
	Since    time.Time    `json:"since,omitzero"` // when the state began
	Cause    string       `json:"cause,omitempty"`
	Newest   time.Time    `json:"newest_complete,omitzero"` // snapshot
	Time     time.Time    `json:"time"`
	Title    string       `json:"title"` // in one line
	Text     string       `json:"text"`  // in several
}

// schema is the version of the JSON.
const schema = "packstone.notice.v1"

// noticeOf words the notice about a set.
func noticeOf(s health.Set, event Event, reminder bool, now time.Time) Notice {
	n := Notice{
		Schema: schema, Event: event, Reminder: reminder, Set: s.Name, Host: s.Host, State: s.State, Since: s.Since.UTC(), Cause: s.Cause,
		Newest: s.Newest.UTC(), Time: now.UTC(),
	}
	if s.Since.IsZero() {
		n.Since = time.Time{}
	}
	if s.Newest.IsZero() {
		n.Newest = time.Time{}
	}
	n.Title, n.Text = n.title(), n.text()
	return n
}

// subject returns the set as it is named in a sentence.
func (n *Notice) subject() string {
	what := "the backup of paths"
	if n.Set != "" {
		what = n.Set
	}
	if n.Host != "" {
		what += " on " + n.Host
	}
	return what
}

var sentences = map[Event]string{
	Failed:     "the backup failed",
	Late:       "the last complete backup is too old",
	Incomplete: "the backup is incomplete",
	Damaged:    "a check found damage",
	Tripwire:   "the last backup is marked, since it looks like a loss or its sources do not fit together",
	Recovered:  "protected again",
}

// sentence says what has happened.
func (n *Notice) sentence() string {
	if n.State == health.Undrilled {
		return "the last drill failed: nobody knows whether it can be restored"
	}
	return sentences[n.Event]
}

func (n *Notice) title() string {
	text := "packstone: " + n.subject() + ": " + n.sentence()
	if n.Reminder {
		text += " (reminder)"
	}
	return text
}

func (n *Notice) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s.\n", n.subject(), n.sentence())
	if n.Cause != "" {
		fmt.Fprintf(&b, "%s\n", n.Cause)
	}
	if !n.Since.IsZero() && n.Event != Recovered {
		fmt.Fprintf(&b, "Since %s.\n", n.Since.Format(time.RFC3339))
	}
	switch {
	case !n.Newest.IsZero():
		fmt.Fprintf(&b, "The newest complete snapshot is of %s.\n", n.Newest.Format(time.RFC3339))
	case n.Event != Recovered && !n.Test:
		b.WriteString("No complete snapshot is known.\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// trial returns a notice that tests whether notices arrive.
func trial(event Event, host string, now time.Time) Notice {
	n := Notice{Schema: schema, Event: event, Test: true, Host: host, State: health.Protected, Time: now.UTC()}
	n.Title = "packstone: a test notice from " + host
	n.Text = "This is a test: packstone notify test was run on " + host + ". Nothing has happened."
	return n
}
