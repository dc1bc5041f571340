package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/check"
)

// Storage tests whether the storage keeps its contract, and reports whether objects may be put.
// Credentials that may only read, or not delete, are not a failure.
func (x *Examination) Storage(ctx context.Context, storage *config.Storage) (mayPut bool) {
	for i, check := range store.Probe(ctx, storage) {
		name := "storage: " + check.Name
		switch {
		case i == 0 && errors.Is(check.Err, store.ErrDenied):
			x.Note(name, "these credentials may not write: checks that write were skipped", nil, check.Took)
			return false
		case check.Name == "delete" && errors.Is(check.Err, store.ErrDenied):
			x.Note(name, "these credentials may not delete, which is good for a host that only backs up", nil, check.Took)
		default:
			x.Note(name, "", check.Err, check.Took)
		}
	}
	return true
}

// Promises reports what the storage cannot promise.
func (x *Examination) Promises(ctx context.Context, storage *config.Storage) {
	s, ok := storage.Adapter.(interface {
		Promises(ctx context.Context) (doubts []string, err error)
	})
	if !ok {
		return
	}
	x.Examine("storage: promises", func() (string, error) {
		doubts, err := s.Promises(ctx)
		if err != nil {
			return "", err
		}
		detail := "the server flushes files and directories; that its disks keep what they have flushed, and that a network mount behind it " +
			"shows a new object to other hosts at once, can't be proved from here"
		if len(doubts) > 0 {
			return "", Advise("%s", strings.Join(doubts, "; "))
		}
		return detail, nil
	})
}

// enoughTime is how long a replaced version should be kept: an attack may remain unnoticed.
const enoughTime = 30 * 24 * time.Hour

// Protection reports how a bucket protects objects: what it keeps of those that are overwritten and
// deleted, for how long, and whether it locks them.
func (x *Examination) Protection(ctx context.Context, storage *config.Storage) {
	locker := storage.Locker()
	if locker == nil {
		return
	}
	found, err := locker.Protection(ctx)
	x.protection = found
	x.Examine("storage: versions", func() (string, error) { return describeVersions(found, err) })
	if err == nil {
		x.Examine("storage: locks", func() (string, error) { return describeLocks(found) })
	}
}

func describeVersions(p store.Protection, err error) (string, error) {
	const kept = "the bucket keeps versions, which --versions-at reads"
	switch {
	case errors.Is(err, store.ErrDenied), errors.Is(err, store.ErrInvalid):
		return "these credentials can't find out whether the bucket keeps versions", nil
	case err != nil:
		return "", err
	case p.Suspended:
		return "", Advise("the bucket's versioning is suspended: what somebody with its credentials overwrites or deletes now is lost; turn it on")
	case !p.Versions:
		return "", Advise("the bucket keeps no versions: what somebody with its credentials overwrites or deletes is lost; turn on its versioning")
	case !p.Rules:
		return kept + "; whether a lifecycle rule deletes them, the server does not tell these credentials", nil
	case p.Old == 0:
		return kept + "; no lifecycle rule deletes them, so what prune deletes is stored, and paid for, for ever", nil
	}
	detail := fmt.Sprintf("%s; a lifecycle rule deletes them %s after they were replaced or deleted, or when their locks end", kept, days(p.Old))
	if p.Old < enoughTime {
		return detail, Advise("an attack that is noticed later than that leaves nothing: keep them for %s", days(enoughTime))
	}
	return detail, nil
}

func describeLocks(p store.Protection) (string, error) {
	switch {
	case !p.Locks:
		return "the bucket has no Object Lock: whoever may delete there can destroy the backups; see docs/immutability.md", nil
	case p.Default == 0:
		return "the bucket can lock objects", Advise("the bucket has no default retention: new objects are not locked until packstone keep runs")
	}
	return fmt.Sprintf("new objects are locked for %s (%s)", days(p.Default), strings.ToLower(string(p.Mode))), nil
}

func days(d time.Duration) string { return output.Plural(int(d/(24*time.Hour)), "day") }

// Space reports the free space of storage that knows it.
func (x *Examination) Space(ctx context.Context, storage *config.Storage) {
	s, ok := storage.Adapter.(interface {
		Space(ctx context.Context) (free, total uint64, err error)
	})
	if !ok {
		return
	}
	x.Examine("free space", func() (string, error) {
		free, total, err := s.Space(ctx)
		if errors.Is(err, store.ErrInvalid) {
			err = errors.ErrUnsupported
		}
		return describe(free, total, err)
	})
}

// AppendOnly tries to overwrite, to delete, to shorten locks and to write in others' names. Success
// is ErrUnsafe, unless the storage keeps what was there before.
func (x *Examination) AppendOnly(ctx context.Context, storage *config.Storage) {
	begun := time.Now()
	attempts, err := store.Destroy(ctx, storage.Adapter)
	if err != nil {
		x.Note("append-only", "", err, time.Since(begun))
		return
	}
	var can, covered []string
	for _, a := range attempts {
		switch a.Outcome {
		case store.Done:
			can = append(can, a.Act)
		case store.Covered:
			covered = append(covered, a.Act)
		}
	}
	if len(attempts) > 2 {
		for _, a := range attempts {
			x.attempt(a)
		}
	}
	x.Note("append-only", "", verdict(can, covered), time.Since(begun))
	if len(can)+len(covered) == 0 {
		x.Checks[len(x.Checks)-1].Detail = "the storage forbids to overwrite and to delete with these credentials"
	}
}

// attempt adds a row for what was tried. The verdict alone counts as a failure.
func (x *Examination) attempt(a store.Attempt) {
	c := Check{Name: "append-only: " + a.Act, Status: statusOK, Detail: "refused"}
	switch {
	case a.Outcome == store.Done:
		c.Status, c.Detail = statusFailed, "these credentials can"
	case a.Outcome == store.Covered:
		c.Status, c.Detail = statusOK, "possible, but "+a.Why
	case a.Why != "":
		c.Detail = a.Why
	}
	x.Checks = append(x.Checks, c)
}

// verdict returns what attempts have shown.
func verdict(can, covered []string) error {
	if len(can) > 1 && can[0] == "overwrite objects" && can[1] == "delete objects" {
		can = append([]string{"overwrite and delete objects"}, can[2:]...)
	}
	switch {
	case len(can) > 0:
		return unsafeError{fmt.Sprintf("these credentials can %s; unless the bucket keeps locked versions, whoever has them can destroy the backups",
			strings.Join(can, ", "))}
	case len(covered) > 0:
		return Advise("these credentials can %s, but the bucket keeps the versions before, which they can't delete; packstone check tells of it", strings.Join(covered, " and "))
	}
	return nil
}

// largestSkew is how far this machine's clock may differ from the storage's. S3 refuses requests
// that are a quarter of an hour off.
const largestSkew = time.Minute

// Clock compares this machine's clock with the storage's.
func (x *Examination) Clock(ctx context.Context, s store.Store) {
	x.Examine("clock", func() (string, error) { return compareClocks(ctx, s) })
}

func compareClocks(ctx context.Context, s store.Store) (string, error) {
	ahead, err := check.Clock(ctx, s, time.Now)
	if err != nil {
		return "", err
	}
	detail := fmt.Sprintf("%v from the storage's", ahead)
	if ahead.Abs() > largestSkew {
		return detail, Advise("times of snapshots will be wrong by as much; let NTP set the clock")
	}
	return detail, nil
}
