package s3

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
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const defaultRegion = "us-east-1"

// awsDialect goes through the AWS SDK. Its own retries are off.
type awsDialect struct {
	client *sdk.Client
	bucket *string
}

func openAWS(ctx context.Context, a Address, o Options, c *clock) (dialect, string, error) {
	var load []func(*config.LoadOptions) error
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.AccessKey != "" {
		load = append(load, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, o.SessionToken)))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, "", fmt.Errorf("load the AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		cfg.Region = defaultRegion
	}
	if cfg.Credentials == nil {
		return nil, "", fmt.Errorf("there are no credentials: %w", ErrDenied)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, "", fmt.Errorf("no credentials: %w: %w", ErrDenied, err)
	}
	cfg.HTTPClient = awsClient(o, cfg.HTTPClient, c)
	client := sdk.NewFromConfig(cfg, configureAWS)
	return &awsDialect{client, &a.Bucket}, awsHost(client), nil
}

// awsClient has our transport, with the CAs and the proxy that the SDK has found for its own.
func awsClient(o Options, found aws.HTTPClient, c *clock) *http.Client {
	cas, proxy := o.CAs, o.Proxy
	if theirs, ok := found.(*awshttp.BuildableClient); ok {
		settings := theirs.GetTransport()
		if proxy == nil {
			proxy = settings.Proxy
		}
		if cas == nil && settings.TLSClientConfig != nil {
			cas = settings.TLSClientConfig.RootCAs
		}
	}
	return &http.Client{
		Transport:     transport(cas, proxy, o.Wrap, c),
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

// isForeign tells whether an endpoint is another server's than AWS's; those seldom have a DNS name for each bucket.
func isForeign(endpoint *string) bool {
	if aws.ToString(endpoint) == "" {
		return false
	}
	u, err := url.Parse(*endpoint)
	return err != nil || !strings.HasSuffix(u.Hostname(), ".amazonaws.com")
}

func awsHost(client *sdk.Client) string {
	o := client.Options()
	if !isForeign(o.BaseEndpoint) {
		return "AWS in " + o.Region
	}
	if u, err := url.Parse(*o.BaseEndpoint); err == nil {
		return u.Host
	}
	return "an endpoint that is no URL"
}

type payloadHash struct{}

// addPayloadHash hands the signer the hash that is known already. It has to happen inside the SDK's stack, which
// forgets the signer's values from outside.
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

// awsError keeps what the server said.
func awsError(err error) error {
	if err == nil {
		return nil
	}
	a := &answer{err: err}
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

func (d *awsDialect) list(ctx context.Context, q query) iter.Seq2[Object, error] {
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

// errNoNext says that a server contradicts itself.
var errNoNext = errors.New("a page of the listing does not say where the next begins")

func (d *awsDialect) pages(ctx context.Context, q query, yield func(Object) bool) error {
	in := &sdk.ListObjectsV2Input{Bucket: d.bucket, Prefix: text(q.Prefix), StartAfter: text(q.After), EncodingType: types.EncodingTypeUrl}
	if q.Delimited {
		in.Delimiter = aws.String("/")
	}
	for {
		out, err := d.client.ListObjectsV2(ctx, in)
		if err != nil {
			return awsError(err)
		}
		objects := make([]Object, 0, len(out.Contents))
		for _, o := range out.Contents {
			objects = append(objects, Object{Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size), ETag: unquote(aws.ToString(o.ETag)), Modified: aws.ToTime(o.LastModified)})
		}
		if ok, err := yieldPage(objects, out.CommonPrefixes, out.EncodingType, yield); !ok {
			return err
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		if in.ContinuationToken = out.NextContinuationToken; aws.ToString(in.ContinuationToken) == "" {
			return errNoNext
		}
	}
}

func (d *awsDialect) versionPages(ctx context.Context, q query, yield func(Object) bool) error {
	in := &sdk.ListObjectVersionsInput{Bucket: d.bucket, Prefix: text(q.Prefix), KeyMarker: text(q.After), EncodingType: types.EncodingTypeUrl}
	if q.Delimited {
		in.Delimiter = aws.String("/")
	}
	for {
		out, err := d.client.ListObjectVersions(ctx, in)
		if err != nil {
			return awsError(err)
		}
		if ok, err := yieldPage(versionsOf(out), out.CommonPrefixes, out.EncodingType, yield); !ok {
			return err
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		if aws.ToString(out.NextKeyMarker) == "" {
			return errNoNext
		}
		if in.KeyMarker, err = decoded(out.NextKeyMarker, out.EncodingType); err != nil {
			return err
		}
		in.VersionIdMarker = out.NextVersionIdMarker
	}
}

// versionsOf merges versions and delete markers, which the SDK tells apart, in the order of keys.
func versionsOf(out *sdk.ListObjectVersionsOutput) []Object {
	objects := make([]Object, 0, len(out.Versions)+len(out.DeleteMarkers))
	for _, v := range out.Versions {
		objects = append(objects, Object{Key: aws.ToString(v.Key), Size: aws.ToInt64(v.Size), ETag: unquote(aws.ToString(v.ETag)), Modified: aws.ToTime(v.LastModified),
			Version: aws.ToString(v.VersionId), latest: aws.ToBool(v.IsLatest)})
	}
	for _, m := range out.DeleteMarkers {
		objects = append(objects, Object{Key: aws.ToString(m.Key), Modified: aws.ToTime(m.LastModified), Version: aws.ToString(m.VersionId),
			deleted: true, latest: aws.ToBool(m.IsLatest)})
	}
	return objects
}

// yieldPage gives out a page in the order of keys. false: the caller wants no more, or the page makes no sense.
func yieldPage(objects []Object, prefixes []types.CommonPrefix, encoding types.EncodingType, yield func(Object) bool) (bool, error) {
	for _, p := range prefixes {
		objects = append(objects, Object{Key: aws.ToString(p.Prefix), prefix: true})
	}
	for i := range objects {
		key, err := decoded(&objects[i].Key, encoding)
		if err != nil {
			return false, err
		}
		objects[i].Key = aws.ToString(key)
	}
	sortByKey(objects)
	for _, o := range objects {
		if !yield(o) {
			return false, nil
		}
	}
	return true, nil
}

// decoded undoes the encoding that was asked for so that every key can stand in XML, unless the server did not do it.
func decoded(key *string, encoding types.EncodingType) (*string, error) {
	if encoding != types.EncodingTypeUrl || key == nil {
		return key, nil
	}
	plain, err := url.QueryUnescape(*key)
	if err != nil {
		return nil, fmt.Errorf("the listing has a key that is not encoded as it says: %w", err)
	}
	return &plain, nil
}

// text is nil for what is not set.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func unquote(etag string) string { return strings.Trim(etag, `"`) }

func (d *awsDialect) versioned(ctx context.Context) (bool, error) {
	out, err := d.client.GetBucketVersioning(ctx, &sdk.GetBucketVersioningInput{Bucket: d.bucket})
	if err != nil {
		return false, awsError(err)
	}
	return out.Status == types.BucketVersioningStatusEnabled, nil
}

func (d *awsDialect) get(ctx context.Context, r Ref, offset, length int64) (Object, io.ReadCloser, error) {
	in := &sdk.GetObjectInput{Bucket: d.bucket, Key: &r.Key, VersionId: text(r.Version), Range: text(rangeOf(offset, length))}
	if r.ETag != "" {
		in.IfMatch = aws.String(`"` + r.ETag + `"`)
	}
	out, err := d.client.GetObject(ctx, in)
	if err != nil {
		return Object{}, nil, awsError(err)
	}
	o := objectOf(r.Key, headerOf(out.ResultMetadata))
	o.Size = aws.ToInt64(out.ContentLength)
	return o, out.Body, nil
}

func (d *awsDialect) head(ctx context.Context, r Ref) (Object, error) {
	in := &sdk.HeadObjectInput{Bucket: d.bucket, Key: &r.Key, VersionId: text(r.Version)}
	if r.ETag != "" {
		in.IfMatch = aws.String(`"` + r.ETag + `"`)
	}
	out, err := d.client.HeadObject(ctx, in)
	if err != nil {
		return Object{}, awsError(err)
	}
	o := objectOf(r.Key, headerOf(out.ResultMetadata))
	o.Size = aws.ToInt64(out.ContentLength)
	return o, nil
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
		return "", awsError(err)
	}
	tags := url.Values{}
	for _, tag := range out.TagSet {
		tags.Set(aws.ToString(tag.Key), aws.ToString(tag.Value))
	}
	return tags.Encode(), nil
}

func (d *awsDialect) put(ctx context.Context, key string, body Body, o PutOptions) error {
	in := &sdk.PutObjectInput{
		Bucket: d.bucket, Key: &key, Body: bytes.NewReader(body.Data), ContentLength: aws.Int64(int64(len(body.Data))), ContentMD5: aws.String(body.md5Base64()),
		ContentType: o.header("content-type"), CacheControl: o.header("cache-control"), ContentDisposition: o.header("content-disposition"),
		ContentEncoding: o.header("content-encoding"), ContentLanguage: o.header("content-language"), Expires: o.expires(),
		WebsiteRedirectLocation: o.header("x-amz-website-redirect-location"), Tagging: text(o.Tags), Metadata: o.metadata(),
	}
	if o.Absent {
		in.IfNoneMatch = aws.String("*")
	}
	_, err := d.client.PutObject(context.WithValue(ctx, payloadHash{}, body.sha256Hex()), in)
	return awsError(err)
}

func (d *awsDialect) begin(ctx context.Context, key string, o PutOptions) (string, error) {
	out, err := d.client.CreateMultipartUpload(ctx, &sdk.CreateMultipartUploadInput{
		Bucket: d.bucket, Key: &key,
		ContentType: o.header("content-type"), CacheControl: o.header("cache-control"), ContentDisposition: o.header("content-disposition"),
		ContentEncoding: o.header("content-encoding"), ContentLanguage: o.header("content-language"), Expires: o.expires(),
		WebsiteRedirectLocation: o.header("x-amz-website-redirect-location"), Tagging: text(o.Tags), Metadata: o.metadata(),
	})
	if err != nil {
		return "", awsError(err)
	}
	return aws.ToString(out.UploadId), nil
}

func (d *awsDialect) part(ctx context.Context, key, upload string, number int, body Body) (string, error) {
	out, err := d.client.UploadPart(context.WithValue(ctx, payloadHash{}, body.sha256Hex()), &sdk.UploadPartInput{
		Bucket: d.bucket, Key: &key, UploadId: &upload, PartNumber: aws.Int32(int32(number)), Body: bytes.NewReader(body.Data),
		ContentLength: aws.Int64(int64(len(body.Data))), ContentMD5: aws.String(body.md5Base64()),
	})
	if err != nil {
		return "", awsError(err)
	}
	return unquote(aws.ToString(out.ETag)), nil
}

func (d *awsDialect) complete(ctx context.Context, key, upload string, etags []string, o PutOptions) error {
	in := &sdk.CompleteMultipartUploadInput{Bucket: d.bucket, Key: &key, UploadId: &upload, MultipartUpload: &types.CompletedMultipartUpload{}}
	for i, etag := range etags {
		in.MultipartUpload.Parts = append(in.MultipartUpload.Parts, types.CompletedPart{ETag: aws.String(`"` + etag + `"`), PartNumber: aws.Int32(int32(i + 1))})
	}
	if o.Absent {
		in.IfNoneMatch = aws.String("*")
	}
	_, err := d.client.CompleteMultipartUpload(ctx, in)
	return awsError(err)
}

func (d *awsDialect) abort(ctx context.Context, key, upload string) error {
	_, err := d.client.AbortMultipartUpload(ctx, &sdk.AbortMultipartUploadInput{Bucket: d.bucket, Key: &key, UploadId: &upload})
	return awsError(err)
}

func (d *awsDialect) remove(ctx context.Context, keys []string) error {
	in := &sdk.DeleteObjectsInput{Bucket: d.bucket, Delete: &types.Delete{Quiet: aws.Bool(true)}}
	for _, key := range keys {
		in.Delete.Objects = append(in.Delete.Objects, types.ObjectIdentifier{Key: aws.String(key)})
	}
	out, err := d.client.DeleteObjects(ctx, in)
	if err != nil {
		return awsError(err)
	}
	for _, failed := range out.Errors {
		if code := aws.ToString(failed.Code); code != "NoSuchKey" {
			return &answer{status: http.StatusBadRequest, code: code, message: aws.ToString(failed.Message),
				err: fmt.Errorf("remove %s: %s", aws.ToString(failed.Key), code)}
		}
	}
	return nil
}

// expires is the date of that name, nil if it is none.
func (o PutOptions) expires() *time.Time {
	if at, err := http.ParseTime(o.Header["expires"]); err == nil {
		return &at
	}
	return nil
}
