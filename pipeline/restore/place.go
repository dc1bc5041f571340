package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/target"
)

// Place is a part of a source's tree, and where it belongs now.
type Place struct {
	Below string // a path in the source's tree; "": all of it
	Path  string // a directory or a file of this machine; "": OpenAt knows another place
	// OpenAt opens the place. It has the root of the part, not that of the source. file tells that
	// the part is one file, whose directory it is.
	OpenAt func(ctx context.Context, file bool) (target.Target, error)
	// Taken puts what a backup would take of the place, as Options.Taken has it.
	Taken func(ctx context.Context, put func(path string) error) error
}

// Wanted keeps the places of what lies at or below a path of a source's tree, or of what it lies
// in. One that lies within another is no place of its own. catalog.ErrRefused if there are none.
func Wanted(places []Place, source, at string) (wanted []Place, err error) {
	for i, p := range places {
		nested := false
		for j, other := range places {
			nested = nested || i != j && p.Below != other.Below && entry.Within(p.Below, other.Below)
		}
		if !nested && (entry.Within(at, p.Below) || entry.Within(p.Below, at)) {
			wanted = append(wanted, p)
		}
	}
	if len(wanted) == 0 {
		return nil, catalog.Refuse("%s has no place of its own: name one of the parts of %s, or restore it with --target",
			entry.Printable(catalog.PlaceName(source, at)), source)
	}
	return wanted, nil
}

// Roots are the directories and files of this machine to which places bring what lies at or below a
// path of their source's tree. Places elsewhere have none.
func Roots(places []Place, at string) (roots []string) {
	for _, p := range places {
		switch rest := strings.TrimPrefix(strings.TrimPrefix(at, p.Below), "/"); {
		case p.Path == "":
		case entry.Within(at, p.Below):
			roots = append(roots, filepath.Join(p.Path, rest))
		default:
			roots = append(roots, p.Path)
		}
	}
	return roots
}

// CheckPlaced refuses, with catalog.ErrRefused, what lies at a path of a source's tree if the
// places do not say where all of it belongs: a component that is not there any more.
func CheckPlaced(ctx context.Context, t *tree.Tree, places []Place, source, at string) error {
	if len(places) == 1 && places[0].Below == "" {
		return nil
	}
	known := map[string]bool{}
	for _, p := range places {
		known[p.Below] = true
	}
	for node, err := range t.List(ctx, "") {
		if err != nil {
			return fmt.Errorf("read the snapshot's tree: %w", err)
		}
		if !known[node.Path] && (at == "" || entry.Within(at, node.Path)) {
			return catalog.Refuse("the settings do not say where %s of %s belongs: add it to its components, or name another part, or use --target", node.Path, source)
		}
	}
	return nil
}

// Open opens the place for what the tree of its source has of it. fs.ErrNotExist: the snapshot has
// no such part.
func (p Place) Open(ctx context.Context, t *tree.Tree) (target.Target, error) {
	node, err := t.Lookup(ctx, p.Below)
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.Below == "" && p.Path != "":
		return p.openFile(ctx, t)
	case err != nil:
		return nil, err
	case node.Type == entry.Directory:
		to, err := p.OpenAt(ctx, false)
		if err != nil {
			return nil, err
		}
		return target.Below(p.Below, to), nil
	}
	to, err := p.OpenAt(ctx, true)
	if above := path.Dir(p.Below); above != "." && err == nil {
		to = target.Below(above, to)
	}
	return to, err
}

// openFile opens the directory of a source that is one file: its tree has no root.
func (p Place) openFile(ctx context.Context, t *tree.Tree) (target.Target, error) {
	for node, err := range t.List(ctx, "") {
		if err != nil {
			return nil, fmt.Errorf("read the snapshot's tree: %w", err)
		}
		if name := path.Base(p.Path); node.Path != name {
			return nil, catalog.Refuse("the snapshot holds the file %s, and the settings name %s now: restore it with --target", node.Path, p.Path)
		}
	}
	return p.OpenAt(ctx, true)
}

// checkOneFile makes sure that what lies at a spot, of one source, is one file that a command can
// be given: at the root of a tree, the one thing that is in it, as in that of a command's output.
// catalog.ErrMisuse if it is something else.
func checkOneFile(ctx context.Context, t *tree.Tree, at catalog.Spot) error {
	node, err := at.Node(ctx, t)
	if err == nil && at.Path == "" {
		node, err = onlyEntry(ctx, t)
	}
	if err != nil || node != nil && node.Type == entry.File {
		return err
	}
	return catalog.Misuse("--to-command gives one file to a command, and %s is not a file: name one, as ls lists them",
		entry.Printable(catalog.PlaceName(at.Sources[0].Name, at.Path)))
}

// onlyEntry is the one thing in a tree; nil if there are several.
func onlyEntry(ctx context.Context, t *tree.Tree) (*tree.Node, error) {
	var only *tree.Node
	for node, err := range t.List(ctx, "") {
		if err != nil || only != nil {
			return nil, err
		}
		only = node.Clone()
	}
	return only, nil
}
