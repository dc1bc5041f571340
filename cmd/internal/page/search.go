package page

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// search is what was looked for and found.
type search struct {
	Query    string   `json:"query"`
	All      bool     `json:"all"` // in all snapshots, not in the newest of each set alone
	Set      string   `json:"set"`
	Sets     []choice `json:"-"`
	Hits     []hit    `json:"hits,omitempty"`
	Searched int      `json:"searched"` // so many snapshots
	Of       int      `json:"of"`       // of so many
	TooMany  bool     `json:"too_many"` // there are more hits
	Slow     bool     `json:"slow"`     // the time was up
	AllURL   string   `json:"-"`
	Took     length   `json:"took_seconds"`
}

// hit is a path that matches, and when it was there.
type hit struct {
	Set         output.Name `json:"set"`
	Host        output.Name `json:"host"`
	Source      output.Name `json:"source"`
	Path        output.Name `json:"path"`
	Type        string      `json:"type"`
	Size        int64       `json:"size"`
	ModTime     time.Time   `json:"mtime,omitzero"`
	ID          string      `json:"id"` // the newest snapshot with it
	Last        time.Time   `json:"last,omitzero"`
	First       time.Time   `json:"first,omitzero"`
	Snapshots   int         `json:"snapshots"`
	Link        string      `json:"-"`
	VersionsURL string      `json:"-"`
}

// How many hits are shown, and for how long is looked.
const (
	hitsShown  = 500
	searchTime = 20 * time.Second
)

func (v *visit) search() (any, error) {
	k, err := v.readable()
	if err != nil {
		return nil, err
	}
	s := &search{Query: strings.TrimSpace(v.r.FormValue("q")), All: v.r.FormValue("all") != "", Set: v.r.FormValue("set"), Hits: []hit{}}
	s.Sets = v.choices(k, "/search")
	if s.Query == "" {
		return s, nil
	}
	s.AllURL = v.link("/search", "q", s.Query, "set", s.Set, "all", "yes")
	began := time.Now()
	ctx, cancel := context.WithTimeout(v.r.Context(), searchTime)
	defer cancel()
	err = s.run(ctx, v, k)
	s.Took = length(time.Since(began))
	if ctx.Err() != nil && v.r.Context().Err() == nil {
		s.Slow, err = true, nil
	}
	slices.SortStableFunc(s.Hits, func(a, b hit) int {
		return cmp.Or(strings.Compare(string(a.Set), string(b.Set)), strings.Compare(string(a.Host), string(b.Host)), strings.Compare(string(a.Source), string(b.Source)),
			entry.ComparePaths(string(a.Path), string(b.Path)))
	})
	return s, err
}

// pattern is what a person means: a text without stars may be anywhere in a name.
func pattern(query string) string {
	if strings.ContainsAny(query, "*?[") || strings.Contains(query, "/") {
		return query
	}
	return "*" + query + "*"
}

// run searches set by set.
func (s *search) run(ctx context.Context, v *visit, k *known) error {
	l := &looking{search: s, v: v, found: map[string]int{}, query: browse.Query{Patterns: []string{pattern(s.Query)}, AnyCase: true}}
	for _, set := range s.Sets {
		if s.Set != "" && s.Set != set.Name() {
			continue
		}
		of := k.of(string(set.Set), string(set.Host))
		s.Of += len(of)
		if !s.All {
			of = of[len(of)-1:]
		}
		err := l.run(ctx, k, series{string(set.Set), string(set.Host)}, of)
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// looking is a search that goes on.
type looking struct {
	*search
	v     *visit
	query browse.Query
	found map[string]int // hits by where they are
}

// run looks into snapshots, which are in the order of time: by their names, if they are held in
// memory, else into their trees, the newest first. The browser is its own: a search is long, and
// keeps nobody waiting.
func (l *looking) run(ctx context.Context, k *known, set series, of []*catalog.Snapshot) error {
	if names := l.v.shelf().names.get(set, of); names != nil {
		l.Searched += len(of)
		return names.Search(l.query, of, l.add)
	}
	finder, err := l.v.shelf().newBrowser(k.repo).Find(l.query)
	if err != nil {
		return err
	}
	for _, snapshot := range slices.Backward(of) {
		err := finder.Search(ctx, snapshot, func(source *catalog.SourceState, e *entry.Entry) error {
			return l.add(&browse.Found{Source: source.Name, Entry: *e, First: snapshot, Newest: snapshot, Snapshots: 1})
		})
		if err != nil {
			return err
		}
		l.Searched++
	}
	return nil
}

// add takes what was found, of one path the newest first.
func (l *looking) add(f *browse.Found) error {
	in, path := f.Newest, f.Entry.Path
	key := strings.Join([]string{in.Set, in.Host, f.Source, path}, "\x00")
	if i, known := l.found[key]; known {
		l.Hits[i].First = f.First.Time
		l.Hits[i].Snapshots += f.Snapshots
		return nil
	}
	if len(l.Hits) == hitsShown {
		l.TooMany = true
		return errEnough
	}
	l.found[key] = len(l.Hits)
	row := l.v.entryRow(in.ID.String(), catalog.Place{Source: f.Source, Path: path}, output.Name(path), &f.Entry)
	l.Hits = append(l.Hits, hit{
		Set: output.Name(in.Set), Host: output.Name(in.Host), Source: output.Name(f.Source), Path: output.Name(path), Type: row.Type, Size: row.Size, ModTime: row.ModTime,
		ID: in.ID.String(), Last: in.Time, First: f.First.Time, Snapshots: f.Snapshots, Link: row.Link,
		VersionsURL: l.v.link("/versions", "id", in.ID.String(), "source", f.Source, "path", path),
	})
	return nil
}

// Name is a set of a host as a parameter names it.
func (c choice) Name() string { return string(c.Set) + "@" + string(c.Host) }

// SetLabel names the set of a hit.
func (h hit) SetLabel() string { return setLabel(h.Set) }
