// Package minio keeps objects in a bucket of an S3-compatible server through minio-go, which needs nothing but an
// address and keys.
//
// An object is one PUT with If-None-Match: *, never a multipart upload. The digest that the caller has anyway is the
// payload hash of the signature and the x-amz-checksum-sha256 header, so nothing is hashed twice and no checksum
// trails the body. minio-go's own retries are off: package retry does that for all stores alike.
package minio

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/internal/s3http"
)

const (
	defaultRegion = "us-east-1"
	// checksumHeader must be written so: in lower case minio-go asks for a client that sends trailers.
	checksumHeader = "X-Amz-Checksum-Sha256"
)

// Options name a server, a bucket and the keys to it. Endpoint, Bucket and the keys are required.
type Options struct {
	Endpoint string // http:// or https:// and host:port
	Bucket   string
	Prefix   string // of the keys, without slashes around it
	Region   string // empty means us-east-1
	// VirtualHost asks for bucket.host instead of host/bucket.
	VirtualHost bool

	AccessKey, SecretKey, SessionToken string

	CAs   *x509.CertPool                                 // instead of the system's
	Proxy func(*http.Request) (*url.URL, error)          // as in http.Transport; nil means none
	Wrap  func(next http.RoundTripper) http.RoundTripper // around the transport: limits, counts, faults
}

// Store is a store.Store in a bucket.
type Store struct {
	client   *minio.Core
	bucket   string
	keys     s3http.Keys
	location string
}

// Open returns the store in a bucket. It does not ask the server anything.
func Open(_ context.Context, opts Options) (*Store, error) {
	endpoint, err := url.Parse(opts.Endpoint)
	if err != nil || endpoint.Host == "" || strings.Trim(endpoint.Path, "/") != "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" {
		return nil, fmt.Errorf("open bucket %s: the endpoint is not http://host:port or https://host:port: %w", opts.Bucket, store.ErrInvalid)
	}
	if err := s3utils.CheckValidBucketName(opts.Bucket); err != nil {
		return nil, fmt.Errorf("open bucket %q at %s: %w: %w", opts.Bucket, endpoint.Host, store.ErrInvalid, err)
	}
	if opts.AccessKey == "" || opts.SecretKey == "" {
		return nil, fmt.Errorf("open bucket %s at %s: no access key and secret key: %w", opts.Bucket, endpoint.Host, store.ErrDenied)
	}
	client, err := minio.NewCore(endpoint.Host, opts.client(endpoint.Scheme == "https"))
	if err != nil {
		return nil, fmt.Errorf("open bucket %s at %s: %w: %w", opts.Bucket, endpoint.Host, store.ErrInvalid, err)
	}
	s := &Store{client: client, bucket: opts.Bucket, keys: s3http.NewKeys(opts.Prefix)}
	s.location = fmt.Sprintf("minio+%s://%s/%s", endpoint.Scheme, endpoint.Host, opts.Bucket)
	if prefix := s.keys.String(); prefix != "" {
		s.location += "/" + prefix
	}
	return s, nil
}

func (opts Options) client(secure bool) *minio.Options {
	options := &minio.Options{
		Creds:        credentials.NewStaticV4(opts.AccessKey, opts.SecretKey, opts.SessionToken),
		Secure:       secure,
		Transport:    s3http.Transport(s3http.Options{CAs: opts.CAs, Proxy: opts.Proxy, Wrap: opts.Wrap}),
		Region:       opts.Region,
		BucketLookup: minio.BucketLookupPath,
		MaxRetries:   1,
	}
	if opts.Region == "" {
		options.Region = defaultRegion // else minio-go asks for it, which a writer may not
	}
	if opts.VirtualHost {
		options.BucketLookup = minio.BucketLookupDNS
	}
	return options
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	if !store.ValidName(name) || len(data) > store.MaxObject {
		return fmt.Errorf("put %q of %d bytes: %w", name, len(data), store.ErrInvalid)
	}
	opts := putOptions(digest)
	opts.SetMatchETagExcept("*")
	_, err := s.client.PutObject(ctx, s.bucket, s.keys.Key(name), bytes.NewReader(data), int64(len(data)),
		"", hex.EncodeToString(digest[:]), opts)
	if err == nil {
		return nil
	}
	return fmt.Errorf("put %s: %w", name, s3http.Refused(ctx, s, name, s.error(ctx, err)))
}

func putOptions(digest store.Digest) minio.PutObjectOptions {
	return minio.PutObjectOptions{
		ContentType:          "application/octet-stream",
		UserMetadata:         map[string]string{checksumHeader: base64.StdEncoding.EncodeToString(digest[:])},
		DisableMultipart:     true,
		DisableContentSha256: true, // not chunk by chunk: the hash of the whole is given
	}
}

// Overwrite implements store.Overwriter.
func (s *Store) Overwrite(ctx context.Context, name string, data []byte) error {
	if !store.ValidName(name) {
		return fmt.Errorf("overwrite %q: %w", name, store.ErrInvalid)
	}
	digest := sha256.Sum256(data)
	_, err := s.client.PutObject(ctx, s.bucket, s.keys.Key(name), bytes.NewReader(data), int64(len(data)),
		"", hex.EncodeToString(digest[:]), putOptions(digest))
	if err != nil {
		return fmt.Errorf("overwrite %s: %w", name, s.error(ctx, err))
	}
	return nil
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if !store.ValidName(name) {
		return dst, fmt.Errorf("get %q: %w", name, store.ErrInvalid)
	}
	got, err := s.get(ctx, name, offset, length, dst)
	if err != nil {
		return dst, fmt.Errorf("get %s: %w", name, s.error(ctx, err))
	}
	return got, nil
}

func (s *Store) get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	var opts minio.GetObjectOptions
	if r := s3http.Range(offset, length); r != "" {
		opts.Set("Range", r)
	}
	body, _, header, err := s.client.GetObject(ctx, s.bucket, s.keys.Key(name), opts)
	if answer(err).StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return dst, nil // past the end, or the object is empty
	}
	if err != nil {
		return dst, err
	}
	defer body.Close()
	size, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	if err != nil {
		size = -1
	}
	return s3http.Read(dst, body, size, header.Get("Content-Range"), offset, length)
}

// List implements store.Store, with one request for each thousand objects.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if err := s.list(ctx, prefix, after, yield); err != nil {
			yield(store.Info{}, fmt.Errorf("list %q: %w", prefix, s.error(ctx, err)))
		}
	}
}

func (s *Store) list(ctx context.Context, prefix, after string, yield func(store.Info, error) bool) error {
	opts := minio.ListObjectsOptions{Prefix: s.keys.Key(prefix), Recursive: true, FetchOwner: new(bool)}
	if after != "" {
		opts.StartAfter = s.keys.Key(after)
	}
	ascending := s3http.Ascending(after)
	for object := range s.client.ListObjectsIter(ctx, s.bucket, opts) {
		if object.Err != nil {
			return object.Err
		}
		name, ours := s.keys.Name(object.Key)
		if !ours {
			continue
		}
		if err := ascending(name); err != nil {
			return err
		}
		if !yield(store.Info{Name: name, Size: object.Size, Modified: object.LastModified}, nil) {
			return nil
		}
	}
	return ctx.Err() // the sequence just ends when the context does
}

// Delete implements store.Store. In a versioned bucket it leaves a delete marker.
func (s *Store) Delete(ctx context.Context, name string) error {
	if !store.ValidName(name) {
		return fmt.Errorf("delete %q: %w", name, store.ErrInvalid)
	}
	err := s.client.RemoveObject(ctx, s.bucket, s.keys.Key(name), minio.RemoveObjectOptions{})
	if err == nil || answer(err).Code == minio.NoSuchKey {
		return nil
	}
	return fmt.Errorf("delete %s: %w", name, s.error(ctx, err))
}

// Sync implements store.Store; S3 is durable when it answers.
func (s *Store) Sync(ctx context.Context) error { return ctx.Err() }

// Location implements store.Store.
func (s *Store) Location() string { return s.location }

// error translates what minio-go returned; errors that are the store's own stay as they are.
func (s *Store) error(ctx context.Context, err error) error {
	if ctx.Err() == nil && (errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrUnreachable)) {
		return err
	}
	response := answer(err)
	return s3http.Error(ctx, "bucket "+s.bucket, s3http.Answer{
		Status: response.StatusCode, Code: response.Code, Message: response.Message, RequestID: response.RequestID,
	}, err)
}

// answer is what the server said, zero if it said nothing.
func answer(err error) minio.ErrorResponse {
	var response minio.ErrorResponse
	errors.As(err, &response)
	return response
}
