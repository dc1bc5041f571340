// Package s3 gives sources and targets access to a bucket: it lists keys as a tree, in order, with
// several requests at once, and reads and stores objects part by part. It repeats requests after
// temporary failures, so that a server may be away for a while, and does not ask again for what it
// already read or listed.
package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/s3/bucket"
)

// Sentinel errors; compare with errors.Is. Errors that concern a single object are fs.ErrNotExist
// and fs.ErrPermission.
var (
	// ErrUnreachable: the server cannot be reached, or no longer, or only answers with failures.
	ErrUnreachable = store.ErrUnreachable
	// ErrDenied: the server does not accept the keys, or there are none.
	ErrDenied = bucket.ErrKeys
	// ErrNoBucket: the server has no such bucket.
	ErrNoBucket = bucket.ErrNoBucket
	// ErrChanged: the object is no longer the one that was asked for.
	ErrChanged = bucket.ErrChanged
	// ErrExist: an object with the key exists already.
	ErrExist = store.ErrExist
	// ErrFull: no space left, or a quota is used up.
	ErrFull = store.ErrFull
	// ErrUnsupported: the server does not support the request.
	ErrUnsupported = bucket.ErrUnsupported
	// ErrKey: no object can have this key.
	ErrKey = errors.New("not a key of S3")
)

// Options determine how a bucket is used. The zero value is ready for use.
type Options struct {
	// Patience is how long a server that was reached before may be away before it counts as
	// unreachable (default: 1 min).
	Patience time.Duration
	// Parallel is how many concurrent requests a listing makes (default: 8).
	Parallel int
}

// Object is one object of a bucket, or one version of it.
type Object = bucket.Object

// Ref names an object. Version and ETag, if set, demand that version or that content.
type Ref = bucket.Ref

// PutOptions are the metadata with which an object is stored.
type PutOptions = bucket.PutOptions

// Body is the body of one request.
type Body = bucket.Body

// Address is a bucket, with a prefix.
type Address = bucket.Address

// NewBody returns a body with its digests, which the server checks.
func NewBody(data []byte) Body { return bucket.NewBody(data) }

// IsStored reports whether a header, given in lower case, is stored with an object.
func IsStored(name string) bool { return bucket.IsStored(name) }

// Bucket is everything below an address. It is safe for concurrent use.
type Bucket struct {
	client  *bucket.Client
	prefix  string // of all keys; it ends in a slash unless it is empty
	options Options
	buffers chan []byte // for segments; nil: not made yet
}

// New returns the bucket of a client.
func New(client *bucket.Client, o Options) *Bucket {
	o.Patience = cmp.Or(o.Patience, time.Minute)
	o.Parallel = max(1, cmp.Or(o.Parallel, 8))
	b := &Bucket{client: client, prefix: client.Address().Prefix, options: o, buffers: make(chan []byte, segments)}
	for range segments {
		b.buffers <- nil
	}
	return b
}

// Address returns the bucket's address, with its prefix.
func (b *Bucket) Address() Address { return b.client.Address() }

// String returns the address, and the server if the address does not name it.
func (b *Bucket) String() string { return b.client.String() }

// Moment returns a full second, by the server's clock, before which everything lies that is there
// now, and how long it takes until that clock has certainly reached it: three seconds at most, and as
// long as the last answer took.
func (b *Bucket) Moment() (end time.Time, wait time.Duration) {
	least, most := b.client.Skew()
	now := time.Now()
	end = now.Add(most).Truncate(time.Second).Add(time.Second)
	return end, end.Sub(now) - least
}

// Versioned reports whether the bucket keeps versions.
func (b *Bucket) Versioned(ctx context.Context) (versioned bool, err error) {
	err = b.do(ctx, "look at the versioning of", "", func() (err error) {
		versioned, err = b.client.Versioned(ctx)
		return err
	})
	return versioned, err
}

// Head returns what is stored with an object.
func (b *Bucket) Head(ctx context.Context, r Ref) (o Object, err error) {
	err = b.do(ctx, "look at", r.Key, func() (err error) {
		o, err = b.client.Head(ctx, r)
		return err
	})
	return o, err
}

// Tags returns the tags of an object as a query string: a=b&c=d.
func (b *Bucket) Tags(ctx context.Context, r Ref) (tags string, err error) {
	err = b.do(ctx, "read the tags of", r.Key, func() (err error) {
		tags, err = b.client.Tags(ctx, r)
		return err
	})
	return tags, err
}

// Remove removes objects; in a versioned bucket it adds delete markers. Missing objects are no
// error.
func (b *Bucket) Remove(ctx context.Context, keys []string) error {
	for len(keys) > 0 {
		n := min(len(keys), bucket.MaxRemove)
		batch := keys[:n]
		if err := b.do(ctx, "remove", batch[0], func() error { return b.client.Remove(ctx, batch...) }); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return ctx.Err()
}

// newcomers is the patience with a server that has never answered: it may still be starting.
const newcomers = 5 * time.Second

// do calls f until it succeeds, fails permanently, or patience is over. Its error names the act,
// the object and the server.
func (b *Bucket) do(ctx context.Context, act, key string, f func() error) error {
	patience := b.options.Patience
	if !b.client.Reached() {
		patience = min(newcomers, patience)
	}
	err := retry.Do(ctx, retry.Options{Total: patience}, act, f)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	place := b.String()
	if key != "" {
		place = fmt.Sprintf("%s/%s on %s", b.Address().Bucket, key, b.client.Host())
	}
	var failed *bucket.Error
	if errors.As(err, &failed) && failed.Nameless() {
		return fmt.Errorf("%s %s: %w: %w", act, place, ErrUnreachable, err)
	}
	return fmt.Errorf("%s %s: %w", act, place, err)
}
