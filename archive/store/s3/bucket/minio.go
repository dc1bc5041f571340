package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/tags"
)

// minioDialect goes through minio-go. Its own retries are off.
type minioDialect struct {
	core   *minio.Core
	bucket string
}

func openMinio(a Address, o Options, c *clock) (dialect, string, error) {
	endpoint, err := url.Parse(a.Endpoint)
	if err != nil {
		return nil, "", errors.New("the endpoint is not a URL")
	}
	if o.AccessKey == "" || o.SecretKey == "" {
		return nil, "", fmt.Errorf("no access key and secret key are given for %s: %w", endpoint.Host, ErrDenied)
	}
	options := &minio.Options{
		Creds:        credentials.NewStaticV4(o.AccessKey, o.SecretKey, o.SessionToken),
		Secure:       endpoint.Scheme == "https",
		Transport:    transport(o.CAs, o.Proxy, o.Wrap, c),
		Region:       o.Region,
		BucketLookup: minio.BucketLookupPath,
		MaxRetries:   1,
	}
	if o.Region == "" {
		options.Region = defaultRegion // else minio-go asks for it, which the keys may not be permitted to
	}
	core, err := minio.NewCore(endpoint.Host, options)
	if err != nil {
		return nil, "", err
	}
	return &minioDialect{core, a.Bucket}, endpoint.Host, nil
}

// minioError keeps what the server said.
func minioError(err error) error {
	if err == nil {
		return nil
	}
	a := &answer{err: err}
	var response minio.ErrorResponse
	if errors.As(err, &response) {
		a.status, a.code, a.message, a.request = response.StatusCode, response.Code, response.Message, response.RequestID
	}
	return a
}

// versionsPage is how many versions a page of a listing has at most.
const versionsPage = 1000

func (d *minioDialect) list(ctx context.Context, q query) iter.Seq2[Object, error] {
	o := minio.ListObjectsOptions{Prefix: q.Prefix, StartAfter: q.After, Recursive: !q.Delimited, WithVersions: q.Versions, FetchOwner: new(bool)}
	p := &page{full: 1}
	if q.Versions {
		o.MaxKeys, p.full = versionsPage, versionsPage
	}
	return func(yield func(Object, error) bool) {
		answers := new(atomic.Int64)
		for found := range d.core.ListObjectsIter(context.WithValue(ctx, answersKey{}, answers), d.bucket, o) {
			if !p.begin(answers.Load(), yield) {
				return
			}
			if found.Err != nil {
				yield(Object{}, minioError(found.Err))
				return
			}
			if !p.add(listed(found, q), yield) {
				return
			}
		}
		if !p.give(yield) {
			return
		}
		if ctx.Err() != nil { // the sequence just ends then
			yield(Object{}, context.Cause(ctx))
		}
	}
}

func listed(found minio.ObjectInfo, q query) Object {
	return Object{
		Key: found.Key, Size: found.Size, ETag: found.ETag, Modified: found.LastModified, Version: found.VersionID,
		deleted: found.IsDeleteMarker, latest: found.IsLatest,
		prefix: q.Delimited && found.ETag == "" && !found.IsDeleteMarker && found.LastModified.IsZero(),
	}
}

// page puts what one answer of the server holds into the order of keys: some servers list all delete markers of a page before its versions,
// and minio-go gives out both as they come.
type page struct {
	full    int // a page that has so many objects is whole
	answer  int64
	objects []Object
}

// begin gives out the last page if this is another answer.
func (p *page) begin(answer int64, yield func(Object, error) bool) bool {
	if answer == p.answer {
		return true
	}
	p.answer = answer
	return p.give(yield)
}

func (p *page) add(o Object, yield func(Object, error) bool) bool {
	p.objects = append(p.objects, o)
	return len(p.objects) < p.full || p.give(yield)
}

func (p *page) give(yield func(Object, error) bool) bool {
	sortByKey(p.objects)
	for _, o := range p.objects {
		if !yield(o, nil) {
			return false
		}
	}
	p.objects = p.objects[:0]
	return true
}

func (d *minioDialect) versioned(ctx context.Context) (bool, error) {
	v, err := d.core.GetBucketVersioning(ctx, d.bucket)
	return v.Enabled(), minioError(err)
}

func (d *minioDialect) options(r Ref) minio.GetObjectOptions {
	o := minio.GetObjectOptions{VersionID: r.Version}
	if r.ETag != "" {
		o.Set("If-Match", `"`+r.ETag+`"`)
	}
	return o
}

func (d *minioDialect) get(ctx context.Context, r Ref, offset, length int64) (Object, io.ReadCloser, error) {
	o := d.options(r)
	if bytes := rangeOf(offset, length); bytes != "" {
		o.Set("Range", bytes)
	}
	body, info, header, err := d.core.GetObject(ctx, d.bucket, r.Key, o)
	if err != nil {
		return Object{}, nil, minioError(err)
	}
	object := objectOf(r.Key, header)
	object.Size = info.Size
	return object, body, nil
}

func (d *minioDialect) head(ctx context.Context, r Ref) (Object, error) {
	info, err := d.core.StatObject(ctx, d.bucket, r.Key, d.options(r))
	if err != nil {
		return Object{}, minioError(err)
	}
	object := objectOf(r.Key, info.Headers)
	object.Size = info.Size
	return object, nil
}

func (d *minioDialect) tags(ctx context.Context, r Ref) (string, error) {
	found, err := d.core.GetObjectTagging(ctx, d.bucket, r.Key, minio.GetObjectTaggingOptions{VersionID: r.Version})
	if err != nil {
		return "", minioError(err)
	}
	values := url.Values{}
	for k, v := range found.ToMap() {
		values.Set(k, v)
	}
	return values.Encode(), nil
}

// putOptions has minio-go send the headers as they are.
func (d *minioDialect) putOptions(o PutOptions) (minio.PutObjectOptions, error) {
	p := minio.PutObjectOptions{UserMetadata: maps.Clone(o.Header), ContentType: o.Header["content-type"], DisableMultipart: true, DisableContentSha256: true}
	delete(p.UserMetadata, "content-type")
	if at := o.expires(); at != nil {
		p.Expires = *at
	}
	delete(p.UserMetadata, "expires")
	if o.Tags != "" {
		parsed, err := tags.ParseObjectTags(o.Tags)
		if err != nil {
			return p, fmt.Errorf("tags %q: %w", o.Tags, err)
		}
		p.UserTags = parsed.ToMap()
	}
	if o.Absent {
		p.SetMatchETagExcept("*")
	}
	return p, nil
}

func (d *minioDialect) put(ctx context.Context, key string, body Body, o PutOptions) error {
	p, err := d.putOptions(o)
	if err != nil {
		return err
	}
	_, err = d.core.PutObject(ctx, d.bucket, key, bytes.NewReader(body.Data), int64(len(body.Data)), body.md5Base64(), body.sha256Hex(), p)
	return minioError(err)
}

func (d *minioDialect) begin(ctx context.Context, key string, o PutOptions) (string, error) {
	o.Absent = false // it is for the completion
	p, err := d.putOptions(o)
	if err != nil {
		return "", err
	}
	upload, err := d.core.NewMultipartUpload(ctx, d.bucket, key, p)
	return upload, minioError(err)
}

func (d *minioDialect) part(ctx context.Context, key, upload string, number int, body Body) (string, error) {
	part, err := d.core.PutObjectPart(ctx, d.bucket, key, upload, number, bytes.NewReader(body.Data), int64(len(body.Data)),
		minio.PutObjectPartOptions{Md5Base64: body.md5Base64(), Sha256Hex: body.sha256Hex(), DisableContentSha256: true})
	return part.ETag, minioError(err)
}

func (d *minioDialect) complete(ctx context.Context, key, upload string, etags []string, o PutOptions) error {
	parts := make([]minio.CompletePart, len(etags))
	for i, etag := range etags {
		parts[i] = minio.CompletePart{PartNumber: i + 1, ETag: etag}
	}
	p := minio.PutObjectOptions{}
	if o.Absent {
		p.SetMatchETagExcept("*")
	}
	_, err := d.core.CompleteMultipartUpload(ctx, d.bucket, key, upload, parts, p)
	return minioError(err)
}

func (d *minioDialect) abort(ctx context.Context, key, upload string) error {
	return minioError(d.core.AbortMultipartUpload(ctx, d.bucket, key, upload))
}

func (d *minioDialect) remove(ctx context.Context, keys []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	objects := make(chan minio.ObjectInfo, len(keys))
	for _, key := range keys {
		objects <- minio.ObjectInfo{Key: key}
	}
	close(objects)
	var first error
	for failed := range d.core.RemoveObjects(ctx, d.bucket, objects, minio.RemoveObjectsOptions{}) {
		if minio.ToErrorResponse(failed.Err).Code != minio.NoSuchKey && first == nil {
			first = minioError(failed.Err)
		}
	}
	return first
}

// objectOf is what the headers of an answer tell of an object.
func objectOf(key string, h http.Header) Object {
	o := Object{Key: key, ETag: unquote(h.Get("ETag")), Version: h.Get("X-Amz-Version-Id"), Header: stored(h)}
	if at, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
		o.Modified = at
	}
	fmt.Sscan(h.Get("X-Amz-Tagging-Count"), &o.Tags)
	return o
}
