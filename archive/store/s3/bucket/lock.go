package bucket

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// locks are the requests of a dialect about versions and locks.
type locks interface {
	// lockRule returns the mode and the period of the bucket's default retention, and whether
	// objects can be locked.
	lockRule(ctx context.Context) (mode store.LockMode, period time.Duration, on bool, err error)
	lock(ctx context.Context, r Ref) (store.Lock, error)
	setLock(ctx context.Context, r Ref, to store.Lock, bypass bool) error
	removeVersion(ctx context.Context, r Ref) error
}

const day = 24 * time.Hour

// notLocked are the codes with which servers say that something has no lock, or no such rule.
var notLocked = map[string]bool{
	"NoSuchObjectLockConfiguration":        true,
	"ObjectLockConfigurationNotFoundError": true,
	"InvalidRequest":                       true, // the bucket can't lock
}

// Protection returns what the bucket does for all objects.
func (c *Client) Protection(ctx context.Context) (p store.Protection, err error) {
	state, err := c.Versioning(ctx)
	if err != nil {
		return p, err
	}
	p.Versions, p.Suspended = state == AllVersions, state == SuspendedVersions
	p.Mode, p.Default, p.Locks, err = c.api.lockRule(ctx)
	if err = c.unlessNone(ctx, "", err); err != nil {
		return p, err
	}
	days, err := c.Expiry(ctx)
	if errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrDenied) { // the server has no rules, or does not tell
		return p, nil
	}
	p.Rules, p.Old = err == nil, time.Duration(days)*day
	return p, err
}

// unlessNone translates an error, and drops one that says that something is not there.
func (c *Client) unlessNone(ctx context.Context, key string, err error) error {
	if err != nil && notLocked[c.api.answer(err).code] {
		return nil
	}
	return c.failed(ctx, reading, key, err)
}

// LockOf returns the lock of a version, the zero Lock if the server knows of none.
func (c *Client) LockOf(ctx context.Context, r Ref) (store.Lock, error) {
	lock, err := c.api.lock(ctx, r)
	return lock, c.unlessNone(ctx, r.Key, err)
}

// SetLock locks a version. With bypass it asks to use the right to shorten.
func (c *Client) SetLock(ctx context.Context, r Ref, to store.Lock, bypass bool) error {
	return c.failed(ctx, writing, r.Key, c.api.setLock(ctx, r, to, bypass))
}

// RemoveVersion deletes a version for good, and asks to use the right to bypass locks.
func (c *Client) RemoveVersion(ctx context.Context, r Ref) error {
	return c.failed(ctx, writing, r.Key, c.api.removeVersion(ctx, r))
}

// isLocked reports whether the server refuses because of a lock. AWS and versitygw answer 403
// AccessDenied, MinIO 400 InvalidRequest or ObjectLocked; only the message tells the first two from
// other refusals.
func (e *Error) isLocked() bool {
	said := strings.ToLower(e.message)
	switch e.code {
	case "ObjectLocked":
		return true
	case "AccessDenied", "InvalidRequest", "MethodNotAllowed":
		return strings.Contains(said, "protected by object lock") || strings.Contains(said, "worm protected") || strings.Contains(said, "object is locked")
	}
	return false
}
