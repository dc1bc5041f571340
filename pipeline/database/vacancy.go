package database

import (
	"context"
	"errors"
)

// Vacancy is a Target that can tell, and changes nothing, whether Create would refuse since
// something is there.
type Vacancy interface {
	Target
	// Vacant gives ErrNotEmpty where Create would.
	Vacant(ctx context.Context) error
}

// Besides tells whether single tables come into a target beside what is there. A SQLite file that
// holds nothing is made as for a whole database.
func Besides(ctx context.Context, dst Target) (bool, error) {
	there, err := dst.Schema(ctx)
	if err != nil || there.Engine != SQLite {
		return err == nil, err
	}
	v, ok := dst.(Vacancy)
	return ok && errors.Is(v.Vacant(ctx), ErrNotEmpty), nil
}
