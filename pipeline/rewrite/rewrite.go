// Package rewrite copies snapshots without the entries that match patterns. It reads trees but no
// contents: remaining entries keep their chunks. The new trees do not mention what is left out, not
// even as deleted.
package rewrite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/source/exclude"
)

// streams are the types of sources whose trees hold no files of anybody's: they stay as they are.
var streams = []string{"command", "database"}

// Options say what is left out.
type Options struct {
	Exclude []string // lines of a .gitignore, as a backup of the same source takes them
	Fetch   fetch.Options
	Left    func(source string, n *tree.Node) // told each entry that is left out; may be nil
}

// Patterns returns the lines of a .gitignore for patterns, of which some ignore case. It fails with
// catalog.ErrMisuse if there are none, or as CheckPatterns does.
func Patterns(patterns, anyCase []string) ([]string, error) {
	lines := slices.Clone(patterns)
	for _, pattern := range anyCase {
		lines = append(lines, exclude.AnyCase(pattern))
	}
	if len(lines) == 0 {
		return nil, catalog.Misuse("name what to leave out with --exclude or --iexclude")
	}
	return lines, CheckPatterns(lines)
}

// CheckPatterns fails if snapshots cannot be made anew without what patterns match. One that begins
// with ! would say that something is there which an earlier pattern has left out.
func CheckPatterns(lines []string) error {
	for _, line := range lines {
		if strings.HasPrefix(line, "!") {
			return catalog.Misuse("%s: what was left out cannot be brought back", entry.Printable(line))
		}
	}
	if _, err := exclude.Parse(lines, exclude.Place{}); err != nil {
		return catalog.Misuse("%w", err)
	}
	return nil
}

// Cut is what patterns match in one snapshot.
type Cut struct {
	Snapshot *catalog.Snapshot
	New      *catalog.Snapshot // that has taken its place; nil before
	Files    uint64            // that are left out
	Others   uint64            // directories, links and the like, and marks of what was there
	Bytes    uint64            // of the files

	parts []part
	roots []tree.Root // of the last try
}

// part is one source of a snapshot.
type part struct {
	patterns *exclude.Patterns // nil: all of it stays
	coverage catalog.Coverage  // without what is left out
}

func (c *Cut) empty() bool { return c.Files+c.Others == 0 }

// find finds what matches in a snapshot.
func find(ctx context.Context, repo *catalog.Repository, s *catalog.Snapshot, o Options) (*Cut, error) {
	fetcher, err := fetch.New(repo, s.Domain, o.Fetch)
	if err != nil {
		return nil, err
	}
	c := &Cut{Snapshot: s, parts: make([]part, len(s.Sources))}
	for i := range s.Sources {
		src := &s.Sources[i]
		if slices.Contains(streams, src.Type) {
			continue
		}
		if err := c.find(ctx, tree.Open(src.Root, fetcher.Pages(), tree.OpenOptions{Marks: true}), i, o); err != nil {
			return nil, fmt.Errorf("snapshot %s, source %s: %w", s.ShortID(), src.Name, err)
		}
	}
	return c, nil
}

func (c *Cut) find(ctx context.Context, t *tree.Tree, i int, o Options) error {
	src := &c.Snapshot.Sources[i]
	patterns, err := exclude.Parse(o.Exclude, placeOf(src))
	if err != nil {
		return err
	}
	n := newTally(src.Coverage)
	for node, err := range t.All(ctx, "") {
		if err != nil {
			return err
		}
		if !leaves(patterns, node) {
			n.keep(node)
			continue
		}
		n.leave(node)
		if o.Left != nil {
			o.Left(src.Name, node)
		}
	}
	c.Files, c.Others, c.Bytes = c.Files+n.files, c.Others+n.others, c.Bytes+n.bytes
	if n.files+n.others > 0 {
		c.parts[i] = part{patterns, n.coverage(patterns)}
	}
	return nil
}

// leaves tells whether patterns leave a node out. The top directory stays.
func leaves(patterns *exclude.Patterns, n *tree.Node) bool {
	return n.Path != "" && patterns.Leaves(n.Path, n.Type == entry.Directory)
}

// placeOf is where the patterns of a backup of the same source are at home.
func placeOf(src *catalog.SourceState) exclude.Place {
	roots := map[string]string{}
	for _, path := range src.Paths {
		roots[path] = strings.TrimPrefix(path, "/")
	}
	if len(src.Paths) == 0 && strings.HasPrefix(src.Location, "/") {
		roots[src.Location] = ""
	}
	return exclude.Place{Roots: roots, Each: len(src.Paths) > 0}
}

// Plan says what is made anew.
type Plan struct {
	Cuts      []*Cut // of the snapshots in which something matches, each with some of that
	Unchanged int    // in how many nothing does

	rewriting *admin.Rewriting
}

// NewPlan finds what matches in snapshots that are named, or in all that pass the view's filter,
// and changes nothing. It fails if one of those in which something does cannot be made anew with
// the writer's key at hand.
func NewPlan(ctx context.Context, v *view.View, names []string, o Options) (p *Plan, err error) {
	p = &Plan{}
	if p.rewriting, err = admin.NewRewriting(v, names); err != nil {
		return nil, err
	}
	for _, s := range p.rewriting.Snapshots {
		cut, err := find(ctx, v.Repo, s, o)
		if err != nil {
			return nil, err
		}
		if cut.empty() {
			p.Unchanged++
			continue
		}
		if err := admin.MayRewrite(v.Repo, s); err != nil {
			return nil, err
		}
		p.Cuts = append(p.Cuts, cut)
	}
	return p, nil
}

// Gone are the snapshots that are to be forgotten when all are made anew: what an interrupted run
// has left is among them.
func (p *Plan) Gone() []archive.Name {
	gone := p.rewriting.Left()
	for _, cut := range p.Cuts {
		gone = append(gone, cut.Snapshot.ID)
	}
	return gone
}

// MayForget fails if one of those that are gone is held, or too young for a collector, before
// anything is changed. With preview the storage is not asked for the time.
func (p *Plan) MayForget(ctx context.Context, v *view.View, preview bool) error {
	f, err := admin.NewForgetting(ctx, v, catalog.Filter{}, admin.ForgettingOptions{Preview: preview})
	if err != nil {
		return err
	}
	return f.These(p.Gone())
}

// Make commits, for each snapshot in which something matches, one that has all the rest of it and
// says which it replaces. They are signed with the key of the writer at hand. Nothing is forgotten:
// that is for who has the owner's key, or a collector's. When it is interrupted, the next plan of
// the same snapshots goes on.
func (p *Plan) Make(ctx context.Context, repo *catalog.Repository, o Options) ([]catalog.Replaced, error) {
	for _, cut := range p.Cuts {
		made, err := cut.make(ctx, repo, o)
		if err != nil {
			return nil, err
		}
		cut.New = made
		p.rewriting.Made(cut.Snapshot, made)
	}
	return p.rewriting.Replaced(), nil
}

// maxRestarts bounds how often a snapshot is made anew since packs that it needs are being
// collected.
const maxRestarts = 4

func (c *Cut) make(ctx context.Context, repo *catalog.Repository, o Options) (snapshot *catalog.Snapshot, err error) {
	for range maxRestarts {
		if snapshot, err = c.makeOnce(ctx, repo, o); !errors.Is(err, catalog.ErrRestart) {
			break
		}
		if made, lookErr := c.look(ctx, repo); lookErr == nil && made != nil {
			return made, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("rewrite snapshot %s: %w", c.Snapshot.ShortID(), err)
	}
	return snapshot, nil
}

// look finds what the last try has made, though it could not tell.
func (c *Cut) look(ctx context.Context, repo *catalog.Repository) (*catalog.Snapshot, error) {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	all, err := repo.Snapshots(ctx, log)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.Replaces == c.Snapshot.ID.String() && slices.EqualFunc(s.Sources, c.roots, isTree) {
			return s, nil
		}
	}
	return nil, nil
}

// isTree tells whether a source has the pages of a tree, wherever they lie.
func isTree(src catalog.SourceState, root tree.Root) bool {
	return slices.EqualFunc(src.Root.Runs, root.Runs, func(a, b tree.Run) bool { return a.Top.ID == b.Top.ID })
}

// next is the snapshot that takes the place of the one before.
func (c *Cut) next() *catalog.Snapshot {
	s := c.Snapshot.Anew()
	s.Sources = slices.Clone(s.Sources)
	for i := range s.Sources {
		src := &s.Sources[i]
		src.Root = c.roots[i]
		if p := c.parts[i]; p.patterns != nil {
			src.Coverage = p.coverage
			src.Excludes = slices.Concat(src.Excludes, p.patterns.Lines())
		}
	}
	return s
}
