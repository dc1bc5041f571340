package collect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

// Plan is what a run would delete.
type Plan struct {
	Packs   []Dead          // by name
	Bytes   int64           // of these
	Stored  int64           // of all packs
	Lost    catalog.PackSet // packs that nobody needs and that are missing, though no collection has swept them
	Sighted catalog.PackSet // packs that no record names and that no round has met before: they go in the round after the next
	// Later is the size in bytes of what was forgotten and is within its grace, which ends at
	// LaterAt at the latest.
	Later   int64
	LaterAt time.Time
}

// Dead is a pack that no record needs.
type Dead struct {
	Name archive.Name
	Kind archive.Kind
	Size int64
	Why  string
}

func (p *Plan) dead() catalog.PackSet {
	dead := catalog.PackSet{}
	for _, d := range p.Packs {
		dead[d.Name] = true
	}
	return dead
}

// MakePlan returns what a run would delete. t.Now is the store's time.
func MakePlan(ctx context.Context, repo *catalog.Repository, t catalog.Term) (*Plan, error) {
	c := &collector{repo: repo, term: t, report: &Report{}}
	if err := c.list(ctx); err != nil {
		return nil, err
	}
	log, err := c.readLog(ctx)
	if err != nil {
		return nil, err
	}
	rounds, err := c.repo.ReadRounds(ctx)
	if err != nil {
		return nil, err
	}
	return makePlan(ctx, c.repo, log, c.packs, rounds, t)
}

// The reasons for which packs are dead.
const (
	whyForgotten = "only forgotten snapshots and checkpoints that are over need it"
	whyLeftover  = "no record names it: an interrupted backup has left it"
	whySwept     = "a collection that was interrupted has decided so"
)

func makePlan(ctx context.Context, repo *catalog.Repository, log *catalog.Log, there map[archive.Name]*archive.Pack, rounds *catalog.Rounds, t catalog.Term) (*Plan, error) {
	use, err := repo.ReadPackUse(ctx, log, t)
	if err != nil {
		return nil, err
	}
	swept := rounds.Swept()
	p := &Plan{Lost: use.Healed.Add(use.Named).Minus(use.Needed).Minus(swept), Sighted: catalog.PackSet{}, LaterAt: log.LastGraceEnds(t)}
	for name, pack := range there {
		p.Stored += int64(pack.Size)
		delete(p.Lost, name)
		dead := Dead{Name: name, Kind: pack.Kind, Size: int64(pack.Size), Why: whyForgotten}
		switch {
		case use.Passing[name]:
			p.Later += int64(pack.Size)
			continue
		case use.Needed[name]:
			continue
		case swept[name]:
			dead.Why = whySwept
		case !use.Named[name] && !rounds.Sighted[name]:
			p.Sighted[name] = true
			continue
		case !use.Named[name]:
			dead.Why = whyLeftover
		}
		p.Packs = append(p.Packs, dead)
		p.Bytes += int64(pack.Size)
	}
	slices.SortFunc(p.Packs, func(a, b Dead) int { return slices.Compare(a.Name[:], b.Name[:]) })
	return p, nil
}

// needs returns the records that need a pack, the oldest first.
func needs(ctx context.Context, repo *catalog.Repository, log *catalog.Log, name archive.Name, t catalog.Term) (list []*catalog.Record, err error) {
	err = repo.EachRefs(ctx, log, log.Needed(t), func(users []*catalog.Record, set *archive.RefSet) error {
		if len(set.Ordinals(archive.Data, name)) > 0 || len(set.Ordinals(archive.Trees, name)) > 0 {
			list = append(list, users...)
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b *catalog.Record) int { return cmp.Or(a.Date.Compare(b.Date), cmp.Compare(a.Name(), b.Name())) })
	return list, err
}

// Reason is a record that needs a pack.
type Reason struct {
	*catalog.Record
	Snapshot  *catalog.Snapshot // that it commits; nil: it is no commit, or cannot be read
	Forgotten time.Time         // when it was forgotten: it needs the pack until the grace has ended
}

// CheckPack fails with catalog.ErrMisuse if the text is no beginning of a pack's name, or too short a
// one.
func CheckPack(prefix string) error {
	if len(prefix) < 4 || strings.Trim(prefix, "0123456789abcdef") != "" {
		return catalog.Misuse("--explain %s: want at least 4 digits of the name of a pack", entry.Printable(prefix))
	}
	return nil
}

// FindPack finds a pack by its name, or the beginning of it: see CheckPack. It fails with
// catalog.ErrMisuse unless it is the only one.
func FindPack(ctx context.Context, repo *catalog.Repository, prefix string) (*archive.Pack, error) {
	if err := CheckPack(prefix); err != nil {
		return nil, err
	}
	found, err := archive.FindPacks(ctx, repo.Store, prefix)
	if err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	if len(found) != 1 {
		return nil, catalog.Misuse("--explain %s: %s match; want at least 4 digits of the name of one", entry.Printable(prefix), entry.Plural(len(found), "pack"))
	}
	return found[0], nil
}

// Explain returns the reasons why a pack stays, the oldest first. Without an identity they name no
// snapshots.
func Explain(ctx context.Context, repo *catalog.Repository, log *catalog.Log, pack archive.Name, t catalog.Term) (reasons []Reason, err error) {
	records, err := needs(ctx, repo, log, pack, t)
	if err != nil {
		return nil, err
	}
	snapshots, err := allSnapshots(ctx, repo, log)
	if err != nil {
		return nil, err
	}
	for _, rec := range records {
		reasons = append(reasons, Reason{rec, snapshots[rec.Hash], log.Fate(rec.Hash).Gone(t.Now)})
	}
	return reasons, nil
}

// allSnapshots returns the snapshots that can be read, forgotten ones too.
func allSnapshots(ctx context.Context, repo *catalog.Repository, log *catalog.Log) (map[archive.Name]*catalog.Snapshot, error) {
	snapshots := map[archive.Name]*catalog.Snapshot{}
	if !repo.CanRead() {
		return snapshots, nil
	}
	for _, read := range []func(context.Context, *catalog.Log) ([]*catalog.Snapshot, []error, error){repo.ReadSnapshots, repo.ReadForgotten} {
		all, _, err := read(ctx, log)
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			snapshots[s.ID] = s
		}
	}
	return snapshots, nil
}
