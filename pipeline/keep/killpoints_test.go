package keep_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

// point is what a kill leaves: the bucket and the keeper's cache as they are at one moment.
type point struct {
	call   string
	bucket *memory.Bucket
	cache  string
}

// points are those before and after each call of a run, which makes one at a time.
func (w *world) points() (all []point) {
	var one sync.Mutex
	shoot := func(when string) storetest.Fault {
		return func(op storetest.Op, name string) error {
			one.Lock()
			defer one.Unlock()
			all = append(all, point{fmt.Sprintf("%s %s %s", when, op, name), w.bucket.Clone(), w.copyOfCache()})
			return nil
		}
	}
	w.faulty.Before, w.faulty.After = shoot("before"), shoot("after")
	o := w.options()
	o.Parallel = 1
	w.keep(o)
	w.faulty.Before, w.faulty.After = nil, nil
	return all
}

func (w *world) copyOfCache() string {
	w.t.Helper()
	to := filepath.Join(w.t.TempDir(), "cache")
	if err := os.CopyFS(to, os.DirFS(w.cache)); err != nil {
		w.t.Fatal(err)
	}
	return to
}

// losesPower keeps a share of each file that was not synced, and reports whether there was one.
func (p point) losesPower(t *testing.T, share int64) bool {
	t.Helper()
	var unsynced []string
	for _, ending := range []string{".new", ".merged"} {
		found, err := filepath.Glob(filepath.Join(p.cache, "keep", "*"+ending))
		if err != nil {
			t.Fatal(err)
		}
		unsynced = append(unsynced, found...)
	}
	for _, path := range unsynced {
		info, err := os.Stat(path)
		if err == nil {
			err = os.Truncate(path, info.Size()*share/100)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return len(unsynced) > 0
}

// goesOn runs a keeper where another one was killed.
func (w *world) goesOn(p point) {
	w.t.Helper()
	at := *w
	at.bucket, at.cache = p.bucket, p.cache
	at.faulty = &storetest.Faulty{Store: p.bucket}
	at.keep(at.options())
	if left := at.unlocked(at.now.Add(30*day - time.Second)); len(left) > 0 {
		w.t.Errorf("killed %s: then not locked: %v", p.call, left)
	}
	if again := at.keep(at.options()); again.Extended.Objects != 0 || again.Asked != 0 {
		w.t.Errorf("killed %s: the run after the next has something to do: %+v", p.call, again)
	}
	at.sound()
}

func TestARunKilledAtAnyCallIsMadeGoodByTheNext(t *testing.T) {
	for name, before := range map[string]func(w *world){
		"the first": func(*world) {},
		"one that extends again": func(w *world) {
			w.keep(w.options())
			w.now = w.now.Add(10 * day)
			w.snapshot("second")
		},
		"one after an interrupted one": func(w *world) {
			w.keep(w.options())
			w.now = w.now.Add(10 * day)
			w.snapshot("second")
			extended := w.points()
			extended = slices.DeleteFunc(extended, func(p point) bool { return !strings.HasPrefix(p.call, "after "+storetest.Extend.String()) })
			killed := extended[len(extended)/2]
			w.bucket, w.cache, w.forger.Store = killed.bucket, killed.cache, killed.bucket
			w.faulty = &storetest.Faulty{Store: w.bucket}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			before(w)
			states := 0
			points := w.points()
			for i, p := range points {
				if testing.Short() && i%5 > 0 { // it looks for races
					continue
				}
				cut := p
				cut.bucket, cut.cache = p.bucket.Clone(), (&world{t: t, cache: p.cache}).copyOfCache()
				w.goesOn(p)
				states++
				if cut.losesPower(t, 50) {
					w.goesOn(cut)
					states++
				}
			}
			t.Logf("%d points, %d states", len(points), states)
			if len(points) < 40 {
				t.Errorf("%d points: the run made no calls", len(points))
			}
		})
	}
}
