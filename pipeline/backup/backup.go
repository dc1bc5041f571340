// Package backup takes sources through the chunker into packs and commits them. It meets the
// sources by their seam alone, and the repository by the sessions of catalog.
package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/inflight"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/index"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/catalog/tripwire"
	"github.com/packstone/packstone/chunker"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/source"
)

// Job is one source of a backup.
type Job struct {
	Name     string
	Type     string
	Location string   // where it is, without secrets; another location has another last tree
	Paths    []string // of an ad-hoc backup
	// Open opens the source. It may be called again when a backup must begin again.
	Open func(ctx context.Context) (source.Source, error)
}

// isAdHoc tells whether the job is of a backup that no settings describe: it has no name of its
// own.
func (j *Job) isAdHoc() bool { return j.Name == catalog.AdHoc }

// label names the job in messages.
func (j *Job) label() string {
	switch {
	case !j.isAdHoc():
		return j.Name
	case len(j.Paths) > 0:
		return strings.Join(j.Paths, " ")
	}
	return j.Location
}

// Action is what became of an entry, against the last backup.
type Action string

// What may become of an entry.
const (
	ActionNew       Action = "new"
	ActionModified  Action = "modified"
	ActionUnchanged Action = "unchanged"
)

// Options say what is backed up and how.
type Options struct {
	Set, Host, User string
	Tags            []string
	Description     string
	Time            time.Time // of the snapshot; now if zero
	Jobs            []Job     // taken in this order
	Force           bool      // read everything again
	Parent          string    // the beginning of the id that the last backup must have; "": any
	// Like is another set with the same sources: what has not changed since its last backup is not
	// read. What this host remembers of that set stays as it is. "": none.
	Like          string
	SkipUnchanged bool // commit nothing where every tree is that of the last backup: ErrUnchanged
	// Tripwire says what marks a snapshot as one that looks like a loss; by the zero value nothing
	// does.
	Tripwire tripwire.Limits
	MaxAge   time.Duration // how old the newest complete snapshot of the set may be, which others are told; 0: nothing is said
	// Fit has a snapshot say whether its sources fit together, before it is committed; open gives the
	// tree of a source. Its error ends the backup. Nil: nothing is said.
	Fit         func(ctx context.Context, s *catalog.Snapshot, open func(source string) *tree.Tree) error
	NotBackedUp []catalog.LeftOut // what of the platform is left out on purpose
	// Lost are packs from which nothing may be taken, since they are damaged: with Force, what lies
	// in them is stored again.
	Lost        map[archive.Name]bool
	DryRun      bool          // put nothing into the repository
	Concurrency int           // files at once; the number of processors if 0
	PackSize    int           // see archive.WriterOptions
	Uploads     int           // of packs in memory; more are of packs in files, where the store is best used with more requests
	Publish     time.Duration // how often what was uploaded is published; 10 s if 0
	Progress    *pipeline.Progress
	// Origin is the snapshot of another repository with which this one was taken in one run, or of
	// which it is a copy; nil: none.
	Origin *catalog.Origin
	// Original is the snapshot that is copied; nil: none is, and the other fields say what is
	// backed up. Series names what it is one of, for which this host remembers the last.
	Original *Original
	Series   string
	Problem  func(path string, err error) // told of what is missed; may be nil
	Advice   func(text string)            // told what a source has to say about the run as a whole; may be nil
	// Taken is told each entry of a source that is in the snapshot and what became of it, in the
	// order of the tree; may be nil.
	Taken func(source string, e *entry.Entry, action Action)

	started time.Time       // the first try
	told    map[string]bool // of which torn records was told
}

// ErrUnchanged: nothing differs from the last backup, the snapshot's Parent, and so the snapshot
// was not committed.
var ErrUnchanged = errors.New("nothing has changed")

// Run takes all jobs into one snapshot and commits it. A source that fails as a whole fails the
// backup: what was uploaded is kept for the next run. What a single file lacks is counted in the
// snapshot's coverage. catalog.ErrOutside, before anything is read or written, if the writer may
// not speak for the host.
func Run(ctx context.Context, repo *catalog.Repository, o Options) (*catalog.Snapshot, error) {
	o = o.withDefaults()
	if err := repo.MaySpeakFor(o.Host); err != nil {
		return nil, err
	}
	forget := false
	o.told = map[string]bool{}
	for try := 1; ; try++ {
		snapshot, err := backupOnce(ctx, repo, o, forget)
		forget = forget || errors.Is(err, catalog.ErrNoPage)
		if again := forget || errors.Is(err, catalog.ErrRestart); err == nil || !again || try == maxRestarts {
			return snapshot, err
		}
		o.Progress.Restart()
	}
}

// maxRestarts bounds how often a backup begins again since packs that it relied on are being
// collected.
const maxRestarts = 4

// thing names what is backed up, for which this host remembers the last backup: the set, and with
// it what has no name of its own, so that paths in turns do not make it forget each other's.
func (o *Options) thing() string {
	thing := o.Set + o.Series
	for i := range o.Jobs {
		if j := &o.Jobs[i]; j.isAdHoc() {
			thing += "\x00" + j.Type + "\x00" + j.Location
		}
	}
	return thing
}

func (o Options) withDefaults() Options {
	if o.Concurrency <= 0 {
		o.Concurrency = runtime.GOMAXPROCS(0)
	}
	if o.Publish <= 0 {
		o.Publish = 10 * time.Second
	}
	if o.Progress == nil {
		o.Progress = &pipeline.Progress{}
	}
	o.started = time.Now()
	return o
}

func (o *Options) sourceNames() (names []string) {
	for i := range o.Jobs {
		names = append(names, o.Jobs[i].Name)
	}
	return names
}

// backup is one try of Run, in one chain of sessions.
type backup struct {
	o        Options
	repo     *catalog.Repository
	session  *catalog.Session
	publish  *publisher
	index    *index.Index
	pages    *catalog.Pages
	last     *catalog.Last
	intake   *intake
	data     *archive.Writer
	trees    *archive.Writer
	chunkers map[source.Class]*chunker.Chunker
	long     chan struct{}
	started  time.Time
	lost     map[archive.Name]bool // packs that the index names and the store lacks; known after Force only
	foreign  *index.Index          // of writers that are not relied on; nil where the last trees name nothing of theirs
	asked    sync.Map              // pack of the last trees → whether it is unreliable
	rescued  []*archive.Slot       // pages of earlier trees that lost packs held
}

// backupOnce is one try. forget leaves the last trees aside, since pages of them are missing.
func backupOnce(ctx context.Context, repo *catalog.Repository, o Options, forget bool) (*catalog.Snapshot, error) {
	begin := repo.Begin
	if o.DryRun {
		begin = repo.Preview
	}
	session, err := begin(ctx)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	b := &backup{o: o, repo: repo, session: session, index: repo.NewIndex(), started: time.Now().UTC()}
	defer b.index.Close()
	session.Run(o.Set, o.sourceNames(), o.started)
	b.tellTorn()
	b.publish = newPublisher(b.usable, session, b.index, o.Publish)
	snapshot, err := b.try(ctx, forget)
	committed := snapshot != nil && !errors.Is(err, ErrUnchanged)
	if !committed && !o.DryRun {
		b.publish.rescue(ctx)
	}
	b.publish.close(committed)
	return snapshot, err
}

// tellTorn tells which records of this host are missing or damaged. The backup does not need them,
// but snapshots may have gone with them.
func (b *backup) tellTorn() {
	torn := b.session.Torn()
	for _, name := range slices.Sorted(maps.Keys(torn)) {
		if b.o.Advice != nil && !b.o.told[name] {
			b.o.told[name] = true
			b.o.Advice(fmt.Sprintf("a record that this host has stored, %s, is missing or damaged: %v. Snapshots may have gone with it: run packstone check", name, torn[name]))
		}
	}
}

func (b *backup) try(ctx context.Context, forget bool) (*catalog.Snapshot, error) {
	defer b.close()
	if err := b.prepare(ctx, forget); err != nil {
		return nil, err
	}
	if b.o.DryRun {
		return b.preview(ctx)
	}
	if err := b.isThere(ctx); err != nil {
		return nil, err
	}
	snapshot, err := b.run(ctx)
	if snapshot == nil {
		b.finishUploads(ctx)
	}
	return snapshot, err
}

// finishUploads saves what a source gave before it failed. It does what it can, and nothing where
// the storage has failed or the user has interrupted.
func (b *backup) finishUploads(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, rescueTime)
	defer cancel()
	_ = b.data.Flush(ctx)
}

// prepare loads what is known and starts the writers.
func (b *backup) prepare(ctx context.Context, forget bool) error {
	b.index.SetFilter(b.usable)
	if _, err := b.session.LoadIndex(ctx, b.index); err != nil {
		return err
	}
	if err := b.findLost(ctx); err != nil {
		return err
	}
	domain := b.session.Domain()
	if !b.o.Force && !forget {
		b.last = b.loadLast()
	}
	if err := b.checkParent(); err != nil {
		return err
	}
	if err := b.doubt(ctx); err != nil {
		return err
	}
	var err error
	if b.pages, err = b.session.OpenPages(b.o.thing()); err != nil {
		return err
	}
	if forget {
		b.pages.Forget()
	}
	b.chunkers = map[source.Class]*chunker.Chunker{}
	for _, class := range b.repo.Format.Classes {
		b.chunkers[source.Class(class.Name)] = chunker.New(class, domain.ChunkerKey())
	}
	b.intake = newIntake(domain.DataID(), b.index, b.o.Progress)
	b.long = make(chan struct{}, longFiles)
	if !b.o.DryRun {
		b.data = b.writer(ctx, archive.Data, b.o.Uploads, b.o.PackSize)
		b.trees = b.writer(ctx, archive.Trees, max(1, b.o.Uploads/2), treePack)
		b.intake.writer = b.data
	}
	return nil
}

// loadLast is the last backup to compare with, nil if there is none.
func (b *backup) loadLast() *catalog.Last {
	if b.o.Like != "" {
		if last := b.session.LoadLast(b.o.Like); last != nil {
			return last
		}
	}
	return b.session.LoadLast(b.o.thing())
}

// checkParent refuses to compare with another snapshot than the one that was asked for.
func (b *backup) checkParent() error {
	switch {
	case b.o.Parent == "", b.o.Parent == "latest" && b.last != nil:
		return nil
	case b.last == nil:
		return catalog.Misuse("parent %s: this host remembers no last backup of what is backed up; leave the parent out, and everything is read", b.o.Parent)
	case !strings.HasPrefix(b.last.Commit, b.o.Parent):
		return catalog.Misuse("parent %s: the last backup of the same that this host remembers is %.12s, and only that one can be compared with", b.o.Parent, b.last.Commit)
	}
	return nil
}

// treePack is the size of tree packs, which are small beside data.
const treePack = 4 << 20

// largestChunk is the most bytes that a chunk of a source has whose content is cut as class.
func (b *backup) largestChunk(class source.Class) int {
	return max(b.chunkers[class].Class().Max, b.chunkers[source.ClassPages].Class().Max)
}

func (b *backup) writer(ctx context.Context, kind archive.Kind, uploads, size int) *archive.Writer {
	var inFlight func() int
	if l := inflight.Of(b.repo.Store); l != nil {
		inFlight = l.Limit
	}
	return archive.NewWriter(ctx, b.repo.Store, archive.WriterOptions{
		Kind: kind, Recipients: b.session.Recipients(), PackSize: size, Uploads: uploads, InFlight: inFlight, Spill: b.repo.Scratch(),
		Stored: func(p *archive.Pack, d *archive.Directory) {
			b.o.Progress.BytesPacked.Add(uint64(p.Size))
			if kind == archive.Data {
				b.o.Progress.BytesStored.Add(uint64(d.Raw()))
			}
			pack := archive.RunPack{Pack: p, Directory: d}
			b.intake.sealed(pack)
			b.publish.add(pack)
		},
	})
}

// usable tells whether a pack may be relied on.
func (b *backup) usable(p *archive.Pack) bool { return !b.session.Avoid(p) && !b.lost[p.Name] }

// unreliable tells whether what the last trees have in a pack is read again: since the pack is
// being collected, or since somebody who is relied on no more says what lies in it.
func (b *backup) unreliable(ctx context.Context, p *archive.Pack) bool {
	if b.session.Avoid(p) || b.foreign == nil {
		return b.session.Avoid(p)
	}
	if foreign, asked := b.asked.Load(p.Name); asked {
		return foreign.(bool)
	}
	own, err := b.index.HasPack(ctx, p.Name)
	foreign, errOfOthers := b.foreign.HasPack(ctx, p.Name)
	unreliable := foreign || !own || err != nil || errOfOthers != nil
	b.asked.Store(p.Name, unreliable)
	return unreliable
}

// doubt finds out what the last trees name that writers have stored who are relied on no more.
func (b *backup) doubt(ctx context.Context) error {
	if !b.last.Doubtful() {
		return nil
	}
	b.foreign = b.repo.NewIndex()
	return b.session.LoadForeign(ctx, b.foreign)
}

// findLost compares the packs that the index names with those in the store, where everything is
// read again anyway: what lies in packs that are missing or cut short is stored again.
func (b *backup) findLost(ctx context.Context) error {
	if !b.o.Force {
		return nil
	}
	there := map[archive.Name]int64{}
	for pack, err := range archive.ListPacks(ctx, b.repo.Store) {
		if err != nil {
			return err
		}
		there[pack.Name] = int64(pack.Size)
	}
	b.lost = maps.Clone(b.o.Lost)
	if b.lost == nil {
		b.lost = map[archive.Name]bool{}
	}
	for p, err := range b.index.Packs(ctx) {
		if err != nil {
			return err
		}
		if there[p.Name] != int64(p.Size) && !b.session.Avoid(p) {
			b.lost[p.Name] = true
		}
	}
	b.index.SetFilter(b.usable)
	return nil
}

// rescuePages stores again what lost packs held of the trees of earlier snapshots, as far as this
// host's cache has it: no source can give it again.
func (b *backup) rescuePages(ctx context.Context) error {
	for name := range b.lost {
		pack, known, err := b.index.Pack(ctx, name)
		if err != nil {
			return err
		}
		if !known || pack.Pack.Kind != archive.Trees {
			continue
		}
		err = b.pages.Load(nil)(ctx, chunksOf(pack), func(_ int, page []byte) error {
			slot := archive.NewSlot(archive.ID(b.session.Domain().TreeID().Sum(page)), len(page))
			b.rescued = append(b.rescued, slot)
			return b.trees.Add(ctx, slot, page, "page")
		})
		if err != nil && !errors.Is(err, catalog.ErrNoPage) {
			return err
		}
	}
	return nil
}

// chunksOf are the ids in a pack, without their places.
func chunksOf(pack archive.RunPack) []archive.Chunk {
	chunks := make([]archive.Chunk, len(pack.Directory.IDs))
	for i, id := range pack.Directory.IDs {
		chunks[i].ID = id
	}
	return chunks
}

func (b *backup) close() {
	if b.data != nil {
		b.data.Close()
		b.trees.Close()
	}
	if b.pages != nil {
		b.pages.Close()
	}
	if b.foreign != nil {
		b.foreign.Close()
	}
}

// preview walks, cuts and looks up as a backup does, and puts nothing.
func (b *backup) preview(ctx context.Context) (*catalog.Snapshot, error) {
	captures, err := b.captureAll(ctx)
	if err != nil {
		return nil, err
	}
	snapshot, err := b.snapshot(captures)
	if err != nil {
		return nil, err
	}
	b.judge(ctx, snapshot, captures)
	return snapshot, nil
}

// act is what is done with a source, in messages.
func (b *backup) act() string {
	if b.o.Original != nil {
		return "take over"
	}
	return "back up"
}

func (b *backup) captureAll(ctx context.Context) ([]*capture, error) {
	for i := range b.o.Jobs {
		b.o.Progress.Expect(b.last.Size(b.o.Jobs[i].Name, b.o.Jobs[i].Location))
	}
	var captures []*capture
	for i := range b.o.Jobs {
		c, err := b.capture(ctx, &b.o.Jobs[i])
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", b.act(), b.o.Jobs[i].label(), err)
		}
		captures = append(captures, c)
	}
	return captures, nil
}

// run captures every source, completes their trees and commits.
func (b *backup) run(ctx context.Context) (*catalog.Snapshot, error) {
	var captures []*capture
	err := b.publish.during(ctx, func(ctx context.Context) (err error) {
		if err := b.rescuePages(ctx); err != nil {
			return err
		}
		if captures, err = b.captureAll(ctx); err != nil {
			return err
		}
		return b.completeTrees(ctx, captures)
	})
	if err != nil {
		return nil, err
	}
	snapshot, err := b.snapshot(captures)
	if err != nil {
		return nil, err
	}
	if b.o.SkipUnchanged {
		switch same, err := b.nothingDiffers(ctx, captures); {
		case err != nil:
			return nil, fmt.Errorf("compare with the last backup: %w", err)
		case same:
			return snapshot, ErrUnchanged
		}
	}
	normal := b.judge(ctx, snapshot, captures)
	if err := b.fit(ctx, snapshot, captures); err != nil {
		return nil, err
	}
	refs, err := b.commit(ctx, snapshot, captures)
	if err != nil {
		return nil, err
	}
	if b.pages.Own() {
		if err := b.keepLast(snapshot, refs, normal); err != nil && b.o.Advice != nil {
			b.o.Advice(fmt.Sprintf("the snapshot is there, but this host cannot remember it, so that the next backup reads more than it must: %v", err))
		}
	}
	return snapshot, b.suspicion()
}

// suspicion says what is wrong with the storage, though the snapshot is good.
func (b *backup) suspicion() (err error) {
	if lost := b.session.RolledBack; len(lost) > 0 {
		err = fmt.Errorf("%w: of %s", catalog.ErrRolledBack, strings.Join(lost, ", "))
	}
	if foreign := b.session.Foreign; len(foreign) > 0 {
		err = errors.Join(err, fmt.Errorf("%s: %w", strings.Join(foreign, ", "), catalog.ErrForeign))
	}
	return err
}

// keepLast keeps the trees for the next backup.
func (b *backup) keepLast(snapshot *catalog.Snapshot, refs catalog.RefsList, normal *tripwire.Memory) error {
	if err := b.session.KeepLast(b.o.thing(), snapshot, refs, normal); err != nil {
		return err
	}
	return b.pages.Trim()
}

// completeTrees writes what is left of the trees as soon as every chunk has its place, and waits
// until all data and all trees are stored.
func (b *backup) completeTrees(ctx context.Context, captures []*capture) error {
	if err := b.data.Seal(ctx); err != nil {
		return err
	}
	for _, c := range captures {
		root, err := c.tree.Finish(ctx)
		if err != nil {
			return fmt.Errorf("write the tree of %s: %w", c.job.label(), err)
		}
		c.state.Root = root
	}
	if err := b.trees.Flush(ctx); err != nil {
		return err
	}
	return b.data.Flush(ctx)
}

func (b *backup) snapshot(captures []*capture) (*catalog.Snapshot, error) {
	if b.o.Original != nil {
		return b.copyOf(captures)
	}
	s := &catalog.Snapshot{
		Set: b.o.Set, Host: b.o.Host, User: b.o.User, Tags: b.o.Tags, Description: b.o.Description, Origin: b.o.Origin,
		Started: b.started, Finished: time.Now().UTC(), Time: b.o.Time, MaxAge: int64(b.o.MaxAge / time.Second), NotBackedUp: b.o.NotBackedUp,
	}
	if s.Time.IsZero() {
		s.Time = b.started
	}
	if b.last != nil {
		s.Parent = b.last.Commit
	}
	for _, c := range captures {
		s.Sources = append(s.Sources, c.state)
	}
	return s, nil
}

// fit has the snapshot say whether its sources fit together. A copy says what it is a copy of.
func (b *backup) fit(ctx context.Context, snapshot *catalog.Snapshot, captures []*capture) error {
	if b.o.Fit == nil || b.o.Original != nil {
		return nil
	}
	return b.o.Fit(ctx, snapshot, func(source string) *tree.Tree {
		for _, c := range captures {
			if c.job.Name == source {
				return tree.Open(c.state.Root, b.loadPages(), tree.OpenOptions{})
			}
		}
		return nil
	})
}

func (b *backup) commit(ctx context.Context, snapshot *catalog.Snapshot, captures []*capture) (catalog.RefsList, error) {
	content := catalog.Content{Snapshot: snapshot}
	if b.last != nil {
		content.Parent = &catalog.Base{List: b.last.Refs}
	}
	if b.last == nil || !b.nothingChanged(captures) {
		if err := b.addRefs(ctx, &content, captures); err != nil {
			return catalog.RefsList{}, err
		}
	}
	content.Packs = b.publish.take()
	refs, err := b.session.Commit(ctx, content)
	if err != nil {
		b.publish.giveBack(content.Packs)
	}
	return refs, err
}

// addRefs says what the snapshot needs, and what its parent did. A parent whose refs are damaged is
// of no use.
func (b *backup) addRefs(ctx context.Context, content *catalog.Content, captures []*capture) (err error) {
	if content.Refs, err = b.refs(ctx, captures); err != nil || content.Parent == nil {
		return err
	}
	content.Parent.Set, err = b.repo.LoadRefs(ctx, b.last.Refs)
	if errors.Is(err, archive.ErrDamaged) || errors.Is(err, store.ErrNotExist) {
		content.Parent, err = nil, nil
	}
	return err
}

// nothingChanged tells whether all trees are the last ones.
func (b *backup) nothingChanged(captures []*capture) bool {
	if len(captures) != len(b.last.Sources) {
		return false
	}
	for _, c := range captures {
		last, ok := b.last.Root(c.job.Name, c.job.Location)
		if !ok || !sameRoot(c.state.Root, last) {
			return false
		}
	}
	return true
}

// nothingDiffers tells whether nothing but directories above what was named differs from the last
// trees: others write in those.
func (b *backup) nothingDiffers(ctx context.Context, captures []*capture) (bool, error) {
	if b.last == nil || len(captures) != len(b.last.Sources) {
		return false, nil
	}
	for _, c := range captures {
		last, ok := b.last.Root(c.job.Name, c.job.Location)
		if !ok {
			return false, nil
		}
		before, now := tree.Open(last, b.loadPages(), tree.OpenOptions{}), tree.Open(c.state.Root, b.loadPages(), tree.OpenOptions{})
		for change, err := range tree.Diff(ctx, before, now) {
			if err != nil || !c.job.liesAbove(change.Path) {
				return false, err
			}
		}
	}
	return true, nil
}

// liesAbove tells whether a path is of a directory above the paths of the job.
func (j *Job) liesAbove(path string) bool {
	return slices.ContainsFunc(j.Paths, func(root string) bool {
		root = strings.Trim(root, "/")
		return root != path && entry.Within(root, path)
	})
}

func sameRoot(a, b tree.Root) bool {
	return slices.EqualFunc(a.Runs, b.Runs, func(a, b tree.Run) bool { return a.Top.ID == b.Top.ID })
}

// refs lists everything that the trees need: the chunks of all nodes, and the pages themselves.
func (b *backup) refs(ctx context.Context, captures []*capture) (*archive.RefSet, error) {
	all := &archive.RefSet{}
	for _, c := range captures {
		t := tree.Open(c.state.Root, b.loadPages(), tree.OpenOptions{})
		if err := t.AddNeeds(ctx, all); err != nil {
			return nil, fmt.Errorf("list what %s needs: %w", c.job.label(), err)
		}
	}
	for _, slot := range b.rescued {
		if page, ok := slot.Chunk(); ok {
			all.Add(page.Place.Pack, page.Place.Ordinal)
		}
	}
	return all, nil
}

// loadPages reads pages of last trees: from the cache, or from the repository where an identity is
// at hand.
func (b *backup) loadPages() tree.Load {
	reader, err := b.repo.Reader(b.repo.Config.Domain)
	if err != nil || !b.repo.CanRead() {
		return b.pages.Load(nil)
	}
	return b.pages.Load(fetch.Of(reader, fetch.Options{Connections: inflight.Of(b.repo.Store)}).Pages())
}
