// Package awss3 keeps objects in an S3 bucket through the AWS SDK, with its whole credential chain.
//
// An object is one PutObject with If-None-Match: *, never a multipart upload. The digest that the caller has anyway is
// the payload hash of the signature and the x-amz-checksum-sha256 header, so the SDK neither reads the body twice nor
// appends a trailing checksum, which some servers refuse above 16 MiB. The SDK's own retries are off: package retry
// does that for all stores alike.
package awss3

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
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/internal/s3http"
)

const defaultRegion = "us-east-1"

// Options name a bucket and say how to reach it. Only Bucket is required: what else is zero comes from the SDK's
// configuration (environment, shared files, instance metadata).
type Options struct {
	Bucket string
	Prefix string // of the keys, without slashes around it

	Endpoint string // a URL; empty means AWS_ENDPOINT_URL_S3 and its kin, else AWS
	Region   string // empty means that of the SDK's configuration, else us-east-1
	// VirtualHost asks for bucket.host instead of host/bucket at an Endpoint that is not AWS. At AWS it is the rule.
	VirtualHost bool

	AccessKey, SecretKey, SessionToken string // empty means the SDK's credential chain

	CAs   *x509.CertPool                                 // instead of AWS_CA_BUNDLE, else the system's
	Proxy func(*http.Request) (*url.URL, error)          // instead of HTTPS_PROXY and its kin
	Wrap  func(next http.RoundTripper) http.RoundTripper // around the transport: limits, counts, faults
}

// Store is a store.Store in a bucket.
type Store struct {
	client   *s3.Client
	bucket   string
	keys     s3http.Keys
	location string
}

// Open returns the store in a bucket. It looks for credentials, which may ask the machine's metadata service, and
// returns store.ErrDenied if there are none; it does not ask the bucket anything.
func Open(ctx context.Context, opts Options) (*Store, error) {
	if opts.Bucket == "" {
		return nil, fmt.Errorf("open an S3 bucket without a name: %w", store.ErrInvalid)
	}
	cfg, err := load(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", opts.Bucket, err)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, fmt.Errorf("open bucket %s: no credentials: %w: %w", opts.Bucket, store.ErrDenied, err)
	}
	s := &Store{bucket: opts.Bucket, keys: s3http.NewKeys(opts.Prefix)}
	s.client = s3.NewFromConfig(cfg, opts.configure)
	s.location = s.address()
	return s, nil
}

func load(ctx context.Context, opts Options) (aws.Config, error) {
	var options []func(*config.LoadOptions) error
	if opts.Region != "" {
		options = append(options, config.WithRegion(opts.Region))
	}
	if opts.AccessKey != "" {
		static := credentials.NewStaticCredentialsProvider(opts.AccessKey, opts.SecretKey, opts.SessionToken)
		options = append(options, config.WithCredentialsProvider(static))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, fmt.Errorf("load the AWS configuration: %w: %w", store.ErrInvalid, err)
	}
	if cfg.Region == "" {
		cfg.Region = defaultRegion
	}
	if cfg.Credentials == nil {
		return cfg, fmt.Errorf("no credentials: %w", store.ErrDenied)
	}
	cfg.HTTPClient = httpClient(opts, cfg.HTTPClient)
	return cfg, nil
}

// httpClient has our transport, with the CAs and the proxy that the SDK has found for its own.
func httpClient(opts Options, found aws.HTTPClient) *http.Client {
	transport := s3http.Options{CAs: opts.CAs, Proxy: opts.Proxy, Wrap: opts.Wrap}
	if sdk, ok := found.(*awshttp.BuildableClient); ok {
		settings := sdk.GetTransport()
		if transport.Proxy == nil {
			transport.Proxy = settings.Proxy
		}
		if transport.CAs == nil && settings.TLSClientConfig != nil {
			transport.CAs = settings.TLSClientConfig.RootCAs
		}
	}
	return &http.Client{
		Transport:     s3http.Transport(transport),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (opts Options) configure(o *s3.Options) {
	if opts.Endpoint != "" {
		o.BaseEndpoint = aws.String(opts.Endpoint)
	}
	o.UsePathStyle = foreign(o.BaseEndpoint) && !opts.VirtualHost
	o.Retryer = aws.NopRetryer{}
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.DisableLogOutputChecksumValidationSkipped = true
	o.APIOptions = append(o.APIOptions, addPayloadHash)
}

// foreign reports whether an endpoint is another server's than AWS's. Those seldom have a DNS name for each bucket.
func foreign(endpoint *string) bool {
	if endpoint == nil || *endpoint == "" {
		return false
	}
	u, err := url.Parse(*endpoint)
	return err != nil || !strings.HasSuffix(u.Hostname(), ".amazonaws.com")
}

func (s *Store) address() string {
	address := "s3://" + s.bucket
	if prefix := s.keys.String(); prefix != "" {
		address += "/" + prefix
	}
	if endpoint := s.client.Options().BaseEndpoint; foreign(endpoint) {
		address += " at " + redacted(*endpoint)
	}
	return address
}

func redacted(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "an endpoint that is no URL"
	}
	return u.Redacted()
}

// payloadHash is the context key of the hash that a request is signed with.
type payloadHash struct{}

// addPayloadHash hands the signer the hash that Put knows. It has to happen inside the SDK's stack, which forgets the
// signer's values from outside.
func addPayloadHash(stack *middleware.Stack) error {
	return stack.Build.Add(middleware.BuildMiddlewareFunc("packstonePayloadHash",
		func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (
			middleware.BuildOutput, middleware.Metadata, error) {
			if hash, ok := ctx.Value(payloadHash{}).(string); ok {
				ctx = signer.SetPayloadHash(ctx, hash)
			}
			return next.HandleBuild(ctx, in)
		}), middleware.After)
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	if !store.ValidName(name) || len(data) > store.MaxObject {
		return fmt.Errorf("put %q of %d bytes: %w", name, len(data), store.ErrInvalid)
	}
	in := s.put(name, data, digest)
	in.IfNoneMatch = aws.String("*")
	_, err := s.client.PutObject(context.WithValue(ctx, payloadHash{}, hex.EncodeToString(digest[:])), in)
	if err == nil {
		return nil
	}
	return fmt.Errorf("put %s: %w", name, s3http.Refused(ctx, s, name, s.error(ctx, err)))
}

func (s *Store) put(name string, data []byte, digest store.Digest) *s3.PutObjectInput {
	return &s3.PutObjectInput{
		Bucket:         &s.bucket,
		Key:            aws.String(s.keys.Key(name)),
		Body:           bytes.NewReader(data),
		ContentLength:  aws.Int64(int64(len(data))),
		ContentType:    aws.String("application/octet-stream"),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(digest[:])),
	}
}

// Overwrite implements store.Overwriter.
func (s *Store) Overwrite(ctx context.Context, name string, data []byte) error {
	if !store.ValidName(name) {
		return fmt.Errorf("overwrite %q: %w", name, store.ErrInvalid)
	}
	digest := sha256.Sum256(data)
	_, err := s.client.PutObject(context.WithValue(ctx, payloadHash{}, hex.EncodeToString(digest[:])), s.put(name, data, digest))
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
	in := &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(s.keys.Key(name))}
	if r := s3http.Range(offset, length); r != "" {
		in.Range = &r
	}
	out, err := s.client.GetObject(ctx, in)
	if status(err) == http.StatusRequestedRangeNotSatisfiable {
		return dst, nil // past the end, or the object is empty
	}
	if err != nil {
		return dst, err
	}
	defer out.Body.Close()
	size := int64(-1)
	if out.ContentLength != nil {
		size = *out.ContentLength
	}
	return s3http.Read(dst, out.Body, size, aws.ToString(out.ContentRange), offset, length)
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
	in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String(s.keys.Key(prefix))}
	if after != "" {
		in.StartAfter = aws.String(s.keys.Key(after))
	}
	ascending := s3http.Ascending(after)
	for {
		out, err := s.client.ListObjectsV2(ctx, in)
		if err != nil {
			return err
		}
		for _, object := range out.Contents {
			name, ours := s.keys.Name(aws.ToString(object.Key))
			if !ours {
				continue
			}
			if err := ascending(name); err != nil {
				return err
			}
			if !yield(store.Info{Name: name, Size: aws.ToInt64(object.Size), Modified: aws.ToTime(object.LastModified)}, nil) {
				return nil
			}
		}
		if !aws.ToBool(out.IsTruncated) {
			return ctx.Err()
		}
		if aws.ToString(out.NextContinuationToken) == "" {
			return fmt.Errorf("a page of the listing does not say where the next begins: %w", store.ErrInvalid)
		}
		in.ContinuationToken = out.NextContinuationToken
	}
}

// Delete implements store.Store. In a versioned bucket it leaves a delete marker.
func (s *Store) Delete(ctx context.Context, name string) error {
	if !store.ValidName(name) {
		return fmt.Errorf("delete %q: %w", name, store.ErrInvalid)
	}
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String(s.keys.Key(name))})
	if err == nil || code(err) == "NoSuchKey" {
		return nil
	}
	return fmt.Errorf("delete %s: %w", name, s.error(ctx, err))
}

// Sync implements store.Store; S3 is durable when it answers.
func (s *Store) Sync(ctx context.Context) error { return ctx.Err() }

// Location implements store.Store.
func (s *Store) Location() string { return s.location }

// error translates what the SDK returned; errors that are the store's own stay as they are.
func (s *Store) error(ctx context.Context, err error) error {
	if ctx.Err() == nil && (errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrUnreachable)) {
		return err
	}
	answer := s3http.Answer{Status: status(err), Code: code(err)}
	var api smithy.APIError
	if errors.As(err, &api) {
		answer.Message = api.ErrorMessage()
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		answer.RequestID = response.RequestID
	}
	return s3http.Error(ctx, "bucket "+s.bucket, answer, err)
}

func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil && response.Response.Response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
