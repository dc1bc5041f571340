package s3

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// PutOptions are what an object is stored with.
type PutOptions struct {
	// Header holds, by lower-case names, content-type, x-amz-meta-… and its kin, as Object.Header does.
	Header map[string]string
	Tags   string // as a query string
	// Absent puts the object only where there is none, else ErrExist.
	Absent bool
}

// plain are headers that are stored with an object; the others are x-amz-meta-… .
var plain = []string{"content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires", "x-amz-website-redirect-location"}

const metaPrefix = "x-amz-meta-"

// IsStored tells whether a header, in lower case, is one that an object is stored with.
func IsStored(name string) bool {
	return slices.Contains(plain, name) || strings.HasPrefix(name, metaPrefix) && len(name) > len(metaPrefix)
}

func stored(h http.Header) map[string]string {
	all := map[string]string{}
	for name, values := range h {
		if name := strings.ToLower(name); (IsStored(name) || name == contentRange) && len(values) > 0 {
			all[name] = strings.Join(values, ",")
		}
	}
	return all
}

func (o PutOptions) header(name string) *string { return text(o.Header[name]) }

func (o PutOptions) metadata() map[string]string {
	all := map[string]string{}
	for name, value := range o.Header {
		if key, ok := strings.CutPrefix(name, metaPrefix); ok {
			all[key] = value
		}
	}
	return all
}

// Body is what one request sends, with its digests, which the server checks.
type Body struct {
	Data []byte
	MD5  [md5.Size]byte
	SHA  [sha256.Size]byte
}

// NewBody computes the digests of data.
func NewBody(data []byte) Body {
	return Body{Data: data, MD5: md5.Sum(data), SHA: sha256.Sum256(data)}
}

func (b Body) md5Base64() string { return base64.StdEncoding.EncodeToString(b.MD5[:]) }
func (b Body) sha256Hex() string { return hex.EncodeToString(b.SHA[:]) }

// maxKey is how many bytes a key may have.
const maxKey = 1024

// CheckKey tells why there can be no object under a key, whichever server it is. ErrKey.
func (b *Bucket) CheckKey(key string) error {
	if len(key) > maxKey {
		return fmt.Errorf("%w: with its prefix it has %d bytes, and a key has at most %d", ErrKey, len(key), maxKey)
	}
	if b.address.Endpoint != "" && !utf8.ValidString(key) { // minio-go sends none, and its error looks like one of the network
		return fmt.Errorf("%w: it is not UTF-8", ErrKey)
	}
	return nil
}

// Put stores an object in one request. The server checks what it receives by both digests.
func (b *Bucket) Put(ctx context.Context, key string, body Body, o PutOptions) error {
	if err := b.CheckKey(key); err != nil {
		return fmt.Errorf("put an object: %w", err)
	}
	tries := 0
	err := b.do(ctx, "put", key, func() error {
		tries++
		return b.api.put(ctx, key, body, o)
	})
	if o.Absent && errors.Is(err, ErrChanged) {
		return b.exists(ctx, key, hex.EncodeToString(body.MD5[:]), tries, err)
	}
	return err
}

// exists tells whether what is there is our own, of a try before whose answer was lost.
func (b *Bucket) exists(ctx context.Context, key, etag string, tries int, err error) error {
	if tries > 1 {
		if there, headErr := b.Head(ctx, Ref{Key: key}); headErr == nil && there.ETag == etag {
			return nil
		}
	}
	return fmt.Errorf("%w: %w", ErrExist, err)
}

// Upload is an object that is stored part by part. It appears when Complete returns. Parts may be put at once.
type Upload struct {
	bucket  *Bucket
	key, id string
	options PutOptions
}

// Begin begins an upload.
func (b *Bucket) Begin(ctx context.Context, key string, o PutOptions) (*Upload, error) {
	if err := b.CheckKey(key); err != nil {
		return nil, fmt.Errorf("put an object: %w", err)
	}
	u := &Upload{bucket: b, key: key, options: o}
	err := b.do(ctx, "begin to put", key, func() (err error) {
		u.id, err = b.api.begin(ctx, key, o)
		return err
	})
	return u, err
}

// Put stores one part; numbers begin at 1. It returns the part's ETag for Complete. The server checks what it receives.
func (u *Upload) Put(ctx context.Context, number int, body Body) (etag string, err error) {
	err = u.bucket.do(ctx, "put a part of", u.key, func() (err error) {
		etag, err = u.bucket.api.part(ctx, u.key, u.id, number, body)
		return err
	})
	return etag, err
}

// Complete makes the object of its parts, by their ETags in order, and looks whether it has the size that it is to have.
func (u *Upload) Complete(ctx context.Context, etags []string, size int64) error {
	tries := 0
	err := u.bucket.do(ctx, "complete", u.key, func() error {
		tries++
		return u.bucket.api.complete(ctx, u.key, u.id, etags, u.options)
	})
	if u.options.Absent && errors.Is(err, ErrChanged) {
		return fmt.Errorf("%w: %w", ErrExist, err)
	}
	if err != nil && !(tries > 1 && errors.Is(err, fs.ErrNotExist)) { // a lost answer: the upload is no more since it is complete
		return err
	}
	there, headErr := u.bucket.Head(ctx, Ref{Key: u.key})
	if headErr != nil {
		return errors.Join(err, headErr)
	}
	if there.Size != size {
		return errors.Join(err, fmt.Errorf("put %s: the server has %d bytes, %d were sent", u.bucket.place(u.key), there.Size, size))
	}
	return nil
}

// Abort drops the parts.
func (u *Upload) Abort(ctx context.Context) error {
	err := u.bucket.do(ctx, "drop the parts of", u.key, func() error { return u.bucket.api.abort(ctx, u.key, u.id) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func rangeOf(offset, length int64) string {
	switch {
	case length >= 0 && length <= math.MaxInt64-offset:
		return fmt.Sprintf("bytes=%d-%d", offset, offset+max(length, 1)-1)
	case offset > 0:
		return fmt.Sprintf("bytes=%d-", offset)
	}
	return ""
}
