package page

import (
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// spot is where in a snapshot one is.
type spot struct {
	ID          string      `json:"id"`
	Short       string      `json:"short"`
	Set         output.Name `json:"set"`
	Host        output.Name `json:"host"`
	SetLabel    string      `json:"-"`
	Time        time.Time   `json:"time,omitzero"`
	Source      output.Name `json:"source"`
	Path        output.Name `json:"path"`
	Name        output.Name `json:"name"` // the last part of the path
	Crumbs      []crumb     `json:"-"`
	SnapshotURL string      `json:"-"`
	RestoreURL  string      `json:"-"`
	Earlier     string      `json:"-"` // the same place in the snapshot before
	Later       string      `json:"-"`

	at    catalog.Spot
	known *known
}

// crumb is a folder on the way to where one is.
type crumb struct {
	Name output.Name
	Link string
}

// folder is a folder of a source in a snapshot, or the sources of a snapshot.
type folder struct {
	spot
	Entries []entryRow `json:"entries,omitempty"`
	Next    string     `json:"next"` // the name to go on after; "": these are all
	MoreURL string     `json:"-"`
	TarURL  string     `json:"-"`
	ZipURL  string     `json:"-"`
}

// entryRow is something in a folder.
type entryRow struct {
	Name        output.Name `json:"name"`
	Type        string      `json:"type"` // as entry.Type.Word
	Size        int64       `json:"size"`
	Mode        string      `json:"mode"`
	Owner       output.Name `json:"owner"`
	ModTime     time.Time   `json:"mtime,omitzero"`
	Target      output.Name `json:"target"` // of a link
	Link        string      `json:"-"`
	DownloadURL string      `json:"-"`
}

// Folder reports whether there is something in it.
func (e entryRow) Folder() bool { return e.Type == entry.Directory.Word() }

// entriesShown is how many entries of a folder a page lists.
const entriesShown = 200

// spot finds the place that the parameters name; without a snapshot, that is the latest.
func (v *visit) spot() (*spot, error) {
	if v.r.FormValue("id") == "" {
		v.r.Form.Set("id", "latest")
	}
	k, s, err := v.picked()
	if err != nil {
		return nil, err
	}
	p := catalog.Place{Source: v.r.FormValue("source"), Path: strings.Trim(v.r.FormValue("path"), "/")}
	if p.Source == "" && len(s.Sources) == 1 {
		p.Source = s.Sources[0].Name
	}
	at, err := inSnapshot(p, s)
	if err != nil {
		return nil, err
	}
	here := &spot{
		ID: s.ID.String(), Short: s.ShortID(), Set: output.Name(s.Set), Host: output.Name(s.Host), SetLabel: setLabel(output.Name(s.Set)), Time: s.Time,
		Source: output.Name(p.Source), Path: output.Name(p.Path), SnapshotURL: v.link("/snapshot", "id", s.ID.String()),
		RestoreURL: v.link("/restore", "id", s.ID.String(), "source", p.Source, "path", p.Path), at: at, known: k,
	}
	if p.Path != "" {
		here.Name = output.Name(path.Base(p.Path))
	}
	here.Crumbs = v.crumbs(s, p)
	here.beside(v, k, s, p)
	return here, nil
}

// within finds the place that the parameters name, which must be below a source.
func (v *visit) within() (*spot, error) {
	here, err := v.spot()
	if err == nil && (len(here.at.Sources) != 1 || here.Path == "") {
		err = catalog.Misuse("name a file by its source and path")
	}
	return here, err
}

// inSnapshot finds a place. A source that is not there is no place of another source.
func inSnapshot(p catalog.Place, s *catalog.Snapshot) (catalog.Spot, error) {
	if _, ok := s.Source(p.Source); p.Source != "" && !ok {
		return catalog.Spot{}, catalog.Misuse("snapshot %s has no source %s", s.ShortID(), output.Name(p.Source))
	}
	return p.In(s)
}

// crumbs are the folders from the snapshot down to a place.
func (v *visit) crumbs(s *catalog.Snapshot, p catalog.Place) (all []crumb) {
	id := s.ID.String()
	if p.Source == "" {
		return nil
	}
	if len(s.Sources) > 1 {
		all = append(all, crumb{"sources", v.link("/browse", "id", id)})
	}
	all = append(all, crumb{output.Name(p.Source), v.link("/browse", "id", id, "source", p.Source)})
	if p.Path == "" {
		return all
	}
	parts := strings.Split(p.Path, "/")
	first := max(0, len(parts)-crumbsShown)
	for i := max(first-1, 0); i < len(parts); i++ {
		name := output.Name(parts[i])
		if i < first {
			name = "…"
		}
		all = append(all, crumb{name, v.link("/browse", "id", id, "source", p.Source, "path", strings.Join(parts[:i+1], "/"))})
	}
	return all
}

// crumbsShown is how many of the last parts of a path have links of their own.
const crumbsShown = 32

// beside finds the same place in the snapshots before and after.
func (here *spot) beside(v *visit, k *known, s *catalog.Snapshot, p catalog.Place) {
	of := k.of(s.Set, s.Host)
	i := slices.Index(of, s)
	at := func(other *catalog.Snapshot) string {
		return v.link(v.r.URL.Path, "id", other.ID.String(), "source", p.Source, "path", p.Path, "table", v.r.FormValue("table"))
	}
	if v.isAPI() {
		return
	}
	if i > 0 {
		here.Earlier = at(of[i-1])
	}
	if i >= 0 && i+1 < len(of) {
		here.Later = at(of[i+1])
	}
}

// errEnough ends a reading of which enough is known.
var errEnough = errors.New("enough")

func (v *visit) browse() (any, error) {
	here, err := v.spot()
	if err != nil {
		return nil, err
	}
	f := &folder{spot: *here, Entries: []entryRow{}}
	after := v.r.FormValue("after")
	err = v.shelf().browse(func(b *browse.Browser) error {
		return b.List(v.r.Context(), here.at, false, func(source *catalog.SourceState, e *entry.Entry) error { return f.add(v, source, e, after) })
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if f.Next != "" {
		f.MoreURL = v.link("/browse", "id", f.ID, "source", string(f.Source), "path", string(f.Path), "after", f.Next)
	}
	f.TarURL = v.link("/download", "id", f.ID, "source", string(f.Source), "path", string(f.Path), "as", "tar")
	f.ZipURL = v.link("/download", "id", f.ID, "source", string(f.Source), "path", string(f.Path), "as", "zip")
	return f, nil
}

// add takes an entry, until there are enough.
func (f *folder) add(v *visit, source *catalog.SourceState, e *entry.Entry, after string) error {
	p := catalog.Place{Source: source.Name, Path: e.Path}
	name := path.Base(e.Path)
	if e.Path == "" {
		name = source.Name
	}
	if after != "" && entry.ComparePaths(name, after) <= 0 && len(f.at.Sources) == 1 {
		return nil
	}
	if len(f.Entries) == entriesShown {
		f.Next = string(f.Entries[entriesShown-1].Name)
		return errEnough
	}
	f.Entries = append(f.Entries, v.entryRow(f.ID, p, output.Name(name), e))
	return nil
}

func (v *visit) entryRow(id string, p catalog.Place, name output.Name, e *entry.Entry) entryRow {
	r := entryRow{Name: name, Type: e.Type.Word(), Size: e.Size, Mode: e.Permissions(), Owner: output.Name(e.User), Target: output.Name(e.Target)}
	if e.HasModTime() {
		r.ModTime = e.ModTime.Time()
	}
	switch e.Type {
	case entry.Directory:
		r.Link = v.link("/browse", "id", id, "source", p.Source, "path", p.Path)
	case entry.File:
		r.Link = v.link("/file", "id", id, "source", p.Source, "path", p.Path)
		r.DownloadURL = v.link("/download", "id", id, "source", p.Source, "path", p.Path, "as", "file")
	}
	return r
}
