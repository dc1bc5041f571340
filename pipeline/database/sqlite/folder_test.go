package sqlite

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFolderOfADeadMakerIsRemovedAndThatOfALiveOneIsNot(t *testing.T) {
	parent := t.TempDir()
	live, err := NewFolder(parent, ".x-")
	if err != nil {
		t.Fatal(err)
	}
	if live.lock == nil {
		t.Skip("the file system knows no locks")
	}
	dead, err := NewFolder(parent, ".x-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dead.File("half"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	dead.lock.Close() // as the end of a process does
	stranger := filepath.Join(parent, ".x-stranger")
	if err := os.Mkdir(stranger, 0o700); err != nil {
		t.Fatal(err)
	}
	next, err := NewFolder(parent, ".x-")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{live.path: true, next.path: true, stranger: true, dead.path: false} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", path, err == nil, want)
		}
	}
	for _, f := range []*Folder{live, next} {
		if err := f.Remove(); err != nil {
			t.Error(err)
		}
	}
}
