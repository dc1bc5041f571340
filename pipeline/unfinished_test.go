package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/source"
)

// interrupted is a world in which a backup of a slow source was killed when the first entries up to
// bound were surely bound to a checkpoint.
type interrupted struct {
	*world
	source *fakeSource
	paths  []string
	bound  int
}

// remembered tells whether what is in the cache of unfinished backups names a path, which it does
// once that is bound to a checkpoint.
func (w *world) remembered(path string) (found bool) {
	_ = filepath.WalkDir(w.cache, func(file string, _ fs.DirEntry, _ error) error {
		if filepath.Base(filepath.Dir(file)) == "unfinished" {
			text, _ := os.ReadFile(file)
			found = found || bytes.Contains(text, []byte(path))
		}
		return nil
	})
	return found
}

// longAgo is when files were written that do not change any more.
var longAgo = entry.Time{Seconds: 1_600_000_000}

// interrupt kills a backup at a known point: who opens a file far behind waits until an earlier one
// is remembered, and then nothing reaches the storage any more.
func interrupt(t *testing.T, written entry.Time) *interrupted {
	w := &interrupted{world: newWorld(t), source: newSource(), bound: 32}
	for i := range 150 {
		w.paths = append(w.paths, fmt.Sprintf("file%03d", i))
		w.source.add(w.paths[i], randomBytes(20_000, uint64(i))).ModTime = written
	}
	killed := errors.New("killed")
	var dead atomic.Bool
	ctx, kill := context.WithCancelCause(t.Context())
	s := &distantSource{fakeSource: w.source, readers: 4, opened: func(e *entry.Entry) {
		for e.Path >= "file100" && !w.remembered(w.paths[w.bound-1]) && t.Context().Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		if e.Path >= "file100" {
			dead.Store(true)
			kill(killed)
		}
	}}
	faulty := &storetest.Faulty{Store: w.store, Before: func(storetest.Op, string) error {
		if dead.Load() {
			return killed
		}
		return nil
	}}
	repo, err := w.open(faulty)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Run(ctx, repo, w.slow(s)); !errors.Is(err, killed) {
		t.Fatalf("backup: got %v, want that it is killed", err)
	}
	for _, f := range w.source.files {
		*f.reads = 0
	}
	return w
}

// slow are the options for a backup of a slow source.
func (w *interrupted) slow(s *distantSource) backup.Options {
	o := w.options()
	o.Publish = 50 * time.Millisecond
	o.Jobs = []backup.Job{{Name: "source0", Type: "fake", Location: "here", Open: func(context.Context) (source.Source, error) { return s, nil }}}
	return o
}

// again runs the backup to its end, and returns how many of the first files were read.
func (w *interrupted) again(change func(o *backup.Options)) (read int) {
	w.t.Helper()
	o := w.slow(&distantSource{fakeSource: w.source, readers: 4})
	if change != nil {
		change(&o)
	}
	if _, err := w.backup(w.store, o); err != nil {
		w.t.Fatalf("backup: %v", err)
	}
	w.same(0, w.source)
	w.check()
	for _, path := range w.paths[:w.bound] {
		read += *w.source.files[path].reads
	}
	return read
}

func TestAnInterruptedBackupOfASlowSourceGoesOnWhereItWas(t *testing.T) {
	w := interrupt(t, longAgo)
	if read := w.again(nil); read != 0 {
		t.Errorf("%d of the first %d files were read again, want none", read, w.bound)
	}
	if w.remembered("file") {
		t.Error("what was remembered is still there after the commit")
	}
}

func TestWhatHasChangedSinceAnInterruptionIsReadAgain(t *testing.T) {
	w := interrupt(t, longAgo)
	w.source.change("file003", randomBytes(20_000, 999))
	w.source.files["file005"].Identity = "another"
	if read := w.again(nil); read != 2 {
		t.Errorf("%d of the first %d files were read again, want 2", read, w.bound)
	}
}

func TestWhatAnInterruptedBackupLeftIsNotTakenWhereItMayNotBe(t *testing.T) {
	for name, change := range map[string]func(o *backup.Options){
		"another location": func(o *backup.Options) { o.Jobs[0].Location = "elsewhere" },
		"another set":      func(o *backup.Options) { o.Set = "other" },
		"force":            func(o *backup.Options) { o.Force = true },
	} {
		w := interrupt(t, longAgo)
		if read := w.again(change); read != w.bound {
			t.Errorf("%s: %d of the first %d files were read again, want all", name, read, w.bound)
		}
	}
	w := interrupt(t, entry.TimeOf(time.Now())) // so that they may have changed again without another time
	if read := w.again(nil); read != w.bound {
		t.Errorf("young files: %d of the first %d files were read again, want all", read, w.bound)
	}
}

// What needs no new pack, since its content was published before, is remembered all the same.
func TestWhatIsCapturedWithoutANewPackIsRemembered(t *testing.T) {
	w := &interrupted{world: newWorld(t), source: newSource()}
	for i := range 310 {
		w.paths = append(w.paths, fmt.Sprintf("file%03d", i))
		w.source.add(w.paths[i], randomBytes(20_000, uint64(i%100))).ModTime = longAgo
	}
	var lost atomic.Bool
	wait := func(path string) {
		for end := time.Now().Add(time.Minute); !w.remembered(path) && !lost.Load(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) && lost.CompareAndSwap(false, true) {
				t.Errorf("%s is never remembered", path)
			}
		}
	}
	// Who reads the second hundred ends no sooner than all of the first is published: the third
	// needs nothing new. A reader holds small files until it has some of them, hence the distance.
	s := &distantSource{fakeSource: w.source, readers: 4, opened: func(e *entry.Entry) {
		switch {
		case e.Path >= "file300":
			wait("file231")
		case e.Path >= "file200":
			wait("file131")
		}
	}}
	if _, err := w.backup(w.store, w.slow(s)); err != nil {
		t.Fatal(err)
	}
	w.same(0, w.source)
	w.check()
}

func TestASourceThatIsNotFarHasNoUnfinishedBackup(t *testing.T) {
	w := &interrupted{world: newWorld(t), source: newSource()}
	for i := range 150 {
		w.source.add(fmt.Sprintf("file%03d", i), randomBytes(20_000, uint64(i))).ModTime = longAgo
	}
	checkpoint := make(chan struct{})
	faulty := &storetest.Faulty{Store: w.store}
	s := &distantSource{fakeSource: w.source, opened: func(e *entry.Entry) {
		if e.Path == "file100" {
			<-checkpoint
		}
		if w.remembered("file000") {
			t.Errorf("%s: what was captured is kept as if the source were far away", e.Path)
		}
	}}
	faulty.Before = func(op storetest.Op, name string) error {
		if op == storetest.Put && strings.HasPrefix(name, "log/") {
			select {
			case <-checkpoint:
			default:
				close(checkpoint)
			}
		}
		return nil
	}
	if _, err := w.backup(faulty, w.slow(s)); err != nil {
		t.Fatal(err)
	}
	w.check()
}
