// Package s3 is a bucket that a source and a target share: s3:// through the AWS SDK, minio+http(s):// through minio-go. Requests that fail in a
// way that may pass are repeated with growing pauses, so that a server may be away for a while; what was read or listed before is not asked for again.
package s3

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Options say how a bucket is reached. Without keys s3:// uses what the AWS SDK finds; minio+http(s):// needs them.
type Options struct {
	AccessKey, SecretKey, SessionToken string
	// Region is empty for that of the SDK's configuration, else us-east-1.
	Region string
	// CAs are trusted instead of the system's (for s3://: of AWS_CA_BUNDLE).
	CAs *x509.CertPool
	// Proxy is as in http.Transport; nil means none (for s3://: HTTPS_PROXY and its kin).
	Proxy func(*http.Request) (*url.URL, error)
	// Wrap goes around the transport: limits, counts, faults.
	Wrap func(next http.RoundTripper) http.RoundTripper
	// Patience is how long a server that was reached before may be away before it counts as unreachable (default: 1 min).
	Patience time.Duration
	// Parallel is how many requests a listing has under way at once (default: 8).
	Parallel int
}

// Object is one object of a bucket, or one version of it.
type Object struct {
	Key      string
	Size     int64
	ETag     string // without quotes
	Modified time.Time
	// Version is set where a bucket has versions.
	Version string
	// Header holds, by lower-case names, what was stored with the object: content-type, x-amz-meta-…, and its kin. Listings leave it nil.
	Header map[string]string
	// Tags is the number of tags, where a server tells it with the content.
	Tags int

	prefix  bool // not an object: keys that begin with Key
	deleted bool // a delete marker
	latest  bool // of a key's versions
}

// Ref names an object, of which it wants the version Version or the content with ETag, where they are set.
type Ref struct{ Key, Version, ETag string }

// dialect is what the two SDKs have in common. No request is repeated here.
type dialect interface {
	list(ctx context.Context, q query) iter.Seq2[Object, error]
	versioned(ctx context.Context) (bool, error)
	// get reads from offset on, length bytes or, if that is negative, to the end.
	get(ctx context.Context, r Ref, offset, length int64) (Object, io.ReadCloser, error)
	head(ctx context.Context, r Ref) (Object, error)
	tags(ctx context.Context, r Ref) (string, error)
	put(ctx context.Context, key string, body Body, o PutOptions) error
	begin(ctx context.Context, key string, o PutOptions) (upload string, err error)
	part(ctx context.Context, key, upload string, number int, body Body) (etag string, err error)
	complete(ctx context.Context, key, upload string, etags []string, o PutOptions) error
	abort(ctx context.Context, key, upload string) error
	remove(ctx context.Context, keys []string) error
}

// query is a listing: keys that begin with Prefix, after After. With Delimited what lies below a further slash is one prefix.
type query struct {
	Prefix, After string
	Delimited     bool
	Versions      bool
}

// Bucket is what lies below an address. It is safe for concurrent use.
type Bucket struct {
	address Address
	options Options
	api     dialect
	clock   *clock
	host    string
	buffers chan []byte // for segments; nil: not made yet
}

// Open returns the bucket. For s3:// it looks for credentials, which may ask the machine's metadata service; it asks the
// bucket nothing. ErrDenied: there are no keys.
func Open(ctx context.Context, a Address, o Options) (*Bucket, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	o.Patience = cmp.Or(o.Patience, time.Minute)
	o.Parallel = max(1, cmp.Or(o.Parallel, 8))
	b := &Bucket{address: a, options: o, clock: &clock{}, buffers: make(chan []byte, segments)}
	for range segments {
		b.buffers <- nil
	}
	var err error
	if a.Endpoint == "" {
		b.api, b.host, err = openAWS(ctx, a, o, b.clock)
	} else {
		b.api, b.host, err = openMinio(a, o, b.clock)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", a, err)
	}
	return b, nil
}

// Address is where the bucket is, with its prefix.
func (b *Bucket) Address() Address { return b.address }

// Host names the server.
func (b *Bucket) Host() string { return b.host }

// String is the address, with the server where the address does not name it.
func (b *Bucket) String() string {
	if b.address.Endpoint != "" {
		return b.address.String()
	}
	return b.address.String() + " at " + b.host
}

// Now is the time by the server's clock, to the second, as far as an answer has told it.
func (b *Bucket) Now() time.Time {
	return time.Now().Add(time.Duration(b.clock.ahead.Load())).Truncate(time.Second)
}

// Versioned tells whether the bucket keeps versions.
func (b *Bucket) Versioned(ctx context.Context) (versioned bool, err error) {
	err = b.do(ctx, "look at the versioning of", "", func() (err error) {
		versioned, err = b.api.versioned(ctx)
		return err
	})
	return versioned, err
}

// Head tells what is stored with an object.
func (b *Bucket) Head(ctx context.Context, r Ref) (o Object, err error) {
	err = b.do(ctx, "look at", r.Key, func() (err error) {
		o, err = b.api.head(ctx, r)
		return err
	})
	return o, err
}

// Tags are those of an object, as a query string: a=b&c=d.
func (b *Bucket) Tags(ctx context.Context, r Ref) (tags string, err error) {
	err = b.do(ctx, "read the tags of", r.Key, func() (err error) {
		tags, err = b.api.tags(ctx, r)
		return err
	})
	return tags, err
}

// maxRemove is how many keys one request may name.
const maxRemove = 1000

// Remove removes objects, in a versioned bucket by a delete marker. What is not there is no error.
func (b *Bucket) Remove(ctx context.Context, keys []string) error {
	for len(keys) > 0 {
		n := min(len(keys), maxRemove)
		batch := keys[:n]
		if err := b.do(ctx, "remove", batch[0], func() error { return b.api.remove(ctx, batch) }); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return ctx.Err()
}

// Ahead is how far the server's clock is ahead of ours, to the second.
func (b *Bucket) Ahead() time.Duration { return time.Duration(b.clock.ahead.Load()) }
