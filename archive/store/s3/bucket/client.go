// Package bucket makes requests to a bucket of S3, or of a compatible server, in two dialects: the
// AWS SDK with its whole credential chain for s3://, and minio-go, which needs only an address and
// keys, for minio+http(s)://. It serves both repositories and lakes.
//
// A call is one request and one try; package retry repeats. The SHA-256 of a body is computed once
// and used as payload hash of the signature; no checksum trails a body, since some servers refuse
// that above 16 MiB. Except for the content of objects, the length of all answers is limited.
package bucket

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// Options say how to reach a bucket. Without keys s3:// uses what the AWS SDK finds;
// minio+http(s):// needs keys.
type Options struct {
	AccessKey, SecretKey, SessionToken string
	// Region is the bucket's region. If empty it is that of the SDK's configuration, else
	// us-east-1.
	Region string
	// CAs are trusted instead of the system's; for s3:// instead of those of AWS_CA_BUNDLE too.
	CAs *x509.CertPool
	// Insecure accepts any certificate of the server.
	Insecure bool
	// Proxy is as in http.Transport; nil means none (for s3://: HTTPS_PROXY and its kin).
	Proxy func(*http.Request) (*url.URL, error)
	// Wrap wraps the transport, to limit, count or break requests.
	Wrap func(next http.RoundTripper) http.RoundTripper
}

// Object is an object in a bucket or a version of it; in a listing it can also be a prefix or a
// delete marker.
type Object struct {
	Key      string
	Size     int64 // of what was asked for, so of a range the range's
	ETag     string
	Modified time.Time
	// Version is set if the bucket has versions.
	Version string
	// Header holds, by lower-case names, what was stored with the object: content-type,
	// x-amz-meta-… and so on. It is nil in listings.
	Header map[string]string
	// Tags is the number of tags, if the server tells it with the content.
	Tags int
	// Range is the header Content-Range, empty if the whole object came.
	Range string
	// Standing is how the object lies in its storage class; only Head tells a thaw that goes on.
	Standing store.Standing
	// SHA256 is the hash of all bytes that the server has computed when they were stored, nil if it
	// keeps none. Only Head tells it, if the Ref asks for it.
	SHA256 []byte

	Prefix  bool // not an object: keys that begin with Key
	Deleted bool // a delete marker
	Latest  bool // of a key's versions
}

// Ref names an object. Version and ETag, if set, demand that version or that content. Sum asks Head
// for the checksum.
type Ref struct {
	Key, Version, ETag string
	Sum                bool
}

// Query is a listing of the keys that begin with Prefix and come after After. With Delimited, keys
// with a further slash are grouped to one prefix. With Versions, all versions of each key are
// listed, the newest first.
type Query struct {
	Prefix, After string
	Delimited     bool
	Versions      bool
}

// dialect is what the two SDKs have in common. It returns errors of the SDK.
type dialect interface {
	// answer extracts from an error what the server said.
	answer(err error) answer
	list(ctx context.Context, q Query) iter.Seq2[Object, error]
	// versioning returns what the server calls the state of the bucket's versions.
	versioning(ctx context.Context) (string, error)
	expiries(ctx context.Context) ([]expiry, error)
	get(ctx context.Context, r Ref, bytes string) (Object, io.ReadCloser, error)
	head(ctx context.Context, r Ref) (Object, error)
	tags(ctx context.Context, r Ref) (string, error)
	put(ctx context.Context, key string, body Body, o PutOptions) error
	begin(ctx context.Context, key string, o PutOptions) (upload string, err error)
	part(ctx context.Context, key, upload string, number int, body Body) (etag string, err error)
	complete(ctx context.Context, key, upload string, etags []string, o PutOptions) (etag string, err error)
	abort(ctx context.Context, key, upload string) error
	remove(ctx context.Context, keys []string) error
	// thaw returns the answer to the request for a thaw.
	thaw(ctx context.Context, key string, how store.Thaw) error
	locks
}

// Client makes requests to one bucket. It is safe for concurrent use. Its errors wrap the sentinels
// of package store and of this package, and if they concern one object also fs.ErrNotExist and
// fs.ErrPermission.
type Client struct {
	address  Address
	api      dialect
	clock    *clock
	endpoint string // of the server
}

// Open returns the client of a bucket. For s3:// it looks for credentials, which may ask the
// machine's metadata service; it makes no request to the bucket. It fails with ErrKeys if there are
// no keys, and with store.ErrInvalid if the address is invalid.
func Open(ctx context.Context, a Address, o Options) (*Client, error) {
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("open a bucket: %w: %w", store.ErrInvalid, err)
	}
	c := &Client{address: a, clock: &clock{}}
	var err error
	if a.Endpoint == "" {
		c.api, c.endpoint, err = openAWS(ctx, a, o, c.clock)
	} else {
		c.api, c.endpoint, err = openMinio(a, o, c.clock)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", a, err)
	}
	return c, nil
}

// Address returns the bucket's address, with its prefix.
func (c *Client) Address() Address { return c.address }

// Host returns the name of the server.
func (c *Client) Host() string {
	if u, err := url.Parse(c.endpoint); err == nil && u.Host != "" {
		return u.Host
	}
	return c.endpoint
}

// String returns the address, and the server if the address does not name it and it is not AWS.
func (c *Client) String() string {
	if c.address.Endpoint != "" || !isForeign(&c.endpoint) {
		return c.address.String()
	}
	u, err := url.Parse(c.endpoint)
	if err != nil {
		return c.address.String() + " at an endpoint that is no URL"
	}
	return c.address.String() + " at " + u.Redacted()
}

// Ahead returns how far the server's clock is ahead of ours as of the last answer, to two seconds.
// It returns zero if the clocks may be equal.
func (c *Client) Ahead() time.Duration {
	least, most := c.Skew()
	return min(max(0, least), most)
}

// Skew returns how far the server's clock is ahead of ours at least and at most, as of the last
// answer; zeros if it has sent no date yet.
func (c *Client) Skew() (least, most time.Duration) {
	bounds := c.clock.bounds()
	return bounds.least, bounds.most
}

// Reached reports whether the server has answered anything yet.
func (c *Client) Reached() bool { return c.clock.reached.Load() }

// List yields the results of a query, page by page, in the order of keys within a page. It makes
// one request for each thousand objects.
func (c *Client) List(ctx context.Context, q Query) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for o, err := range c.api.list(ctx, q) {
			if !yield(o, q.failed(c.failed(ctx, reading, "", err))) || err != nil {
				return
			}
		}
		if ctx.Err() != nil { // a listing of minio-go just ends then
			yield(Object{}, ctx.Err())
		}
	}
}

// Get reads length bytes from offset; a negative length means to the end, a negative offset counts
// from the end. For an empty range it asks for one byte. It fails with ErrRange if the object ends
// before the range. A server that does not support ranges sends everything. If the content breaks
// off, reading it ends with store.ErrUnreachable.
func (c *Client) Get(ctx context.Context, r Ref, offset, length int64) (Object, io.ReadCloser, error) {
	o, body, err := c.api.get(context.WithValue(ctx, contentKey{}, true), r, rangeOf(offset, length))
	if err != nil {
		return o, nil, c.failed(ctx, reading, r.Key, err)
	}
	return o, &content{ReadCloser: body, failed: func(err error) error { return c.failed(ctx, reading, r.Key, err) }}, nil
}

// content is a body whose errors are translated.
type content struct {
	io.ReadCloser
	failed func(error) error
}

// Read implements io.Reader.
func (b *content) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.failed(err)
	}
	return n, err
}

// Head returns what is stored with an object.
func (c *Client) Head(ctx context.Context, r Ref) (Object, error) {
	o, err := c.api.head(ctx, r)
	return o, c.failed(ctx, reading, r.Key, err)
}

// Tags returns the tags of an object as a query string: a=b&c=d.
func (c *Client) Tags(ctx context.Context, r Ref) (string, error) {
	tags, err := c.api.tags(ctx, r)
	return tags, c.failed(ctx, reading, r.Key, err)
}

// Put stores an object with one request. It fails with store.ErrExist if the object exists and the
// options demand that it does not.
func (c *Client) Put(ctx context.Context, key string, body Body, o PutOptions) error {
	return c.failed(ctx, writing, key, c.api.put(ctx, key, body, o))
}

// Begin begins an object that is stored in parts.
func (c *Client) Begin(ctx context.Context, key string, o PutOptions) (upload string, err error) {
	o.Absent = false // it is for the completion
	upload, err = c.api.begin(ctx, key, o)
	return upload, c.failed(ctx, writing, key, err)
}

// Part stores one part; numbers begin at 1. It returns the part's ETag for Complete.
func (c *Client) Part(ctx context.Context, key, upload string, number int, body Body) (etag string, err error) {
	etag, err = c.api.part(ctx, key, upload, number, body)
	return etag, c.failed(ctx, writing, key, err)
}

// Complete makes the object from its parts, given by their ETags in order. It returns the object's
// ETag.
func (c *Client) Complete(ctx context.Context, key, upload string, etags []string, o PutOptions) (etag string, err error) {
	etag, err = c.api.complete(ctx, key, upload, etags, o)
	return etag, c.failed(ctx, writing, key, err)
}

// Abort deletes the parts.
func (c *Client) Abort(ctx context.Context, key, upload string) error {
	return c.failed(ctx, writing, key, c.api.abort(ctx, key, upload))
}

// MaxRemove is how many keys one request may name.
const MaxRemove = 1000

// Remove removes up to MaxRemove objects; in a versioned bucket it adds delete markers. Missing
// objects are no error.
func (c *Client) Remove(ctx context.Context, keys ...string) error {
	err := c.failed(ctx, writing, keys[0], c.api.remove(ctx, keys))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
