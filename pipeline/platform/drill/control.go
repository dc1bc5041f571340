package drill

import (
	"context"
	"errors"
	"fmt"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

// What is damaged.
const (
	ofRow        = "row"
	ofFile       = "file"
	ofPermission = "permission"
)

// errNothing: a scratch place has nothing that could be damaged so.
var errNothing = errors.New("there is nothing of the kind in the snapshot")

// damager damages one thing of a scratch place, and names it as the comparison does.
type damager interface {
	row(ctx context.Context, d *drill, p *scratchPlace) (table string, err error)
	file(ctx context.Context, d *drill, p *scratchPlace) (path string, err error)
	permission(ctx context.Context, d *drill, p *scratchPlace, spared string) (path string, err error)
}

// damage is real damage.
type damage struct{}

// controlAll is the negative control: it damages every scratch place, and the comparison that found
// no difference must find each.
func (d *drill) controlAll(ctx context.Context) error {
	for p := range d.restored() {
		err := d.step(ctx, "damage "+p.name+" and compare again", false, func(ctx context.Context) error { return d.control(ctx, p) })
		if err != nil {
			return err
		}
	}
	d.judgeControls()
	return nil
}

// control damages one scratch place.
func (d *drill) control(ctx context.Context, p *scratchPlace) error {
	var made []*catalog.DrillControl
	add := func(kind, item string, err error) error {
		c := &catalog.DrillControl{Kind: kind, Source: p.source.Name, Item: item}
		if errors.Is(err, errNothing) {
			c.Skipped, c.Said, err = true, err.Error(), nil
		}
		made = append(made, c)
		return err
	}
	if p.isDatabase() {
		table, err := d.damage.row(ctx, d, p)
		if err := add(ofRow, table, err); err != nil {
			return err
		}
	} else {
		path, err := d.damage.file(ctx, d, p)
		if err := add(ofFile, path, err); err != nil {
			return err
		}
		other, err := d.damage.permission(ctx, d, p, path)
		if err := add(ofPermission, other, err); err != nil {
			return err
		}
	}
	_, err := d.differences(ctx, p, func(x difference) {
		for _, c := range made {
			if !c.Skipped && x.item == c.Item {
				c.Noticed, c.Said = true, x.what
			}
		}
	})
	for _, c := range made {
		d.report.Controls = append(d.report.Controls, *c)
	}
	return err
}

// judgeControls fails the drill where damage was not noticed, or none was done.
func (d *drill) judgeControls() {
	noticed := 0
	for i := range d.report.Controls {
		c := &d.report.Controls[i]
		switch {
		case c.Noticed:
			noticed++
		case !c.Skipped:
			c.Said = "the comparison has not noticed it"
			d.fail("negative control: a %s of %s was damaged (%s), and the comparison has not noticed it", c.Kind, c.Source, entry.Printable(c.Item))
		}
	}
	if noticed == 0 && len(d.report.Failures) == 0 {
		d.fail("%v", fmt.Errorf("negative control: nothing could be damaged, so nothing proves that the comparison notices damage"))
	}
}
