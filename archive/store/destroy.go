package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// Outcome says what became of an attempt to destroy.
type Outcome int

// The outcomes.
const (
	Refused Outcome = iota // the storage forbids it, or it changed nothing
	Covered                // it worked, but the storage keeps what was there before, which these credentials can't delete
	Done                   // it worked, and what was there before is gone or can be deleted
)

// Attempt is what was tried, such as "overwrite objects", and what became of it.
type Attempt struct {
	Act     string
	Outcome Outcome
	Why     string
}

// Destroy tries all that a thief of the credentials would try: it overwrites and deletes an object
// under probe/, deletes its first version, shortens its lock, and puts objects beside those that
// only others may write. It deletes what it has put, as far as it may. Names are such that no
// program takes the objects for records.
func Destroy(ctx context.Context, s Store) ([]Attempt, error) {
	found, err := ProveAppendOnly(ctx, s)
	if err != nil {
		return nil, err
	}
	attempts := []Attempt{
		{Act: "overwrite objects", Outcome: outcomeOf(found.Overwritten)},
		{Act: "delete objects", Outcome: outcomeOf(found.Deleted)},
	}
	if d, ok := s.(versioned); ok {
		more, err := destroyVersions(ctx, d, attempts)
		if err != nil {
			return nil, err
		}
		attempts = append(attempts, more...)
		names, err := writeOthers(ctx, d)
		if err != nil {
			return nil, err
		}
		attempts = append(attempts, names...)
	}
	return attempts, nil
}

func outcomeOf(done bool) Outcome {
	if done {
		return Done
	}
	return Refused
}

// versioned is a store whose storage may keep versions and locks.
type versioned interface {
	Store
	Locker
	Destroyer
}

// destroyVersions tries to shorten a lock and to delete a version. If that is refused in a bucket
// that keeps versions, it makes what has worked before Covered.
func destroyVersions(ctx context.Context, s versioned, before []Attempt) ([]Attempt, error) {
	rules, err := s.Protection(ctx)
	if err != nil && !errors.Is(err, ErrDenied) {
		return nil, err
	}
	name, body := "probe/"+rand.Text()+"/version", []byte("packstone proves that this version stays")
	if err := s.Put(ctx, name, body, sha256.Sum256(body)); err != nil {
		return nil, fmt.Errorf("put an object to try on: %w", err)
	}
	shorten := Attempt{Act: "shorten locks"}
	sooner := Lock{Mode: Governance, Until: time.Now().Add(s.Ahead() + time.Minute).UTC().Truncate(time.Second)}
	switch answer := s.Shorten(ctx, name, "", sooner); {
	case answer == nil:
		shorten.Outcome = Done
	case errors.Is(answer, ErrInvalid):
		shorten.Why = "there are none"
	case !isRefusal(answer):
		return nil, fmt.Errorf("try to shorten a lock: %w", answer)
	}
	remove, err := removeVersion(ctx, s, name)
	if err != nil {
		return nil, err
	}
	for i := range before {
		if before[i].Outcome == Done && remove.Outcome == Refused && rules.Versions {
			before[i].Outcome, before[i].Why = Covered, "the bucket keeps the version before"
		}
	}
	_ = s.Delete(ctx, name) // what may not be deleted stays
	return []Attempt{remove, shorten}, nil
}

// noVersion is the id of no version. A server looks at rights first.
const noVersion = "packstone-probe"

// removeVersion tries to delete the first version of an object for good. If it may not list
// versions it believes the answer.
func removeVersion(ctx context.Context, s versioned, name string) (Attempt, error) {
	a, id := Attempt{Act: "delete versions"}, ""
	for v, err := range s.Versions(ctx, name, "") {
		if err != nil && !isRefusal(err) {
			return a, fmt.Errorf("list versions: %w", err)
		}
		if err == nil && v.Name == name {
			id = v.ID
		}
	}
	listed := id != ""
	if !listed {
		id = noVersion
	}
	answer := s.DeleteVersion(ctx, name, id)
	switch {
	case errors.Is(answer, ErrDenied):
		return a, nil
	case answer != nil && !isRefusal(answer) && !errors.Is(answer, ErrNotExist):
		return a, fmt.Errorf("try to delete a version: %w", answer)
	case listed && answer != nil:
		return a, nil
	}
	a.Outcome = Done
	return a, nil
}

// others are places where a host has nothing to write: records of other hosts, and what the owner
// and collectors sign.
var others = []struct{ act, prefix, suffix string }{
	{"write records of other hosts", "log/probe-", ".0/probe"},
	{"write sessions of other hosts", "sessions/probe-", ".0.probe"},
	{"write configurations", "config/probe-", ""},
	{"write decisions of collectors", "gc/probe-", "/probe"},
	{"write roll-ups", "roll/probe-", ""},
	{"write domains", "domains/probe-", ""},
}

func writeOthers(ctx context.Context, s Store) (attempts []Attempt, err error) {
	body := []byte("packstone proves that nobody may write here")
	for _, other := range others {
		name := other.prefix + rand.Text() + other.suffix
		answer := s.Put(ctx, name, body, sha256.Sum256(body))
		if answer != nil && !isRefusal(answer) {
			return nil, fmt.Errorf("try to %s: %w", other.act, answer)
		}
		if answer == nil {
			_ = s.Delete(ctx, name)
		}
		attempts = append(attempts, Attempt{Act: other.act, Outcome: outcomeOf(answer == nil)})
	}
	return attempts, nil
}
