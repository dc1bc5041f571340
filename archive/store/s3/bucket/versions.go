package bucket

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// Versioning says whether a bucket keeps versions.
type Versioning int

// The states of a bucket. A suspended one has the versions of before, and overwrites those since.
const (
	NoVersions Versioning = iota
	SuspendedVersions
	AllVersions
)

// versionings maps what servers answer. A bucket that never had versions answers nothing.
var versionings = map[string]Versioning{"Enabled": AllVersions, "Suspended": SuspendedVersions}

// Versioning returns whether the bucket keeps versions.
func (c *Client) Versioning(ctx context.Context) (Versioning, error) {
	status, err := c.api.versioning(ctx)
	return versionings[status], c.failed(ctx, reading, "", err)
}

// Versioned reports whether the bucket keeps versions of all objects.
func (c *Client) Versioned(ctx context.Context) (bool, error) {
	v, err := c.Versioning(ctx)
	return v == AllVersions, err
}

// expiry is an enabled lifecycle rule that deletes versions some days after they were replaced.
type expiry struct {
	prefix string
	days   int
}

// noLifecycle is the code with which a server says that a bucket has no lifecycle rules.
const noLifecycle = "NoSuchLifecycleConfiguration"

// Expiry returns how many days after its replacement a lifecycle rule deletes a version of an object
// below the client's address; 0 if none does.
func (c *Client) Expiry(ctx context.Context) (days int, err error) {
	rules, err := c.api.expiries(ctx)
	if err != nil && c.api.answer(err).code != noLifecycle {
		return 0, c.failed(ctx, reading, "", err)
	}
	for _, r := range rules {
		touches := strings.HasPrefix(r.prefix, c.address.Prefix) || strings.HasPrefix(c.address.Prefix, r.prefix)
		if touches && r.days > 0 && (days == 0 || r.days < days) {
			days = r.days
		}
	}
	return days, nil
}

// failed names the right that a listing of versions needs, if that is what it lacks.
func (q Query) failed(err error) error {
	var e *Error
	if q.Versions && errors.As(err, &e) && e.kind == store.ErrDenied {
		e.cure = "permit these keys s3:ListBucketVersions on the bucket"
	}
	return err
}

// crockford are the digits of a ULID.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// Made returns when a listed version was stored. The version ids of versitygw are ULIDs, which begin
// with that time in milliseconds: ten digits of five bits. Its LastModified is when an older version
// was replaced, and of a delete marker when what it hides was stored. Other servers' ids have other
// lengths, and their LastModified is right.
func (o Object) Made() time.Time {
	const length, digits = 26, 10
	if len(o.Version) != length {
		return o.Modified
	}
	milliseconds := int64(0)
	for i, digit := range o.Version {
		value := strings.IndexRune(crockford, digit)
		if value < 0 || i == 0 && value > 7 {
			return o.Modified
		}
		if i < digits {
			milliseconds = milliseconds<<5 | int64(value)
		}
	}
	return time.UnixMilli(milliseconds).UTC()
}

// Chooser reduces a listing of versions to the version of each key that was current before a moment.
// It leaves out keys that had none then, or a delete marker. Of versions of the same time the one
// that is listed first counts. Prefixes pass.
type Chooser struct {
	Before time.Time         // zero: everything passes
	Yield  func(Object) bool // returns whether more is wanted
	key    string
	some   bool
	chosen Object
}

// Add takes the next object of a listing, and returns whether more is wanted.
func (g *Chooser) Add(o Object) bool {
	if g.Before.IsZero() || o.Prefix {
		return g.End() && g.Yield(o)
	}
	if o.Key != g.key || !g.some {
		if !g.End() {
			return false
		}
		g.key, g.some, g.chosen = o.Key, true, Object{}
	}
	if o.Made().Before(g.Before) && g.prefers(o) {
		g.chosen = o
	}
	return true
}

// prefers reports whether a version is later than the chosen one. The mark as the key's latest
// version counts more than times, which some servers confuse between a delete marker and what it
// hides.
func (g *Chooser) prefers(o Object) bool {
	if g.chosen.Key == "" || g.chosen.Latest {
		return g.chosen.Key == ""
	}
	return o.Latest || o.Made().After(g.chosen.Made())
}

// End yields the last key, if it existed at that moment, and returns whether more is wanted.
func (g *Chooser) End() bool {
	some := g.some
	g.some = false
	if !some || g.chosen.Key == "" || g.chosen.Deleted {
		return true
	}
	return g.Yield(g.chosen)
}
