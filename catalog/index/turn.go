package index

import "context"

// turn is a mutex for which one can wait no longer than a context lasts: it may be held while the
// store is asked, again and again if that is far away.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// Lock implements sync.Locker.
func (t turn) Lock() { t <- struct{}{} }

// Unlock implements sync.Locker.
func (t turn) Unlock() { <-t }

// try is Lock, unless somebody else has the turn.
func (t turn) try() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

// wait is Lock, unless ctx ends before.
func (t turn) wait(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
