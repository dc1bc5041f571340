package catalog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
)

// Look is the first look at a repository: packstone.json, and what is needed next of any
// repository, requested at the same time. So opening a distant repository takes few round trips. It
// serves one Open and the ReadLog after it.
type Look struct {
	Format []byte // packstone.json

	store   store.Store
	begun   time.Time
	mu      sync.Mutex
	lists   map[string]*listing
	objects map[string]*object
	fetched bool
}

// lookLasts is the age at which a look expires: it does not show what was written later.
const lookLasts = 5 * time.Second

// listing is a List in progress, object a Get.
type (
	listing struct {
		done  chan struct{}
		asked chan struct{} // closed when what the cache lacks of it is asked for
		infos []store.Info
		err   error
	}
	object struct {
		done chan struct{}
		data []byte
		err  error
	}
)

// LookAt reads packstone.json, whose id determines where a repository's keys and caches are, and
// begins to list configs and records. It fails with ErrNoRepository if there is no repository.
func LookAt(ctx context.Context, s store.Store) (*Look, error) {
	return lookAt(ctx, s, "config/", "log/", "roll/")
}

func lookAt(ctx context.Context, s store.Store, prefixes ...string) (*Look, error) {
	inner, cancel := context.WithCancel(ctx)
	l := &Look{store: s, begun: time.Now(), lists: map[string]*listing{}, objects: map[string]*object{}}
	for _, prefix := range prefixes {
		l.lists[prefix] = list(inner, s, prefix)
	}
	var err error
	if l.Format, err = ReadFormat(ctx, s); err != nil {
		cancel()
		return nil, err
	}
	context.AfterFunc(ctx, cancel)
	return l, nil
}

// ReadFormat reads packstone.json. It fails with ErrNoRepository if there is none.
func ReadFormat(ctx context.Context, s store.Store) ([]byte, error) {
	data, err := s.Get(ctx, archive.FormatObject, 0, -1, nil)
	if errors.Is(err, store.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", s.Location(), ErrNoRepository)
	}
	if err != nil {
		return nil, fmt.Errorf("open repository %s: %w", s.Location(), err)
	}
	return data, nil
}

func list(ctx context.Context, s store.Store, prefix string) *listing {
	l := &listing{done: make(chan struct{}), asked: make(chan struct{})}
	go func() {
		defer close(l.done)
		for info, err := range s.List(ctx, prefix, "") {
			if err != nil {
				l.err = err
				return
			}
			l.infos = append(l.infos, info)
		}
	}()
	return l
}

// opening returns the store from which Open and ReadLog read: it serves, once, what the look has
// requested.
func (r *Repository) opening() store.Store {
	if l := r.options.Look; l != nil && time.Since(l.begun) < lookLasts {
		return &lookStore{r.Store, l}
	}
	return r.Store
}

// mostAhead is how many objects of a listing are requested before it is known whether they are
// needed.
const mostAhead = 256

// fetch requests the listed objects that are not cached, as soon as they are listed, and those in
// more.
func (l *Look) fetch(ctx context.Context, cache *Cache, more ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fetched {
		return
	}
	l.fetched = true
	slots := make(chan struct{}, fetches)
	for _, name := range more {
		if !cache.has(objectsFolder + "/" + name) {
			l.objects[name] = l.get(ctx, slots, name)
		}
	}
	for prefix, listed := range l.lists {
		go func() {
			defer close(listed.asked)
			<-listed.done
			left, infos := mostAhead, listed.infos
			if prefix == "roll/" {
				infos = infos[max(0, len(infos)-1):] // the newest says all
			}
			for _, info := range infos {
				if left == 0 || info.Size > maxRecord || cache.has(objectsFolder+"/"+info.Name) {
					continue
				}
				left--
				l.mu.Lock()
				l.objects[info.Name] = l.get(ctx, slots, info.Name)
				l.mu.Unlock()
			}
		}()
	}
}

func (l *Look) get(ctx context.Context, slots chan struct{}, name string) *object {
	o := &object{done: make(chan struct{})}
	go func() {
		defer close(o.done)
		slots <- struct{}{}
		defer func() { <-slots }()
		o.data, o.err = l.store.Get(ctx, name, 0, -1, nil)
	}()
	return o
}

// lookStore serves what a look has requested, and passes the rest on.
type lookStore struct {
	store.Store
	look *Look
}

// List implements store.Store.
func (s *lookStore) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	s.look.mu.Lock()
	l := s.look.lists[prefix]
	delete(s.look.lists, prefix)
	s.look.mu.Unlock()
	if l == nil || after != "" {
		return s.Store.List(ctx, prefix, after)
	}
	return func(yield func(store.Info, error) bool) {
		if err := await(ctx, l.asked); err != nil {
			yield(store.Info{}, err)
			return
		}
		for _, info := range l.infos {
			if !yield(info, nil) {
				return
			}
		}
		if l.err != nil {
			yield(store.Info{}, l.err)
		}
	}
}

// Get implements store.Store.
func (s *lookStore) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	s.look.mu.Lock()
	o := s.look.objects[name]
	delete(s.look.objects, name)
	s.look.mu.Unlock()
	if o == nil || offset != 0 || length >= 0 || dst != nil {
		return s.Store.Get(ctx, name, offset, length, dst)
	}
	if err := await(ctx, o.done); err != nil {
		return nil, err
	}
	if o.err != nil {
		return nil, o.err
	}
	return o.data, nil
}

// await waits until something is done, or ctx ends.
func await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
