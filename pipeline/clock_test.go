package pipeline_test

import (
	"testing"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/restore"
)

// A host whose clock jumps, by minutes or years and both ways, makes snapshots that are whole; none
// of them takes another one's place, and what is collected is what the storage's clock says.
func TestAHostWhoseClockJumpsLosesNothing(t *testing.T) {
	w := newWorld(t)
	source := randomSource(6, 3000, 1)
	var all []*fakeSource
	var ids []string
	for i, jump := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute, 10 * 365 * 24 * time.Hour, -20 * 365 * 24 * time.Hour, 0, -time.Hour, time.Hour, 0} {
		source = source.clone()
		source.change("dir/file003.bin", randomBytes(3000, uint64(100+i)))
		now := func() time.Time { return time.Now().Add(jump) }
		repo, err := catalog.Open(t.Context(), w.store, catalog.Options{Keys: catalog.Keys{Writer: w.writer}, CacheDir: w.cache, Now: now})
		if err != nil {
			t.Fatalf("open when the clock is off by %v: %v", jump, err)
		}
		o := w.options(source)
		o.Time = now()
		s, err := backup.Run(t.Context(), repo, o)
		if err != nil {
			t.Fatalf("back up when the clock is off by %v: %v", jump, err)
		}
		all, ids = append(all, source), append(ids, s.ID.String())
		w.check()
	}
	there := map[string]*catalog.Snapshot{}
	for _, s := range w.snapshots() {
		there[s.ID.String()] = s
	}
	for i, id := range ids {
		if there[id] == nil {
			t.Errorf("snapshot %d is gone", i)
			continue
		}
		to := newTarget()
		if _, err := w.restoreTo(to, there[id], 0, restore.Options{Verify: true}); err != nil {
			t.Errorf("restore snapshot %d: %v", i, err)
		}
		if different := all[i].differs(to); different != "" {
			t.Errorf("snapshot %d: %s", i, different)
		}
	}
}
