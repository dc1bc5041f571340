package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

// AdHoc is the name of the source of a backup of paths. In a place with this source, an absolute
// path follows the colon.
const AdHoc = "/"

// ShortID is the number of characters of a snapshot's id that suffice to name it.
const ShortID = 12

// ShortID returns the beginning of the snapshot's id that suffices to name it.
func (s *Snapshot) ShortID() string { return s.ID.String()[:ShortID] }

// Place is what a text of the form SNAPSHOT[:SOURCE[/PATH]] names: a snapshot, or something in it.
type Place struct {
	Snapshot string
	Source   string // "": all of them
	Path     string // below the source, without slashes around it
}

// ParsePlace parses a place. Both paths and times may contain colons: @2026-11-20T14:00:files is
// the source files.
func ParsePlace(text string) Place {
	end := strings.IndexByte(text, ':')
	if strings.HasPrefix(text, "@") {
		end = endOfTime(text)
	}
	if end < 0 {
		return Place{Snapshot: text}
	}
	source, path, _ := strings.Cut(strings.Trim(text[end+1:], "/"), "/")
	return Place{Snapshot: text[:end], Source: source, Path: path}
}

// ParsePlaceAt returns a place in the newest snapshot at or before a time. text names only what is
// in the snapshot.
func ParsePlaceAt(text, at string) (Place, error) {
	p := ParsePlace(text)
	if p.Snapshot != "" && p.Snapshot != "latest" {
		return p, fmt.Errorf("%s and --at name two snapshots; --at goes with :SOURCE[/PATH]", p.Snapshot)
	}
	p.Snapshot = "@" + at
	return p, nil
}

// endOfTime finds the colon after the longest time with which @TIME:… begins. It returns -1 if all
// of the text is a time.
func endOfTime(text string) int {
	for end := len(text); end > 0; end = strings.LastIndexByte(text[:end], ':') {
		if _, err := ParseTime(text[1:end]); err != nil {
			continue
		}
		if end == len(text) {
			return -1
		}
		return end
	}
	return -1
}

// Spot is a place that was found: all sources of a snapshot, one of them, or what is at or below a
// path of one.
type Spot struct {
	Snapshot *Snapshot
	Sources  []*SourceState
	Path     string
}

// In finds the place in a snapshot. It fails if the snapshot has no such source.
func (p Place) In(s *Snapshot) (Spot, error) {
	if p.Source == "" {
		at := Spot{Snapshot: s}
		for i := range s.Sources {
			at.Sources = append(at.Sources, &s.Sources[i])
		}
		return at, nil
	}
	if source, ok := s.Source(p.Source); ok {
		return Spot{s, []*SourceState{source}, p.Path}, nil
	}
	if source, ok := s.Source(AdHoc); ok {
		return Spot{s, []*SourceState{source}, strings.Trim(p.Source+"/"+p.Path, "/")}, nil
	}
	return Spot{}, fmt.Errorf("snapshot %s has no source %s, only %s", s.ShortID(), p.Source, strings.Join(s.SourceNames(), ", "))
}

// SourceNames returns the names of the snapshot's sources, in their order.
func (s *Snapshot) SourceNames() []string {
	names := make([]string, len(s.Sources))
	for i := range s.Sources {
		names[i] = s.Sources[i].Name
	}
	return names
}

// Node finds what is at the spot, in the tree of its only source. For a directory without an entry
// of its own in the tree it returns only path and type.
func (at Spot) Node(ctx context.Context, t *tree.Tree) (*tree.Node, error) {
	node, err := t.Lookup(ctx, at.Path)
	if !errors.Is(err, fs.ErrNotExist) {
		return node, err
	}
	for _, err := range t.List(ctx, at.Path) {
		return &tree.Node{Entry: entry.Entry{Path: at.Path, Type: entry.Directory}}, err
	}
	if at.Path == "" {
		return &tree.Node{Entry: entry.Entry{Type: entry.Directory}}, nil
	}
	return nil, noPlace{fmt.Errorf("snapshot %s has no %s", at.Snapshot.ShortID(), entry.Printable(PlaceName(at.Sources[0].Name, at.Path)))}
}

// ErrNoPlace: there is nothing at a place of a snapshot.
var ErrNoPlace = errors.New("nothing is there")

// noPlace is an ErrNoPlace that says where.
type noPlace struct{ error }

// Is reports whether target is ErrNoPlace.
func (noPlace) Is(target error) bool { return target == ErrNoPlace }

// PlaceName returns a path of a source as it is written after the colon.
func PlaceName(source, path string) string {
	switch {
	case source == AdHoc:
		return "/" + path
	case path == "":
		return source
	}
	return source + "/" + path
}
