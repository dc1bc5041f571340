package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"pgregory.net/rapid"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/collect"
)

// step is one operation, in its weather, and another one in its middle.
type step struct {
	Kind    string
	Seed    uint64 // decides what else is to be decided
	Weather storetest.Weather
	At      int // the call in whose middle During runs
	During  *step
	inner   bool // it runs in the middle of another
}

// String prints the step in one line.
func (s *step) String() string {
	text := fmt.Sprintf("%s %d", s.Kind, s.Seed)
	if w := s.Weather; w.Odds > 0 || w.Expires > 0 {
		text += fmt.Sprintf(" (weather %d, 1 of %d, %v, expires %d)", w.Seed, w.Odds, w.Of, w.Expires)
	}
	if s.During != nil {
		text += fmt.Sprintf(" [at call %d: %s]", s.At, s.During)
	}
	return text
}

// common is how often each kind of step comes, beside the rare ones.
var common = []string{"backup", "backup", "backup", "restore", "check", "forget", "undelete", "hold", "prune", "prune", "repack", "roll up", "rewrite",
	"copy", "damage and repair", "wait"}

// GoString is how rapid prints a step.
func (s *step) GoString() string { return s.String() }

func anyStep(malice bool) *rapid.Generator[*step] {
	kinds := common
	if malice {
		kinds = append(slices.Clone(common), "malice", "malice")
	}
	return rapid.Custom(func(r *rapid.T) *step {
		return nested(r, kinds, 2)
	})
}

// nested draws a step, in the middle of a quarter of which another one runs, and in the middle of
// that perhaps a third.
func nested(r *rapid.T, kinds []string, depth int) *step {
	s := oneStep(r, kinds)
	if depth > 0 && rapid.IntRange(0, 3).Draw(r, "during") == 3 {
		s.During, s.At = nested(r, kinds, depth-1), rapid.IntRange(1, 40).Draw(r, "at")
		s.During.inner = true
	}
	return s
}

func oneStep(r *rapid.T, kinds []string) *step {
	s := &step{Kind: rapid.SampledFrom(kinds).Draw(r, "kind"), Seed: rapid.Uint64Range(0, 1<<20).Draw(r, "seed")}
	switch rapid.IntRange(0, 3).Draw(r, "weather") {
	case 2:
		s.Weather = storetest.Weather{Seed: s.Seed, Odds: rapid.SampledFrom([]int{50, 12, 5}).Draw(r, "odds")}
	case 3:
		s.Weather = storetest.Weather{Seed: s.Seed, Odds: 20, Of: slices.Concat(storetest.Silent, storetest.Curable), Expires: rapid.IntRange(0, 60).Draw(r, "expires")}
	}
	return s
}

// calm reports whether nothing can keep the step from its end.
func (s *step) calm() bool {
	return s.Weather.Odds == 0 && s.Weather.Expires == 0 && s.During == nil && !s.inner
}

// run carries out a step, and that in its middle.
func (h *chronicle) run(s *step) {
	h.steps++
	number := h.steps
	client, through := h.client(s.Weather)
	var inner visit
	if s.During != nil {
		client.During(s.At, func() { inner.run(func() { h.run(s.During) }) })
	}
	err := h.act(s, through, rand.New(rand.NewPCG(s.Seed, 5)), number)
	inner.end()
	if err != nil {
		h.refused++
	}
	if err != nil && s.calm() && h.forger == nil && !expected(err) {
		h.breaks("step %d, %s, in calm weather: %w", number, s, err)
	}
	time.Sleep(time.Second)
}

// visit is a step in the middle of another one, which may be given up meanwhile, and does not wait
// for its calls then.
type visit struct {
	mu      sync.Mutex
	over    bool
	running sync.WaitGroup
}

// run does something, unless end was called.
func (v *visit) run(do func()) {
	v.mu.Lock()
	if v.over {
		v.mu.Unlock()
		return
	}
	v.running.Add(1)
	v.mu.Unlock()
	defer v.running.Done()
	do()
}

// end waits until what runs is done.
func (v *visit) end() {
	v.mu.Lock()
	v.over = true
	v.mu.Unlock()
	v.running.Wait()
}

// expected reports whether an operation may refuse its work though all calls succeed.
func expected(err error) bool {
	return errors.Is(err, collect.ErrBusy) || errors.Is(err, catalog.ErrCollected) || errors.Is(err, errNothing)
}

// errNothing: there is nothing to do it with.
var errNothing = errors.New("nothing to do")

func (h *chronicle) act(s *step, through store.Store, r *rand.Rand, number int) error {
	at := h.hosts[r.IntN(len(h.hosts))]
	owner, admin := h.admins[0], h.admins[r.IntN(len(h.admins))]
	if s.inner { // it is on another machine: with the same cache it would wait for the one that it interrupts
		at = &host{at.as(at.writer, h.t.TempDir()), at.name, at.source, at.stock, true}
		owner = &decider{owner.as(owner.writer, h.t.TempDir()), owner.by}
		admin = &decider{admin.as(admin.writer, h.t.TempDir()), admin.by}
	}
	switch s.Kind {
	case "backup":
		return h.backup(at, through, r, number)
	case "restore":
		return h.restore(through, r)
	case "check":
		return h.check(through, s.calm())
	case "forget":
		return h.forget(admin, through, r)
	case "undelete":
		return h.undelete(admin, through, r)
	case "hold":
		return h.hold(admin, through, r)
	case "prune", "roll up":
		return h.prune(admin, through, r, s.Kind == "roll up")
	case "repack":
		_, err := owner.repack(through, func(o *collect.Options) { o.Repack.Share = 0 })
		return err
	case "rewrite":
		return h.rewrite(at, through)
	case "copy":
		return h.copy(through, s.Weather)
	case "damage and repair":
		return h.repair(through, r)
	case "malice":
		return h.attack(r)
	}
	time.Sleep(time.Duration(r.IntN(100)) * time.Hour)
	return nil
}

// backup changes the source of a host, and takes it.
func (h *chronicle) backup(host *host, s store.Store, r *rand.Rand, number int) error {
	for range 1 + r.IntN(3) {
		path := fmt.Sprintf("dir/file%03d.bin", r.IntN(6))
		which := r.IntN(12) // few contents, so that what was forgotten comes back, and packs are relied on that are dead
		body := randomBytes(100+200*which, uint64(which))
		if r.IntN(6) == 0 {
			path = "dir/secret" // that a rewrite leaves out
		}
		switch f := host.source.files[path]; {
		case f == nil:
			host.source.add(path, body)
		case r.IntN(4) == 0 && len(host.source.files) > 2:
			delete(host.source.files, path)
		default:
			host.source.change(path, body)
		}
	}
	if r.IntN(8) == 0 {
		host.cache = h.t.TempDir()
	}
	source := host.source.clone()
	k := &kept{source: source.clone()}
	o := host.options(source)
	if host.stock != nil {
		if err := host.deals(r, k); err != nil {
			return err
		}
		source.files[""] = &fakeFile{Entry: entry.Entry{Type: entry.Directory, Mode: 0o755}} // by which a place knows that it is meant
		o.Jobs = append(o.Jobs, host.stock.jobs(host.cache+"-states")...)
	}
	name := fmt.Sprint("step ", number)
	h.mu.Lock()
	h.kept[name] = k
	h.mu.Unlock()
	o.Host, o.Description, o.Publish, o.Force = host.name, name, time.Second, r.IntN(10) == 0
	if r.IntN(2) == 0 {
		o.Publish = time.Hour
	}
	_, err := host.backup(s, o)
	k.must = err == nil && k.forgets == 0
	return err
}

// deals changes the stock of a host, and notes what it is then.
func (h *host) deals(r *rand.Rand, k *kept) error {
	if !h.guest {
		if err := h.stock.change(r); err != nil {
			return fmt.Errorf("change the stock of %s: %w", h.name, err)
		}
	}
	now, err := h.stock.holds()
	k.stock = &now
	return err
}

// choose returns some snapshots that are there.
func (h *chronicle) choose(r *rand.Rand, most int) (some []*catalog.Snapshot, err error) {
	_, _, all, err := h.opened(h.t.Context())
	if err != nil || len(all) == 0 {
		return nil, errors.Join(err, errNothing)
	}
	for range 1 + r.IntN(min(most, len(all))) {
		some = append(some, all[r.IntN(len(all))])
	}
	return some, nil
}

func (h *chronicle) forget(by *decider, s store.Store, r *rand.Rand) error {
	some, err := h.choose(r, 6)
	if err != nil {
		return err
	}
	ids := map[archive.Name]bool{}
	var tried []*kept
	for _, snapshot := range some {
		k := h.keeps(snapshot.Description)
		k.forgets++
		k.must = k.held
		ids[snapshot.ID] = true
		tried = append(tried, k)
	}
	names := slices.SortedFunc(maps.Keys(ids), func(a, b archive.Name) int { return bytes.Compare(a[:], b[:]) })
	err = by.decides(s, func(session *catalog.Session) error { return session.Forget(h.t.Context(), names) })
	for _, k := range tried {
		k.unsure = k.unsure || err != nil
	}
	return err
}

// of is what the snapshot with an id was told to keep; nil if it is of no backup.
func (h *chronicle) of(id archive.Name) *kept {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kept[h.ids[id]]
}

func (h *chronicle) undelete(by *decider, s store.Store, r *rand.Rand) error {
	_, log, _, err := h.opened(h.t.Context())
	if err != nil {
		return err
	}
	forgotten := slices.DeleteFunc(log.Forgotten(""), func(id archive.Name) bool { return h.of(id) == nil })
	if len(forgotten) == 0 {
		return errNothing
	}
	id := forgotten[r.IntN(len(forgotten))]
	k := h.of(id)
	before := k.forgets
	err = by.decides(s, func(session *catalog.Session) error { return session.Undelete(h.t.Context(), []archive.Name{id}) })
	if err == nil && k.forgets == before && !k.unsure {
		k.must = true
	}
	return err
}

func (h *chronicle) hold(by *decider, s store.Store, r *rand.Rand) error {
	some, err := h.choose(r, 1)
	if err != nil || r.IntN(3) > 0 {
		return errors.Join(err, errNothing)
	}
	k := h.keeps(some[0].Description)
	err = by.decides(s, func(session *catalog.Session) error {
		return session.Hold(h.t.Context(), []archive.Name{some[0].ID}, "why", time.Time{})
	})
	if err == nil {
		k.must, k.held = true, true
	}
	return err
}

func (h *chronicle) prune(by *decider, s store.Store, r *rand.Rand, roll bool) error {
	_, err := by.collect(s, func(o *collect.Options) {
		o.By, o.RollAfter = by.by, 1000
		o.DeadAfter = []time.Duration{0, time.Hour}[r.IntN(2)]
		o.Grace = []time.Duration{0, 0, time.Hour}[r.IntN(3)]
		if roll {
			o.RollAfter, o.DeadAfter = 1, 0
		}
	})
	return err
}

// rewrite makes the snapshots of a host anew without the secret.
func (h *chronicle) rewrite(host *host, s store.Store) error {
	err := host.rewriteOf(s, catalog.Filter{Host: host.name}, "secret")
	for _, k := range h.everything() {
		k.unsure = k.unsure || err != nil
	}
	return err
}

// copy copies to the other repository what that lacks.
func (h *chronicle) copy(s store.Store, weather storetest.Weather) error {
	_, _, all, err := h.opened(h.t.Context())
	if err != nil {
		return err
	}
	c := &copying{from: h.keys, to: h.copies, source: s, sink: retry.New(h.second.Client(weather), retry.Options{})}
	c.o.Undated = true
	if err := c.run(); err != nil {
		return err
	}
	if len(c.failures) == 0 {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, snapshot := range all {
			h.copied[snapshot.Description] = h.copied[snapshot.Description] || h.kept[snapshot.Description].must
		}
	}
	return nil
}

// repair damages a pack, and has another copy of it put in its place.
func (h *chronicle) repair(s store.Store, r *rand.Rand) error {
	ctx := context.Background()
	var all []*archive.Pack
	for pack, err := range archive.ListPacks(ctx, h.calm()) {
		if err != nil {
			return err
		}
		all = append(all, pack)
	}
	if len(all) == 0 {
		return errNothing
	}
	pack := all[r.IntN(len(all))]
	object := pack.Kind.Object(pack.Name)
	mirror := storetest.NewSimulation(nil, 0).Bucket
	body, err := h.sim.Bucket.Get(ctx, object, 0, -1, nil)
	if err != nil {
		return err
	}
	if err := mirror.Put(ctx, object, body, store.Digest(pack.Name)); err != nil {
		return err
	}
	bad := slices.Clone(body)
	bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
	if err := h.sim.Bucket.Overwrite(ctx, object, bad); err != nil {
		return err
	}
	for range 20 { // a person tries until it is done
		if err = check.CopyBack(h.t.Context(), s, mirror, object); err == nil {
			return nil
		}
		_, s = h.client(storetest.Weather{})
	}
	return err
}
