package database

import "context"

// Vacancy is a Target that can tell, and changes nothing, whether Create would refuse since
// something is there.
type Vacancy interface {
	Target
	// Vacant gives ErrNotEmpty where Create would.
	Vacant(ctx context.Context) error
}
