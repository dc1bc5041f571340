package page

import (
	"context"
	"errors"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// compared is how two snapshots differ.
type compared struct {
	Before  *row                `json:"before,omitempty"`
	After   *row                `json:"after,omitempty"`
	Choices []row               `json:"choices,omitempty"` // the snapshots to choose from
	Sets    []choice            `json:"sets,omitempty"`
	Set     output.Name         `json:"set"`
	Host    output.Name         `json:"host"`
	Counts  map[browse.Kind]int `json:"counts"`
	Grown   int64               `json:"grown"` // bytes
	Changes []changeRow         `json:"changes,omitempty"`
	TooMany bool                `json:"too_many"` // there are more than are shown
	Counted bool                `json:"counted"`  // Counts and Grown are of all changes
	Slow    bool                `json:"slow"`
	AllURL  string              `json:"-"`
}

// changeRow is a path that differs.
type changeRow struct {
	Kind        browse.Kind `json:"kind"`
	Word        string      `json:"word"`
	Source      output.Name `json:"source"`
	Path        output.Name `json:"path"`
	Was         int64       `json:"was"` // bytes
	Is          int64       `json:"is"`
	File        bool        `json:"file"`
	Link        string      `json:"-"`
	VersionsURL string      `json:"-"`
}

// How many changes are shown, and for how long they are counted if all are asked for.
const (
	changesShown = 1000
	compareTime  = 20 * time.Second
)

// countTime is how long changes beyond the shown ones are counted unless all are asked for. Tests
// change it.
var countTime = 100 * time.Millisecond

// errCounted ends a comparison of which enough is counted.
var errCounted = errors.New("enough is counted")

// kindWords say what has become of a path.
var kindWords = map[browse.Kind]string{browse.Added: "added", browse.Removed: "removed", browse.Modified: "changed", browse.Retyped: "replaced", browse.Touched: "metadata"}

func (v *visit) compare() (any, error) {
	k, err := v.readable()
	if err != nil {
		return nil, err
	}
	c := &compared{Counts: map[browse.Kind]int{}, Changes: []changeRow{}}
	t := &timeline{}
	t.choose(v, k)
	c.Set, c.Host, c.Sets = t.Set, t.Host, v.choices(k, "/compare")
	if v.r.FormValue("before") == "" || v.r.FormValue("after") == "" {
		c.offer(v, k)
		return c, nil
	}
	before, err := v.chosen(k, "before")
	if err != nil {
		return nil, err
	}
	after, err := v.chosen(k, "after")
	if err != nil {
		return nil, err
	}
	if after.Time.Before(before.Time) {
		before, after = after, before
	}
	c.Set, c.Host = output.Name(after.Set), output.Name(after.Host)
	a, b := v.row(k, before), v.row(k, after)
	c.Before, c.After = &a, &b
	c.offer(v, k)
	return c, c.run(v, k, before, after)
}

// offer lists the newest snapshots of the set.
func (c *compared) offer(v *visit, k *known) {
	for i := range c.Sets {
		c.Sets[i].Here = c.Sets[i].Set == c.Set && c.Sets[i].Host == c.Host
	}
	of := k.of(string(c.Set), string(c.Host))
	for i := len(of) - 1; i >= 0 && len(c.Choices) < 200; i-- {
		c.Choices = append(c.Choices, v.row(k, of[i]))
	}
}

func (c *compared) run(v *visit, k *known, before, after *catalog.Snapshot) error {
	ctx, cancel := context.WithTimeout(v.r.Context(), compareTime)
	defer cancel()
	all, begun := v.r.FormValue("all") != "", time.Now()
	err := v.shelf().newBrowser(k.repo).Diff(ctx, before, after, func(source string, kind browse.Kind, change *tree.Change) error {
		c.add(v, before, after, source, kind, change)
		if c.TooMany && !all && time.Since(begun) > countTime {
			return errCounted
		}
		return nil
	})
	c.Counted = err == nil
	switch {
	case errors.Is(err, errCounted):
		c.AllURL, err = v.link("/compare", "before", before.ID.String(), "after", after.ID.String(), "all", "yes"), nil
	case errors.Is(err, context.DeadlineExceeded) && v.r.Context().Err() == nil:
		c.Slow, err = true, nil
	}
	return err
}

func (c *compared) add(v *visit, before, after *catalog.Snapshot, source string, kind browse.Kind, change *tree.Change) {
	r := changeRow{Kind: kind, Word: kindWords[kind], Source: output.Name(source), Path: output.Name(change.Path)}
	in := after
	if change.Old != nil {
		r.Was, r.File = change.Old.Size, change.Old.Type == entry.File
	}
	if change.New != nil {
		r.Is, r.File = change.New.Size, change.New.Type == entry.File
	} else {
		in = before
	}
	c.Counts[kind]++
	c.Grown += r.Is - r.Was
	if len(c.Changes) == changesShown {
		c.TooMany = true
		return
	}
	if r.File {
		r.Link = v.link("/file", "id", in.ID.String(), "source", source, "path", change.Path)
		r.VersionsURL = v.link("/versions", "id", in.ID.String(), "source", source, "path", change.Path)
	}
	c.Changes = append(c.Changes, r)
}

// Amount is by how many bytes what was compared has grown or shrunk.
func (c *compared) Amount() int64 { return max(c.Grown, -c.Grown) }

// tally is how often something has happened.
type tally struct {
	Word string
	N    int
}

// Tallies counts the changes by kind.
func (c *compared) Tallies() (all []tally) {
	for _, kind := range []browse.Kind{browse.Added, browse.Modified, browse.Removed, browse.Retyped, browse.Touched} {
		if n := c.Counts[kind]; n > 0 || kind != browse.Retyped && kind != browse.Touched {
			all = append(all, tally{kindWords[kind], n})
		}
	}
	return all
}
