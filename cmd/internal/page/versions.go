package page

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// versions are a file through time.
type versions struct {
	spot
	Versions []version `json:"versions,omitempty"`
	Looked   int       `json:"looked"` // into so many snapshots
	OlderURL string    `json:"-"`

	Before *version `json:"before,omitempty"` // whose texts are compared; nil: none are
	After  *version `json:"after,omitempty"`
	Lines  []line   `json:"lines,omitempty"`
	Unlike string   `json:"unlike"` // why they are not compared
}

// version is a content that a file had in one or more snapshots in a row.
type version struct {
	ID          string    `json:"id"` // the oldest snapshot with it that was looked into
	Since       time.Time `json:"since,omitzero"`
	Upto        time.Time `json:"upto,omitzero"`
	Snapshots   int       `json:"snapshots"`
	Gone        bool      `json:"gone"` // there was no such file
	Size        int64     `json:"size"`
	ModTime     time.Time `json:"mtime,omitzero"`
	Link        string    `json:"-"`
	DownloadURL string    `json:"-"`
	CompareURL  string    `json:"-"` // with the version after it

	node *tree.Node
	in   *catalog.Snapshot
}

// lookedInto is into how many snapshots one page looks.
const lookedInto = 100

func (v *visit) versions() (any, error) {
	here, err := v.within()
	if err != nil {
		return nil, err
	}
	of := here.known.of(here.at.Snapshot.Set, here.at.Snapshot.Host)
	slices.Reverse(of)
	from, _ := strconv.Atoi(v.r.FormValue("from"))
	from = min(max(from, 0), len(of))
	shown := &versions{spot: *here, Versions: []version{}}
	for _, s := range of[from:min(from+lookedInto, len(of))] {
		if err := shown.look(v, s); err != nil {
			return nil, err
		}
	}
	if from+lookedInto < len(of) {
		shown.OlderURL = v.link("/versions", "id", here.ID, "source", string(here.Source), "path", string(here.Path), "from", strconv.Itoa(from+lookedInto))
	}
	for i := range shown.Versions {
		shown.link(v, i)
	}
	return shown, shown.compare(v)
}

// look looks into one snapshot, which is older than those before.
func (shown *versions) look(v *visit, s *catalog.Snapshot) error {
	shown.Looked++
	var node *tree.Node
	err := v.shelf().browse(func(b *browse.Browser) error {
		t, err := b.TreeOf(s, string(shown.Source))
		if err == nil {
			node, err = t.Lookup(v.r.Context(), string(shown.Path))
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		node, err = nil, nil
	}
	if err != nil {
		return err
	}
	if n := len(shown.Versions); n > 0 && same(shown.Versions[n-1], version{node: node, in: s}) {
		last := &shown.Versions[n-1]
		last.Since, last.ID, last.in, last.node = s.Time, s.ID.String(), s, node
		last.Snapshots++
		return nil
	}
	next := version{ID: s.ID.String(), Since: s.Time, Upto: s.Time, Snapshots: 1, Gone: node == nil, node: node, in: s}
	if node != nil {
		next.Size, next.ModTime = node.Size, node.ModTime.Time()
	}
	shown.Versions = append(shown.Versions, next)
	return nil
}

// same reports whether a file has one content in two snapshots. Chunks of two domains cannot be
// compared.
func same(a, b version) bool {
	x, y := a.node, b.node
	if x == nil || y == nil {
		return x == y
	}
	if x.Type != y.Type || x.Size != y.Size {
		return false
	}
	if a.in.Domain != b.in.Domain {
		return x.ModTime == y.ModTime
	}
	return slices.EqualFunc(x.Chunks, y.Chunks, func(p, q archive.Chunk) bool { return p.ID == q.ID })
}

func (shown *versions) link(v *visit, i int) {
	it := &shown.Versions[i]
	if it.Gone {
		return
	}
	at := []string{"id", it.ID, "source", string(shown.Source), "path", string(shown.Path)}
	it.Link = v.link("/file", at...)
	it.DownloadURL = v.link("/download", append(at, "as", "file")...)
	for j := i + 1; j < len(shown.Versions); j++ { // the one before in time
		if before := &shown.Versions[j]; !before.Gone {
			it.CompareURL = v.link("/versions", append(at, "before", before.ID, "after", it.ID, "from", v.r.FormValue("from"))...) + "#difference"
			return
		}
	}
}

// compare compares the texts of two versions, if two are named.
func (shown *versions) compare(v *visit) error {
	var texts [2]string
	for i, parameter := range []string{"before", "after"} {
		j := slices.IndexFunc(shown.Versions, func(it version) bool { return it.ID == v.r.FormValue(parameter) && !it.Gone })
		if j < 0 {
			return nil
		}
		it := &shown.Versions[j]
		if shown.Before == nil {
			shown.Before = it
		}
		shown.After = it
		text, err := v.beginning(&spot{at: catalog.Spot{Snapshot: it.in}}, it.node, textShown)
		if err != nil {
			return err
		}
		if it.Size > int64(len(text)) || !isText(text, false) {
			shown.Unlike = "The two are not compared: they are not both texts of at most " + output.Bytes(textShown) + "."
		}
		texts[i] = string(text)
	}
	if shown.Unlike == "" {
		shown.Lines = difference(strings.Split(texts[0], "\n"), strings.Split(texts[1], "\n"))
	}
	return nil
}
