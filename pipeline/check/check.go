// Package check looks for damaged, missing and wrongly signed objects in a repository, and replaces
// them with good copies.
package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/index"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline"
)

// Options determine how thorough a check is.
type Options struct {
	ReadData    bool           // read every pack, not only what says where things are
	Percent     float64        // of the packs to read, those first that were verified longest ago; all if 0
	Seed        uint64         // another choice each time of those that never were
	MaxDuration time.Duration  // stop reading packs after this; no limit if 0
	Sums        store.Summer   // compare the checksums that the storage tells of packs that are not read; nil: none
	By          *crypto.Signer // the owner or a verifier, who says then which packs are sound; nil: nobody does
	Lost        bool           // list what is lost, for Mend
	Parallel    int            // packs at once; 2 if 0
	Progress    *pipeline.Progress
}

// Finding is something that is wrong.
type Finding struct {
	Object string   // the object that is damaged or missing
	Files  []string // SNAPSHOT:source/path of files that it hurts
	Err    error
}

// Report is what was checked, and what was found.
type Report struct {
	Records, Snapshots, Packs, PacksRead uint64
	Bytes                                uint64 // of all packs
	Chunks, BytesRead                    uint64
	Summed                               uint64    // packs that were not read, and have the checksum that their name says
	Attested                             uint64    // packs that were said to be sound
	Unverified                           uint64    // packs of which nobody has said so yet
	UnverifiedBytes                      uint64    // of these
	Since                                time.Time // since when all others were verified; zero where there are none
	Unused                               uint64    // packs that no index names: leftovers of interrupted runs
	UnusedBytes                          uint64
	Findings                             []Finding
	Lost                                 []Lost                // what records need, and no sound pack has, if Options.Lost
	Healed                               []Finding             // packs and index runs that are damaged or missing, and of which others have all that is needed
	Bad                                  map[archive.Name]bool // packs that are damaged, missing or cut short, healed or not
	Unchecked                            []string              // what could not be checked with the keys at hand
	Notes                                []string              // what a person should know, and that is no fault
}

// check is one run of Check.
type check struct {
	repo     *catalog.Repository
	o        Options
	log      *catalog.Log
	index    *index.Index
	report   *Report
	present  map[packKey]*archive.Pack // packs in the store, as the listing tells them
	closed   bool                      // no key at hand opens some of the index runs
	unlisted int                       // packs that are needed and that no index run at hand lists
	refs     *catalog.RefsReader

	snapshots []*catalog.Snapshot
	heard     map[archive.Name]*testimony         // pack → what index runs say of it
	borrowed  map[borrowing]map[archive.Name]bool // → packs
	verified  map[uint64]*catalog.Verified        // by domain; by this run too, when it has said so
	sound     map[uint64][]archive.VerifiedPack   // by domain; that this run has read since it has said so last
	read      map[archive.Name]bool               // packs that this run has begun to read
	needed    *needed                             // nil: nothing is damaged
	spots     map[archive.ID][]Spot               // of damaged chunks

	mu      sync.Mutex
	damaged map[archive.ID][]int // chunk → findings
	hurt    map[int][]archive.ID // finding about a pack → chunks that it hurts
}

// Run looks for anything in the repository that is damaged, missing or wrongly signed, and reports
// it in findings. An error means that it could not check. The repository should be opened without a
// cache.
func Run(ctx context.Context, repo *catalog.Repository, o Options) (*Report, error) {
	c := newCheck(repo, o)
	defer func() { c.index.Close() }()
	for _, step := range []func(context.Context) error{
		c.checkLog, c.accuse, c.openSnapshots, c.listPacks, c.checkIndex, c.readVerified, c.countUnused, c.checkRefs, c.checkContent, c.findElsewhere,
		c.checkTrees, c.tellLost, c.sortHealed, c.noteBorrowed,
	} {
		if err := step(ctx); err != nil {
			return c.report, err
		}
	}
	return c.report, nil
}

// newCheck returns a check that has read nothing yet. Its index must be closed.
func newCheck(repo *catalog.Repository, o Options) *check {
	if o.Progress == nil {
		o.Progress = &pipeline.Progress{}
	}
	if o.Parallel <= 0 {
		o.Parallel = 2
	}
	return &check{
		repo: repo, o: o, index: repo.NewIndex(), report: &Report{Bad: map[archive.Name]bool{}}, hurt: map[int][]archive.ID{},
		present: map[packKey]*archive.Pack{}, refs: repo.RefsReader(), damaged: map[archive.ID][]int{},
		heard: map[archive.Name]*testimony{}, verified: map[uint64]*catalog.Verified{}, sound: map[uint64][]archive.VerifiedPack{}, borrowed: map[borrowing]map[archive.Name]bool{},
		read: map[archive.Name]bool{}, spots: map[archive.ID][]Spot{},
	}
}

// find adds a finding and returns its number.
func (c *check) find(object string, err error) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Findings = append(c.report.Findings, Finding{Object: object, Err: err})
	return len(c.report.Findings) - 1
}

func (c *check) checkLog(ctx context.Context) error {
	problems, err := c.repo.CheckObjects(ctx)
	if err != nil {
		return err
	}
	for object, err := range problems {
		c.find(object, err)
	}
	if c.log, err = c.repo.ReadLog(ctx); err != nil {
		return err
	}
	for _, problem := range c.log.Problems {
		c.find("log", problem)
	}
	if err := c.repo.Config.Broken(); err != nil {
		c.find("config", err)
	}
	for _, lost := range c.log.RolledBack() {
		c.find(lost, catalog.ErrRolledBack)
	}
	if n := len(c.log.Ignored); n > 0 {
		c.report.Unchecked = append(c.report.Unchecked, fmt.Sprintf("%s by revoked writers: ignored", entry.Plural(n, "record")))
	}
	for _, name := range c.log.Powerless {
		c.report.Notes = append(c.report.Notes, name+" forgets or holds snapshots, which its writer may not do: ignored")
	}
	for _, rec := range c.repo.Unheard(c.log) {
		c.report.Notes = append(c.report.Notes, fmt.Sprintf("%s says that packs were verified, and %s has signed it, whom the owner has not let say so: it counts for nothing", rec.Name(), rec.Lane.Writer))
	}
	rolled, err := c.repo.CheckHistory(ctx, c.log, func(object string, err error) { c.find(object, err) })
	c.report.Records = uint64(len(c.log.Records)) + rolled
	return err
}

// isClosed reports whether no key at hand opens what a record names.
func (c *check) isClosed(rec *catalog.Record) bool {
	return !c.repo.OpensIndex(rec.Domain) && (len(rec.Index) > 0 || rec.Refs.Full != "")
}

// noteClosed reports what is left out if no key at hand opens some index runs and refs. Their
// hashes were checked.
func (c *check) noteClosed() {
	c.closed = slices.ContainsFunc(c.log.Records, c.isClosed)
	if c.closed {
		c.report.Unchecked = append(c.report.Unchecked, "what index runs and refs say, and so whether every pack that is needed is there: no key at hand opens them")
	}
}

// note turns an error about an object into a finding, unless the error prevents the check; then it
// returns it.
func (c *check) note(ctx context.Context, object string, err error) error {
	if err == nil {
		return nil
	}
	if away := store.Unavailable(ctx, err); away != nil {
		return away
	}
	c.find(object, err)
	return nil
}

func (c *check) listPacks(ctx context.Context) error {
	for pack, err := range archive.ListPacks(ctx, c.repo.Store) {
		if err != nil {
			return err
		}
		c.present[packKey{pack.Kind, pack.Name}] = pack
		c.report.Bytes += uint64(pack.Size)
	}
	return nil
}

// countUnused counts the packs that no index run names.
func (c *check) countUnused(ctx context.Context) error {
	if c.closed {
		return nil
	}
	for at, pack := range c.present {
		known, err := c.index.HasPack(ctx, at.name)
		if err != nil {
			return err
		}
		if !known {
			c.report.Unused++
			c.report.UnusedBytes += uint64(pack.Size)
		}
	}
	return nil
}

// checkRefs checks that every pack that a live record needs exists, with the size given in the
// index.
func (c *check) checkRefs(ctx context.Context) error {
	needed := &archive.RefSet{}
	records := c.live()
	c.refs.Ahead(ctx, records)
	for _, rec := range records {
		set, err := c.refs.Load(ctx, rec.Refs)
		if err := c.note(ctx, rec.Name(), err); err != nil {
			return err
		}
		if err == nil {
			needed.Union(set)
			c.borrow(rec, set)
		}
	}
	moves, err := c.repo.ReadMoves(ctx, c.log, true)
	if err != nil {
		return c.note(ctx, "what was moved", err)
	}
	for ref := range moves.Now(needed).All() {
		if err := c.checkRef(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

// live returns the records that count and that a key at hand opens.
func (c *check) live() []*catalog.Record {
	superseded := c.log.Superseded()
	records := slices.SortedStableFunc(slices.Values(c.log.Records), func(a, b *catalog.Record) int { return catalog.CompareRefs(a.Refs, b.Refs) })
	return slices.DeleteFunc(records, func(rec *catalog.Record) bool { return !c.log.Live(rec, superseded) || c.isClosed(rec) })
}

// errUnlisted: a pack is there, and the index does not tell what is in it.
var errUnlisted = errors.New("a snapshot needs the pack, but no index run names it")

func (c *check) checkRef(ctx context.Context, ref archive.Ref) error {
	object := ref.Kind.Object(ref.Name)
	pack, there := c.present[packKey{ref.Kind, ref.Name}]
	known, indexed, err := c.index.Pack(ctx, ref.Name)
	if !indexed {
		c.unlisted++
	}
	switch {
	case err != nil:
		return err
	case !there:
		c.hurtAll(c.findBad(object, ref.Name, errors.New("the pack is missing")), known)
	case indexed && known.Pack.Size != pack.Size:
		c.hurtAll(c.findBad(object, ref.Name, fmt.Errorf("it has %d bytes, the index says %d", pack.Size, known.Pack.Size)), known)
	case !indexed:
		c.find(object, errUnlisted)
	}
	return nil
}

// findBad adds a finding about a pack from which nothing should be taken any more.
func (c *check) findBad(object string, name archive.Name, err error) int {
	finding := c.find(object, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Bad[name] = true
	return finding
}

// hurtAll marks all chunks of a pack as damaged.
func (c *check) hurtAll(finding int, pack archive.RunPack) {
	if pack.Directory != nil {
		c.hurts(finding, pack.Directory.IDs...)
	}
}

// hurts marks chunks as damaged.
func (c *check) hurts(finding int, ids ...archive.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		c.damaged[id] = append(c.damaged[id], finding)
	}
	c.hurt[finding] = append(c.hurt[finding], ids...)
}

// isReplaced reports whether a finding is about an index run that is lost or damaged, and other runs
// list every pack that is needed.
func (c *check) isReplaced(f Finding) bool {
	kind, _, _ := contentOf(f.Object)
	gone := errors.Is(f.Err, store.ErrNotExist) || errors.Is(f.Err, archive.ErrDamaged)
	return kind == archive.Runs && gone && c.unlisted == 0 && !c.closed
}

// sortHealed moves findings about packs and index runs of which nothing is lost to Healed.
func (c *check) sortHealed(context.Context) error {
	findings := c.report.Findings
	c.report.Findings = nil
	for i, f := range findings {
		lost := slices.ContainsFunc(c.hurt[i], func(id archive.ID) bool { return c.damaged[id] != nil })
		if len(c.hurt[i]) > 0 && !lost || c.isReplaced(f) {
			c.report.Healed = append(c.report.Healed, f)
			continue
		}
		c.report.Findings = append(c.report.Findings, f)
	}
	return nil
}

// findFile adds a finding about one file.
func (c *check) findFile(name string, err error) {
	c.report.Findings[c.find(name, err)].Files = []string{name}
}
