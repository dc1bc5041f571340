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

// Sentinels. Besides, errors of a single object are fs.ErrNotExist and fs.ErrPermission. Compare
// with errors.Is.
var (
	// ErrUnreachable: the server cannot be reached, or not any more, or it only answers that it
	// cannot.
	ErrUnreachable = store.ErrUnreachable
	// ErrDenied: the server does not accept the keys, or there are none.
	ErrDenied = bucket.ErrKeys
	// ErrNoBucket: the server has no such bucket.
	ErrNoBucket = bucket.ErrNoBucket
	// ErrChanged: the object is not any more the one that was asked for.
	ErrChanged = bucket.ErrChanged
	// ErrExist: there is an object under the key already.
	ErrExist = store.ErrExist
	// ErrFull: no space left, or a quota is used up.
	ErrFull = store.ErrFull
	// ErrUnsupported: the server does not know the request.
	ErrUnsupported = bucket.ErrUnsupported
	// ErrKey: no object can have this key.
	ErrKey = errors.New("not a key of S3")
)

// Options say how a bucket is used. The zero value is good.
type Options struct {
	// Patience is how long a server that was reached before may be away before it counts as
	// unreachable (default: 1 min).
	Patience time.Duration
	// Parallel is how many requests a listing has under way at once (default: 8).
	Parallel int
}

// Object is one object of a bucket, or one version of it.
type Object = bucket.Object

// Ref names an object, of which it wants the version Version or the content with ETag, where they
// are set.
type Ref = bucket.Ref

// PutOptions are what an object is stored with.
type PutOptions = bucket.PutOptions

// Body is what one request sends.
type Body = bucket.Body

// Address is where a bucket is, with a prefix.
type Address = bucket.Address

// NewBody is what a request sends, with its digests, which the server checks.
func NewBody(data []byte) Body { return bucket.NewBody(data) }

// IsStored tells whether a header, in lower case, is one that an object is stored with.
func IsStored(name string) bool { return bucket.IsStored(name) }

// Bucket is what lies below an address. It is safe for concurrent use.
type Bucket struct {
	client  *bucket.Client
	prefix  string // of all keys; it ends in a slash unless it is empty
	options Options
	buffers chan []byte // for segments; nil: not made yet
}

// New returns the bucket that a client leads to.
func New(client *bucket.Client, o Options) *Bucket {
	o.Patience = cmp.Or(o.Patience, time.Minute)
	o.Parallel = max(1, cmp.Or(o.Parallel, 8))
	b := &Bucket{client: client, prefix: client.Address().Prefix, options: o, buffers: make(chan []byte, segments)}
	for range segments {
		b.buffers <- nil
	}
	return b
}

// Address is where the bucket is, with its prefix.
func (b *Bucket) Address() Address { return b.client.Address() }

// String is the address, with the server where the address does not name it.
func (b *Bucket) String() string { return b.client.String() }

// Ahead is how far the server's clock is ahead of ours, to the second, as far as an answer has told
// it.
func (b *Bucket) Ahead() time.Duration { return b.client.Ahead() }

// Now is the time by the server's clock, to the second.
func (b *Bucket) Now() time.Time { return time.Now().Add(b.Ahead()).Truncate(time.Second) }

// Versioned tells whether the bucket keeps versions.
func (b *Bucket) Versioned(ctx context.Context) (versioned bool, err error) {
	err = b.do(ctx, "look at the versioning of", "", func() (err error) {
		versioned, err = b.client.Versioned(ctx)
		return err
	})
	return versioned, err
}

// Head tells what is stored with an object.
func (b *Bucket) Head(ctx context.Context, r Ref) (o Object, err error) {
	err = b.do(ctx, "look at", r.Key, func() (err error) {
		o, err = b.client.Head(ctx, r)
		return err
	})
	return o, err
}

// Tags are those of an object, as a query string: a=b&c=d.
func (b *Bucket) Tags(ctx context.Context, r Ref) (tags string, err error) {
	err = b.do(ctx, "read the tags of", r.Key, func() (err error) {
		tags, err = b.client.Tags(ctx, r)
		return err
	})
	return tags, err
}

// Remove removes objects, in a versioned bucket by a delete marker. What is not there is no error.
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

// newcomers is the patience with a server that has never answered: it may just be starting.
const newcomers = 5 * time.Second

// do calls f until it succeeds, its failure will not pass, or patience is at an end. An error names
// the act, the object and the server.
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
