package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/target"
)

// Legs bring what a snapshot has of its sources back, each source or part of one to its place. All
// are added, and what cannot come back is refused, before anything is changed. They are not safe
// for concurrent use.
type Legs struct {
	Repo     *catalog.Repository
	Snapshot *catalog.Snapshot
	Fetch    fetch.Options
	Path     string // of each source that at or below which it comes back; "": all
	OneFile  bool   // what is there must be one file, for a command
	// Include and Exclude are patterns of what comes back, as NewMatch has them.
	Include, Exclude []string
	// Options hold for all legs; what differs between them is filled in.
	Options   Options
	OnServers Overwrite // in the place of Options.Overwrite where only what differs is sent
	// Doubt is told once what Options.Delete cannot tell.
	Doubt func(text string)

	legs    []leg
	targets []target.Target
	pages   fetch.RecentPages
	doubted bool
}

// leg is a source, or a part of one, on its way to its place.
type leg struct {
	source   *catalog.SourceState
	restored *Restoration
	other    func(ctx context.Context, total *Result) error // in the place of restored
}

// fewPages is how many bytes of pages are kept young while a tree is gone through from its
// beginning to its end, a few times.
const fewPages = 1 << 20

// Open opens the tree of a source.
func (l *Legs) Open(source *catalog.SourceState) (*tree.Tree, *fetch.Fetcher, error) {
	return l.open(source, l.Fetch)
}

func (l *Legs) open(source *catalog.SourceState, o fetch.Options) (*tree.Tree, *fetch.Fetcher, error) {
	fetcher, err := fetch.New(l.Repo, l.Snapshot.Domain, o)
	if err != nil {
		return nil, nil, err
	}
	l.pages.Most = fewPages
	return tree.Open(source.Root, l.pages.Load(fetcher.Pages()), tree.OpenOptions{Marks: l.Options.Delete}), fetcher, nil
}

// find opens the tree of a source, and makes sure that the snapshot has what is to come back.
func (l *Legs) find(ctx context.Context, source *catalog.SourceState) (*tree.Tree, *fetch.Fetcher, error) {
	t, fetcher, err := l.Open(source)
	if err != nil {
		return nil, nil, err
	}
	at := catalog.Spot{Snapshot: l.Snapshot, Sources: []*catalog.SourceState{source}, Path: l.Path}
	if l.OneFile {
		return t, fetcher, checkOneFile(ctx, t, at)
	}
	_, err = at.Node(ctx, t)
	return t, fetcher, err
}

// Add adds a source that comes back to one place, which open opens. server: only what differs is
// sent there.
func (l *Legs) Add(ctx context.Context, source *catalog.SourceState, server bool, open func() (target.Target, error)) error {
	t, fetcher, err := l.find(ctx, source)
	if err != nil {
		return err
	}
	to, err := open()
	if err != nil {
		return refusedPath(err)
	}
	return l.add(ctx, source, t, fetcher, to, Place{Below: l.Path}, server)
}

// AddPlaces adds a source that comes back to where its parts belong. A part that the snapshot
// lacks, a component of later, is left out.
func (l *Legs) AddPlaces(ctx context.Context, source *catalog.SourceState, places []Place) error {
	t, fetcher, err := l.Open(source)
	if err != nil {
		return err
	}
	for _, place := range places {
		to, err := l.Opened(place.Open(ctx, t))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return refusedPath(err)
		}
		if entry.Within(l.Path, place.Below) {
			place.Below = l.Path
		}
		if err := l.add(ctx, source, t, fetcher, to, place, place.Path == ""); err != nil {
			return err
		}
	}
	return nil
}

// addOther adds a source that run brings back, and counts.
func (l *Legs) addOther(source *catalog.SourceState, run func(ctx context.Context, total *Result) error) {
	l.legs = append(l.legs, leg{source: source, other: run})
}

// CheckPlaces keeps the places of a source that were asked for, and makes sure that the snapshot
// has them and nothing else.
func (l *Legs) CheckPlaces(ctx context.Context, source *catalog.SourceState, places []Place) ([]Place, error) {
	t, _, err := l.find(ctx, source)
	if err != nil {
		return nil, err
	}
	if source.Name != catalog.AdHoc {
		if err := CheckPlaced(ctx, t, places, source.Name, l.Path); err != nil {
			return nil, err
		}
	}
	return Wanted(places, source.Name, l.Path)
}

// add prepares the way of a tree, or a part of it, to a target.
func (l *Legs) add(ctx context.Context, s *catalog.SourceState, t *tree.Tree, fetcher *fetch.Fetcher, to target.Target, place Place, server bool) error {
	match, err := NewMatch(place.Below, l.Include, l.Exclude)
	if err != nil {
		return catalog.Misuse("%w", err)
	}
	known, err := KnowledgeOf(ctx, s, t)
	if err != nil {
		return err
	}
	o := l.Options
	o.Below, o.Include, o.Taken = place.Below, match, place.Taken
	o.Roots, o.Unknown, o.Excluded = known.Roots, known.Unknown, known.Excluded
	if server {
		o.Overwrite = l.OnServers
	}
	if o.Delete && known.Doubt != "" && !l.doubted {
		l.doubted = true
		l.Doubt(known.Doubt)
	}
	l.legs = append(l.legs, leg{source: s, restored: New(t, fetcher, to, o)})
	return nil
}

// refusedPath makes a refusal of what lies where a source's folder is to be and is none.
func refusedPath(err error) error {
	if errors.Is(err, target.ErrPath) {
		return catalog.Refuse("refused before anything was changed: %w", err)
	}
	return err
}

// Survey finds out what Options.Delete would remove, and why a person should be asked before.
func (l *Legs) Survey(ctx context.Context) (doubts []string, err error) {
	for _, leg := range l.legs {
		if leg.restored == nil {
			continue
		}
		surplus, err := leg.restored.Survey(ctx)
		if err != nil {
			return nil, err
		}
		if why := surplus.Doubt(); why != "" {
			doubts = append(doubts, fmt.Sprintf("%s: %s", entry.Printable(catalog.PlaceName(leg.source.Name, l.Path)), why))
		}
	}
	return doubts, nil
}

// Run brings all back, one after the other, and adds what was done to total.
func (l *Legs) Run(ctx context.Context, total *Result) error {
	for _, leg := range l.legs {
		if leg.other != nil {
			if err := leg.other(ctx, total); err != nil {
				return err
			}
			continue
		}
		result, err := leg.restored.Run(ctx)
		total.Add(result)
		if err != nil {
			return err
		}
	}
	return nil
}

// Contents puts the chunks of all files of sources that are to come back.
func (l *Legs) Contents(ctx context.Context, sources []*catalog.SourceState, put func([]archive.Chunk)) error {
	match, err := NewMatch(l.Path, l.Include, l.Exclude)
	if err != nil {
		return catalog.Misuse("%w", err)
	}
	for _, source := range sources {
		t, _, err := l.Open(source)
		if err != nil {
			return err
		}
		for node, err := range below(ctx, t, l.Path) {
			if err != nil {
				return err
			}
			if match(&node.Entry) {
				put(node.Chunks)
			}
		}
	}
	return nil
}

// Opened notes a target that Close is to close.
func (l *Legs) Opened(to target.Target, err error) (target.Target, error) {
	if err == nil {
		l.targets = append(l.targets, to)
	}
	return to, err
}

// Close makes everything durable.
func (l *Legs) Close(ctx context.Context) error {
	var failed []error
	for _, to := range l.targets {
		failed = append(failed, to.Close(ctx))
	}
	l.targets = nil
	return errors.Join(failed...)
}
