package catalog

import (
	"context"
	"fmt"
	"slices"

	"filippo.io/age"
	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/crypto"
)

const (
	// smallRun is the size in stored bytes up to which an index run is joined with others.
	smallRun = 1 << 20
	// fewRuns is how many small runs of one writer are left alone.
	fewRuns = 16
)

// rollRuns lists the index runs of rolled-up records, each with the writer that vouches for it, and
// joins small ones. A joined run contains the packs of its parts that still exist, or are lost and
// needed.
func (u *rollUp) rollRuns(ctx context.Context) error {
	var all []rollRun
	if u.prev != nil {
		all = slices.Clone(u.prev.Index)
	}
	known := map[string]bool{}
	for _, run := range all {
		known[run.Run] = true
	}
	for _, rec := range u.log.Records {
		for _, run := range rec.Index {
			if u.passes(rec) && !known[run] && (!rec.ofOwner || rec.Kind == Moved) {
				known[run] = true
				all = append(all, rollRun{run, signerOf(rec), rec.Domain, rec.Kind == Moved})
			}
		}
	}
	small, err := u.smallRuns(ctx)
	if err != nil {
		return err
	}
	for _, group := range groupRuns(all) {
		joined, err := u.join(ctx, group, small)
		if err != nil {
			return err
		}
		u.next.Index = append(u.next.Index, joined...)
	}
	u.runs = all
	return nil
}

// signerOf returns the member that vouches for an index run: for that of a moved record, its
// signer.
func signerOf(rec *Record) string {
	if rec.ofOwner {
		return rec.by.Name()
	}
	return rec.Lane.Writer
}

// smallRuns returns the index runs that are worth joining.
func (u *rollUp) smallRuns(ctx context.Context) (map[string]bool, error) {
	small := map[string]bool{}
	for info, err := range u.repo.Store.List(ctx, string(archive.Runs)+"/", "") {
		if err != nil {
			return nil, fmt.Errorf("list index runs: %w", err)
		}
		if info.Size <= smallRun {
			small[info.Name] = true
		}
	}
	return small, nil
}

// groupRuns groups runs by the writer that vouches for them.
func groupRuns(all []rollRun) (groups [][]rollRun) {
	at := map[rollRun]int{}
	for _, run := range all {
		key := rollRun{Writer: run.Writer, Domain: run.Domain, Moved: run.Moved}
		i, known := at[key]
		if !known {
			i = len(groups)
			at[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], run)
	}
	return groups
}

// join joins the small runs of one writer if there are many.
func (u *rollUp) join(ctx context.Context, group []rollRun, small map[string]bool) (list []rollRun, err error) {
	var few []rollRun
	for _, run := range group {
		name, err := archive.ParseName(run.Run)
		if err == nil && small[archive.Runs.Object(name)] {
			few = append(few, run)
		} else {
			list = append(list, run)
		}
	}
	if len(few) <= fewRuns || !u.repo.OpensIndex(group[0].Domain) {
		return group, nil
	}
	packs, err := u.load(ctx, few)
	if err != nil {
		return nil, err
	}
	recipient, err := u.indexRecipient(group[0].Domain)
	if err != nil {
		return nil, err
	}
	for part := range readableRuns(packs) {
		name, _, err := archive.PutSealed(ctx, u.repo.Store, archive.Runs, archive.EncodeRun(part), recipient)
		if err != nil {
			return nil, fmt.Errorf("join index runs: %w", err)
		}
		list = append(list, rollRun{name.String(), group[0].Writer, group[0].Domain, group[0].Moved})
	}
	return list, nil
}

// stillListed returns the packs that exist, and those that are lost and needed: a repair must know
// what they held.
func (u *rollUp) stillListed(ctx context.Context) (PackSet, error) {
	if u.listed != nil {
		return u.listed, nil
	}
	keep, err := u.repo.NeededPacks(ctx, u.log, u.term)
	if err != nil {
		return nil, err
	}
	for pack, err := range archive.ListPacks(ctx, u.repo.Store) {
		if err != nil {
			return nil, err
		}
		keep[pack.Name] = true
	}
	u.listed = keep
	return keep, nil
}

// load reads runs, and returns those of their packs that are still listed.
func (u *rollUp) load(ctx context.Context, runs []rollRun) ([]archive.RunPack, error) {
	keep, err := u.stillListed(ctx)
	if err != nil {
		return nil, err
	}
	read := make([][]archive.RunPack, len(runs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for i, run := range runs {
		g.Go(func() error {
			name, err := archive.ParseName(run.Run)
			if err != nil {
				return err
			}
			read[i], err = u.repo.LoadRun(gctx, name)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Concat(read...), func(p archive.RunPack) bool { return !keep[p.Pack.Name] }), nil
}

// replaced returns the runs that the next roll no longer lists, and that no later record names.
func (u *rollUp) replaced() (list []string) {
	named := map[string]bool{}
	for _, run := range u.next.Index {
		named[run.Run] = true
	}
	for _, rec := range u.log.Records {
		if !u.passes(rec) {
			for _, run := range rec.Index {
				named[run] = true
			}
		}
	}
	for _, run := range u.runs {
		if !named[run.Run] {
			list = append(list, run.Run)
		}
	}
	return list
}

// indexRecipient returns the recipient of a domain's index runs, from the config.
func (u *rollUp) indexRecipient(domain uint64) (age.Recipient, error) {
	i := slices.IndexFunc(u.repo.Config.Domains, func(d Domain) bool { return d.Number == domain })
	if i < 0 {
		return nil, fmt.Errorf("domain %d: %w", domain, ErrNoIdentity)
	}
	return crypto.ParseRecipient(u.repo.Config.Domains[i].Index)
}
