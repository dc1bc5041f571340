package database

import "context"

// Vacancy is a Target that can tell, and changes nothing, whether Create would refuse since something is there.
type Vacancy interface {
	Target
	// Vacant gives ErrNotEmpty where Create would.
	Vacant(ctx context.Context) error
}

// refuseFilled says what Create would say of a target that is not empty, as far as it can tell.
func refuseFilled(ctx context.Context, dst Target) error {
	if v, ok := dst.(Vacancy); ok {
		return v.Vacant(ctx)
	}
	return nil
}
