package files

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"weak"

	"github.com/packstone/packstone/catalog/entry"
)

// watching looks whether what was found in directories that were left is still in memory.
type watching struct {
	t     *testing.T
	walk  *walk
	tasks map[weak.Pointer[task]]bool
	held  int
}

func (v *watching) Visit(e *entry.Entry) error {
	if filepath.Base(e.Path) == "last" {
		runtime.GC()
		for task := range v.tasks {
			if task.Value() != nil {
				v.held++
			}
		}
	}
	v.walk.mu.Lock()
	defer v.walk.mu.Unlock()
	for _, waits := range v.walk.queue {
		v.tasks[weak.Make(waits)] = true
	}
	return nil
}

func (v *watching) Problem(path string, err error) { v.t.Errorf("%s: %v", path, err) }

func TestWhatWasVisitedIsForgotten(t *testing.T) {
	dir := t.TempDir()
	const directories = 4 * blockSize
	for i := range directories {
		if err := os.MkdirAll(filepath.Join(dir, "sub", fmt.Sprintf("d%04d", i)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "last"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Roots: []string{dir}, Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	v := &watching{t: t, walk: newWalk(s), tasks: map[weak.Pointer[task]]bool{}}
	v.walk.held = 2 * aheadLimit // so that the visitor begins each task itself, when it has seen it wait
	if err := v.walk.run(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if len(v.tasks) < directories || v.held > blockSize {
		t.Errorf("at the end of a directory of %d others, %d of %d tasks are in memory", directories, v.held, len(v.tasks))
	}
}
