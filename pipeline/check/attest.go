package check

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
)

const (
	// attestEvery is how often a check records which packs are sound. After it is killed, what it
	// read later must be read again.
	attestEvery = 15 * time.Minute
	// attestTime is how long an interrupted check may take to record that.
	attestTime = time.Minute
)

// readVerified reads which packs were verified, and when.
func (c *check) readVerified(ctx context.Context) (err error) {
	known := 0
	for _, d := range c.repo.Config.Domains {
		if c.verified[d.Number], err = c.repo.ReadVerified(ctx, c.log, d.Number); err != nil {
			return err
		}
		known += c.verified[d.Number].Len()
	}
	if known > 0 {
		c.tellSince()
	}
	return nil
}

// tellSince reports how much was verified, and since when all of that was.
func (c *check) tellSince() {
	c.report.Unverified, c.report.UnverifiedBytes, c.report.Since = 0, 0, time.Time{}
	oldest := uint32(0)
	for _, listed := range c.present {
		at := c.when(listed.Name)
		if at == 0 {
			c.report.Unverified++
			c.report.UnverifiedBytes += uint64(listed.Size)
		} else if oldest == 0 || at < oldest {
			oldest = at
		}
	}
	if oldest > 0 {
		c.report.Since = time.Unix(int64(oldest), 0).UTC()
	}
}

// isSound records that a pack of a domain proved to be as an index run says, by reading that began
// at at.
func (c *check) isSound(p archive.RunPack, domain uint64, at uint32) {
	if c.o.By == nil || !c.repo.CanRead() || p.Pack.Size == 0 || p.Pack.Header == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sound[domain] = append(c.sound[domain], archive.VerifiedPack{Sum: p.Sum(), At: at})
}

// attestAll records the packs that proved sound since the last record, even if the run was
// interrupted. It drops earlier ones that no longer exist or are no longer sound.
func (c *check) attestAll(ctx context.Context) error {
	if c.o.By == nil {
		return nil
	}
	cut := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attestTime)
	defer cancel()
	if cut {
		return c.attest(ctx, nil)
	}
	there := map[archive.PackSum]bool{}
	for name, t := range c.heard {
		there[t.said] = c.isThere(name) && !c.report.Bad[name]
	}
	if err := c.attest(ctx, func(sum archive.PackSum) bool { return there[sum] }); err != nil {
		return err
	}
	c.tellSince()
	return nil
}

// attest records the packs that proved sound since the last record. keep reports which earlier ones
// are worth repeating; nil means all.
func (c *check) attest(ctx context.Context, keep func(archive.PackSum) bool) error {
	if c.o.By == nil {
		return nil
	}
	for _, d := range c.repo.Config.Domains {
		if err := c.attestDomain(ctx, catalog.Attestation{Domain: d.Number, Packs: c.takeSound(d.Number), Keep: keep}); err != nil {
			return err
		}
	}
	return nil
}

// takeSound returns the packs of a domain that proved sound since the last record.
func (c *check) takeSound(domain uint64) []archive.VerifiedPack {
	c.mu.Lock()
	defer c.mu.Unlock()
	packs := c.sound[domain]
	c.sound[domain] = nil
	slices.SortFunc(packs, archive.VerifiedPack.Compare)
	return packs
}

func (c *check) attestDomain(ctx context.Context, said catalog.Attestation) error {
	c.mu.Lock()
	before := c.verified[said.Domain]
	c.mu.Unlock()
	if len(said.Packs) == 0 && (said.Keep == nil || before.Only(said.Keep)) {
		return nil
	}
	if err := catalog.Again(func() error { return c.attestOnce(ctx, said) }); err != nil {
		return fmt.Errorf("say that %d packs were verified: %w", len(said.Packs), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Attested += uint64(len(said.Packs))
	c.verified[said.Domain] = c.verified[said.Domain].With(said.Packs)
	return nil
}

func (c *check) attestOnce(ctx context.Context, a catalog.Attestation) error {
	session, err := c.repo.BeginDeciding(ctx, *c.o.By)
	if err != nil {
		return err
	}
	defer session.Close()
	return session.Attest(ctx, a)
}
