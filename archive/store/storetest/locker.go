package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// Lockable is a store whose storage keeps versions and locks.
type Lockable interface {
	store.Store
	store.Locker
	store.Overwriter
	store.Destroyer
}

// RunLocker tests that the stores returned by open, whose storage has the default mode Compliance
// or none, keep the contract of store.Locker. open must return an empty store each time.
func RunLocker(t *testing.T, open func(t *testing.T) Lockable) {
	parts := []struct {
		name string
		run  func(*testing.T, Lockable)
	}{
		{"Protection", protection},
		{"VersionsAreTheNewestFirst", versionsInOrder},
		{"VersionsPagesAndAfter", versionsPages},
		{"LockedVersionsStay", lockedStays},
		{"LocksGrowAndNeverShrink", locksGrow},
		{"OldVersionsCanBeLocked", oldVersionLocked},
		{"UnlockedVersionsGo", unlockedGoes},
		{"MissingVersions", missingVersions},
	}
	for _, part := range parts {
		t.Run(part.name, func(t *testing.T) { part.run(t, open(t)) })
	}
}

func protection(t *testing.T, s Lockable) {
	p, err := s.Protection(t.Context())
	if err != nil || !p.Versions || !p.Locks {
		t.Errorf("protection = %+v, %v, want versions and locks", p, err)
	}
}

func versions(t *testing.T, s store.Locker, prefix, after string) (all []store.Version) {
	t.Helper()
	for v, err := range s.Versions(t.Context(), prefix, after) {
		if err != nil {
			t.Fatalf("versions of %q: %v", prefix, err)
		}
		all = append(all, v)
	}
	return all
}

// twice puts an object and writes over it, and returns its first version.
func twice(t *testing.T, s Lockable, name string) store.Version {
	t.Helper()
	mustPut(t, s, name, []byte("first"))
	if err := s.Overwrite(t.Context(), name, []byte("second one")); err != nil {
		t.Fatal(err)
	}
	return versions(t, s, name, "")[1]
}

func versionsInOrder(t *testing.T, s Lockable) {
	mustPut(t, s, "b/2", []byte("other"))
	first := twice(t, s, "a/1")
	if err := s.Delete(t.Context(), "a/1"); err != nil {
		t.Fatal(err)
	}
	all := versions(t, s, "", "")
	if len(all) != 4 {
		t.Fatalf("versions = %+v, want 4", all)
	}
	mark, second, one := all[0], all[1], all[2]
	if mark.Name != "a/1" || !mark.Deleted || !mark.Latest || second.Size != 10 || second.Latest || one.Size != 5 || one.ID != first.ID || one.Deleted {
		t.Errorf("versions of a/1 = %+v, want a mark, the second and the first", all[:3])
	}
	if one.Tag == second.Tag || one.ID == second.ID || one.ID == "" || one.Modified.IsZero() {
		t.Errorf("versions with other content are %+v and %+v", one, second)
	}
	if last := all[3]; last.Name != "b/2" || !last.Latest {
		t.Errorf("b/2 = %+v", last)
	}
}

func versionsPages(t *testing.T, s Lockable) {
	const n = 1100
	parallel(t, 8, n, func(i int) error {
		return put(context.Background(), s, fmt.Sprintf("many/%04d", i), []byte{1})
	})
	all := versions(t, s, "many/", "")
	if len(all) != n || !slices.IsSortedFunc(all, func(a, b store.Version) int { return cmpNames(a, b) }) {
		t.Errorf("%d versions, want %d in order", len(all), n)
	}
	if rest := versions(t, s, "many/", "many/1089"); len(rest) != 10 || rest[0].Name != "many/1090" {
		t.Errorf("%d versions after many/1089, want 10", len(rest))
	}
}

func cmpNames(a, b store.Version) int {
	switch {
	case a.Name < b.Name:
		return -1
	case a.Name > b.Name:
		return 1
	}
	return 0
}

// soon is an end of a lock, in the whole seconds that servers keep.
func soon(d time.Duration) store.Lock {
	return store.Lock{Mode: store.Compliance, Until: time.Now().Add(d).Truncate(time.Second).UTC()}
}

func mustExtend(t *testing.T, s store.Locker, v store.Version, to store.Lock) {
	t.Helper()
	if err := s.Extend(t.Context(), v.Name, v.ID, to); err != nil {
		t.Fatal(err)
	}
	if got, err := s.LockOf(t.Context(), v.Name, v.ID); err != nil || got.Mode != to.Mode || !got.Until.Equal(to.Until) {
		t.Errorf("lock = %+v, %v, want %+v", got, err, to)
	}
}

func refused(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrLocked) || !errors.Is(err, store.ErrDenied) {
		t.Errorf("%s: %v, want ErrLocked", what, err)
	}
}

func lockedStays(t *testing.T, s Lockable) {
	mustPut(t, s, "a", []byte("kept"))
	v := versions(t, s, "a", "")[0]
	mustExtend(t, s, v, soon(time.Minute))
	refused(t, "delete the version", s.DeleteVersion(t.Context(), "a", v.ID))
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Errorf("delete: %v, want a mark", err)
	}
	if all := versions(t, s, "a", ""); len(all) != 2 || !all[0].Deleted || all[1].ID != v.ID {
		t.Errorf("versions = %+v, want a mark above the locked one", all)
	}
}

func locksGrow(t *testing.T, s Lockable) {
	mustPut(t, s, "a", []byte("kept"))
	v := versions(t, s, "a", "")[0]
	mustExtend(t, s, v, soon(10*time.Minute))
	later := soon(20 * time.Minute)
	mustExtend(t, s, v, later)
	mustExtend(t, s, v, later)
	for what, err := range map[string]error{
		"extend to an earlier end": s.Extend(t.Context(), "a", v.ID, soon(5*time.Minute)),
		"shorten":                  s.Shorten(t.Context(), "a", v.ID, soon(5*time.Minute)),
	} {
		if !errors.Is(err, store.ErrDenied) {
			t.Errorf("%s: %v, want ErrDenied", what, err)
		}
	}
	if got, err := s.LockOf(t.Context(), "a", v.ID); err != nil || !got.Until.Equal(later.Until) {
		t.Errorf("lock = %+v, %v, want %+v", got, err, later)
	}
}

func oldVersionLocked(t *testing.T, s Lockable) {
	old := twice(t, s, "a")
	mustExtend(t, s, old, soon(10*time.Minute))
	refused(t, "delete the old version", s.DeleteVersion(t.Context(), "a", old.ID))
	if got, err := s.LockOf(t.Context(), "a", versions(t, s, "a", "")[0].ID); err != nil || got.Until.Equal(soon(10*time.Minute).Until) {
		t.Errorf("the newest is locked too: %+v, %v", got, err)
	}
}

func unlockedGoes(t *testing.T, s Lockable) {
	old := twice(t, s, "a")
	if err := s.DeleteVersion(t.Context(), "a", old.ID); err != nil {
		t.Fatal(err)
	}
	if all := versions(t, s, "a", ""); len(all) != 1 || all[0].ID == old.ID {
		t.Errorf("versions = %+v, want one", all)
	}
}

func missingVersions(t *testing.T, s Lockable) {
	if _, err := s.LockOf(t.Context(), "none", ""); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("lock of a missing object: %v, want ErrNotExist", err)
	}
	if err := s.Extend(t.Context(), "none", "", soon(5*time.Minute)); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("extend the lock of a missing object: %v, want ErrNotExist", err)
	}
	if all := versions(t, s, "none", ""); len(all) != 0 {
		t.Errorf("versions = %+v, want none", all)
	}
	if _, err := s.LockOf(t.Context(), "a/../b", ""); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("lock of a bad name: %v, want ErrInvalid", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Extend(ended, "none", "", soon(5*time.Minute)); !errors.Is(err, context.Canceled) {
		t.Errorf("extend with an ended context: %v, want it cancelled", err)
	}
}
