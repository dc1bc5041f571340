package message

import (
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/cmd/internal/output"
)

// Watch is what status --watch prints as JSON.
type Watch struct {
	Repository string        `json:"repository" doc:"Where the repository is."`
	MaxAge     int64         `json:"max_age_seconds" doc:"How old the newest may be."`
	Writers    []WatchWriter `json:"writers" doc:"The hosts that may write."`
	Unknown    []string      `json:"unknown" doc:"What cannot be told from here."`
}

// WatchWriter is a host that is watched.
type WatchWriter struct {
	Name   string    `json:"name" doc:"The writer's name."`
	Newest time.Time `json:"newest,omitzero" doc:"When the storage got its newest complete snapshot; where only names can be seen, its newest record."`
	Age    int64     `json:"age_seconds" doc:"How long ago that was; -1 if there is none."`
	Late   bool      `json:"late" doc:"Whether that is longer than allowed."`
}

// KeepOnly leaves the writers that are named, all if none is. One that was never heard of is there all the same.
func (m *Watch) KeepOnly(names []string) {
	if len(names) == 0 {
		return
	}
	m.Writers = slices.DeleteFunc(m.Writers, func(w WatchWriter) bool { return !slices.Contains(names, w.Name) })
	for _, name := range names {
		if !slices.ContainsFunc(m.Writers, func(w WatchWriter) bool { return w.Name == name }) {
			m.Writers = append(m.Writers, WatchWriter{Name: name})
		}
	}
}

// Judge notes who has stored nothing within maxAge before now, and names them.
func (m *Watch) Judge(maxAge time.Duration, now time.Time) (late []string) {
	m.MaxAge = int64(maxAge.Seconds())
	oldest := now.Add(-maxAge)
	for i := range m.Writers {
		w := &m.Writers[i]
		w.Age, w.Late = -1, w.Newest.Before(oldest)
		if !w.Newest.IsZero() {
			w.Age = max(0, int64(now.Sub(w.Newest).Seconds()))
		}
		if w.Late {
			late = append(late, w.Name)
		}
	}
	return late
}

// Text is the watch for a person; layOut lays out tables.
func (m *Watch) Text(layOut func(output.Table) string) string {
	table := output.Table{Head: []string{"WRITER", "NEWEST", "AGE", "LATE"}, Right: []int{2}, Cut: []int{0}}
	for _, w := range m.Writers {
		newest, age := "never", "-"
		if !w.Newest.IsZero() {
			newest, age = output.Time(w.Newest), output.Elapsed(time.Duration(w.Age)*time.Second)
		}
		table.Rows = append(table.Rows, []string{output.Name(w.Name).String(), newest, age, output.YesNo(w.Late)})
	}
	text := layOut(table)
	for _, unknown := range m.Unknown {
		text += "\nnot known: " + unknown
	}
	return strings.Trim(text, "\n")
}
