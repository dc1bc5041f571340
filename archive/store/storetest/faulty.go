package storetest

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// Op is a method of store.Store, store.Locker or store.Overwriter that Faulty can break.
type Op int

// The methods of store.Store that do something.
const (
	Put Op = iota
	Get
	List
	Delete
	Sync
	Versions // of store.Locker, as those below
	LockOf
	Extend
	Overwrite // of store.Overwriter
)

// String returns the method's name.
func (op Op) String() string {
	return [...]string{"Put", "Get", "List", "Delete", "Sync", "Versions", "LockOf", "Extend", "Overwrite"}[op]
}

// Call is one call that Faulty has seen.
type Call struct {
	Op   Op
	Name string // of a List the prefix, of a Sync empty
}

// String prints the call as "Put packs/ab/c".
func (c Call) String() string { return fmt.Sprintf("%s %s", c.Op, c.Name) }

// A Fault decides about one call: nil lets it pass, an error is what the caller gets.
type Fault func(op Op, name string) error

// Faulty passes calls on to a store, records them in the order in which they began, and breaks them
// as told. The fields must not change while calls are in flight.
type Faulty struct {
	store.Store
	// Before is called before a call. If it returns an error, the caller gets that, and the call
	// never reaches the store: the request was lost.
	Before Fault
	// After is called after a call that succeeded. If it returns an error, the caller gets that
	// although the store has done its work: the answer was lost. A Get then returns no bytes; a
	// List returns the error at its end.
	After Fault
	// Corrupt may change the bytes that a Get returns, in place.
	Corrupt func(name string, offset int64, data []byte)
	// Latency is the time to wait before every call.
	Latency time.Duration

	mu    sync.Mutex
	calls []Call
}

// Nth returns a fault that fails the n-th call (from 1) that it is asked about with err, and no
// other.
func Nth(n int, err error) Fault { return count(func(call int) bool { return call == n }, err) }

// From returns a fault that fails the n-th call (from 1) and all that follow: the process died
// there, or the network.
func From(n int, err error) Fault { return count(func(call int) bool { return call >= n }, err) }

// Until returns a fault that fails the first n calls: a store that comes back.
func Until(n int, err error) Fault { return count(func(call int) bool { return call <= n }, err) }

func count(fails func(call int) bool, err error) Fault {
	var mu sync.Mutex
	calls := 0
	return func(Op, string) error {
		mu.Lock()
		defer mu.Unlock()
		if calls++; fails(calls) {
			return err
		}
		return nil
	}
}

// On restricts a fault to some methods; only their calls count for it.
func On(fault Fault, ops ...Op) Fault {
	return func(op Op, name string) error {
		for _, wanted := range ops {
			if op == wanted {
				return fault(op, name)
			}
		}
		return nil
	}
}

// FlipBit returns a function for Corrupt that flips the lowest bit in the middle of what each Get
// of name returns; an empty name means any.
func FlipBit(name string) func(string, int64, []byte) {
	return func(got string, _ int64, data []byte) {
		if len(data) > 0 && (name == "" || name == got) {
			data[len(data)/2] ^= 1
		}
	}
}

// Calls returns the calls so far.
func (f *Faulty) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Call(nil), f.calls...)
}

// Count returns the number of calls of op so far.
func (f *Faulty) Count(op Op) int {
	n := 0
	for _, call := range f.Calls() {
		if call.Op == op {
			n++
		}
	}
	return n
}

// Reset forgets the calls so far. The counts inside Nth, From and Until go on.
func (f *Faulty) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = nil
}

// before records the call, waits, and returns an error if the call is lost.
func (f *Faulty) before(ctx context.Context, op Op, name string) error {
	f.mu.Lock()
	f.calls = append(f.calls, Call{Op: op, Name: name})
	f.mu.Unlock()
	if err := wait(ctx, f.Latency); err != nil {
		return err
	}
	return f.ask(f.Before, op, name)
}

func (f *Faulty) ask(fault Fault, op Op, name string) error {
	if fault == nil {
		return nil
	}
	if err := fault(op, name); err != nil {
		return fmt.Errorf("%s %s: %w", op, name, err)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Put implements store.Store.
func (f *Faulty) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	if err := f.before(ctx, Put, name); err != nil {
		return err
	}
	if err := f.Store.Put(ctx, name, data, digest); err != nil {
		return err
	}
	return f.ask(f.After, Put, name)
}

// Overwrite implements store.Overwriter, if the store does.
func (f *Faulty) Overwrite(ctx context.Context, name string, data []byte) error {
	if err := f.before(ctx, Overwrite, name); err != nil {
		return err
	}
	if err := store.Overwrite(ctx, f.Store, name, data); err != nil {
		return err
	}
	return f.ask(f.After, Overwrite, name)
}

// Get implements store.Store.
func (f *Faulty) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if err := f.before(ctx, Get, name); err != nil {
		return dst, err
	}
	got, err := f.Store.Get(ctx, name, offset, length, dst)
	if err != nil {
		return dst, err
	}
	if err := f.ask(f.After, Get, name); err != nil {
		return dst, err
	}
	if f.Corrupt != nil {
		f.Corrupt(name, offset, got[len(dst):])
	}
	return got, nil
}

// List implements store.Store.
func (f *Faulty) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if err := f.before(ctx, List, prefix); err != nil {
			yield(store.Info{}, err)
			return
		}
		for info, err := range f.Store.List(ctx, prefix, after) {
			if !yield(info, err) || err != nil {
				return
			}
		}
		if err := f.ask(f.After, List, prefix); err != nil {
			yield(store.Info{}, err)
		}
	}
}

// Delete implements store.Store.
func (f *Faulty) Delete(ctx context.Context, name string) error {
	if err := f.before(ctx, Delete, name); err != nil {
		return err
	}
	if err := f.Store.Delete(ctx, name); err != nil {
		return err
	}
	return f.ask(f.After, Delete, name)
}

// Sync implements store.Store.
func (f *Faulty) Sync(ctx context.Context) error {
	if err := f.before(ctx, Sync, ""); err != nil {
		return err
	}
	if err := f.Store.Sync(ctx); err != nil {
		return err
	}
	return f.ask(f.After, Sync, "")
}
