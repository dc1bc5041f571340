// Package copy writes snapshots of one repository into another one, which has other keys, another
// domain and another store. A copy is a backup whose source is a snapshot. So, like any backup, it
// deduplicates, continues after an interruption and becomes visible as a whole. An error in the
// first repository prevents the copy of one snapshot, but not of the others.
package copy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/source"
)

// Options determine how a Copier reads and writes.
type Options struct {
	Fetch fetch.Options // of the repository that is read
	// Write configures writing: processors, packs, uploads, progress. What is backed up comes from
	// each snapshot.
	Write backup.Options
	// Undated allows a writer that may not backdate to copy snapshots of earlier days. The copies
	// do not count for retention until the owner dates them.
	Undated bool
	// Done is called with each copied snapshot and the id of its copy, Failed with each snapshot
	// that cannot be read. Both may be nil.
	Done   func(original *catalog.Snapshot, id archive.Name)
	Failed func(original *catalog.Snapshot, err error)
}

// Copier copies snapshots from one repository to another. It is not safe for concurrent use.
type Copier struct {
	from, to *catalog.Repository
	o        Options
	byID     map[string]*catalog.Snapshot // of from
	fetchers map[uint64]*fetch.Fetcher    // by domain
	recent   *fetch.RecentPages
	anew     bool // it makes snapshots of earlier domains of one repository anew
}

// New returns a Copier. all are the snapshots of from that count, among which it finds earlier
// copies. It fails with catalog.ErrMisuse if both are the same repository, even at two addresses.
func New(from, to *catalog.Repository, all []*catalog.Snapshot, o Options) (*Copier, error) {
	if from.Format.Repository == to.Format.Repository {
		return nil, catalog.Misuse("%s and %s are the same repository, %s: a copy goes to another one", from.Store.Location(), to.Store.Location(), to.Format.Repository)
	}
	return newCopier(from, to, all, o), nil
}

func newCopier(from, to *catalog.Repository, all []*catalog.Snapshot, o Options) *Copier {
	c := &Copier{from: from, to: to, o: o, byID: map[string]*catalog.Snapshot{}, fetchers: map[uint64]*fetch.Fetcher{}, recent: &fetch.RecentPages{}}
	for _, s := range all {
		c.byID[s.ID.String()] = s
	}
	return c
}

// Plan is what a Copier would copy.
type Plan struct {
	Missing   []*catalog.Snapshot // to be copied, oldest first
	There     []*catalog.Snapshot // copied before, or taken in the same run
	Forgotten []*catalog.Snapshot // those of There that were forgotten there since
}

// Plan returns which of chosen to copy. It fails, before anything is written, with
// catalog.ErrOutside if the writer may not speak for a host, and with catalog.ErrRefused if it may
// not backdate and Options.Undated is not set.
func (c *Copier) Plan(ctx context.Context, chosen []*catalog.Snapshot) (p Plan, err error) {
	log, err := c.to.ReadLog(ctx)
	if err != nil {
		return p, err
	}
	twins, err := c.to.Twins(log, c.from.Format.Repository)
	if err != nil {
		return p, err
	}
	for _, s := range chosen {
		twin := twins.Of(s.ID)
		if twin == nil && !twins.IsBack(s, c.to.Format.Repository) {
			p.Missing = append(p.Missing, s)
			continue
		}
		p.There = append(p.There, s)
		if twin != nil && !log.Live(twin, nil) {
			p.Forgotten = append(p.Forgotten, s)
		}
	}
	slices.SortStableFunc(p.Missing, func(a, b *catalog.Snapshot) int { return a.Time.Compare(b.Time) })
	return p, c.allowed(p.Missing)
}

// allowed returns an error if copies of snapshots need something that the writer may not do.
func (c *Copier) allowed(missing []*catalog.Snapshot) error {
	old := 0
	for _, s := range missing {
		if s.Standing == catalog.Outside {
			return catalog.Refuse("snapshot %s claims to be of host %q, which its writer %s may not back up: it is not copied", s.ShortID(), s.Host, s.Writer)
		}
		if err := c.to.MaySpeakFor(s.Host); err != nil {
			return fmt.Errorf("copy snapshot %s of host %s: %w", s.ShortID(), s.Host, err)
		}
		if c.to.IsBackdated(s) {
			old++
		}
	}
	may, err := c.to.MayBackdate()
	if err != nil || may || old == 0 || c.o.Undated {
		return err
	}
	return catalog.Refuse("%d of %s are more than a day old, and this writer's key may not backdate: ask the owner of %s to allow it "+
		"(packstone key writer bind NAME --role %s), or copy with --undated, so that they do not count for retention until the owner signs "+
		"packstone catalog date --from-claims; nothing was copied", old, entry.Plural(len(missing), "snapshot"), c.to.Store.Location(), catalog.RoleBackdate)
}

// Datable leaves out the snapshots that the writer of a repository may not date back, and so cannot
// copy into it any more.
func Datable(to *catalog.Repository, chosen []*catalog.Snapshot) ([]*catalog.Snapshot, error) {
	may, err := to.MayBackdate()
	if err != nil || may {
		return chosen, err
	}
	return slices.DeleteFunc(slices.Clone(chosen), to.IsBackdated), nil
}

// Run copies snapshots, in this order. It passes those that cannot be read to Options.Failed, and
// copies the others. An error is one that prevents all further copies.
func (c *Copier) Run(ctx context.Context, missing []*catalog.Snapshot) error {
	for _, s := range missing {
		id, err := c.copy(ctx, s)
		switch {
		case err == nil:
			if c.o.Done != nil {
				c.o.Done(s, id)
			}
		case isOfSource(ctx, err):
			if c.o.Failed != nil {
				c.o.Failed(s, err)
			}
		default:
			return fmt.Errorf("copy snapshot %s: %w", s.ShortID(), err)
		}
	}
	return nil
}

// isOfSource reports whether an error concerns one snapshot of the source repository.
func isOfSource(ctx context.Context, err error) bool {
	return ctx.Err() == nil && errors.Is(err, source.ErrFailed) && !errors.Is(err, store.ErrUnreachable) && !errors.Is(err, store.ErrArchived)
}

// copy makes the copy of one snapshot and returns its id.
func (c *Copier) copy(ctx context.Context, s *catalog.Snapshot) (id archive.Name, err error) {
	o, err := c.job(s)
	if err != nil {
		return id, err
	}
	made, err := backup.Run(ctx, c.to, o)
	if there := (*backup.ThereError)(nil); errors.As(err, &there) {
		return there.Copy, nil
	}
	if made != nil {
		id = made.ID
	}
	return id, err
}

// job returns the backup that copies a snapshot.
func (c *Copier) job(s *catalog.Snapshot) (o backup.Options, err error) {
	domain, err := c.from.Domain(s.Domain)
	if err != nil {
		return o, err
	}
	o = c.o.Write
	o.Set, o.Host, o.Series = s.Set, s.Host, "\x00copy\x00"+c.from.Format.Repository+"\x00"+s.Host
	o.Origin = &catalog.Origin{Repository: c.from.Format.Repository, Snapshot: s.ID.String(), Undated: s.Undated}
	sameNames := c.to.SharesDomain(domain)
	o.Original, o.Jobs = &backup.Original{Snapshot: s, SameNames: sameNames, Anew: c.anew}, nil
	if c.anew {
		o.Series, o.Origin = "\x00anew\x00"+s.Host, s.Origin
	}
	for i := range s.Sources {
		state := &s.Sources[i]
		o.Jobs = append(o.Jobs, backup.Job{
			Name: state.Name, Type: state.Type, Location: state.Location, Paths: state.Paths,
			Open: func(ctx context.Context) (source.Source, error) { return c.open(ctx, s, state, sameNames) },
		})
	}
	return o, nil
}

// fetcher returns the Fetcher of a domain.
func (c *Copier) fetcher(domain uint64) (*fetch.Fetcher, error) {
	if f := c.fetchers[domain]; f != nil {
		return f, nil
	}
	f, err := fetch.New(c.from, domain, c.o.Fetch)
	if err == nil {
		c.fetchers[domain] = f
	}
	return f, err
}

// tree opens the tree of a snapshot's source, with its marks.
func (c *Copier) tree(s *catalog.Snapshot, state *catalog.SourceState) (*tree.Tree, error) {
	f, err := c.fetcher(s.Domain)
	if err != nil {
		return nil, err
	}
	return tree.Open(state.Root, c.recent.Load(f.Pages()), tree.OpenOptions{Marks: true}), nil
}

// Weight is how much a copy of a snapshot reads at most, besides trees.
type Weight struct {
	Files, Bytes uint64 // of the snapshot
	Read         uint64 // bytes of files that the snapshot before it of its set and host does not have
}

// Weigh returns how much each missing snapshot would take. It reads trees, but no content.
func (c *Copier) Weigh(ctx context.Context, p Plan) (all []Weight, err error) {
	for i, s := range p.Missing {
		before := newestOf(append(slices.Clone(p.There), p.Missing[:i]...), s)
		var w Weight
		for k := range s.Sources {
			state := &s.Sources[k]
			w.Files, w.Bytes = w.Files+state.Coverage.Files, w.Bytes+state.Coverage.Bytes
			read, err := c.changed(ctx, before, s, state)
			if err != nil {
				return nil, fmt.Errorf("look at %s of snapshot %s: %w", state.Name, s.ShortID(), err)
			}
			w.Read += read
		}
		all = append(all, w)
	}
	return all, nil
}

// newestOf returns the newest snapshot of the same set and host as s that is not later than s.
func newestOf(all []*catalog.Snapshot, s *catalog.Snapshot) (newest *catalog.Snapshot) {
	for _, other := range all {
		if other.Set == s.Set && other.Host == s.Host && other.Time.Before(s.Time) && (newest == nil || cmp.Compare(newest.Time.UnixNano(), other.Time.UnixNano()) < 0) {
			newest = other
		}
	}
	return newest
}

// changed returns the size in bytes of the files that differ from those of an earlier snapshot.
func (c *Copier) changed(ctx context.Context, before, s *catalog.Snapshot, state *catalog.SourceState) (read uint64, err error) {
	now, err := c.tree(s, state)
	if err != nil {
		return 0, err
	}
	old, err := c.sameSource(before, state)
	if err != nil {
		return 0, err
	}
	for n, err := range differing(ctx, old, now) {
		if err != nil {
			return 0, err
		}
		for i := range n.Chunks {
			if !n.Chunks[i].IsHole() {
				read += uint64(n.Chunks[i].Length)
			}
		}
	}
	return read, nil
}

// sameSource returns the tree of the same source in an earlier snapshot, nil if there is none.
func (c *Copier) sameSource(before *catalog.Snapshot, state *catalog.SourceState) (*tree.Tree, error) {
	if before == nil {
		return nil, nil
	}
	was, ok := before.Source(state.Name)
	if !ok || was.Location != state.Location {
		return nil, nil
	}
	return c.tree(before, was)
}

// unreadable marks an error as one of the source repository.
func unreadable(err error) error {
	if err == nil || errors.Is(err, source.ErrFailed) {
		return err
	}
	if errors.Is(err, store.ErrNotExist) {
		err = fmt.Errorf("%w: %w", err, archive.ErrDamaged)
	}
	return fmt.Errorf("%w: %w", source.ErrFailed, err)
}
