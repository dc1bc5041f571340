package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// watchMessage is what status --watch prints as JSON.
type watchMessage struct {
	Repository string        `json:"repository" doc:"Where the repository is."`
	MaxAge     int64         `json:"max_age_seconds" doc:"How old the newest may be."`
	Writers    []watchWriter `json:"writers" doc:"The hosts that may write."`
	Unknown    []string      `json:"unknown" doc:"What cannot be told from here."`
}

// watchWriter is a host that is watched.
type watchWriter struct {
	Name   string    `json:"name" doc:"The writer's name."`
	Newest time.Time `json:"newest,omitzero" doc:"When the storage got its newest complete snapshot; where only names can be seen, its newest record."`
	Age    int64     `json:"age_seconds" doc:"How long ago that was; -1 if there is none."`
	Late   bool      `json:"late" doc:"Whether that is longer than allowed."`
}

// watchOptions are the flags of status that watch.
type watchOptions struct {
	watch   bool
	maxAge  flagvalue.Period
	writers []string
}

// check refuses flags that make no sense together.
func (o *watchOptions) check() error {
	switch {
	case !o.watch && (o.maxAge.Length != 0 || len(o.writers) > 0):
		return usage("--max-age and --writer are for --watch")
	case o.watch && o.maxAge.Length <= 0:
		return usage("--watch needs --max-age, such as --max-age 26h")
	}
	return nil
}

// watch says whether each writer has backed up lately.
func (a *app) watch(ctx context.Context, o watchOptions, now time.Time) error {
	m, err := a.fresh(ctx)
	if err != nil {
		return err
	}
	m.MaxAge = int64(o.maxAge.Length.Seconds())
	m.keepOnly(o.writers)
	late := m.judge(now.Add(-o.maxAge.Length), now)
	a.out.Message("watch", m, m.text(a.out.Table))
	if err := a.out.Err(); err != nil {
		return err
	}
	switch {
	case len(m.Writers) == 0:
		return exitWith(exitMissing, "nobody has backed up yet")
	case len(late) > 0:
		return exitWith(exitMissing, "late: %s", strings.Join(late, ", "))
	}
	return nil
}

// fresh reads when writers were last heard of: from their records, or where those cannot be read or
// checked, from names and dates alone.
func (a *app) fresh(ctx context.Context) (*watchMessage, error) {
	storage, err := a.OpenStorage(ctx, false)
	if err != nil {
		return nil, err
	}
	m := &watchMessage{Repository: storage.Location(), Writers: []watchWriter{}, Unknown: []string{}}
	repo, _, err := a.OpenRepository(ctx, machine.EvenBroken)
	var all []browse.Freshness
	if err == nil {
		all, err = browse.FreshnessOf(ctx, repo)
	}
	if err != nil {
		if !leavesNames(err) {
			return nil, err
		}
		m.Unknown = append(m.Unknown, fmt.Sprintf("whether what was written last is a complete snapshot, and who has written it: names and dates alone were seen, since %v", firstLine(err)))
		heard, err := catalog.LastHeard(ctx, storage)
		if err != nil {
			return nil, err
		}
		all = browse.Sorted(heard)
	}
	for _, f := range all {
		m.Writers = append(m.Writers, watchWriter{Name: f.Writer, Newest: f.Newest})
	}
	return m, nil
}

// leavesNames tells whether a failure to open a repository leaves its names to go by: its objects
// may not be read, or nobody here knows whose it is.
func leavesNames(err error) bool {
	return errors.Is(err, store.ErrDenied) || errors.Is(err, catalog.ErrUnknownOwner) || errors.Is(err, catalog.ErrNoIdentity)
}

// firstLine is an error up to where it explains a cure.
func firstLine(err error) string {
	if errors.Is(err, catalog.ErrUnknownOwner) {
		return "nothing here says who the repository's owner is (keys.owner in the settings does)"
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// keepOnly leaves the writers that are named. One that was never heard of is there all the same.
func (m *watchMessage) keepOnly(names []string) {
	if len(names) == 0 {
		return
	}
	m.Writers = slices.DeleteFunc(m.Writers, func(w watchWriter) bool { return !slices.Contains(names, w.Name) })
	for _, name := range names {
		if !slices.ContainsFunc(m.Writers, func(w watchWriter) bool { return w.Name == name }) {
			m.Writers = append(m.Writers, watchWriter{Name: name})
		}
	}
}

// judge notes who is late, and names them.
func (m *watchMessage) judge(oldest, now time.Time) (late []string) {
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

func (m *watchMessage) text(layOut func(output.Table) string) string {
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
