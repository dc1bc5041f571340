package target_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/directory"
)

func TestWhatLiesBelowAPathComesBackToTheRoot(t *testing.T) {
	root := t.TempDir()
	inner, err := directory.New(root, directory.Options{NoOwner: true})
	if err != nil {
		t.Fatal(err)
	}
	to, ctx := target.Below("srv/data", inner), t.Context()
	for _, path := range []string{"", "srv", "srv/data", "srv/data/d"} {
		if err := to.Make(ctx, &entry.Entry{Path: path, Type: entry.Directory, Mode: 0o755}); err != nil {
			t.Fatalf("make %q: %v", path, err)
		}
	}
	write := func(path string) error {
		f, err := to.Create(ctx, &entry.Entry{Path: path, Type: entry.File, Mode: 0o644, Size: 1})
		if err != nil {
			return err
		}
		_, err = f.WriteAt([]byte("x"), 0)
		return errors.Join(err, f.Commit(ctx))
	}
	if err := write("srv/data/d/f"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(root, "d/f")); err != nil || string(text) != "x" {
		t.Errorf("got %q, %v", text, err)
	}
	for _, path := range []string{"srv/database/f", "etc/f", "srv"} {
		if err := write(path); !errors.Is(err, target.ErrPath) {
			t.Errorf("write %q: got %v, want ErrPath", path, err)
		}
	}
	if err := to.Link(ctx, &entry.Entry{Path: "srv/data/l", Type: entry.File}, "srv/other"); !errors.Is(err, target.ErrUnsupported) {
		t.Errorf("a link to elsewhere: got %v, want ErrUnsupported", err)
	}
	if err := to.Finish(ctx, &entry.Entry{Path: "srv", Type: entry.Directory, Mode: 0}); err != nil {
		t.Errorf("finish what is above: %v", err)
	}
	var paths []string
	if err := to.Walk(ctx, nil, target.Entries(func(e *entry.Entry) error { paths = append(paths, e.Path); return nil })); err != nil {
		t.Fatal(err)
	}
	if want := []string{"srv/data/d", "srv/data/d/f"}; !slices.Equal(paths, want) {
		t.Errorf("got %q, want %q", paths, want)
	}
	remove := func(path string, kind entry.Type) (failed error) {
		err := to.Remove(ctx, []*entry.Entry{{Path: path, Type: kind}}, func(e *entry.Entry, err error) {
			failed = fmt.Errorf("%s: %w", e.Path, err)
		})
		return errors.Join(err, failed)
	}
	if err := remove("srv/data/d", entry.Directory); !errors.Is(err, target.ErrNotEmpty) || !strings.HasPrefix(err.Error(), "srv/data/d: ") {
		t.Errorf("remove a directory: got %v, want ErrNotEmpty of srv/data/d", err)
	}
	if err := remove("srv/data/d/f", entry.File); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"srv/data", "srv/other", "etc"} {
		if err := remove(path, entry.Directory); !errors.Is(err, target.ErrPath) {
			t.Errorf("remove %s: got %v, want ErrPath", path, err)
		}
	}
	if err := to.Close(ctx); err != nil {
		t.Error(err)
	}
}
