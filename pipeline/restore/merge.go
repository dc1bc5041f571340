package restore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/target"
)

// A restore is one ordered merge of what the snapshot has and what the target has. Both come in the
// order of paths, so nothing is held but the directories that lead to where the merge is.

// pair is one path of the merge: what the snapshot has there, or what the target has, or both.
type pair struct {
	node  *tree.Node // valid until the next pair; nil: the snapshot has nothing there
	there *found     // nil: the target has nothing there
}

func (p pair) path() string {
	if p.node != nil {
		return p.node.Path
	}
	return p.there.Path
}

// found is what the target has at a path.
type found struct {
	*entry.Entry
	mounted  bool
	unlisted error // what is there, or in it, is not known
	own      error // it must be neither changed nor removed
}

func (f *found) isDirectory() bool { return f != nil && f.Type == entry.Directory }

// note keeps a remark of the walk.
func (f *found) note(what error) {
	switch {
	case errors.Is(what, target.ErrMount):
		f.mounted = true
	case errors.Is(what, target.ErrOwn):
		f.own = what
	default:
		f.unlisted = what
	}
}

// lookout makes a stream of a walk. An entry is handed on when the next one is visited: until then
// it may be remarked on.
type lookout struct {
	put  func(*found) error
	last *found
}

// Visit implements target.Visitor.
func (l *lookout) Visit(e *entry.Entry) error {
	if err := l.end(); err != nil {
		return err
	}
	l.last = &found{Entry: e}
	return nil
}

// Remark implements target.Visitor.
func (l *lookout) Remark(path string, what error) {
	if l.last == nil {
		l.last = &found{Entry: &entry.Entry{Path: path, Type: entry.Directory}}
	}
	l.last.note(what)
}

// end hands on the last entry.
func (l *lookout) end() error {
	if l.last == nil {
		return nil
	}
	return l.put(l.last)
}

// walkTarget is what a target has, in order.
func walkTarget(ctx context.Context, t target.Target, in target.Scope) *stream[*found] {
	return newStream(ctx, func(ctx context.Context, put func(*found) error) error {
		l := &lookout{put: put}
		if err := t.Walk(ctx, in, l); err != nil {
			return fmt.Errorf("look at the target: %w", err)
		}
		return l.end()
	})
}

// merge iterates over the paths of a tree and a target, in order.
func merge(nodes iter.Seq2[*tree.Node, error], there *stream[*found]) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		for node, err := range nodes {
			if err != nil {
				yield(pair{}, fmt.Errorf("read the snapshot's tree: %w", err))
				return
			}
			for p := (pair{}); p.node == nil; {
				p.there, err = upTo(there, node.Path)
				if p.there == nil || p.there.Path == node.Path {
					p.node = node
				}
				if !yield(p, err) || err != nil {
					return
				}
			}
		}
		for {
			f, more, err := there.head()
			if !more && err == nil {
				return
			}
			there.pass()
			if !yield(pair{there: f}, err) || err != nil {
				return
			}
		}
	}
}

// upTo is what the target has next, nil if that lies behind path.
func upTo(there *stream[*found], path string) (*found, error) {
	f, more, err := there.head()
	if err != nil || !more || entry.ComparePaths(f.Path, path) > 0 {
		return nil, err
	}
	there.pass()
	return f, nil
}

// stream hands out what a producer puts, which runs in a goroutine of its own and is not far ahead.
type stream[T any] struct {
	cancel  context.CancelFunc
	batches chan []T
	batch   []T
	at      int
	err     error // of the producer; good once batches is closed
}

const (
	streamBatch   = 256
	streamBatches = 8
)

func newStream[T any](ctx context.Context, produce func(ctx context.Context, put func(T) error) error) *stream[T] {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream[T]{cancel: cancel, batches: make(chan []T, streamBatches)}
	go func() {
		defer close(s.batches)
		var batch []T
		send := func() error {
			select {
			case s.batches <- batch:
				batch = nil
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		s.err = produce(ctx, func(one T) error {
			if batch = append(batch, one); len(batch) < streamBatch {
				return nil
			}
			return send()
		})
		if s.err == nil {
			s.err = send()
		}
	}()
	return s
}

// head is what comes next; more is false at the end.
func (s *stream[T]) head() (one T, more bool, err error) {
	for s.at == len(s.batch) {
		batch, ok := <-s.batches
		if !ok {
			return one, false, s.err
		}
		s.batch, s.at = batch, 0
	}
	return s.batch[s.at], true, nil
}

// pass goes on to what comes after the head.
func (s *stream[T]) pass() { s.at++ }

// close ends the producer and waits for it.
func (s *stream[T]) close() {
	s.cancel()
	for range s.batches {
	}
}

// scope is which paths a restore is about.
type scope struct {
	below string
	roots map[string]bool // the paths that were backed up
	leads map[string]bool // the directories above them
}

// newScope makes a scope of what lies at or below one path, of what was backed up. No roots: all.
func newScope(below string, roots []string) scope {
	s := scope{below: below, roots: map[string]bool{}, leads: map[string]bool{}}
	if len(roots) == 0 {
		roots = []string{""}
	}
	for _, root := range roots {
		s.roots[root] = true
		for at := root; at != ""; at = dirOf(at) {
			s.leads[dirOf(at)] = true
		}
	}
	return s
}

// means tells whether a path is at, above or below what is to come back.
func (s scope) means(path string) bool {
	if !entry.Within(path, s.below) && !entry.Within(s.below, path) {
		return false
	}
	return s.leads[path] || s.root(path) != nil
}

// leadsTo tells whether a directory merely leads to what is to come back.
func (s scope) leadsTo(path string) bool {
	return path != s.below && entry.Within(s.below, path) || s.root(path) == nil
}

// inside tells whether a path lies in a directory that was backed up and is to come back: nothing
// else is ever removed.
func (s scope) inside(path string) bool {
	if path == s.below || !entry.Within(path, s.below) {
		return false
	}
	root := s.root(path)
	return root != nil && *root != path
}

// root is the uppermost path that was backed up which path is, or lies below; nil if there is none.
func (s scope) root(path string) *string {
	if s.roots[""] {
		return new(string)
	}
	for end := 0; end < len(path); {
		next := strings.IndexByte(path[end+1:], '/')
		if next < 0 {
			end = len(path)
		} else {
			end += 1 + next
		}
		if at := path[:end]; s.roots[at] {
			return &at
		}
	}
	return nil
}
