package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Check is the outcome of one part of Probe.
type Check struct {
	Name string // such as "put if absent"
	Err  error  // nil if the store keeps this part of the contract
	Took time.Duration
}

// errBroken says that a store answers, but not as the contract demands.
var errBroken = errors.New("the store does not keep its contract")

const probeWriters = 16

// Probe tests on a live store whether it keeps the contract, with a few dozen objects under
// probe/<random>/, which it deletes at the end. It runs every check, even if earlier ones failed.
// Credentials that may not delete fail the check "delete" with ErrDenied, and the objects stay. A
// store that repeats calls may find the object of its own earlier try; Probe recognizes it by its
// bytes.
func Probe(ctx context.Context, s Store) []Check {
	p := &probe{ctx: ctx, store: s, prefix: "probe/" + rand.Text() + "/"}
	steps := [][]probePart{
		{{"put", p.put}},
		{
			{"read after write", p.readAfterWrite},
			{"list after write", p.listAfterWrite},
			{"put if absent", p.putIfAbsent},
			{"one winner of racing writers", p.race},
			{"wrong digest is refused", p.wrongDigest},
			{"range reads", p.ranges},
			{"missing object", p.missing},
		},
		{{"sync", func() error { return s.Sync(ctx) }}},
		{{"delete", p.clean}},
	}
	var checks []Check
	for _, step := range steps {
		checks = append(checks, atOnce(step)...)
	}
	return checks
}

// probePart is the test behind one Check.
type probePart struct {
	name string
	run  func() error
}

// atOnce runs independent parts concurrently, since the store may be far away.
func atOnce(parts []probePart) []Check {
	checks := make([]Check, len(parts))
	var all sync.WaitGroup
	for i, part := range parts {
		all.Go(func() {
			begun := time.Now()
			err := part.run()
			checks[i] = Check{Name: part.name, Err: err, Took: time.Since(begun)}
		})
	}
	all.Wait()
	return checks
}

type probe struct {
	ctx    context.Context
	store  Store
	prefix string
}

var probeBody = []byte("packstone probes what this store promises")

// putBody stores an object. An existing object with the same bytes counts as stored by it, since
// the answer to an earlier try may have been lost.
func (p *probe) putBody(name string, body []byte) error {
	err := p.store.Put(p.ctx, p.prefix+name, body, sha256.Sum256(body))
	if errors.Is(err, ErrExist) && p.expect(name, 0, -1, body) == nil {
		return nil
	}
	return err
}

// expect reads a part of an object and compares it with want.
func (p *probe) expect(name string, offset, length int64, want []byte) error {
	got, err := p.store.Get(p.ctx, p.prefix+name, offset, length, nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("bytes from %d, %d of them, are %q instead of %q: %w", offset, length, got, want, errBroken)
	}
	return nil
}

func (p *probe) put() error { return p.putBody("a/1", probeBody) }

func (p *probe) readAfterWrite() error { return p.expect("a/1", 0, -1, probeBody) }

func (p *probe) listAfterWrite() error {
	var g errgroup.Group
	for _, name := range []string{"a-1", "a/2"} { // in the order of names, "a-1" comes before "a/1"
		g.Go(func() error {
			if err := p.putBody(name, nil); err != nil {
				return err
			}
			names, err := p.names("a")
			if err != nil {
				return err
			}
			if !slices.Contains(names, p.prefix+name) || !slices.IsSorted(names) {
				return fmt.Errorf("after a put of %s the listing is %v: %w", p.prefix+name, names, errBroken)
			}
			return nil
		})
	}
	return g.Wait()
}

func (p *probe) names(prefix string) ([]string, error) {
	var names []string
	for info, err := range p.store.List(p.ctx, p.prefix+prefix, "") {
		if err != nil {
			return nil, err
		}
		names = append(names, info.Name)
	}
	return names, nil
}

func (p *probe) putIfAbsent() error {
	if err := p.putBody("once", probeBody); err != nil {
		return err
	}
	if err := p.putBody("once", []byte("another body")); !errors.Is(err, ErrExist) {
		return broken("a second put of one name", err)
	}
	return p.expect("once", 0, -1, probeBody)
}

// race has several writers put different bodies under one name. Exactly one must win, and its body
// must be the content.
func (p *probe) race() error {
	var errs [probeWriters]error
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = p.putBody("race", fmt.Appendf(nil, "writer %d", i)) })
	}
	wg.Wait()
	winners := 0
	for i, err := range errs {
		switch {
		case err == nil:
			winners++
			if err := p.expect("race", 0, -1, fmt.Appendf(nil, "writer %d", i)); err != nil {
				return err
			}
		case errors.Is(err, ErrExist), errors.Is(err, ErrConflict): // lost
		default:
			return err
		}
	}
	if winners != 1 {
		return fmt.Errorf("of %d writers %d were told that they had won: %w", probeWriters, winners, errBroken)
	}
	return nil
}

func (p *probe) wrongDigest() error {
	err := p.store.Put(p.ctx, p.prefix+"wrong", probeBody, sha256.Sum256(nil))
	if !errors.Is(err, ErrCorrupt) {
		return broken("a put with a wrong digest", err)
	}
	return nil
}

func (p *probe) ranges() error {
	size := int64(len(probeBody))
	var g errgroup.Group
	for _, r := range []struct {
		offset, length int64
		want           []byte
	}{
		{0, 9, probeBody[:9]},
		{10, 6, probeBody[10:16]},
		{10, -1, probeBody[10:]},
		{10, 1000, probeBody[10:]},
		{-8, -1, probeBody[size-8:]},
		{size, 10, nil},
	} {
		g.Go(func() error { return p.expect("a/1", r.offset, r.length, r.want) })
	}
	return g.Wait()
}

func (p *probe) missing() error {
	_, err := p.store.Get(p.ctx, p.prefix+"never", 0, -1, nil)
	if !errors.Is(err, ErrNotExist) {
		return broken("a get of an object that was never put", err)
	}
	return nil
}

// broken says that a call returned what the contract does not let it return, unless that says nothing
// of the contract.
func broken(call string, err error) error {
	if errors.Is(err, ErrFull) || errors.Is(err, ErrUnreachable) {
		return err
	}
	return fmt.Errorf("%s returned %v: %w", call, err, errBroken)
}

// clean deletes the probe's objects, and checks that they are gone.
func (p *probe) clean() error {
	names, err := p.names("")
	if err != nil {
		return err
	}
	var g errgroup.Group
	for _, name := range names {
		g.Go(func() error { return p.store.Delete(p.ctx, name) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	left, err := p.names("")
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("%v are listed after they were deleted: %w", left, errBroken)
	}
	return nil
}
