package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/pipeline/source"
)

// faults fails the first calls of some kinds. It is safe for concurrent use.
type faults struct {
	mu    sync.Mutex
	left  map[string]int // by "op path"
	with  error
	calls map[string]int
}

func (f *faults) inject(op, path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	key := op + " " + path
	f.calls[key]++
	if f.left[key] > 0 {
		f.left[key]--
		return &fs.PathError{Op: op, Path: path, Err: f.with}
	}
	return nil
}

// hurry makes tests wait less.
func hurry(t *testing.T) {
	before := pauses
	pauses = make([]time.Duration, len(before))
	t.Cleanup(func() { pauses = before })
}

func TestWhatPassesIsTriedAgainWithANewLookUp(t *testing.T) {
	hurry(t)
	for _, with := range []error{unix.ESTALE, unix.EIO, unix.ETIMEDOUT} {
		root := t.TempDir()
		put(t, root, "d/f", "g")
		f := &faults{with: with, left: map[string]int{"list d": 2, "stat g": 3, "open d/f": 3, "read d/f": 2, "detail g": 1}}
		s := open(t, Options{Roots: []string{root}})
		s.inject = f.inject
		got := new(collector)
		must(t, s.Walk(context.Background(), got))
		if len(got.problems) > 0 || len(got.entries) != 4 {
			t.Errorf("%v: got %q and problems %v, want four entries and none", with, got.paths(), got.problems)
		}
		must(t, s.Detail(context.Background(), got.find(t, "g")))
		if text, err := readAll(s, got.find(t, "d/f")); err != nil || text != "content of d/f" {
			t.Errorf("%v: read %q, %v", with, text, err)
		}
		for key, n := range f.left {
			if n > 0 {
				t.Errorf("%v: %d faults of %q did not happen", with, n, key)
			}
		}
	}
}

func TestWhatDoesNotPassIsListedAndTheRestIsThere(t *testing.T) {
	hurry(t)
	root := t.TempDir()
	put(t, root, "bad/x", "f", "unstat", "unread")
	f := &faults{with: unix.EIO, left: map[string]int{"list bad": 99, "stat unstat": 99, "read unread": 99}}
	s := open(t, Options{Roots: []string{root}})
	s.inject = f.inject
	got := new(collector)
	must(t, s.Walk(context.Background(), got))
	for _, path := range []string{"bad", "unstat"} {
		if err := got.problems[path]; !errors.Is(err, unix.EIO) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want EIO and its name", path, err)
		}
	}
	if _, err := readAll(s, got.find(t, "unread")); !errors.Is(err, unix.EIO) || errors.Is(err, source.ErrUnreachable) {
		t.Errorf("unread: got %v, want EIO alone", err)
	}
	if text, err := readAll(s, got.find(t, "f")); err != nil || text != "content of f" {
		t.Errorf("f: read %q, %v", text, err)
	}
	if n := f.calls["stat unstat"]; n != len(pauses)+2 {
		t.Errorf("unstat was tried %d times, want %d", n, len(pauses)+2)
	}
}

func TestAfterManyFailuresInARowLittleIsTried(t *testing.T) {
	hurry(t)
	root := t.TempDir()
	put(t, root, "f")
	s, got := walked(t, Options{Roots: []string{root}})
	f := &faults{with: unix.EIO, left: map[string]int{"open f": 1 << 20}}
	s.inject = f.inject
	e := got.find(t, "f")
	for range patience + 10 {
		if _, err := s.Open(context.Background(), e); !errors.Is(err, unix.EIO) {
			t.Fatalf("got %v, want EIO", err)
		}
	}
	if got, want := f.calls["open f"], patience*(len(pauses)+1)+10*2; got != want {
		t.Errorf("tried %d times, want %d", got, want)
	}
	f.left["open f"] = 1
	if _, err := readAll(s, e); err != nil {
		t.Errorf("one failure: %v", err)
	}
	if s.vain.Load() != 0 {
		t.Error("a success does not bring patience back")
	}
}

func TestAFileThatWasReplacedUnderAFailedReadIsNeverMixed(t *testing.T) {
	hurry(t)
	root := t.TempDir()
	content := strings.Repeat("old ", 1<<19)
	must(t, os.WriteFile(root+"/f", []byte(content), 0o644))
	s, got := walked(t, Options{Roots: []string{root}})
	e := got.find(t, "f")
	f, err := s.Open(context.Background(), e)
	must(t, err)
	defer f.Close()
	if _, err := io.ReadFull(f, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(root+"/new", []byte(strings.ReplaceAll(content, "old", "new")), 0o644))
	must(t, os.Rename(root+"/new", root+"/f"))
	s.inject = (&faults{with: unix.ESTALE, left: map[string]int{"read f": 1}}).inject
	if rest, err := io.ReadAll(f); !errors.Is(err, source.ErrChanged) || len(rest) > 0 {
		t.Errorf("got %d bytes more and %v, want none and that it changed", len(rest), err)
	}
	if text, err := readAll(s, e); err != nil || text[:4] != "new " {
		t.Errorf("the next try: %.4q, %v, want the new file", text, err)
	}
}

// What this process can't open concerns no entry, but all of them: it is waited for, and then the
// source fails.
func TestWhoMayOpenNoMoreFilesHasNoSource(t *testing.T) {
	hurry(t)
	for _, with := range []error{unix.EMFILE, unix.ENFILE} {
		for _, op := range []string{"list d", "stat g", "open d/f"} {
			root := t.TempDir()
			put(t, root, "d/f", "g")
			for times, fails := range map[int]bool{2: false, 99: true} {
				s := open(t, Options{Roots: []string{root}})
				s.inject = (&faults{with: with, left: map[string]int{op: times}}).inject
				got := new(collector)
				err := s.Walk(context.Background(), got)
				if err == nil {
					_, err = readAll(s, got.find(t, "d/f"))
				}
				if errors.Is(err, source.ErrFailed) != fails || len(got.problems) > 0 {
					t.Errorf("%v %d times in %q: got %v and problems %v", with, times, op, err, got.problems)
				}
			}
		}
	}
}
