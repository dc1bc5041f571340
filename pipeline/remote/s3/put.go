package s3

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"unicode/utf8"
)

// maxKey is the largest length of a key in bytes.
const maxKey = 1024

// CheckKey fails with ErrKey if no object can have this key, on any server.
func (b *Bucket) CheckKey(key string) error {
	if len(key) > maxKey {
		return fmt.Errorf("%w: with its prefix it has %d bytes, and a key has at most %d", ErrKey, len(key), maxKey)
	}
	if b.Address().Endpoint != "" && !utf8.ValidString(key) { // minio-go sends none, and its error looks like one of the network
		return fmt.Errorf("%w: it is not UTF-8", ErrKey)
	}
	return nil
}

// Put stores an object with one request. The server checks it against both digests.
func (b *Bucket) Put(ctx context.Context, key string, body Body, o PutOptions) error {
	if err := b.CheckKey(key); err != nil {
		return fmt.Errorf("put an object: %w", err)
	}
	tries := 0
	err := b.do(ctx, "put", key, func() error {
		tries++
		return b.client.Put(ctx, key, body, o)
	})
	if tries > 1 && errors.Is(err, ErrExist) { // it may be our own, of a try before whose answer was lost
		there, headErr := b.Head(ctx, Ref{Key: key})
		if headErr == nil && there.ETag == hex.EncodeToString(body.MD5) {
			return nil
		}
	}
	return err
}

// Upload is an object that is stored in parts. It appears when Complete returns. Several parts may
// be put at once.
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
		u.id, err = b.client.Begin(ctx, key, o)
		return err
	})
	return u, err
}

// Put stores one part; numbers begin at 1. It returns the part's ETag for Complete. The server
// checks what it receives.
func (u *Upload) Put(ctx context.Context, number int, body Body) (etag string, err error) {
	err = u.bucket.do(ctx, "put a part of", u.key, func() (err error) {
		etag, err = u.bucket.client.Part(ctx, u.key, u.id, number, body)
		return err
	})
	return etag, err
}

// Complete makes the object from its parts, given by their ETags in order. Unless the object's ETag
// shows that it is made of them, Complete checks its size.
func (u *Upload) Complete(ctx context.Context, etags []string, size int64) error {
	tries, etag := 0, ""
	err := u.bucket.do(ctx, "complete", u.key, func() (err error) {
		tries++
		etag, err = u.bucket.client.Complete(ctx, u.key, u.id, etags, u.options)
		return err
	})
	if err == nil && etag == etagOf(etags) {
		return nil
	}
	if err != nil && !(tries > 1 && errors.Is(err, fs.ErrNotExist)) { // a lost answer: the upload is no more since it is complete
		return err
	}
	there, headErr := u.bucket.Head(ctx, Ref{Key: u.key})
	if headErr != nil {
		return errors.Join(err, headErr)
	}
	if there.Size != size {
		return errors.Join(err, fmt.Errorf("put %s on %s: the server has %d bytes, %d were sent", u.key, u.bucket.client.Host(), there.Size, size))
	}
	return nil
}

// etagOf returns the ETag of an object that was put in parts with these ETags, which are MD5 sums.
func etagOf(parts []string) string {
	sum := md5.New()
	for _, etag := range parts {
		part, err := hex.DecodeString(etag)
		if err != nil || len(part) != md5.Size {
			return "unknown"
		}
		sum.Write(part)
	}
	return fmt.Sprintf("%x-%d", sum.Sum(nil), len(parts))
}

// Abort deletes the parts.
func (u *Upload) Abort(ctx context.Context) error {
	err := u.bucket.do(ctx, "drop the parts of", u.key, func() error { return u.bucket.client.Abort(ctx, u.key, u.id) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
