package check

import (
	"context"
	"errors"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/inflight"
	"github.com/packstone/packstone/pipeline/fetch"
)

// readers reads whole packs. Chunks are named with the keys of a domain, so there is one Fetcher
// for each.
type readers struct {
	all []uint64 // the domains whose keys are at hand, the newest first
	of  map[uint64]*fetch.Fetcher
	any *fetch.Fetcher // without keys
}

// packsInMemory is how many bytes of packs are read at once. Many are under way in a distant store.
const packsInMemory = 96 << 20

func (c *check) readers() (*readers, error) {
	options := fetch.Options{Connections: inflight.Of(c.repo.Store), Workers: c.o.Parallel, Memory: packsInMemory}
	r := &readers{of: map[uint64]*fetch.Fetcher{}, any: fetch.Of(archive.NewReader(c.repo.Store, nil, nil, nil, archive.ReaderOptions{}), options)}
	for _, d := range c.repo.Config.Domains {
		if _, err := c.repo.Domain(d.Number); err != nil {
			continue // hashes are checked without it
		}
		reader, err := c.repo.Reader(d.Number)
		if err != nil {
			return nil, err
		}
		r.all, r.of[d.Number] = append(r.all, d.Number), fetch.Of(reader, options)
	}
	slices.Sort(r.all)
	slices.Reverse(r.all)
	return r, nil
}

func (r *readers) packsAtOnce() int { return r.any.PacksAtOnce() }

// domainsOf returns the domains of which a pack is, according to the records that list it. It
// returns none if no index run lists the pack.
func (c *check) domainsOf(name archive.Name) []uint64 {
	if t := c.heard[name]; t != nil {
		return t.domains
	}
	return nil
}

// verify reads a pack with the keys of each of these domains, or of all if there are none, until its
// chunks have their ids. It returns the domain in which they do. If they do in none, it returns the
// problems in the first.
func (r *readers) verify(ctx context.Context, p archive.RunPack, domains []uint64) (problems []*archive.DamagedError, domain uint64, err error) {
	if len(domains) == 0 {
		domains = r.all
	}
	for _, number := range domains {
		if r.of[number] == nil {
			continue
		}
		found, err := r.of[number].Verify(ctx, p.Pack, p.Directory)
		if err != nil || !slices.ContainsFunc(found, isMisnamed) {
			return found, number, err
		}
		if domain == 0 {
			problems, domain = found, number
		}
	}
	if domain == 0 {
		problems, err = r.any.Verify(ctx, p.Pack, p.Directory)
	}
	return problems, domain, err
}

// isMisnamed reports whether a chunk has another id than its pack says. It may have that id in
// another domain.
func isMisnamed(p *archive.DamagedError) bool { return errors.Is(p, archive.ErrWrongID) }
