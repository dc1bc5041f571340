package notice

import (
	"time"

	"github.com/packstone/packstone/cmd/internal/health"
)

const (
	// remindAfter is how long a fault must last before it is reported again.
	remindAfter = 24 * time.Hour
	// againAfter is how long after a failed delivery a notice is sent again.
	againAfter = 15 * time.Minute
)

// Memory is what was reported already. The caller stores it between runs, as JSON or otherwise. The
// zero value remembers nothing. If it is lost, faults are reported once more.
type Memory struct {
	Told map[string]Told `json:"told,omitempty"` // by health.Set.Key
}

// Told is what was last reported of one set. A set without an entry is well, as far as anybody
// knows.
type Told struct {
	State   health.State `json:"state"`
	At      time.Time    `json:"at"`                // when it was told, or tried to be
	Pending bool         `json:"pending,omitempty"` // it has reached nobody yet
}

// Decide returns the notices for sets at now. It changes nothing: Note records what was sent.
func (m *Memory) Decide(sets []health.Set, now time.Time) (notices []Notice) {
	for _, s := range sets {
		if event, reminder := m.due(s, now); event != "" {
			notices = append(notices, noticeOf(s, event, reminder, now))
		}
	}
	return notices
}

// due returns what to report of one set, "" for nothing.
func (m *Memory) due(s health.Set, now time.Time) (event Event, reminder bool) {
	told, known := m.Told[s.Key()]
	event = eventOf(s.State)
	switch {
	case !known && event == Recovered: // it was well before
		return "", false
	case !known || told.State != s.State:
		return event, false
	case told.Pending && now.Sub(told.At) >= againAfter:
		return event, false
	case !told.Pending && now.Sub(told.At) >= remindAfter && event != Recovered:
		return event, true
	}
	return "", false
}

// Note records that a notice was delivered, or that it reached nobody and must be sent again.
func (m *Memory) Note(n Notice, arrived bool) {
	key := health.Set{Name: n.Set, Host: n.Host}.Key()
	if arrived && n.Event == Recovered {
		delete(m.Told, key)
		return
	}
	if m.Told == nil {
		m.Told = map[string]Told{}
	}
	m.Told[key] = Told{State: n.State, At: n.Time, Pending: !arrived}
}
