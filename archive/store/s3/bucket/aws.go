package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/packstone/packstone/archive/store"
)

const defaultRegion = "us-east-1"

// awsDialect uses the AWS SDK, with the SDK's own retries off.
type awsDialect struct {
	client *sdk.Client
	bucket *string
}

func openAWS(ctx context.Context, a Address, o Options, c *clock) (dialect, string, error) {
	cfg, err := loadAWS(ctx, o)
	if err != nil {
		return nil, "", err
	}
	cfg.Logger = logging.Nop{} // what matters is an error
	cfg.HTTPClient = awsClient(o, cfg.HTTPClient, c)
	client := sdk.NewFromConfig(cfg, configureAWS)
	endpoint := "AWS in " + cfg.Region
	if base := client.Options().BaseEndpoint; isForeign(base) {
		endpoint = *base
	}
	return &awsDialect{client, &a.Bucket}, endpoint, nil
}

func loadAWS(ctx context.Context, o Options) (aws.Config, error) {
	var load []func(*config.LoadOptions) error
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.AccessKey != "" {
		keys := credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, o.SessionToken)
		load = append(load, config.WithCredentialsProvider(keys))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return cfg, fmt.Errorf("load the AWS configuration: %w: %w", store.ErrInvalid, err)
	}
	if cfg.Region == "" {
		cfg.Region = defaultRegion
	}
	if cfg.Credentials == nil {
		return cfg, fmt.Errorf("there are no credentials: %w", ErrKeys)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return cfg, fmt.Errorf("no credentials: %w: %w", ErrKeys, err)
	}
	return cfg, nil
}

// awsClient returns a client with our transport, and with the CAs and the proxy that the SDK has
// found for its own.
func awsClient(o Options, found aws.HTTPClient, c *clock) *http.Client {
	if theirs, ok := found.(*awshttp.BuildableClient); ok {
		settings := theirs.GetTransport()
		if o.Proxy == nil {
			o.Proxy = settings.Proxy
		}
		if o.CAs == nil && settings.TLSClientConfig != nil {
			o.CAs = settings.TLSClientConfig.RootCAs
		}
	}
	return &http.Client{
		Transport:     transport(o, c),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func configureAWS(o *sdk.Options) {
	o.UsePathStyle = isForeign(o.BaseEndpoint)
	o.Retryer = aws.NopRetryer{}
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.DisableLogOutputChecksumValidationSkipped = true
	o.APIOptions = append(o.APIOptions, addPayloadHash)
}

// isForeign reports whether an endpoint is not one of AWS. Other servers seldom have a DNS name for
// each bucket.
func isForeign(endpoint *string) bool {
	if !strings.Contains(aws.ToString(endpoint), "://") {
		return false
	}
	u, err := url.Parse(*endpoint)
	return err != nil || !strings.HasSuffix(u.Hostname(), ".amazonaws.com")
}

type payloadHash struct{}

// hashed sets the payload hash that the request is signed with.
func hashed(ctx context.Context, body Body) context.Context {
	return context.WithValue(ctx, payloadHash{}, body.sha256Hex())
}

// addPayloadHash passes the known hash to the signer. It must run inside the SDK's stack, which
// drops the signer's values from outside.
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

func (d *awsDialect) answer(err error) answer {
	var a answer
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil && response.Response.Response != nil {
		a.status, a.request = response.HTTPStatusCode(), response.RequestID
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		a.code, a.message = api.ErrorCode(), api.ErrorMessage()
	}
	return a
}

func (d *awsDialect) list(ctx context.Context, q Query) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		pages := d.pages
		if q.Versions {
			pages = d.versionPages
		}
		if err := pages(ctx, q, func(o Object) bool { return yield(o, nil) }); err != nil {
			yield(Object{}, err)
		}
	}
}

// errNoNext says that a server contradicts itself: there is more, and it is nowhere, or here.
var errNoNext = fmt.Errorf("a page of the listing does not say where the next begins: %w", store.ErrInvalid)

func (d *awsDialect) pages(ctx context.Context, q Query, yield func(Object) bool) error {
	in := &sdk.ListObjectsV2Input{Bucket: d.bucket, Prefix: text(q.Prefix), StartAfter: text(q.After), EncodingType: types.EncodingTypeUrl}
	if q.Delimited {
		in.Delimiter = aws.String("/")
	}
	for {
		out, err := d.client.ListObjectsV2(ctx, in)
		if err != nil {
			return err
		}
		objects := make([]Object, 0, len(out.Contents))
		for _, o := range out.Contents {
			objects = append(objects, Object{Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size),
				ETag: unquote(aws.ToString(o.ETag)), Modified: aws.ToTime(o.LastModified)})
		}
		if ok, err := q.yieldPage(objects, out.CommonPrefixes, out.EncodingType, yield); !ok {
			return err
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		next := aws.ToString(out.NextContinuationToken)
		if next == "" || next == aws.ToString(in.ContinuationToken) {
			return errNoNext
		}
		in.ContinuationToken = &next
	}
}

func (d *awsDialect) versionPages(ctx context.Context, q Query, yield func(Object) bool) error {
	in := &sdk.ListObjectVersionsInput{Bucket: d.bucket, Prefix: text(q.Prefix), KeyMarker: text(q.After), EncodingType: types.EncodingTypeUrl}
	if q.Delimited {
		in.Delimiter = aws.String("/")
	}
	for {
		out, err := d.client.ListObjectVersions(ctx, in)
		if err != nil {
			return err
		}
		if ok, err := q.yieldPage(versionsOf(out), out.CommonPrefixes, out.EncodingType, yield); !ok {
			return err
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		next, err := decoded(out.NextKeyMarker, out.EncodingType)
		if err != nil {
			return err
		}
		same := aws.ToString(next) == aws.ToString(in.KeyMarker) && aws.ToString(out.NextVersionIdMarker) == aws.ToString(in.VersionIdMarker)
		if aws.ToString(next) == "" || same {
			return errNoNext
		}
		in.KeyMarker, in.VersionIdMarker = next, out.NextVersionIdMarker
	}
}

// versionsOf merges versions and delete markers, which the SDK returns separately, in the order of
// keys.
func versionsOf(out *sdk.ListObjectVersionsOutput) []Object {
	objects := make([]Object, 0, len(out.Versions)+len(out.DeleteMarkers))
	for _, v := range out.Versions {
		objects = append(objects, Object{Key: aws.ToString(v.Key), Size: aws.ToInt64(v.Size),
			ETag: unquote(aws.ToString(v.ETag)), Modified: aws.ToTime(v.LastModified),
			Version: aws.ToString(v.VersionId), Latest: aws.ToBool(v.IsLatest)})
	}
	for _, m := range out.DeleteMarkers {
		objects = append(objects, Object{Key: aws.ToString(m.Key), Modified: aws.ToTime(m.LastModified), Version: aws.ToString(m.VersionId),
			Deleted: true, Latest: aws.ToBool(m.IsLatest)})
	}
	return objects
}

// yieldPage yields the objects of a page. It returns false if the consumer wants no more or the
// page is inconsistent.
func (q Query) yieldPage(objects []Object, prefixes []types.CommonPrefix, encoding types.EncodingType, yield func(Object) bool) (bool, error) {
	for _, p := range prefixes {
		objects = append(objects, Object{Key: aws.ToString(p.Prefix), Prefix: true})
	}
	for i := range objects {
		key, err := decoded(&objects[i].Key, encoding)
		if err != nil {
			return false, err
		}
		objects[i].Key = aws.ToString(key)
	}
	if q.Delimited || q.Versions { // else the server's order is looked at
		sortByKey(objects)
	}
	for _, o := range objects {
		if !yield(o) {
			return false, nil
		}
	}
	return true, nil
}

// decoded undoes the URL encoding of keys, which we request so that XML can hold every key, unless
// the server did not encode.
func decoded(key *string, encoding types.EncodingType) (*string, error) {
	if encoding != types.EncodingTypeUrl || key == nil {
		return key, nil
	}
	plain, err := url.QueryUnescape(*key)
	if err != nil {
		return nil, fmt.Errorf("the listing has a key that is not encoded as it says: %w: %w", store.ErrInvalid, err)
	}
	return &plain, nil
}

// text returns a pointer to s, or nil if s is empty.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (d *awsDialect) versioning(ctx context.Context) (string, error) {
	out, err := d.client.GetBucketVersioning(ctx, &sdk.GetBucketVersioningInput{Bucket: d.bucket})
	if err != nil {
		return "", err
	}
	return string(out.Status), nil
}

func (d *awsDialect) expiries(ctx context.Context) (all []expiry, err error) {
	out, err := d.client.GetBucketLifecycleConfiguration(ctx, &sdk.GetBucketLifecycleConfigurationInput{Bucket: d.bucket})
	if err != nil {
		return nil, err
	}
	for _, r := range out.Rules {
		if r.Status == types.ExpirationStatusEnabled && r.NoncurrentVersionExpiration != nil {
			all = append(all, expiry{prefixOf(r), int(aws.ToInt32(r.NoncurrentVersionExpiration.NoncurrentDays))})
		}
	}
	return all, nil
}

// prefixOf returns the prefix of the keys to which a rule applies.
func prefixOf(r types.LifecycleRule) string {
	if r.Filter == nil {
		//lint:ignore SA1019 rules from before there were filters still have it
		return aws.ToString(r.Prefix)
	}
	if r.Filter.And != nil {
		return aws.ToString(r.Filter.And.Prefix)
	}
	return aws.ToString(r.Filter.Prefix)
}

func (d *awsDialect) get(ctx context.Context, r Ref, bytes string) (Object, io.ReadCloser, error) {
	in := &sdk.GetObjectInput{Bucket: d.bucket, Key: &r.Key, VersionId: text(r.Version), Range: text(bytes), IfMatch: r.match()}
	out, err := d.client.GetObject(ctx, in)
	if err != nil {
		return Object{}, nil, err
	}
	return objectOf(r.Key, lengthOf(out.ContentLength), headerOf(out.ResultMetadata)), out.Body, nil
}

// match returns the header If-Match, nil if any content will do.
func (r Ref) match() *string {
	if r.ETag == "" {
		return nil
	}
	return aws.String(quoted(r.ETag))
}

// lengthOf returns the length of an answer, -1 if the server does not tell.
func lengthOf(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

func (d *awsDialect) head(ctx context.Context, r Ref) (Object, error) {
	in := &sdk.HeadObjectInput{Bucket: d.bucket, Key: &r.Key, VersionId: text(r.Version), IfMatch: r.match()}
	if r.Sum {
		in.ChecksumMode = types.ChecksumModeEnabled
	}
	out, err := d.client.HeadObject(ctx, in)
	if err != nil {
		return Object{}, err
	}
	return objectOf(r.Key, lengthOf(out.ContentLength), headerOf(out.ResultMetadata)), nil
}

func headerOf(m middleware.Metadata) http.Header {
	if raw, ok := awsmiddleware.GetRawResponse(m).(*smithyhttp.Response); ok && raw != nil {
		return raw.Header
	}
	return nil
}

func (d *awsDialect) tags(ctx context.Context, r Ref) (string, error) {
	out, err := d.client.GetObjectTagging(ctx, &sdk.GetObjectTaggingInput{Bucket: d.bucket, Key: &r.Key, VersionId: text(r.Version)})
	if err != nil {
		return "", err
	}
	tags := url.Values{}
	for _, tag := range out.TagSet {
		tags.Set(aws.ToString(tag.Key), aws.ToString(tag.Value))
	}
	return tags.Encode(), nil
}

func (d *awsDialect) put(ctx context.Context, key string, body Body, o PutOptions) error {
	in := &sdk.PutObjectInput{
		Bucket: d.bucket, Key: &key, Body: bytes.NewReader(body.Data), ContentLength: aws.Int64(int64(len(body.Data))),
		ContentType: o.header("content-type"), CacheControl: o.header("cache-control"), ContentDisposition: o.header("content-disposition"),
		ContentEncoding: o.header("content-encoding"), ContentLanguage: o.header("content-language"), Expires: o.expires(),
		WebsiteRedirectLocation: o.header("x-amz-website-redirect-location"), Tagging: text(o.Tags), Metadata: o.metadata(),
	}
	if body.MD5 != nil {
		in.ContentMD5 = aws.String(body.md5Base64())
	} else {
		in.ChecksumSHA256 = aws.String(body.sha256Base64())
	}
	if o.Absent {
		in.IfNoneMatch = aws.String("*")
	}
	in.StorageClass = types.StorageClass(o.Class)
	_, err := d.client.PutObject(hashed(ctx, body), in)
	return err
}

func (d *awsDialect) begin(ctx context.Context, key string, o PutOptions) (string, error) {
	out, err := d.client.CreateMultipartUpload(ctx, &sdk.CreateMultipartUploadInput{
		Bucket: d.bucket, Key: &key,
		ContentType: o.header("content-type"), CacheControl: o.header("cache-control"), ContentDisposition: o.header("content-disposition"),
		ContentEncoding: o.header("content-encoding"), ContentLanguage: o.header("content-language"), Expires: o.expires(),
		WebsiteRedirectLocation: o.header("x-amz-website-redirect-location"), Tagging: text(o.Tags), Metadata: o.metadata(),
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.UploadId), nil
}

func (d *awsDialect) part(ctx context.Context, key, upload string, number int, body Body) (string, error) {
	out, err := d.client.UploadPart(hashed(ctx, body), &sdk.UploadPartInput{
		Bucket: d.bucket, Key: &key, UploadId: &upload, PartNumber: aws.Int32(int32(number)), Body: bytes.NewReader(body.Data),
		ContentLength: aws.Int64(int64(len(body.Data))), ContentMD5: aws.String(body.md5Base64()),
	})
	if err != nil {
		return "", err
	}
	return unquote(aws.ToString(out.ETag)), nil
}

func (d *awsDialect) complete(ctx context.Context, key, upload string, etags []string, o PutOptions) (string, error) {
	in := &sdk.CompleteMultipartUploadInput{Bucket: d.bucket, Key: &key, UploadId: &upload, MultipartUpload: &types.CompletedMultipartUpload{}}
	for i, etag := range etags {
		in.MultipartUpload.Parts = append(in.MultipartUpload.Parts, types.CompletedPart{ETag: aws.String(quoted(etag)), PartNumber: aws.Int32(int32(i + 1))})
	}
	if o.Absent {
		in.IfNoneMatch = aws.String("*")
	}
	out, err := d.client.CompleteMultipartUpload(ctx, in)
	if err != nil {
		return "", err
	}
	return unquote(aws.ToString(out.ETag)), nil
}

func (d *awsDialect) abort(ctx context.Context, key, upload string) error {
	_, err := d.client.AbortMultipartUpload(ctx, &sdk.AbortMultipartUploadInput{Bucket: d.bucket, Key: &key, UploadId: &upload})
	return err
}

func (d *awsDialect) remove(ctx context.Context, keys []string) error {
	if len(keys) == 1 {
		_, err := d.client.DeleteObject(ctx, &sdk.DeleteObjectInput{Bucket: d.bucket, Key: &keys[0]})
		return err
	}
	in := &sdk.DeleteObjectsInput{Bucket: d.bucket, Delete: &types.Delete{Quiet: aws.Bool(true)}}
	for _, key := range keys {
		in.Delete.Objects = append(in.Delete.Objects, types.ObjectIdentifier{Key: aws.String(key)})
	}
	out, err := d.client.DeleteObjects(ctx, in)
	if err != nil {
		return err
	}
	for _, failed := range out.Errors {
		if code := aws.ToString(failed.Code); code != gone {
			err := &smithy.GenericAPIError{Code: code, Message: aws.ToString(failed.Message)}
			return fmt.Errorf("remove %s: %w", aws.ToString(failed.Key), err)
		}
	}
	return nil
}
