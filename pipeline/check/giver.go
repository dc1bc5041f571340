package check

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/index"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/fetch"
)

// giver reads from another repository what one has lost.
type giver struct {
	repo, from *catalog.Repository
	o          fetch.Options
	index      *index.Index                        // of from
	readers    map[uint64]*fetch.Fetcher           // of from, by domain
	twins      map[archive.Name]*catalog.Snapshot  // snapshot of repo → the one of from with the same content
	trees      map[*catalog.SourceState]*tree.Tree // of from
	decoded    tree.Cache                          // of these
	log        *catalog.Log                        // of repo
	snapshots  []*catalog.Snapshot                 // of repo
}

// errNotGiven: the other repository has no such chunk.
var errNotGiven = errors.New("no snapshot of the other repository has it")

func newGiver(ctx context.Context, repo, from *catalog.Repository, o fetch.Options) (*giver, error) {
	g := &giver{repo: repo, from: from, o: o, index: from.NewIndex(), readers: map[uint64]*fetch.Fetcher{}, trees: map[*catalog.SourceState]*tree.Tree{}}
	if err := g.load(ctx); err != nil {
		g.close()
		return nil, fmt.Errorf("read %s: %w", from.Store.Location(), err)
	}
	return g, nil
}

func (g *giver) load(ctx context.Context) error {
	log, err := g.from.ReadLog(ctx)
	if err != nil {
		return err
	}
	if _, err := g.from.LoadIndex(ctx, log, g.index, nil); err != nil {
		return err
	}
	theirs, err := g.from.Snapshots(ctx, log)
	if err != nil {
		return err
	}
	if g.log, err = g.repo.ReadLog(ctx); err != nil {
		return err
	}
	g.snapshots, err = g.repo.Snapshots(ctx, g.log)
	g.twins = twinsOf(g.repo.Format.Repository, g.snapshots, g.from.Format.Repository, theirs)
	return err
}

func (g *giver) close() { g.index.Close() }

// twinsOf returns, for snapshots of one repository, those of another with the same content: one is a
// copy of the other, or both are copies of a third.
func twinsOf(repo string, ours []*catalog.Snapshot, from string, theirs []*catalog.Snapshot) map[archive.Name]*catalog.Snapshot {
	is := func(repository string, s *catalog.Snapshot) catalog.Origin {
		return catalog.Origin{Repository: repository, Snapshot: s.ID.String()}
	}
	of := map[catalog.Origin]*catalog.Snapshot{}
	for _, s := range theirs {
		of[is(from, s)] = s
		if s.Origin != nil {
			of[catalog.Origin{Repository: s.Origin.Repository, Snapshot: s.Origin.Snapshot}] = s
		}
	}
	twins := map[archive.Name]*catalog.Snapshot{}
	for _, s := range ours {
		if twin := of[is(repo, s)]; twin != nil {
			twins[s.ID] = twin
		} else if s.Origin != nil {
			if twin := of[catalog.Origin{Repository: s.Origin.Repository, Snapshot: s.Origin.Snapshot}]; twin != nil {
				twins[s.ID] = twin
			}
		}
	}
	return twins
}

// give reads chunks of one kind as those of a domain, and passes each to store, from several
// goroutines at once. It returns why others could not be read, by their numbers. An error is one of store, or says
// that a storage cannot be reached.
func (g *giver) give(ctx context.Context, domain crypto.Domain, want []Lost, store func(i int, data []byte) error) (lacking map[int]error, err error) {
	number, shared := g.sharing(domain)
	switch {
	case want[0].Chunk.Place.Pack.Kind == archive.Trees:
		return g.remade(ctx, domain, shared, want, store)
	case shared:
		return g.byID(ctx, number, want, store)
	}
	return g.byContent(ctx, domain, want, store)
}

// sharing returns the domain of the other repository in which content has the same ids.
func (g *giver) sharing(domain crypto.Domain) (number uint64, shared bool) {
	for _, d := range g.from.Config.Domains {
		if theirs, err := g.from.Domain(d.Number); err == nil && theirs.Origin() == domain.Origin() && theirs.PageKey() == domain.PageKey() {
			return d.Number, true
		}
	}
	return 0, false
}

// reader returns what reads chunks of a domain of the other repository.
func (g *giver) reader(number uint64) (*fetch.Fetcher, error) {
	if r := g.readers[number]; r != nil {
		return r, nil
	}
	r, err := fetch.New(g.from, number, g.o)
	if err == nil {
		g.readers[number] = r
	}
	return r, err
}

// byID reads chunks that have the same ids there.
func (g *giver) byID(ctx context.Context, number uint64, want []Lost, store func(i int, data []byte) error) (map[int]error, error) {
	reader, err := g.reader(number)
	if err != nil {
		return nil, err
	}
	lacking := map[int]error{}
	var there []archive.Chunk
	var at []int
	for i := range want {
		places, err := g.index.Places(ctx, want[i].Chunk.ID)
		if err != nil {
			return nil, err
		}
		k := slices.IndexFunc(places, func(c archive.Chunk) bool { return c.Length == want[i].Chunk.Length })
		if k < 0 {
			lacking[i] = errNotGiven
			continue
		}
		there, at = append(there, places[k]), append(at, i)
	}
	missing, err := reader.Each(ctx, there, func(i int, data []byte) error { return store(at[i], data) })
	for _, m := range missing {
		lacking[at[m.Index]] = m.Err
	}
	return lacking, err
}
