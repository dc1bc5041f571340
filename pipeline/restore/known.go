package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/source/exclude"
)

// Knowledge is what a snapshot knows of what lay in a source.
type Knowledge struct {
	Roots   []string // the paths that were backed up; none: all of the tree
	Unknown []string // paths that it does not mark as unknown and does not know all the same
	// Excluded tells whether the backup left out whatever lay at a path; nil: nothing.
	Excluded func(path string, directory bool) bool
	// Doubt says what Delete cannot tell since an older version made the snapshot; empty if it can
	// tell all.
	Doubt string
}

// What is told of snapshots of older versions.
const (
	doubtExcludes = "an older version made this snapshot, which did not note what it left out: --delete takes that for what was not there"
	doubtProblems = "an older version made this snapshot, which did not note all that it could not read: --delete removes nothing"
)

// KnowledgeOf says what a snapshot knows of a source, whose tree is t.
func KnowledgeOf(ctx context.Context, s *catalog.SourceState, t *tree.Tree) (Knowledge, error) {
	var k Knowledge
	var err error
	if k.Roots, err = rootsOf(ctx, s, t); err != nil {
		return k, err
	}
	if len(s.Excludes) > 0 {
		patterns, err := exclude.Parse(s.Excludes, exclude.Place{})
		if err != nil {
			return k, fmt.Errorf("read what the snapshot left out: %w: %w", archive.ErrDamaged, err)
		}
		k.Excluded = patterns.Leaves
	}
	if s.Marks {
		return k, nil
	}
	k.Doubt = doubtExcludes
	if s.Coverage.Missed > uint64(len(s.Coverage.Problems)) {
		return Knowledge{Roots: k.Roots, Unknown: []string{""}, Doubt: doubtProblems}, nil
	}
	for _, p := range s.Coverage.Problems {
		k.Unknown = append(k.Unknown, p.Path)
	}
	return k, nil
}

// rootsOf are the paths that were backed up; none: all of the tree. A source without a directory of
// its own is made of what its tree begins with: components, or one file.
func rootsOf(ctx context.Context, s *catalog.SourceState, t *tree.Tree) ([]string, error) {
	var roots []string
	for _, path := range s.Paths {
		roots = append(roots, strings.Trim(path, "/"))
	}
	if len(roots) > 0 {
		return roots, nil
	}
	_, err := t.Lookup(ctx, "")
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for n, err := range t.List(ctx, "") {
		if err != nil {
			return nil, fmt.Errorf("read the snapshot's tree: %w", err)
		}
		roots = append(roots, n.Path)
	}
	return roots, nil
}
