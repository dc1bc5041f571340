package room

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// made is a room that is done, with a file in it.
func made(t *testing.T, parent string) *Room {
	t.Helper()
	note := Note{By: "anna", Snapshot: "abc", Began: time.Now()}
	r, err := New(parent, note)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.Content(), "file"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	note.Ended = time.Now()
	if err := r.Finish(note); err != nil {
		t.Fatal(err)
	}
	return r
}

func names(t *testing.T, parent string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestARoomIsListedAndRemoved(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "scratch")
	r := made(t, parent)
	closed := filepath.Join(r.Content(), "closed", "in")
	if err := os.MkdirAll(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(closed, 0), os.Chmod(filepath.Dir(closed), 0o500)); err != nil {
		t.Fatal(err)
	}
	rooms, err := List(parent)
	if err != nil || len(rooms) != 1 || rooms[0].By != "anna" || rooms[0].Content() != r.Content() {
		t.Fatalf("rooms %+v, %v", rooms, err)
	}
	if info, err := os.Stat(filepath.Join(parent, r.Name)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others may look into it: %v, %v", info.Mode(), err)
	}
	if err := Remove(parent, r.Name, nil); err != nil {
		t.Fatal(err)
	}
	if left := names(t, parent); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if err := Remove(parent, r.Name, nil); !errors.Is(err, ErrNone) {
		t.Errorf("removed twice: %v", err)
	}
}

func TestNothingElseIsRemoved(t *testing.T) {
	parent := t.TempDir()
	scratch, outside := filepath.Join(parent, "scratch"), filepath.Join(parent, "outside")
	r := made(t, scratch)
	other := made(t, outside)
	stranger := prefix + "20260101-000000-aaaaaa" // has no note
	if err := os.MkdirAll(filepath.Join(scratch, stranger, content), 0o700); err != nil {
		t.Fatal(err)
	}
	link := prefix + "20260101-000000-bbbbbb"
	if err := os.Symlink(filepath.Join(outside, other.Name), filepath.Join(scratch, link)); err != nil {
		t.Fatal(err)
	}
	noted := prefix + "20260101-000000-cccccc" // its note leads elsewhere
	if err := os.Mkdir(filepath.Join(scratch, noted), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, other.Name, noteFile), filepath.Join(scratch, noted, noteFile)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", ".", "..", "../outside", "../outside/" + other.Name, r.Name + "/..", r.Name + "/content", "./" + r.Name, "/" + r.Name, r.Name + "\x00", r.Name + "\n", stranger, link, noted} {
		if err := Remove(scratch, name, nil); !errors.Is(err, ErrNone) {
			t.Errorf("remove %q: %v", name, err)
		}
	}
	if left := names(t, scratch); len(left) != 4 {
		t.Errorf("left: %v", left)
	}
	if rooms, err := List(scratch); err != nil || len(rooms) != 1 || rooms[0].Name != r.Name {
		t.Errorf("rooms %v, %v", rooms, err)
	}
	if _, err := os.Stat(filepath.Join(other.Content(), "file")); err != nil {
		t.Error(err)
	}
}

func TestALinkInARoomIsRemovedAndNotFollowed(t *testing.T) {
	parent := t.TempDir()
	scratch, outside := filepath.Join(parent, "scratch"), filepath.Join(parent, "outside")
	if err := errors.Join(os.MkdirAll(filepath.Join(outside, "in"), 0o700), os.Chmod(filepath.Join(outside, "in"), 0o500)); err != nil {
		t.Fatal(err)
	}
	r := made(t, scratch)
	if err := os.Symlink(outside, filepath.Join(r.Content(), "link")); err != nil {
		t.Fatal(err)
	}
	if err := Remove(scratch, r.Name, nil); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(outside, "in")); err != nil || info.Mode().Perm() != 0o500 {
		t.Errorf("what a link leads to was touched: %v", err)
	}
}

func TestARoomWhoseProcessEndedIsSweptAndNoOther(t *testing.T) {
	scratch := t.TempDir()
	done := made(t, scratch)
	working, err := New(scratch, Note{Snapshot: "abc", Began: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	killed, err := New(scratch, Note{Snapshot: "abc", Began: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	killed.lease.Close() // as when its process ends
	removed, err := Sweep(scratch, nil)
	if err != nil || len(removed) != 1 || filepath.Base(removed[0]) != killed.Name {
		t.Errorf("swept %v, %v", removed, err)
	}
	if err := Remove(scratch, working.Name, nil); !errors.Is(err, ErrNone) {
		t.Errorf("one at work was removed: %v", err)
	}
	if err := working.Discard(nil); err != nil {
		t.Error(err)
	}
	if left := names(t, scratch); len(left) != 1 || left[0] != done.Name {
		t.Errorf("left: %v", left)
	}
}

func TestADatabaseIsGivenBackBeforeItsRoomGoes(t *testing.T) {
	scratch := t.TempDir()
	fail := errors.New("no route")
	for _, end := range []func(r *Room, back GiveBack) error{
		func(r *Room, back GiveBack) error { return r.Discard(back) },
		func(r *Room, back GiveBack) error {
			note := r.Note
			note.Ended = time.Now()
			if err := r.Finish(note); err != nil {
				return err
			}
			if err := Remove(scratch, r.Name, func(Database) error { return fail }); !errors.Is(err, fail) {
				t.Errorf("where it cannot be given back: %v", err)
			}
			return Remove(scratch, r.Name, back)
		},
		func(r *Room, back GiveBack) error {
			r.lease.Close()
			_, err := Sweep(scratch, back)
			return err
		},
	} {
		r, err := New(scratch, Note{Snapshot: "abc", Began: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Borrow(Database{Source: "shop", Mark: "m"}); err != nil {
			t.Fatal(err)
		}
		var given []Database
		err = end(r, func(d Database) error { given = append(given, d); return nil })
		if err != nil || len(given) != 1 || given[0].Mark != "m" || len(names(t, scratch)) > 0 {
			t.Errorf("%v, given back %v, left %v", err, given, names(t, scratch))
		}
	}
}

func TestADirectoryOfEverybodyIsRefused(t *testing.T) {
	parent := t.TempDir()
	if err := os.Chmod(parent, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := New(parent, Note{Snapshot: "abc", Began: time.Now()}); err == nil {
		t.Error("it was taken")
	}
}

func FuzzANote(f *testing.F) {
	f.Add([]byte(`{"snapshot":"abc","began":"2026-11-30T10:00:00Z"}`))
	f.Add([]byte(`{"snapshot":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if note, err := parse(text); err == nil && note.Snapshot == "" {
			t.Errorf("%q is a note of nothing", text)
		}
	})
}
