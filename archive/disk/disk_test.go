package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestALockIsHeldUntilItsFileIsClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	first, second := open(), open()
	defer second.Close()
	if free, err := TryLock(first); !free || err != nil {
		t.Fatalf("nobody holds the lock, and it is %v, %v", free, err)
	}
	if free, err := TryLock(second); free || err != nil {
		t.Errorf("the lock is held, and it is %v, %v", free, err)
	}
	first.Close()
	if free, err := TryLock(second); !free || err != nil {
		t.Errorf("the lock was let go, and it is %v, %v", free, err)
	}
}

func TestAFileIsReplacedWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, test := range []struct {
		text string
		fail error
		want string
	}{{"old", nil, "old"}, {"half", io.ErrShortWrite, "old"}, {"new", nil, "new"}} {
		for _, sync := range []bool{false, true} {
			err := Replace(path, Options{Prefix: ".tmp-", Sync: sync}, func(w io.Writer) error {
				_, err := io.WriteString(w, test.text)
				return errors.Join(err, test.fail)
			})
			if !errors.Is(err, test.fail) {
				t.Errorf("%s: %v, want %v", test.text, err, test.fail)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != test.want {
				t.Errorf("after %s: %q, %v, want %q", test.text, got, err, test.want)
			}
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v, want the file alone", left, err)
	}
	if err := Replace(filepath.Join(dir, "missing", "file"), Options{}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a directory that is not there: %v", err)
	}
}

func TestAFileIsCreatedUnlessThereIsOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := MakeDirectory(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "file")
	for i, want := range []error{nil, fs.ErrExist} {
		err := Create(path, Options{Prefix: ".tmp-", Sync: true}, func(w io.Writer) error {
			_, err := fmt.Fprint(w, i)
			return err
		})
		if !errors.Is(err, want) {
			t.Errorf("attempt %d: %v, want %v", i, err, want)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "0" {
		t.Errorf("it has %q, %v, want the first content", got, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v, want the file alone", left, err)
	}
	if err := MakeDirectory(path); err == nil {
		t.Error("a directory was made where a file is")
	}
}

func TestOnlyWhatKilledProcessesHaveLeftIsRemoved(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		age    time.Duration
		locked bool
		gone   bool
	}{
		"left a day ago":              {25 * time.Hour, false, true},
		"written now":                 {0, false, false},
		"of tomorrow":                 {-25 * time.Hour, false, false},
		"written before a clock jump": {25 * time.Hour, true, false},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, Temporary+"x")
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if test.locked {
			defer hold(file)()
		}
		file.Close()
		if err := os.Chtimes(path, now, now.Add(-test.age)); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if gone := RemoveLeft(root, Temporary+"x", now); gone != test.gone || exists(path) == gone {
			t.Errorf("%s: removed %v, want %v", name, gone, test.gone)
		}
	}
}

func TestWhatIsBeingWrittenIsNotRemovedThoughItLooksOld(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	later := time.Now().Add(1000 * time.Hour)
	err = Replace(filepath.Join(dir, "whole"), Options{Prefix: Temporary}, func(io.Writer) error {
		for _, e := range mustReadDir(t, dir) {
			if RemoveLeft(root, e.Name(), later) {
				t.Errorf("%s was removed while it was written", e.Name())
			}
		}
		return nil
	})
	if err != nil || !exists(filepath.Join(dir, "whole")) {
		t.Error(err)
	}
	if err := WriteNew(root, Temporary+"y", "other", []byte("y")); err != nil {
		t.Error(err)
	}
	if all := mustReadDir(t, dir); len(all) != 2 {
		t.Errorf("there is %v, want two whole files", all)
	}
	if err := WriteNew(root, Temporary+"y", "missing/z", nil); !errors.Is(err, fs.ErrNotExist) || len(mustReadDir(t, dir)) != 2 {
		t.Errorf("where it cannot be: %v, and there is %v", err, mustReadDir(t, dir))
	}
}

func mustReadDir(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestErrorsOfServersAreTold(t *testing.T) {
	for _, test := range []struct {
		err           error
		away, passing bool
	}{
		{nil, false, false},
		{io.EOF, false, false},
		{fmt.Errorf("x: %w", &fs.PathError{Err: unix.ENOTCONN}), true, false},
		{unix.EHOSTUNREACH, true, false},
		{&fs.PathError{Err: unix.ESTALE}, false, true},
		{unix.ETIMEDOUT, false, true},
		{unix.EIO, false, false},
	} {
		if Away(test.err) != test.away || Passing(test.err) != test.passing {
			t.Errorf("%v: away %v, passing %v", test.err, Away(test.err), Passing(test.err))
		}
	}
}

func TestADirectoryInWhichOthersRenameIsNotGuarded(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		mode fs.FileMode
		dir  string
		look func(string) (fs.FileInfo, error)
		want error
	}{
		{"a new one", 0o700, filepath.Join(t.TempDir(), "a", "b"), os.Lstat, nil},
		{"of a group", 0o770, t.TempDir(), os.Stat, ErrShared},
		{"of all, where each renames its own", 0o777 | fs.ModeSticky, t.TempDir(), os.Stat, nil},
		{"a link, followed", 0o700, link, os.Stat, nil},
		{"a link", 0o700, link, os.Lstat, ErrShared},
	} {
		if _, err := os.Stat(test.dir); err == nil {
			if err := os.Chmod(test.dir, test.mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := MakeGuarded(test.dir, "tests", 0o700, test.look); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	if err := MakeGuarded("/dev/null/a", "tests", 0o700, os.Stat); err == nil || errors.Is(err, ErrShared) {
		t.Errorf("one that cannot be made: %v", err)
	}
}
