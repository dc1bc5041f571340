package bucket

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/url"
	"sync/atomic"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/tags"

	"github.com/packstone/packstone/archive/store"
)

// minioDialect uses minio-go, with its own retries off.
type minioDialect struct {
	core   *minio.Core
	bucket string
}

func openMinio(a Address, o Options, c *clock) (dialect, string, error) {
	endpoint, err := url.Parse(a.Endpoint)
	if err != nil {
		return nil, "", fmt.Errorf("the endpoint is not a URL: %w", store.ErrInvalid)
	}
	if o.AccessKey == "" || o.SecretKey == "" {
		return nil, "", fmt.Errorf("no access key and secret key are given for %s: %w", endpoint.Host, ErrKeys)
	}
	core, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(o.AccessKey, o.SecretKey, o.SessionToken),
		Secure:       endpoint.Scheme == "https",
		Transport:    transport(o, c),
		Region:       cmp.Or(o.Region, defaultRegion), // else minio-go asks for it, which the keys may not be permitted to
		BucketLookup: minio.BucketLookupPath,
		MaxRetries:   1,
	})
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	return &minioDialect{core, a.Bucket}, a.Endpoint, nil
}

func (d *minioDialect) answer(err error) answer {
	var a answer
	var response minio.ErrorResponse
	if errors.As(err, &response) {
		a = answer{status: response.StatusCode, code: response.Code, message: response.Message, request: response.RequestID}
	}
	return a
}

// versionsPage is the largest number of versions on a page of a listing.
const versionsPage = 1000

func (d *minioDialect) list(ctx context.Context, q Query) iter.Seq2[Object, error] {
	o := minio.ListObjectsOptions{Prefix: q.Prefix, StartAfter: q.After, Recursive: !q.Delimited, WithVersions: q.Versions,
		FetchOwner: new(bool)}
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
				yield(Object{}, found.Err)
				return
			}
			if !p.add(listed(found, q), yield) {
				return
			}
		}
		p.give(yield)
	}
}

func listed(found minio.ObjectInfo, q Query) Object {
	return Object{
		Key: found.Key, Size: found.Size, ETag: found.ETag, Modified: found.LastModified, Version: found.VersionID,
		Deleted: found.IsDeleteMarker, Latest: found.IsLatest,
		Prefix: q.Delimited && found.ETag == "" && !found.IsDeleteMarker && found.LastModified.IsZero(),
	}
}

// page sorts the content of one answer by key: some servers list all delete markers of a page
// before its versions, and minio-go returns both as they come.
type page struct {
	full    int // a page that has so many objects is whole
	answer  int64
	objects []Object
}

// begin yields the previous page when another answer begins.
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

func (d *minioDialect) versioning(ctx context.Context) (string, error) {
	v, err := d.core.GetBucketVersioning(ctx, d.bucket)
	return v.Status, err
}

func (d *minioDialect) expiries(ctx context.Context) (all []expiry, err error) {
	rules, err := d.core.GetBucketLifecycle(ctx, d.bucket)
	if err != nil {
		return nil, err
	}
	for _, r := range rules.Rules {
		if r.Status == "Enabled" {
			prefix := cmp.Or(r.Prefix, r.RuleFilter.Prefix, r.RuleFilter.And.Prefix)
			all = append(all, expiry{prefix, int(r.NoncurrentVersionExpiration.NoncurrentDays)})
		}
	}
	return all, nil
}

func (d *minioDialect) options(r Ref) minio.GetObjectOptions {
	o := minio.GetObjectOptions{VersionID: r.Version}
	if r.ETag != "" {
		o.Set("If-Match", quoted(r.ETag))
	}
	return o
}

func (d *minioDialect) get(ctx context.Context, r Ref, bytes string) (Object, io.ReadCloser, error) {
	o := d.options(r)
	if bytes != "" {
		o.Set("Range", bytes)
	}
	body, info, header, err := d.core.GetObject(ctx, d.bucket, r.Key, o)
	if err != nil {
		return Object{}, nil, err
	}
	return objectOf(r.Key, info.Size, header), body, nil
}

func (d *minioDialect) head(ctx context.Context, r Ref) (Object, error) {
	o := d.options(r)
	o.Checksum = r.Sum
	info, err := d.core.StatObject(ctx, d.bucket, r.Key, o)
	if err != nil {
		return Object{}, err
	}
	return objectOf(r.Key, info.Size, info.Headers), nil
}

func (d *minioDialect) tags(ctx context.Context, r Ref) (string, error) {
	found, err := d.core.GetObjectTagging(ctx, d.bucket, r.Key, minio.GetObjectTaggingOptions{VersionID: r.Version})
	if err != nil {
		return "", err
	}
	values := url.Values{}
	for k, v := range found.ToMap() {
		values.Set(k, v)
	}
	return values.Encode(), nil
}

// putOptions makes minio-go send the headers as they are, and compute no hashes of parts.
func putOptions(o PutOptions) (minio.PutObjectOptions, error) {
	p := minio.PutObjectOptions{UserMetadata: map[string]string{}, ContentType: o.Header["content-type"],
		DisableMultipart: true, DisableContentSha256: true, StorageClass: string(o.Class)}
	maps.Copy(p.UserMetadata, o.Header)
	delete(p.UserMetadata, "content-type")
	if at := o.expires(); at != nil {
		p.Expires = *at
	}
	delete(p.UserMetadata, "expires")
	if o.Tags != "" {
		parsed, err := tags.ParseObjectTags(o.Tags)
		if err != nil {
			return p, fmt.Errorf("tags %q: %w: %w", o.Tags, store.ErrInvalid, err)
		}
		p.UserTags = parsed.ToMap()
	}
	if o.Absent {
		p.SetMatchETagExcept("*")
	}
	return p, nil
}

// checksumHeader must have exactly this case: in lower case, minio-go demands a client that sends
// trailers.
const checksumHeader = "X-Amz-Checksum-Sha256"

func (d *minioDialect) put(ctx context.Context, key string, body Body, o PutOptions) error {
	p, err := putOptions(o)
	if err != nil {
		return err
	}
	if body.MD5 == nil {
		p.UserMetadata[checksumHeader] = body.sha256Base64()
	}
	_, err = d.core.PutObject(ctx, d.bucket, key, bytes.NewReader(body.Data), int64(len(body.Data)), body.md5Base64(), body.sha256Hex(), p)
	return err
}

func (d *minioDialect) begin(ctx context.Context, key string, o PutOptions) (string, error) {
	p, err := putOptions(o)
	if err != nil {
		return "", err
	}
	upload, err := d.core.NewMultipartUpload(ctx, d.bucket, key, p)
	return upload, err
}

func (d *minioDialect) part(ctx context.Context, key, upload string, number int, body Body) (string, error) {
	part, err := d.core.PutObjectPart(ctx, d.bucket, key, upload, number, bytes.NewReader(body.Data), int64(len(body.Data)),
		minio.PutObjectPartOptions{Md5Base64: body.md5Base64(), Sha256Hex: body.sha256Hex(), DisableContentSha256: true})
	return part.ETag, err
}

func (d *minioDialect) complete(ctx context.Context, key, upload string, etags []string, o PutOptions) (string, error) {
	parts := make([]minio.CompletePart, len(etags))
	for i, etag := range etags {
		parts[i] = minio.CompletePart{PartNumber: i + 1, ETag: etag}
	}
	p := minio.PutObjectOptions{}
	if o.Absent {
		p.SetMatchETagExcept("*")
	}
	done, err := d.core.CompleteMultipartUpload(ctx, d.bucket, key, upload, parts, p)
	return done.ETag, err
}

func (d *minioDialect) abort(ctx context.Context, key, upload string) error {
	return d.core.AbortMultipartUpload(ctx, d.bucket, key, upload)
}

func (d *minioDialect) remove(ctx context.Context, keys []string) error {
	if len(keys) == 1 {
		return d.core.RemoveObject(ctx, d.bucket, keys[0], minio.RemoveObjectOptions{})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	objects := make(chan minio.ObjectInfo, len(keys))
	for _, key := range keys {
		objects <- minio.ObjectInfo{Key: key}
	}
	close(objects)
	var first error
	for failed := range d.core.RemoveObjects(ctx, d.bucket, objects, minio.RemoveObjectsOptions{}) {
		if first == nil && d.answer(failed.Err).code != gone {
			first = failed.Err
		}
	}
	return first
}
