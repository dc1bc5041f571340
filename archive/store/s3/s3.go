// Package s3 keeps a repository's objects in a bucket of S3, or of a compatible server.
//
// An object is one PUT with If-None-Match: *, never a multipart upload. The digest that the caller
// passes is both the payload hash of the signature and the checksum that the server keeps. The
// package repeats nothing: package retry does that for all stores alike.
package s3

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/s3/bucket"
)

// Store is a store.Store in a bucket.
type Store struct {
	client *bucket.Client
	prefix string // of the keys; it ends in a slash unless it is empty
	class  func(name string) store.Class
}

// Open returns the store at an address. It makes no request to the bucket; see bucket.Open.
func Open(ctx context.Context, a bucket.Address, o bucket.Options) (*Store, error) {
	client, err := bucket.Open(ctx, a, o)
	if err != nil {
		return nil, err
	}
	return &Store{client: client, prefix: client.Address().Prefix}, nil
}

// PutAs makes Put store each object in the class that class returns for its name. It must be called
// before the store is used.
func (s *Store) PutAs(class func(name string) store.Class) { s.class = class }

// Location implements store.Store.
func (s *Store) Location() string { return s.client.String() }

// Sync implements store.Store; S3 is durable when it answers.
func (s *Store) Sync(ctx context.Context) error { return ctx.Err() }

func (s *Store) failed(act, name string, err error) error {
	return fmt.Errorf("%s %s on %s: %w", act, name, s.client.Host(), err)
}

// octets is the header that all objects are stored with.
var octets = map[string]string{"content-type": "application/octet-stream"}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	if !store.ValidName(name) || len(data) > store.MaxObject {
		return fmt.Errorf("put %q of %d bytes: %w", name, len(data), store.ErrInvalid)
	}
	body, o := bucket.Body{Data: data, SHA: digest}, bucket.PutOptions{Header: octets, Absent: true}
	if s.class != nil {
		o.Class = s.class(name)
	}
	err := s.client.Put(ctx, s.prefix+name, body, o)
	if err != nil {
		return s.failed("put", name, refused(ctx, s, name, err))
	}
	return nil
}

// refused turns the error of an unanswered Put into store.ErrExist if the object exists. Servers
// that answer 412 before they have read the body close the connection, and the reset destroys the
// answer on its way. refused asks with a listing, which every writer may do.
func refused(ctx context.Context, s store.Store, name string, err error) error {
	var failed *bucket.Error
	if !errors.As(err, &failed) || !failed.Silent() {
		return err
	}
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "dial" {
		return err // there is no server to ask
	}
	for info, failed := range s.List(ctx, name, "") {
		if failed == nil && info.Name == name {
			return store.ErrExist
		}
		break // name itself is the first that begins with it
	}
	return err
}

// Overwrite implements store.Overwriter.
func (s *Store) Overwrite(ctx context.Context, name string, data []byte) error {
	if !store.ValidName(name) {
		return fmt.Errorf("overwrite %q: %w", name, store.ErrInvalid)
	}
	body, o := bucket.Body{Data: data, SHA: sha256.Sum256(data)}, bucket.PutOptions{Header: octets}
	if s.class != nil {
		o.Class = s.class(name)
	}
	if err := s.client.Put(ctx, s.prefix+name, body, o); err != nil {
		return s.failed("overwrite", name, err)
	}
	return nil
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if !store.ValidName(name) {
		return dst, fmt.Errorf("get %q: %w", name, store.ErrInvalid)
	}
	return s.get(ctx, name, "", offset, length, dst)
}

// get is Get for a version, the current one if version is empty.
func (s *Store) get(ctx context.Context, name, version string, offset, length int64, dst []byte) ([]byte, error) {
	o, body, err := s.client.Get(ctx, bucket.Ref{Key: s.prefix + name, Version: version}, offset, length)
	if errors.Is(err, bucket.ErrRange) {
		return dst, nil // past the end, or the object is empty
	}
	if err != nil {
		return dst, s.failed("get", name, err)
	}
	defer body.Close()
	got, err := read(dst, body, o, offset, length)
	if err != nil {
		return dst, s.failed("get", name, err)
	}
	return got, nil
}

// read appends to dst what a Get at offset and length wants from the answer to a request for that
// range.
func read(dst []byte, body io.Reader, o bucket.Object, offset, length int64) ([]byte, error) {
	skip, n, err := wanted(o, offset, length)
	if err != nil {
		return dst, err
	}
	if _, err := io.CopyN(io.Discard, body, skip); err != nil {
		return dst, cutOff(err)
	}
	grown := slices.Grow(dst, int(n))[:len(dst)+int(n)]
	if _, err := io.ReadFull(body, grown[len(dst):]); err != nil {
		return dst, cutOff(err)
	}
	return grown, nil
}

// wanted returns which part of the answer's body the Get wants: n bytes after the first skip.
func wanted(o bucket.Object, offset, length int64) (skip, n int64, err error) {
	switch {
	case o.Size < 0:
		return 0, 0, fmt.Errorf("the answer has no length: %w", store.ErrInvalid)
	case o.Range == "": // the whole object, though a part may have been asked for
		skip, n = store.Clip(offset, length, o.Size)
	case offset >= 0 && !strings.HasPrefix(o.Range, fmt.Sprintf("bytes %d-", offset)):
		return 0, 0, fmt.Errorf("asked for bytes from %d, the server sent %q: %w", offset, o.Range, store.ErrInvalid)
	default: // the part from offset on; or the whole, if it has less than was asked for from its end
		skip, n = store.Clip(0, length, o.Size)
	}
	if n > store.MaxObject || skip > store.MaxObject {
		return 0, 0, fmt.Errorf("%d bytes are no object: %w", o.Size, store.ErrInvalid)
	}
	return skip, n, nil
}

// cutOff returns the error of a body that ended early: the connection broke, so the request may be
// repeated.
func cutOff(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: %w", store.ErrUnreachable, io.ErrUnexpectedEOF)
	}
	return err
}

// List implements store.Store, with one request for each thousand objects.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if err := s.list(ctx, prefix, after, yield); err != nil {
			yield(store.Info{}, s.failed("list", strconv.Quote(prefix), err))
		}
	}
}

// list fails if the server does not list in order: a collector could not trust that an object which
// it did not see does not exist.
func (s *Store) list(ctx context.Context, prefix, after string, yield func(store.Info, error) bool) error {
	query := bucket.Query{Prefix: s.prefix + prefix}
	if after != "" {
		query.After = s.prefix + after
	}
	last := after
	for o, err := range s.client.List(ctx, query) {
		if err != nil {
			return err
		}
		name, ours := strings.CutPrefix(o.Key, s.prefix)
		if !ours || !store.ValidName(name) {
			continue
		}
		if name <= last {
			return fmt.Errorf("the server lists %q after %q, out of order: %w", name, last, store.ErrInvalid)
		}
		last = name
		if !yield(store.Info{Name: name, Size: o.Size, Modified: o.Modified}, nil) {
			return nil
		}
	}
	return nil
}

// Delete implements store.Store. In a versioned bucket it leaves a delete marker.
func (s *Store) Delete(ctx context.Context, name string) error {
	if !store.ValidName(name) {
		return fmt.Errorf("delete %q: %w", name, store.ErrInvalid)
	}
	if err := s.client.Remove(ctx, s.prefix+name); err != nil {
		return s.failed("delete", name, err)
	}
	return nil
}
