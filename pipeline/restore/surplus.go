package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/sabotage"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/target"
)

// Surplus is what Delete would remove from a target.
type Surplus struct {
	Entries uint64   // that would be removed
	Of      uint64   // that are there, as far as they lie in what was backed up
	Mounts  []string // mount points that would be removed, or, where the snapshot knows no mount, in which something would
}

const (
	// manyRemoved is how many entries may be removed whatever share they are.
	manyRemoved = 100
	// rememberedRemovals is how many entries are remembered between the survey and the removal. If
	// there are more, the target is walked once more.
	rememberedRemovals = 16 << 10
)

// Doubt says why a person should be asked before so much is removed; empty if nobody need be.
func (s Surplus) Doubt() string {
	switch {
	case len(s.Mounts) > 0:
		return fmt.Sprintf("%s would be removed, some of them in what is mounted at %s", entry.Plural(s.Entries, "entry"), strings.Join(s.Mounts, ", "))
	case s.Entries > manyRemoved && s.Entries > s.Of/2:
		return fmt.Sprintf("%d of %s that are there would be removed", s.Entries, entry.Plural(s.Of, "entry"))
	}
	return ""
}

// level is a directory on the way, as far as removal is concerned.
type level struct {
	path    string
	there   *found // nil: the target has none
	device  uint64 // that the snapshot's directory was on; 0: not known
	surplus bool   // the snapshot has no such directory, so it goes if all that is in it goes
	unknown bool   // nothing in it is removed
	stays   bool   // something in it stays
	mount   string // the mount that it lies in, of which the snapshot does not know
	doomed  uint64 // in it
}

// pruner finds what a target has and a snapshot has not, by all rules of Delete. What was absent
// when the backup was made goes; what the backup could not read, or left out, is unknown, and
// stays. It is fed with the pairs of a merge.
type pruner struct {
	o      *Options
	scope  scope
	target target.Target
	traits target.Traits
	// doom takes what goes, what is in a directory before the directory.
	doom func(ctx context.Context, f *found) error
	// repositories are directories in which a repository lies.
	repositories map[string]bool

	levels  []*level
	taken   *stream[string]
	surplus Surplus
}

func newPruner(o *Options, s scope, t target.Target, repositories map[string]bool, doom func(context.Context, *found) error) *pruner {
	base := &level{stays: true, unknown: repositories[""] || o.unknownAt("")}
	return &pruner{o: o, scope: s, target: t, traits: t.Traits(), repositories: repositories, doom: doom, levels: []*level{base}}
}

func (p *pruner) top() *level { return p.levels[len(p.levels)-1] }

// step takes the next pair.
func (p *pruner) step(ctx context.Context, at pair) error {
	if err := p.leaveFor(ctx, at.path()); err != nil {
		return err
	}
	if at.there != nil && p.scope.inside(at.path()) {
		p.surplus.Of++
		if err := p.findRepository(ctx, at.there); err != nil {
			return err
		}
	}
	if at.node != nil {
		return p.known(at)
	}
	return p.foreign(ctx, at.there)
}

// end leaves all directories.
func (p *pruner) end(ctx context.Context) error { return p.leaveDownTo(ctx, 1) }

func (p *pruner) close() {
	if p.taken != nil {
		p.taken.close()
	}
}

// known takes what the snapshot has, or knows of.
func (p *pruner) known(at pair) error {
	above := p.top()
	above.stays = true
	if !at.there.isDirectory() {
		if at.node.Type == entry.Directory { // it is not there, or is the target's root
			p.enter(&level{path: at.path(), device: at.node.Device, unknown: p.inherits(above, at.path()) || p.isUnknown(at)})
		}
		return nil
	}
	l := &level{path: at.path(), there: at.there, unknown: p.inherits(above, at.path()) || p.isUnknown(at), mount: above.mount}
	if at.node.Type == entry.Directory {
		l.device = at.node.Device
	} else { // it makes room if it can
		l.surplus = !l.unknown && !p.o.keepsOld(p.traits, &at.node.Entry, at.there.Entry)
		l.unknown = !l.surplus
	}
	if at.there.mounted && p.scope.inside(l.path) && !knowsMount(at, above) {
		l.mount = l.path
	}
	p.enter(l)
	return nil
}

// isUnknown tells whether the snapshot does not know what was in a directory, or that must not be
// touched.
func (p *pruner) isUnknown(at pair) bool {
	return !sabotage.Has(sabotage.DeleteUnread) && (at.node.Unknown != entry.Captured || p.repositories[at.path()] || p.o.unknownAt(at.path()) ||
		at.there != nil && (at.there.own != nil || at.there.unlisted != nil) ||
		at.node.Type != entry.Directory && !p.o.includes(&at.node.Entry))
}

// inherits tells whether what lies at a path is unknown since what is above it is. What was backed
// up by its own name is not.
func (p *pruner) inherits(above *level, path string) bool {
	return above.unknown && !p.scope.roots[path]
}

// knowsMount tells whether something was mounted at a directory, or the same directory was there,
// when the backup was made.
func knowsMount(at pair, above *level) bool {
	n := at.node
	return n.Type == entry.Directory && (above.device != 0 && n.Device != above.device || n.Inode != 0 && n.Inode == at.there.Inode)
}

// foreign takes what the snapshot does not have.
func (p *pruner) foreign(ctx context.Context, f *found) error {
	above := p.top()
	stays, err := p.stays(ctx, above, f)
	if err != nil {
		return err
	}
	above.stays = above.stays || stays
	switch {
	case f.isDirectory():
		l := &level{path: f.Path, there: f, surplus: !stays, unknown: above.unknown || stays && !p.scope.leads[f.Path], mount: above.mount}
		if f.mounted {
			l.mount = f.Path
		}
		p.enter(l)
		return nil
	case stays:
		return nil
	}
	return p.condemn(ctx, above, f, above.mount)
}

// stays tells whether something stays although the snapshot does not have it.
func (p *pruner) stays(ctx context.Context, above *level, f *found) (bool, error) {
	switch {
	case above.unknown, !p.scope.inside(f.Path), f.own != nil, f.unlisted != nil, p.repositories[f.Path],
		p.o.unknownAt(f.Path), p.o.excluded(f.Entry), !p.o.includes(f.Entry):
		return true, nil
	case p.o.Taken == nil:
		return false, nil
	}
	taken, err := p.isTaken(ctx, f.Path)
	return !taken, err
}

// isTaken tells whether a backup would take a path. Paths ascend.
func (p *pruner) isTaken(ctx context.Context, path string) (bool, error) {
	if p.taken == nil {
		p.taken = newStream(ctx, p.o.Taken)
	}
	for {
		next, more, err := p.taken.head()
		if err != nil {
			return false, fmt.Errorf("find out what a backup leaves out, for --delete: %w", err)
		}
		if !more || entry.ComparePaths(next, path) > 0 {
			return false, nil
		}
		p.taken.pass()
		if next == path {
			return true, nil
		}
	}
}

func (p *pruner) enter(l *level) { p.levels = append(p.levels, l) }

// leaveFor leaves the directories that do not lead to a path.
func (p *pruner) leaveFor(ctx context.Context, path string) error {
	n := len(p.levels)
	for n > 1 && !entry.Within(path, p.levels[n-1].path) {
		n--
	}
	return p.leaveDownTo(ctx, n)
}

func (p *pruner) leaveDownTo(ctx context.Context, n int) error {
	for len(p.levels) > n {
		l := p.top()
		p.levels = p.levels[:len(p.levels)-1]
		above := p.top()
		above.doomed += l.doomed
		if !l.surplus || l.stays {
			above.stays = true
			continue
		}
		if err := p.condemn(ctx, above, l.there, l.mount); err != nil {
			return err
		}
	}
	return nil
}

// condemn counts something that goes.
func (p *pruner) condemn(ctx context.Context, above *level, f *found, mount string) error {
	above.doomed++
	p.surplus.Entries++
	if f.mounted {
		mount = f.Path
	}
	if mount != "" && !slices.Contains(p.surplus.Mounts, mount) {
		p.surplus.Mounts = append(p.surplus.Mounts, mount)
	}
	return p.doom(ctx, f)
}

// maxFormat bounds what is read to find out whether a file is that of a repository.
const maxFormat = 64 << 10

// findRepository keeps whatever lies beside a repository's first file.
func (p *pruner) findRepository(ctx context.Context, f *found) error {
	if !strings.HasSuffix(f.Path, archive.FormatObject) || path.Base(f.Path) != archive.FormatObject || f.Size > maxFormat {
		return nil
	}
	file, err := p.target.Open(ctx, f.Path)
	if fatal(err) {
		return err
	}
	if err == nil && file == nil {
		return nil
	}
	if err != nil || isFormat(file, f.Size) { // what cannot be read might be one
		p.keepRepository(dirOf(f.Path))
	}
	return nil
}

// isFormat tells whether a file is what a repository begins with, and closes it.
func isFormat(file target.ReadAtCloser, size int64) bool {
	defer file.Close()
	text := make([]byte, size)
	if n, err := file.ReadAt(text, 0); n < len(text) {
		return err != nil && !errors.Is(err, io.EOF)
	}
	_, err := archive.ParseFormat(text)
	return err == nil || errors.Is(err, archive.ErrFormat)
}

// keepRepository takes back what was to go in the directory of a repository.
func (p *pruner) keepRepository(dir string) {
	p.repositories[dir] = true
	for _, l := range p.levels {
		if entry.Within(dir, l.path) {
			l.stays = true
		}
		if l.path == dir {
			p.surplus.Entries -= l.doomed
			l.unknown, l.doomed = true, 0
		}
	}
}

// removals are the entries that go, remembered between the survey and the removal.
type removals struct {
	list  []*entry.Entry
	whole bool // none is missing
}

func (r *removals) add(f *found) {
	if len(r.list) >= rememberedRemovals {
		r.list, r.whole = nil, false
	}
	if r.whole {
		r.list = append(r.list, &entry.Entry{Path: strings.Clone(f.Path), Type: f.Type, Identity: f.Identity})
	}
}

// without leaves out what lies in repositories.
func (r *removals) without(repositories map[string]bool) {
	r.list = slices.DeleteFunc(r.list, func(e *entry.Entry) bool {
		for dir := range repositories {
			if entry.Within(e.Path, dir) {
				return true
			}
		}
		return false
	})
}

// remover removes entries in batches.
type remover struct {
	*restore
	batch []*entry.Entry
	stuck map[string]bool // directories in which something could not be removed
}

const removedAtOnce = 1000

func (r *remover) add(ctx context.Context, e *entry.Entry) error {
	if r.batch = append(r.batch, e); len(r.batch) < removedAtOnce {
		return nil
	}
	return r.flush(ctx)
}

func (r *remover) flush(ctx context.Context) error {
	failed := map[*entry.Entry]bool{}
	var fatal error
	err := r.target.Remove(ctx, r.batch, func(e *entry.Entry, err error) {
		failed[e] = true
		if !r.stuck[e.Path] && fatal == nil { // else it is told already why it stays
			fatal = r.problem(e.Path, fmt.Errorf("remove: %w", err))
		}
		for at := dirOf(e.Path); at != "" && !r.stuck[at]; at = dirOf(at) {
			r.stuck[at] = true
		}
	})
	for _, e := range r.batch {
		if err == nil && !failed[e] {
			r.tell(e, ActionDelete)
			r.count(ActionDelete, e)
		}
	}
	r.batch = nil
	return errors.Join(err, fatal)
}
