package page

import (
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/room"
	"github.com/packstone/packstone/pipeline/browse"
)

// scratchState is what was restored into scratch places, and what is being restored.
type scratchState struct {
	Directory output.Name    `json:"directory"` // "": the settings name none
	Free      int64          `json:"free"`
	Latest    *attemptState  `json:"latest,omitempty"`
	Places    []scratchPlace `json:"places,omitempty"`
}

// attemptState is a restore at work, or the last one.
type attemptState struct {
	State   string      `json:"state"` // planning, restoring, stopping, done, incomplete, failed or stopped
	Message output.Name `json:"message"`
	restoredWhat
	doing
}

// AtWork reports whether it goes on.
func (a attemptState) AtWork() bool {
	return a.State == planning || a.State == writing || a.State == stopping
}

// restoredWhat is what was restored, when and for whom.
type restoredWhat struct {
	What     output.Name `json:"what"`
	Snapshot string      `json:"snapshot"`
	Time     time.Time   `json:"time,omitzero"` // of the snapshot
	By       output.Name `json:"by"`
	Began    time.Time   `json:"began,omitzero"`
	Took     length      `json:"took_seconds"`
}

// scratchPlace is a folder in which something was restored.
type scratchPlace struct {
	Place string      `json:"place"` // its name
	Path  output.Name `json:"path"`
	restoredWhat
	Entries int64       `json:"entries"`
	Bytes   int64       `json:"bytes"`
	Missing output.Name `json:"missing"` // why it is not complete

	Databases []scratchDatabase `json:"databases,omitempty"` // on a server
	Link      string            `json:"-"`
}

// scratchDatabase is a database on a server to which one was restored.
type scratchDatabase struct {
	Source output.Name `json:"source"`
	Name   output.Name `json:"name"`
	Server output.Name `json:"server"` // the file with the URL of one beside it
}

// scratchState is what there is to see of scratch places, for whoever can read.
func (v *visit) scratchState() (*scratchState, error) {
	if v.Scratch == nil {
		return nil, nil
	}
	dir := v.Scratch.Directory()
	s := &scratchState{Directory: output.Name(dir)}
	if dir == "" {
		return s, nil
	}
	if free, err := v.Scratch.Free(dir); err == nil { // else the restore says why not
		s.Free = int64(free)
	}
	if a, live, any := v.Scratch.latest(); any {
		s.Latest = v.attemptState(a, live)
	}
	rooms, err := room.List(dir)
	for _, r := range rooms {
		s.Places = append(s.Places, v.scratchPlace(r))
	}
	return s, err
}

func (v *visit) scratchPlace(r *room.Room) scratchPlace {
	p := scratchPlace{
		Place: r.Name, Path: output.Name(r.Content()), restoredWhat: v.restoredWhat(r.Note), Entries: int64(r.Restored), Bytes: int64(r.Bytes),
		Missing: output.Name(r.Missing), Link: v.link("/snapshot", "id", r.Snapshot),
	}
	for _, d := range r.Databases {
		p.Databases = append(p.Databases, scratchDatabase{output.Name(d.Source), output.Name(d.Name), output.Name(d.Server)})
	}
	return p
}

func (v *visit) attemptState(a attempt, live daemon.Live) *attemptState {
	if live.Counts.TotalBytes = int64(a.plan.Bytes); a.state == planning {
		live.Counts = output.Counts{}
	}
	state := a.state
	if a.stopped != "" && a.atWork() {
		state = stopping
	}
	return &attemptState{State: state, Message: output.Name(a.message), restoredWhat: v.restoredWhat(a.note), doing: doingOf(live)}
}

func (v *visit) restoredWhat(n room.Note) restoredWhat {
	what := setLabel(output.Name(n.Set)) + " on " + output.Name(n.Host).String()
	if n.Source != "" {
		what = catalog.PlaceName(n.Source, n.Path)
	}
	ended := n.Ended
	if ended.IsZero() {
		ended = v.now
	}
	return restoredWhat{What: output.Name(what), Snapshot: n.Snapshot, Time: n.Time, By: output.Name(n.By), Began: n.Began, Took: length(ended.Sub(n.Began))}
}

// startRestore restores what is named into a new scratch place, for whoever can read it.
func (v *visit) startRestore() (done, error) {
	k, err := v.readable()
	if err != nil {
		return done{}, err
	}
	if v.Scratch == nil {
		return done{}, errNoScratch
	}
	s, err := v.chosen(k, "id")
	if err != nil {
		return done{}, err
	}
	p := catalog.Place{Source: v.r.FormValue("source"), Path: strings.Trim(v.r.FormValue("path"), "/")}
	if err := v.restorable(p, s); err != nil {
		return done{}, err
	}
	p.Snapshot = s.ID.String()
	note := room.Note{By: v.by(), Snapshot: p.Snapshot, Set: s.Set, Host: s.Host, Time: s.Time, Source: p.Source, Path: p.Path}
	if err := v.Scratch.start(Wanted{Repository: v.repository(), Keys: v.keys(), Place: p}, note); err != nil {
		return done{}, err
	}
	what := s.ShortID()
	if p.Source != "" {
		what += ":" + catalog.PlaceName(p.Source, p.Path)
	}
	return done{"restores " + quoted(what) + " into a scratch place", v.restoreLink(p)}, nil
}

// restorable refuses a place that is not there.
func (v *visit) restorable(p catalog.Place, s *catalog.Snapshot) error {
	at, err := inSnapshot(p, s)
	if err != nil || p.Path == "" || len(at.Sources) != 1 || at.Sources[0].Type == databaseType {
		return err
	}
	return v.shelf().browse(func(b *browse.Browser) error {
		_, err := b.Node(v.r.Context(), at)
		return err
	})
}

// keys are those with which the repository is read for this visit.
func (v *visit) keys() Keys {
	if v.session != nil && v.session.lent != nil {
		return Keys{Lent: v.session.lent}
	}
	return Keys{Own: v.who.known}
}

func (v *visit) restoreLink(p catalog.Place) string {
	return v.link("/restore", "id", p.Snapshot, "source", p.Source, "path", p.Path)
}

// mine refuses who cannot read what was restored.
func (v *visit) mine() error {
	if _, err := v.readable(); err != nil {
		return err
	}
	if v.Scratch == nil {
		return errNoScratch
	}
	return nil
}

func (v *visit) stopRestore() (done, error) {
	err := v.mine()
	if err == nil {
		err = v.Scratch.stop(v.by())
	}
	return done{"stops the restore into a scratch place", v.link("/restore")}, err
}

// removeRestored removes what the page has restored, and nothing else.
func (v *visit) removeRestored() (done, error) {
	place := v.r.FormValue("place")
	err := v.mine()
	if err == nil {
		err = v.Scratch.remove(place)
	}
	return done{"removes the scratch place " + place, v.link("/restore")}, err
}
