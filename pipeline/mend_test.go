package pipeline_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/collect"
)

// What a repository has lost comes back from a copy, which has packs and keys of its own.

// mends stores again in sink what w has lost, from a copy in source.
func (w *world) mends(sink store.Store, copied *world, source store.Store) (*check.Mended, error) {
	repo, err := catalog.Open(w.t.Context(), sink, catalog.Options{Keys: catalog.Keys{Identities: w.identity}, Bypass: true})
	if err != nil {
		return nil, err
	}
	from, err := catalog.Open(w.t.Context(), source, catalog.Options{Keys: catalog.Keys{Identities: copied.identity}})
	if err != nil {
		return nil, err
	}
	report, err := check.Run(w.t.Context(), repo, check.Options{ReadData: true, Lost: true})
	if err != nil {
		return nil, err
	}
	if err := repo.LetMove(w.t.Context(), w.owner); err != nil {
		return nil, err
	}
	return check.Mend(w.t.Context(), repo, from, report.Lost, w.owner, check.MendOptions{PackSize: 1 << 20})
}

func (w *world) mustMend(copied *world) *check.Mended {
	w.t.Helper()
	m, err := w.mends(w.store, copied, copied.store)
	if err != nil {
		w.t.Fatalf("mend: %v", err)
	}
	return m
}

// copied makes a copy of all snapshots.
func copied(c *copying) *copying {
	c.from.t.Helper()
	c.mustRun(len(c.from.snapshots()))
	return c
}

func TestWhatIsLostComesBackFromACopy(t *testing.T) {
	w, last := history(t)
	eachKind(t, w, func(t *testing.T, c *copying) {
		copied(c)
		c.from.lose(c.from.names("packs/")...)
		if m := c.from.mustMend(c.to); len(m.Left) > 0 || m.Stored == 0 {
			t.Errorf("all data was lost: %+v", m)
		}
		c.alike()
		c.from.same(0, last)
	})
}

// Of the other repository only those chunks are read that are lost here.
func TestOnlyWhatIsLostIsReadFromACopy(t *testing.T) {
	w := newWorld(t)
	src := randomSource(30, 30_000, 1)
	w.mustBackup(src)
	eachKind(t, w, func(t *testing.T, c *copying) {
		c.o.Write.PackSize = 64 << 10
		copied(c)
		pack := packOf(t, c.from, c.from.snapshots()[0], "dir/file007.bin")
		c.from.lose(pack)
		lost := uint64(0)
		for _, l := range checked(t, c.from, check.Options{Lost: true}).Lost {
			lost += uint64(l.Chunk.Length)
		}
		read := map[string]bool{}
		bytes := uint64(0)
		var mu sync.Mutex
		calls := &storetest.Faulty{Store: c.to.store, Corrupt: func(name string, _ int64, data []byte) {
			if kindOf(name) == "packs" {
				mu.Lock()
				defer mu.Unlock()
				read[name], bytes = true, bytes+uint64(len(data))
			}
		}}
		m, err := c.from.mends(c.from.store, c.to, calls)
		if err != nil {
			t.Fatal(err)
		}
		if m.Bytes != lost || lost == 0 || lost > 100_000 || len(m.Left) > 0 {
			t.Errorf("%d bytes are lost: %+v", lost, m)
		}
		if n := len(c.to.names("packs/")); bytes > 4*lost || len(read) > 4 || n < 10 {
			t.Errorf("%d bytes of %d packs are read, of %d; %d bytes are lost", bytes, len(read), n, lost)
		}
		c.from.check()
		c.from.same(0, src)
		before := len(calls.Calls())
		if m, err = c.from.mends(c.from.store, c.to, calls); err != nil || m.Stored > 0 {
			t.Errorf("the second time: %v, %+v", err, m)
		}
		for _, call := range calls.Calls()[before:] {
			if isPack(call.Name) && call.Op == storetest.Get {
				t.Errorf("the second time it reads %s", call)
			}
		}
	})
}

// A page of a tree has places in it, and another repository has other ones.
func TestPagesOfTreesThatAreLostAreMadeAgainFromACopy(t *testing.T) {
	w, last := history(t)
	c := copied(w.copyTo(w.sharing()))
	w.lose(w.names("trees/")...)
	if m := w.mustMend(c.to); len(m.Left) > 0 || m.Stored == 0 {
		t.Errorf("all trees were lost: %+v", m)
	}
	w.check()
	c.alike()
	w.same(0, last)
}

func TestWhatACopyHasDamagedTooIsNamed(t *testing.T) {
	w, _ := history(t)
	eachKind(t, w, func(t *testing.T, c *copying) {
		copied(c)
		big := packOf(t, c.to, c.to.snapshots()[2], "new/big")
		c.from.lose(c.from.names("packs/")...)
		spoiled := &storetest.Faulty{Store: c.to.store, Corrupt: storetest.FlipBit(big)}
		m, err := c.from.mends(c.from.store, c.to, spoiled)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Left) == 0 || m.Stored == 0 {
			t.Fatalf("a bit of %s is flipped: %+v", big, m)
		}
		for _, f := range m.Left {
			if !strings.HasPrefix(f.Object, "chunk ") || !errors.Is(f.Err, archive.ErrDamaged) || len(f.Files) == 0 {
				t.Errorf("left is %s of %q: %v", f.Object, f.Files, f.Err)
			}
		}
		if m := c.from.mustMend(c.to); len(m.Left) > 0 || m.Stored == 0 {
			t.Errorf("from a sound copy: %+v", m)
		}
		c.alike()
	})
}

func TestMendingGoesOnAfterAnyFault(t *testing.T) {
	base, last := history(t)
	to := copied(base.copyTo(base.sharing())).to
	base.lose(base.names("packs/")...)
	base.lose(base.names("trees/")...)
	base.letForget()
	eachFault(t, base, func(t *testing.T, w *world, f *storetest.Faulty) {
		_, _ = w.mends(f, to, to.store)
		if m := w.mustMend(to); len(m.Left) > 0 {
			t.Errorf("then: %+v", m)
		}
		w.check()
		w.same(0, last)
	})
}

// A file that is not the same gives nothing.
func TestOtherContentIsNotTaken(t *testing.T) {
	w, _ := history(t)
	other := newWorld(t)
	other.mustBackup(randomSource(5, 1000, 9))
	w.lose(w.names("packs/")...)
	if m := w.mustMend(other); m.Stored > 0 || len(m.Left) == 0 {
		t.Errorf("from a repository without copies: %+v", m)
	}
}

// What was stored again stays as long as what needs it.
func TestWhatWasMendedOutlivesCollections(t *testing.T) {
	w := newWorld(t)
	last := randomSource(12, 20_000, 1)
	w.mustBackup(last)
	last.change("dir/file003.bin", randomBytes(25_000, 70))
	w.mustBackup(last)
	c := copied(w.copyTo(w.sharing()))
	w.lose(w.names("packs/")...)
	w.mustMend(c.to)
	w.letForget()
	w.forget(w.snapshots()[0].ID)
	w.mustCollect(rolling)
	w.mustRepack(rolling)
	w.mustCollect(rolling)
	for range 3 {
		w.mustCollect(fencing)
	}
	w.check()
	w.same(0, last)
}

// A lost pack that nobody needs is condemned as others are, with the copies of what it held and
// without any: else the same content, backed up again, would be said to lie in it.
func TestNoBackupReliesOnALostPackThatNobodyNeeds(t *testing.T) {
	base := newWorld(t)
	src := randomSource(12, 20_000, 1)
	base.mustBackup(src)
	planned := func(t *testing.T, w *world) {
		repo, err := w.owning(w.store)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := collect.MakePlan(t.Context(), repo, catalog.Term{Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		only := catalog.PackSet{}
		for _, dead := range plan.Packs {
			only[dead.Name] = true
		}
		w.mustCollect(fencing, func(o *collect.Options) { o.Only = only })
	}
	collected := func(t *testing.T, w *world) {
		for range 3 {
			w.mustCollect(fencing, func(o *collect.Options) { o.MaxUnused = 0.05 })
		}
	}
	for name, c := range map[string]struct {
		mends    bool
		collects func(*testing.T, *world)
	}{"mended": {true, collected}, "mended, by a plan": {true, planned}, "not mended": {false, collected}} {
		t.Run(name, func(t *testing.T) {
			w := base.branch(t)
			copies := w.copyTo(w.sharing())
			if c.mends {
				copied(copies)
			}
			w.lose(w.names("packs/")...)
			if c.mends {
				w.mustMend(copies.to)
			}
			w.letForget()
			w.forget(w.snapshots()[0].ID)
			c.collects(t, w)
			if left := w.names("packs/"); len(left) > 0 {
				t.Errorf("%d packs are left", len(left))
			}
			rounds := len(w.names("gc/"))
			if w.mustCollect(fencing); len(w.names("gc/")) != rounds {
				t.Error("what was condemned is condemned again")
			}
			w.mustBackup(src)
			w.check()
			w.same(0, src)
		})
	}
}

// What nothing needs any more of a pack that is damaged is in no copy, and no loss.
func TestWhatNobodyNeedsOfADamagedPackIsNoLoss(t *testing.T) {
	w := newWorld(t)
	src := randomSource(12, 20_000, 1)
	w.mustBackup(src)
	pack := packOf(t, w, w.snapshots()[0], "dir/file003.bin")
	src.change("dir/file003.bin", randomBytes(25_000, 70))
	w.mustBackup(src)
	w.forget(w.snapshots()[0].ID)
	eachKind(t, w, func(t *testing.T, c *copying) {
		copied(c)
		data, err := c.from.store.Get(t.Context(), pack, 0, -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.from.store.Set(pack, make([]byte, len(data)))
		if n := len(checked(t, c.from, check.Options{ReadData: true}).Findings); n != 1 {
			t.Errorf("%s is overwritten: %d findings", pack, n)
		}
		if m := c.from.mustMend(c.to); m.Stored == 0 || len(m.Left) > 0 {
			t.Errorf("mended: %+v", m)
		}
		c.from.check()
		c.from.same(0, src)
	})
}

// Damage to a part of a frame costs the chunks that have some of it: the others are read where they
// are, and are not stored again.
func TestOnlyWhatIsDamagedOfAFrameIsLost(t *testing.T) {
	w := newWorld(t)
	src := newSource()
	src.add("big", randomBytes(3<<20, 1))
	o := w.options(src)
	o.PackSize = 8 << 20
	if _, err := w.backup(w.store, o); err != nil {
		t.Fatal(err)
	}
	pack := w.names("packs/")[0]
	data, err := w.store.Get(t.Context(), pack, 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	eachKind(t, w, func(t *testing.T, c *copying) {
		copied(c)
		for at := len(data) / 8; at < len(data); at += len(data) / 3 {
			spoilt := bytes.Clone(data)
			spoilt[at] ^= 1
			c.from.store.Set(pack, spoilt)
			if m := c.from.mustMend(c.to); m.Bytes == 0 || m.Bytes > 5<<19 || len(m.Left) > 0 {
				t.Errorf("byte %d of %d is changed: %+v", at, len(data), m)
			}
			c.from.check()
			c.from.same(0, src)
		}
	})
}
