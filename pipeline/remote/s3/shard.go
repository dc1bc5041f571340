package s3

import (
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// pageKeys is how many keys one request lists.
	pageKeys = 1000
	// firstKeys is how many keys are listed before it is worth looking for places to split at.
	firstKeys = 2 * pageKeys
	// aheadPages is how many pages each part of a listing may be ahead of its reader.
	aheadPages = 8
	// discoveries is how many requests may look for places to split at, each time.
	discoveries = 8
	// enoughPoints is how many places to split at are enough.
	enoughPoints = 32
	// widePart and narrowPart are the numbers of keys from which a part counts as too large, or too
	// small.
	widePart, narrowPart = 16 * pageKeys, 2 * pageKeys
)

// split lists all keys below a prefix, in the server's order, in several concurrent parts. It
// divides where the bucket has prefixes.
type split struct {
	bucket *Bucket
	prefix string
	before time.Time
	width  atomic.Int64 // points that a part spans; grows and shrinks with what parts turn out to hold
}

// part is one of them.
type part struct {
	listing
	points int
	pages  chan []Object
	err    error // once pages is closed
}

func (b *Bucket) split(prefix string, before time.Time) *split {
	return &split{bucket: b, prefix: prefix, before: before}
}

func (s *split) listing(after string) listing {
	return listing{bucket: s.bucket, prefix: s.prefix, after: after, before: s.before}
}

// all iterates over the keys. It lists a small bucket with one request after the other.
func (s *split) all(ctx context.Context) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		n, last := 0, ""
		for o, err := range s.listing("").all(ctx) {
			if !yield(o, err) || err != nil {
				return
			}
			last = o.Key
			if n++; n == firstKeys {
				break
			}
		}
		if n == firstKeys {
			s.rest(ctx, last, yield)
		}
	}
}

// rest lists what comes after a key.
func (s *split) rest(ctx context.Context, after string, yield func(Object, error) bool) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	parts := make(chan *part, s.bucket.options.Parallel-1)
	running.Go(func() { s.start(ctx, after, parts, &running) })
	for p := range parts {
		for page := range p.pages {
			for _, o := range page {
				if !yield(o, nil) {
					return
				}
			}
		}
		if p.err != nil {
			yield(Object{}, p.err)
			return
		}
	}
	if ctx.Err() != nil {
		yield(Object{}, context.Cause(ctx))
	}
}

// start starts one part after the other, as many as may be open at once.
func (s *split) start(ctx context.Context, after string, parts chan<- *part, running *sync.WaitGroup) {
	defer close(parts)
	for p := range s.parts(ctx, after) {
		p.pages = make(chan []Object, aheadPages)
		select {
		case parts <- p:
		case <-ctx.Done():
			return
		}
		if p.err != nil {
			close(p.pages)
			return
		}
		running.Go(func() { s.run(ctx, p) })
	}
}

// run lists one part.
func (s *split) run(ctx context.Context, p *part) {
	defer close(p.pages)
	total := 0
	page := make([]Object, 0, pageKeys)
	send := func() bool {
		select {
		case p.pages <- page:
			page = make([]Object, 0, pageKeys)
			return true
		case <-ctx.Done():
			p.err = context.Cause(ctx)
			return false
		}
	}
	for o, err := range p.all(ctx) {
		if err != nil {
			p.err = err
			return
		}
		page = append(page, o)
		total++
		if len(page) == pageKeys && !send() {
			return
		}
	}
	if len(page) > 0 {
		send()
	}
	s.learn(p, total)
}

// learn adapts the width of later parts to how many keys a part had.
func (s *split) learn(p *part, total int) {
	switch {
	case p.points == 0:
	case total > widePart:
		s.width.Store(int64(max(1, p.points/2)))
	case total < narrowPart:
		s.width.Store(int64(2 * p.points))
	}
}

// parts iterates over the parts after a key, in order. The last one has no end.
func (s *split) parts(ctx context.Context, after string) iter.Seq[*part] {
	return func(yield func(*part) bool) {
		for {
			points, more, err := s.points(ctx, after)
			if err != nil {
				yield(&part{err: err})
				return
			}
			s.width.CompareAndSwap(0, int64(max(1, len(points)/(2*s.bucket.options.Parallel))))
			for len(points) > 0 {
				n := min(int(s.width.Load()), len(points))
				l := s.listing(after)
				l.last = points[n-1]
				if !yield(&part{listing: l, points: n}) {
					return
				}
				after, points = points[n-1], points[n:]
			}
			if !more {
				yield(&part{listing: s.listing(after)})
				return
			}
		}
	}
}

// points returns keys after after at which to split. more reports that there are further ones.
func (s *split) points(ctx context.Context, after string) (points []string, more bool, err error) {
	level := s.above(after)
	for budget := discoveries; len(level) > 0 && budget > 0 && len(points) < enoughPoints; {
		var next []string
		for _, prefix := range level[:min(budget, len(level))] {
			found, cut, err := s.below(ctx, prefix, after)
			if err != nil {
				return nil, false, err
			}
			points = append(points, found...)
			if cut { // what comes behind is looked at when it is reached
				end, _ := slices.BinarySearch(sorted(points), found[len(found)-1]+"\x00")
				return points[:end], true, nil
			}
			next = append(next, found...)
		}
		budget -= len(level)
		level = next
	}
	return sorted(points), false, nil
}

func sorted(keys []string) []string {
	slices.Sort(keys)
	return slices.Compact(keys)
}

// above returns the prefixes that lead to a key, the longest first.
func (s *split) above(key string) []string {
	var all []string
	for i := len(key) - 1; i > len(s.prefix); i-- {
		if key[i-1] == '/' {
			all = append(all, key[:i])
		}
	}
	return append(all, s.prefix)
}

// below returns the prefixes directly below one, from one page of a listing. cut reports that there
// may be more.
func (s *split) below(ctx context.Context, prefix, after string) (found []string, cut bool, err error) {
	l := listing{bucket: s.bucket, prefix: prefix, delimited: true, before: s.before}
	if after > prefix {
		l.after = after
	}
	n := 0
	for o, err := range l.all(ctx) {
		if err != nil {
			return nil, false, err
		}
		if o.Prefix && o.Key > after {
			found = append(found, o.Key)
		}
		if n++; n == pageKeys {
			return found, len(found) > pageKeys/4, nil // few prefixes among many objects are not worth further requests
		}
	}
	return found, false, nil
}
