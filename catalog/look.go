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
// repository, asked for at the same time so that opening one that is far away takes few round
// trips. It serves one Open and the ReadLog after that.
type Look struct {
	Format []byte // packstone.json

	store   store.Store
	begun   time.Time
	mu      sync.Mutex
	lists   map[string]*listing
	objects map[string]*object
	fetched bool
}

// lookLasts is how old a look may be that still serves: what comes after it is not seen.
const lookLasts = 5 * time.Second

// listing is a List on its way, object a Get.
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

// LookAt reads packstone.json, from which the id tells where keys and caches of a repository are,
// and begins to list configs and records. ErrNoRepository if there is none.
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

// ReadFormat reads packstone.json. ErrNoRepository if there is none.
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

// opening is what Open and ReadLog read of: what was asked for already comes from there, once.
func (r *Repository) opening() store.Store {
	if l := r.options.Look; l != nil && time.Since(l.begun) < lookLasts {
		return &lookStore{r.Store, l}
	}
	return r.Store
}

// mostAhead bounds how many objects of a listing are asked for before anybody knows whether they
// are needed.
const mostAhead = 256

// fetch asks for the objects that were listed and that the cache lacks, as soon as they are, and
// for more of which the names are known.
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

// lookStore serves from a look what is there of it.
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
		<-l.asked
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
	<-o.done
	if o.err != nil {
		return nil, o.err
	}
	return o.data, nil
}
