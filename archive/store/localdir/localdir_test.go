package localdir

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
)

func create(t testing.TB) *Store {
	t.Helper()
	s, err := Create(filepath.Join(t.TempDir(), "new", "repository"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(s *Store, name, body string) error {
	return s.Put(context.Background(), name, []byte(body), sha256.Sum256([]byte(body)))
}

func mustPut(t *testing.T, s *Store, name, body string) {
	t.Helper()
	if err := put(s, name, body); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, s *Store, name, want string) {
	t.Helper()
	got, err := s.Get(context.Background(), name, 0, -1, nil)
	if err != nil || string(got) != want {
		t.Errorf("get %s: %q, %v, want %q", name, got, err, want)
	}
}

// temps lists what is left in tmp.
func temps(t *testing.T, s *Store) []fs.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.root, tempDir))
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestStoreHoldsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return create(t) })
}

func TestStoreWithoutLinksHoldsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		s := create(t)
		s.link = func(string, string) error { return syscall.EPERM }
		return s
	})
}

// A pipe takes bytes and cannot be flushed, so that it shows whether that was asked for.
func TestAFileIsFlushedBeforeItGetsItsName(t *testing.T) {
	s := create(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if err := s.fill(t.Context(), w, []byte("some bytes")); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("got %v, want that the flush fails", err)
	}
}

func TestNothingIsLeftInTmp(t *testing.T) {
	s := create(t)
	mustPut(t, s, "packs/ab/c", "x")
	if err := put(s, "packs/ab/c", "y"); !errors.Is(err, store.ErrExist) {
		t.Errorf("second put: %v, want ErrExist", err)
	}
	if err := s.Put(context.Background(), "d", make([]byte, store.CheckedSize), store.Digest{}); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("put with a wrong digest: %v, want ErrCorrupt", err)
	}
	if left := temps(t, s); len(left) > 0 {
		t.Errorf("left in tmp: %v", left)
	}
}

func TestLostAnswerOfALinkIsSuccess(t *testing.T) {
	for _, answer := range []error{fs.ErrExist, syscall.EIO, syscall.EPERM} {
		s := create(t)
		s.link = func(from, to string) error {
			if err := os.Link(from, to); err != nil {
				return err
			}
			return answer
		}
		if err := put(s, "a/b", "x"); err != nil {
			t.Errorf("put whose link was made but answered %v: %v", answer, err)
		}
		expect(t, s, "a/b", "x")
	}
}

func TestFileSystemWithoutExclusiveCreationIsRefused(t *testing.T) {
	s := create(t)
	s.link = func(string, string) error { return syscall.ENOTSUP }
	s.rename = func(string, string) error { return syscall.EINVAL }
	if err := put(s, "a", "x"); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("put: %v, want ErrInvalid", err)
	}
	if err := s.proveExclusive(); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("proof: %v, want ErrInvalid", err)
	}
}

func TestFileSystemThatReplacesIsRefused(t *testing.T) {
	s := create(t)
	s.link = os.Rename // succeeds even where the name is taken
	if err := s.proveExclusive(); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("proof: %v, want ErrInvalid", err)
	}
}

func TestCleanRemovesWhatIsOlderThanADay(t *testing.T) {
	s := create(t)
	for name, age := range map[string]time.Duration{"old": 25 * time.Hour, "young": time.Hour} {
		file := filepath.Join(s.root, tempDir, name)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(file, when, when); err != nil {
			t.Fatal(err)
		}
	}
	mustPut(t, s, "a", "x") // the first Put cleans
	if left := temps(t, s); len(left) != 1 || left[0].Name() != "young" {
		t.Errorf("left in tmp: %v, want young alone", left)
	}
}

func TestSyncFlushesChangedDirectoriesAndNewParents(t *testing.T) {
	s := create(t)
	mustPut(t, s, "packs/ab/c", "x")
	for _, dir := range []string{"packs/ab", "packs", "."} {
		if now := unflushed(s); !now[dir] {
			t.Errorf("%q is not to be flushed: %v", dir, now)
		}
	}
	for range 2 {
		if err := s.Sync(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	mustPut(t, s, "packs/ab/d", "x")
	if now := unflushed(s); len(now) != 1 || !now["packs/ab"] {
		t.Errorf("to be flushed: %v, want packs/ab alone", now)
	}
	if err := os.RemoveAll(s.path("packs")); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "packs/ab/e", "x")
	if now := unflushed(s); len(now) != 3 {
		t.Errorf("to be flushed: %v, want the new parents too", now)
	}
}

// unflushed are the directories that the next Sync will flush.
func unflushed(s *Store) map[string]bool {
	now := s.dirty.Take()
	s.dirty.GiveBack(now)
	return now
}

func TestFailedSyncStaysFailed(t *testing.T) {
	s := create(t)
	mustPut(t, s, "packs/ab/c", "x")
	s.dirty.Mark("packs/ab/c/d") // not a directory, so flushing it fails
	for range 2 {
		if err := s.Sync(context.Background()); err == nil {
			t.Error("sync after a failure reports success")
		}
	}
}

func TestMissingRootIsNotAnEmptyStore(t *testing.T) {
	s := create(t)
	mustPut(t, s, "packs/ab/c", "x")
	if err := os.RemoveAll(s.root); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"", "packs/", "packs/ab/c"} {
		var last error
		for _, err := range s.List(context.Background(), prefix, "") {
			last = err
		}
		if !errors.Is(last, store.ErrNotExist) {
			t.Errorf("list %q: %v, want ErrNotExist", prefix, last)
		}
	}
	if err := put(s, "packs/ab/c", "x"); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("put: %v, want ErrNotExist", err)
	}
	if _, err := Open(s.root); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("open: %v, want ErrNotExist", err)
	}
}

func TestPermissionsFollowTheRoot(t *testing.T) {
	for _, c := range []struct{ root, dir, file fs.FileMode }{
		{0o700, 0o700, 0o600},
		{0o770 | fs.ModeSetgid, 0o770 | fs.ModeSetgid, 0o660},
	} {
		root := t.TempDir()
		if err := os.Chmod(root, c.root); err != nil {
			t.Fatal(err)
		}
		s, err := Create(root)
		if err != nil {
			t.Fatal(err)
		}
		mustPut(t, s, "packs/ab/c", "x")
		for name, want := range map[string]fs.FileMode{"packs": c.dir, "packs/ab": c.dir, "packs/ab/c": c.file} {
			info, err := os.Stat(s.path(name))
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode() &^ fs.ModeDir; got != want {
				t.Errorf("root %v: mode of %s = %v, want %v", c.root, name, got, want)
			}
		}
	}
}

func TestListFollowsLinksAndSkipsStrangers(t *testing.T) {
	s := create(t)
	mustPut(t, s, "packs/ab/c", "x")
	elsewhere := t.TempDir()
	if err := os.Rename(s.path("packs/ab"), filepath.Join(elsewhere, "ab")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(elsewhere, "ab"), s.path("packs/ab")); err != nil {
		t.Fatal(err)
	}
	for _, stranger := range []string{"lost+found", "packs/a b", "tmp/x"} {
		if err := os.WriteFile(s.path(stranger), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for info, err := range s.List(context.Background(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Name)
	}
	if len(got) != 1 || got[0] != "packs/ab/c" {
		t.Errorf("list: %v, want [packs/ab/c]", got)
	}
	expect(t, s, "packs/ab/c", "x")
}

func TestErrorsAreTranslated(t *testing.T) {
	for from, want := range map[error]error{
		&os.PathError{Err: syscall.ENOSPC}:  store.ErrFull,
		&os.PathError{Err: syscall.EDQUOT}:  store.ErrFull,
		&os.PathError{Err: syscall.EACCES}:  store.ErrDenied,
		&os.LinkError{Err: syscall.EPERM}:   store.ErrDenied,
		&os.PathError{Err: syscall.EROFS}:   store.ErrDenied,
		&os.PathError{Err: syscall.ENOENT}:  store.ErrNotExist,
		&os.PathError{Err: syscall.ENOTDIR}: store.ErrNotExist,
		&os.PathError{Err: syscall.ESTALE}:  store.ErrUnreachable,
	} {
		if got := translate(from); !errors.Is(got, want) || !errors.Is(got, from) {
			t.Errorf("translate(%v) = %v, want %v around it", from, got, want)
		}
	}
}

func TestCreateRefusesAFileInTheWay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(file); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("create over a file: %v, want ErrInvalid", err)
	}
}

func BenchmarkPut(b *testing.B)      { storetest.BenchmarkPut(b, create(b), 32<<20) }
func BenchmarkGet(b *testing.B)      { storetest.BenchmarkGet(b, create(b), 32<<20) }
func BenchmarkPutSmall(b *testing.B) { storetest.BenchmarkPut(b, create(b), 4<<10) }

// A full disk is told as one, and not as a file system that overwrites.
func TestAFullDiskIsNoFileSystemThatOverwrites(t *testing.T) {
	s := create(t)
	s.link = func(from, to string) error { return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.ENOSPC} }
	if err := translate(s.proveExclusive()); !errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrInvalid) {
		t.Errorf("got %v, want that the disk is full", err)
	}
}
