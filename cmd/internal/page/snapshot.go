package page

import (
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
)

// snapshot is one snapshot, with its sources.
type snapshot struct {
	row
	Set         output.Name       `json:"set"`
	Host        output.Name       `json:"host"`
	Writer      output.Name       `json:"writer"`
	Software    output.Name       `json:"software"`
	User        output.Name       `json:"user"`
	Stored      time.Time         `json:"stored,omitzero"`
	Undated     bool              `json:"undated"`
	Parent      string            `json:"parent"`
	Sources     []sourceRow       `json:"sources,omitempty"`
	References  []reference       `json:"references,omitempty"`
	Orphans     []orphans         `json:"orphans,omitempty"`
	LeftOut     []catalog.LeftOut `json:"left_out,omitempty"`
	SetLabel    string            `json:"-"`
	TimelineURL string            `json:"-"`
	BrowseURL   string            `json:"-"`
	RestoreURL  string            `json:"-"`
	BeforeURL   string            `json:"-"` // what has changed since the snapshot before
	ListURL     string            `json:"-"`
	Skew        length            `json:"skew_seconds"`
}

// sourceRow is a source of a snapshot.
type sourceRow struct {
	Name     output.Name      `json:"name"`
	Type     string           `json:"type"`
	Location output.Name      `json:"location"`
	Moment   time.Time        `json:"moment,omitzero"`
	Coverage catalog.Coverage `json:"coverage"`
	Excludes []output.Name    `json:"excludes,omitempty"`
	Problems []problem        `json:"problems,omitempty"`
	Link     string           `json:"-"`
	RowsURL  string           `json:"-"` // of a database
}

// problem is something that is not in a snapshot as it was.
type problem struct{ Path, Error output.Name }

// reference is what rows say of files.
type reference struct {
	From     output.Name   `json:"from"`
	To       output.Name   `json:"to"`
	Rows     uint64        `json:"rows"`
	Dangling uint64        `json:"dangling"`
	First    []output.Name `json:"first,omitempty"`
	Failed   output.Name   `json:"failed"`
	Holds    bool          `json:"holds"`
}

// orphans are files to which no row refers.
type orphans struct {
	Source output.Name `json:"source"`
	Files  uint64      `json:"files"`
}

// chosen returns the snapshot that a parameter names.
func (v *visit) chosen(k *known, parameter string) (*catalog.Snapshot, error) {
	id := v.r.FormValue(parameter)
	if s := k.byID[id]; s != nil {
		return s, s.CheckNames()
	}
	if id == "latest" && len(k.snapshots) > 0 {
		s := k.snapshots[len(k.snapshots)-1]
		return s, s.CheckNames()
	}
	if len(id) < 4 {
		return nil, catalog.Misuse("name a snapshot by its id")
	}
	return catalog.Select(k.snapshots, id, catalog.Filter{Incomplete: true})
}

// picked returns the snapshot that the parameter id names, and what is known of its repository.
func (v *visit) picked() (*known, *catalog.Snapshot, error) {
	k, err := v.readable()
	if err != nil {
		return nil, nil, err
	}
	s, err := v.chosen(k, "id")
	return k, s, err
}

func (v *visit) snapshot() (any, error) {
	k, s, err := v.picked()
	if err != nil {
		return nil, err
	}
	shown := &snapshot{
		row: v.row(k, s), Set: output.Name(s.Set), Host: output.Name(s.Host), Writer: output.Name(s.Writer), Software: output.Name(s.Software),
		User: output.Name(s.User), Stored: s.Stored, Undated: s.Undated, Parent: s.Parent, LeftOut: s.NotBackedUp, SetLabel: setLabel(output.Name(s.Set)),
		TimelineURL: v.link("/timeline", "set", s.Set, "host", s.Host), BrowseURL: v.link("/browse", "id", s.ID.String()),
		RestoreURL: v.link("/restore", "id", s.ID.String()), Skew: length(skewOf(s)),
	}
	of := k.of(s.Set, s.Host)
	for i := range of {
		if of[i] == s && i > 0 {
			shown.BeforeURL = v.link("/compare", "before", of[i-1].ID.String(), "after", s.ID.String())
		}
	}
	for i := range s.Sources {
		shown.Sources = append(shown.Sources, v.sourceRow(s, &s.Sources[i]))
	}
	shown.addReferences(s)
	return shown, nil
}

func (v *visit) sourceRow(s *catalog.Snapshot, source *catalog.SourceState) sourceRow {
	r := sourceRow{
		Name: output.Name(source.Name), Type: source.Type, Location: output.Name(source.Location), Moment: source.Moment, Coverage: source.Coverage,
		Excludes: output.Names(source.Excludes), Link: v.link("/browse", "id", s.ID.String(), "source", source.Name),
	}
	if source.Name == catalog.PathsName {
		r.Name = output.Name(strings.Join(source.Paths, ", "))
	}
	if source.Type == databaseType {
		r.RowsURL = v.link("/database", "id", s.ID.String(), "source", source.Name)
	}
	for _, p := range source.Coverage.Problems {
		r.Problems = append(r.Problems, problem{output.Name(p.Path), output.Name(p.Error)})
	}
	r.Coverage.Problems = nil // they are told above, in a form that is fit to be shown
	return r
}

func (shown *snapshot) addReferences(s *catalog.Snapshot) {
	for i := range s.References {
		r := &s.References[i]
		row := reference{From: output.Name(r.From), To: output.Name(r.To), Rows: r.Rows, Dangling: r.Dangling, Failed: output.Name(r.Failed), Holds: r.Hold()}
		for _, d := range r.First {
			row.First = append(row.First, output.Name(d.Table+" "+d.Key+": "+d.Value))
		}
		shown.References = append(shown.References, row)
	}
	for _, o := range s.Orphans {
		shown.Orphans = append(shown.Orphans, orphans{output.Name(o.Source), o.Files})
	}
}

// skewOf is how far the moments of a snapshot's sources lie apart.
func skewOf(s *catalog.Snapshot) time.Duration {
	var first, last time.Time
	for i := range s.Sources {
		m := s.Sources[i].Moment
		if first.IsZero() || m.Before(first) {
			first = m
		}
		if m.After(last) {
			last = m
		}
	}
	return last.Sub(first)
}
