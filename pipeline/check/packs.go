package check

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
)

// checkContent reads packs and compares checksums of others, and says then which are sound, even if
// it was interrupted.
func (c *check) checkContent(ctx context.Context) error {
	err := c.checkPacks(ctx)
	if err == nil {
		err = c.checkSums(ctx)
	}
	if !c.o.ReadData {
		return err
	}
	return errors.Join(err, c.attestAll(ctx))
}

// checkPacks reads whole packs.
func (c *check) checkPacks(ctx context.Context) error {
	c.report.Packs = uint64(len(c.present))
	if !c.o.ReadData {
		return nil
	}
	if !c.repo.CanRead() {
		c.report.Unchecked = append(c.report.Unchecked, "what lies in packs: only their hashes were checked, an identity is needed for more")
	}
	readers, err := c.readers()
	if err != nil {
		return err
	}
	deadline := time.Time{}
	if c.o.MaxDuration > 0 {
		deadline = time.Now().Add(c.o.MaxDuration)
	}
	var read, bytes atomic.Uint64
	begun := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readers.packsAtOnce())
	for _, listed := range c.chosen() {
		if now := time.Now(); !deadline.IsZero() && now.After(deadline) || gctx.Err() != nil {
			break
		} else if now.Sub(begun) > attestEvery {
			g.Go(func() error { return c.attest(gctx, nil) })
			begun = now
		}
		at := uint32(begun.Unix())
		c.read[listed.Name] = true
		g.Go(func() error {
			read.Add(1)
			bytes.Add(uint64(listed.Size))
			c.o.Progress.BytesDone.Add(uint64(listed.Size))
			return c.checkPack(gctx, readers, listed, at)
		})
	}
	err = g.Wait()
	c.report.PacksRead, c.report.BytesRead = read.Load(), bytes.Load()
	return err
}

// chosen returns the packs to read, first those that were never verified or longest ago. It
// includes packs that no index names: their bytes must match their names.
func (c *check) chosen() (packs []*archive.Pack) {
	at := make(map[*archive.Pack]uint32, len(c.present))
	for _, listed := range c.present {
		packs, at[listed] = append(packs, listed), c.when(listed.Name)
	}
	slices.SortFunc(packs, func(a, b *archive.Pack) int {
		return cmp.Or(cmp.Compare(at[a], at[b]), cmp.Compare(c.dice(a.Name), c.dice(b.Name)))
	})
	if c.o.Percent > 0 && c.o.Percent < 100 {
		packs = packs[:int(math.Ceil(float64(len(packs))*c.o.Percent/100))]
	}
	for _, listed := range packs {
		c.o.Progress.BytesTotal.Add(uint64(listed.Size))
	}
	c.o.Progress.WalkDone.Store(true)
	return packs
}

// when returns when a pack was last verified with the content in the index, 0 if never.
func (c *check) when(name archive.Name) uint32 {
	t := c.heard[name]
	if t == nil {
		return 0
	}
	latest := uint32(0)
	for _, domain := range t.domains {
		if v := c.verified[domain]; v != nil {
			at, _ := v.When(t.said)
			latest = max(latest, at)
		}
	}
	return latest
}

// dice returns a pseudo-random number for a pack that depends on the seed.
func (c *check) dice(name archive.Name) uint32 {
	return uint32((uint64(name[0])<<24 | uint64(name[1])<<16 | uint64(name[2])<<8 | uint64(name[3])) * (2*c.o.Seed + 1))
}

func (c *check) checkPack(ctx context.Context, readers *readers, listed *archive.Pack, at uint32) error {
	pack, known, err := c.index.Pack(ctx, listed.Name)
	if err != nil {
		return err
	}
	if !known {
		pack.Pack = listed
	}
	problems, domain, err := readers.verify(ctx, pack, c.domainsOf(listed.Name))
	if err != nil {
		return c.note(ctx, pack.Pack.Kind.Object(pack.Pack.Name), err)
	}
	if len(problems) == 0 {
		if known {
			c.isSound(pack, domain, at)
		}
		return nil
	}
	finding := c.findBad(pack.Pack.Kind.Object(pack.Pack.Name), pack.Pack.Name, c.blame(pack.Pack.Name, problems[0]))
	var ids []archive.ID
	whole := 0 // problems of the pack itself: its hash is not its name, and maybe why nothing in it could be looked at
	for _, p := range problems {
		if p.ID == (archive.ID{}) {
			whole++
		} else {
			ids = append(ids, p.ID)
		}
	}
	if whole > 1 && len(ids) == 0 || !c.repo.CanRead() {
		c.hurtAll(finding, pack)
		return nil
	}
	c.hurts(finding, ids...)
	return nil
}
