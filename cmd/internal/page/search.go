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

// run searches set by set, the newest snapshot first. The browser is its own: a search is long, and
// keeps nobody waiting.
func (s *search) run(ctx context.Context, v *visit, k *known) error {
	finder, err := newBrowser(k.repo).Find(browse.Query{Patterns: []string{pattern(s.Query)}, AnyCase: true})
	if err != nil {
		return err
	}
	found := map[string]int{}
	for _, set := range s.Sets {
		if s.Set != "" && s.Set != set.Name() {
			continue
		}
		of := k.of(string(set.Set), string(set.Host))
		slices.Reverse(of)
		s.Of += len(of)
		if !s.All {
			of = of[:min(1, len(of))]
		}
		for _, snapshot := range of {
			err := finder.Search(ctx, snapshot, func(source *catalog.SourceState, e *entry.Entry) error { return s.add(v, found, snapshot, source, e) })
			if errors.Is(err, errEnough) {
				return nil
			}
			if err != nil {
				return err
			}
			s.Searched++
		}
	}
	return nil
}

func (s *search) add(v *visit, found map[string]int, in *catalog.Snapshot, source *catalog.SourceState, e *entry.Entry) error {
	key := strings.Join([]string{in.Set, in.Host, source.Name, e.Path}, "\x00")
	if i, known := found[key]; known {
		s.Hits[i].First = in.Time
		s.Hits[i].Snapshots++
		return nil
	}
	if len(s.Hits) == hitsShown {
		s.TooMany = true
		return errEnough
	}
	found[key] = len(s.Hits)
	row := v.entryRow(in.ID.String(), catalog.Place{Source: source.Name, Path: e.Path}, output.Name(e.Path), e)
	s.Hits = append(s.Hits, hit{
		Set: output.Name(in.Set), Host: output.Name(in.Host), Source: output.Name(source.Name), Path: output.Name(e.Path), Type: row.Type, Size: e.Size, ModTime: row.ModTime,
		ID: in.ID.String(), Last: in.Time, First: in.Time, Snapshots: 1, Link: row.Link,
		VersionsURL: v.link("/versions", "id", in.ID.String(), "source", source.Name, "path", e.Path),
	})
	return nil
}

// Name is a set of a host as a parameter names it.
func (c choice) Name() string { return string(c.Set) + "@" + string(c.Host) }

// SetLabel names the set of a hit.
func (h hit) SetLabel() string { return setLabel(h.Set) }
