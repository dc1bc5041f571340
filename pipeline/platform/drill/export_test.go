package drill

import "context"

// DamageNothing disables the negative control: it says what it damages, and damages nothing.
func (o *Options) DamageNothing() { o.damage = idle{} }

type idle struct{}

func (idle) row(context.Context, *drill, *scratchPlace) (string, error)  { return "t", nil }
func (idle) file(context.Context, *drill, *scratchPlace) (string, error) { return "a.txt", nil }
func (idle) permission(context.Context, *drill, *scratchPlace, string) (string, error) {
	return "sub/b.txt", nil
}
