package rewrite

import (
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/source/exclude"
)

// tally counts what stays of a source and what does not.
type tally struct {
	before, stays        catalog.Coverage
	files, others, bytes uint64 // that do not
	missed               uint64 // of these, what the backup could not have as it was
}

func newTally(before catalog.Coverage) *tally { return &tally{before: before} }

func (n *tally) keep(node *tree.Node) {
	switch {
	case node.IsMark():
	case node.Type == entry.File:
		n.stays.Files++
		n.stays.Bytes += uint64(node.Size)
	case node.Type == entry.Directory:
		n.stays.Directories++
	default:
		n.stays.Others++
	}
}

func (n *tally) leave(node *tree.Node) {
	if node.Unknown == entry.Unreadable || node.Fuzzy {
		n.missed++
	}
	if node.IsMark() || node.Type != entry.File {
		n.others++
		return
	}
	n.files++
	n.bytes += uint64(node.Size)
}

// coverage is what a backup would have counted that had left out the same. Of what kind the files
// were that were not unmodified nobody knows any more.
func (n *tally) coverage(patterns *exclude.Patterns) catalog.Coverage {
	c := n.before
	c.Files, c.Directories, c.Others, c.Bytes = n.stays.Files, n.stays.Directories, n.stays.Others, n.stays.Bytes
	c.Problems = slices.DeleteFunc(slices.Clone(c.Problems), func(p catalog.Problem) bool {
		return patterns.Leaves(strings.Trim(p.Path, "/"), false)
	})
	gone := max(n.missed, uint64(len(n.before.Problems)-len(c.Problems)))
	c.Missed -= min(c.Missed, gone)
	less(c.New+c.Changed+c.Unmodified, c.Files, &c.Unmodified, &c.Changed, &c.New)
	return c
}

// less takes from numbers, one after the other, what their sum is more than most.
func less(sum, most uint64, numbers ...*uint64) {
	for _, n := range numbers {
		if sum <= most {
			return
		}
		taken := min(*n, sum-most)
		*n, sum = *n-taken, sum-taken
	}
}
