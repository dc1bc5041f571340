package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/s3/bucket"
)

// Past is a bucket as of a moment: a store.Store that only reads. What was put or deleted later does
// not count. An object whose version of then was deleted since does not exist.
//
// It lists the versions below a top-level folder when it first needs one of them, with one request
// for each thousand versions, and remembers those of the moment, some 200 bytes for each object. So
// a Get is one request for one version.
type Past struct {
	store  *Store
	moment time.Time

	versioned settled
	mu        sync.Mutex
	folders   map[string]*folder
}

// AsOf returns the bucket as of a moment by the server's clock, inclusive: a version with exactly
// that time counts. Many servers note whole seconds only.
func (s *Store) AsOf(moment time.Time) *Past {
	return &Past{store: s, moment: moment, versioned: newSettled(), folders: map[string]*folder{}}
}

// Location implements store.Store.
func (p *Past) Location() string { return p.store.Location() }

// Sync implements store.Store.
func (p *Past) Sync(ctx context.Context) error { return ctx.Err() }

// Put implements store.Store. It always fails.
func (p *Past) Put(_ context.Context, name string, _ []byte, _ store.Digest) error {
	return p.unchangeable("put", name)
}

// Delete implements store.Store. It always fails.
func (p *Past) Delete(_ context.Context, name string) error { return p.unchangeable("delete", name) }

func (p *Past) unchangeable(act, name string) error {
	return fmt.Errorf("%s %s: the bucket is read as of %s, and the past can't be changed: %w", act, name, p.text(), store.ErrInvalid)
}

func (p *Past) text() string { return p.moment.Format(time.RFC3339) }

// Get implements store.Store.
func (p *Past) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if !store.ValidName(name) {
		return dst, fmt.Errorf("get %q: %w", name, store.ErrInvalid)
	}
	then, err := p.list(ctx, name)
	if err != nil {
		return dst, p.store.failed("list the versions of", name, err)
	}
	i, found := slices.BinarySearchFunc(then, name, byName)
	if !found {
		return dst, p.store.failed("get", name, fmt.Errorf("%w as of %s", store.ErrNotExist, p.text()))
	}
	got, err := p.store.get(ctx, name, then[i].id, offset, length, dst)
	if errors.Is(err, store.ErrDenied) && !errors.Is(err, bucket.ErrKeys) {
		err = fmt.Errorf("%w; permit these keys s3:GetObjectVersion", err)
	}
	return got, err
}

// List implements store.Store.
func (p *Past) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		then, err := p.list(ctx, prefix)
		if err != nil {
			yield(store.Info{}, p.store.failed("list the versions of", strconv.Quote(prefix), err))
			return
		}
		i, _ := slices.BinarySearchFunc(then, max(prefix, after), byName)
		for _, v := range then[i:] {
			if !strings.HasPrefix(v.Name, prefix) {
				return
			}
			if v.Name != after && !yield(v.Info, nil) {
				return
			}
		}
	}
}

// version is an object as of the moment.
type version struct {
	store.Info
	id string
}

func byName(v version, name string) int { return strings.Compare(v.Name, name) }

// list returns, in the order of names, what there was in the folder of a name or prefix.
func (p *Past) list(ctx context.Context, name string) ([]version, error) {
	if err := p.versioned.do(ctx, func() error { return p.proveVersions(ctx) }); err != nil {
		return nil, err
	}
	f := p.folderOf(name)
	err := f.settled.do(ctx, func() error {
		before := f.last
		err := f.read(ctx, p)
		if err != nil && f.last != before {
			return retry.Progress(err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return f.then, nil
}

// proveVersions fails if the bucket has no versions. Whoever may not ask finds out from what is
// there.
func (p *Past) proveVersions(ctx context.Context) error {
	kept, err := p.store.client.Versioning(ctx)
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, bucket.ErrUnsupported):
		return nil
	case err == nil && kept == bucket.NoVersions:
		return fmt.Errorf("%w, so it can't be read as of %s: leave that out to read it as it is, and turn on its versioning, so that from now on older versions can be read",
			bucket.ErrNoVersions, p.text())
	}
	return err
}

// folderOf returns the folder that holds a name or prefix: up to its first slash, or what begins
// with it.
func (p *Past) folderOf(name string) *folder {
	if dir, _, ok := strings.Cut(name, "/"); ok {
		name = dir + "/"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.folders[name]
	if f == nil {
		f = &folder{settled: newSettled(), prefix: name}
		p.folders[name] = f
	}
	return f
}

// folder is what was below a prefix at the moment.
type folder struct {
	settled settled
	prefix  string
	then    []version
	last    string // the key after which a repeated listing continues
}

// read lists the versions after the last complete key. It fails if the server does not list in
// order, as Store.List does.
func (f *folder) read(ctx context.Context, p *Past) error {
	s := p.store
	chooser := bucket.Chooser{Before: p.moment.Add(time.Nanosecond), Yield: func(o bucket.Object) bool {
		name := strings.TrimPrefix(o.Key, s.prefix)
		f.then = append(f.then, version{store.Info{Name: name, Size: o.Size, Modified: o.Made()}, o.Version})
		f.last = o.Key
		return true
	}}
	seen := f.last
	for o, err := range s.client.List(ctx, bucket.Query{Prefix: s.prefix + f.prefix, After: f.last, Versions: true}) {
		if err != nil {
			return err
		}
		name, ours := strings.CutPrefix(o.Key, s.prefix)
		if !ours || !strings.HasPrefix(name, f.prefix) || !store.ValidName(name) || o.Key == f.last {
			continue
		}
		if o.Version == "" {
			return fmt.Errorf("the server lists %q without a version: %w", o.Key, bucket.ErrNoVersions)
		}
		if o.Key < seen {
			return fmt.Errorf("the server lists %q after %q, out of order: %w", o.Key, seen, store.ErrInvalid)
		}
		seen = o.Key
		chooser.Add(o)
	}
	chooser.End()
	return nil
}

// settled is an act that is repeated until it has succeeded once. One caller at a time tries; others
// wait for the outcome, but not longer than their context lasts.
type settled struct {
	turn chan bool // holds whether it has succeeded
}

func newSettled() settled {
	s := settled{make(chan bool, 1)}
	s.turn <- false
	return s
}

func (s settled) do(ctx context.Context, act func() error) (err error) {
	var done bool
	select {
	case done = <-s.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { s.turn <- done || err == nil }()
	if done {
		return ctx.Err()
	}
	return act()
}
