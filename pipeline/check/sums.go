package check

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog/entry"
)

// sumsAtOnce is how many checksums are asked for at once.
const sumsAtOnce = 16

// errOtherBytes: another object has taken the place of a pack.
var errOtherBytes = fmt.Errorf("the storage's checksum is of other bytes: %w", archive.ErrDamaged)

// checkSums compares the checksums of packs that were not read with the packs' names, as the storage
// tells them. It transfers no content.
func (c *check) checkSums(ctx context.Context) error {
	if c.o.Sums == nil {
		return nil
	}
	var right, unknown atomic.Uint64
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(sumsAtOnce)
	for _, listed := range c.present {
		if c.read[listed.Name] {
			continue
		}
		g.Go(func() error {
			same, known, err := c.checkSum(gctx, listed)
			switch {
			case err != nil:
				return err
			case !known:
				unknown.Add(1)
			case same:
				right.Add(1)
			}
			return nil
		})
	}
	err := g.Wait()
	c.report.Summed = right.Load()
	if n := unknown.Load(); n > 0 {
		c.report.Unchecked = append(c.report.Unchecked, fmt.Sprintf("checksums of %s: the storage keeps none", entry.Plural(n, "pack")))
	}
	return err
}

// checkSum reports whether a pack's checksum is its name, and whether the storage tells it. A pack
// that is gone was collected meanwhile.
func (c *check) checkSum(ctx context.Context, listed *archive.Pack) (same, known bool, err error) {
	object := listed.Kind.Object(listed.Name)
	sum, known, err := c.o.Sums.Sum(ctx, object)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return false, true, nil
	case err != nil:
		return false, true, c.note(ctx, object, err)
	case !known || archive.Name(sum) == listed.Name:
		return known, known, nil
	}
	pack, _, err := c.index.Pack(ctx, listed.Name)
	if err != nil {
		return false, true, err
	}
	c.hurtAll(c.findBad(object, listed.Name, errOtherBytes), pack)
	return false, true, nil
}
