package pipeline_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/forgetest"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/collect"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/restore"
)

// comesBack restores a snapshot, and returns what fails. Wrong bytes break a promise whatever else
// fails.
func (h *chronicle) comesBack(repo *catalog.Repository, snapshot *catalog.Snapshot) error {
	k := h.keeps(snapshot.Description)
	if k == nil {
		return fmt.Errorf("snapshot %q is of no backup", snapshot.Description)
	}
	bring := h.filesComeBack
	if k.stock != nil {
		bring = h.setComesBack
	}
	to, err := bring(repo, snapshot, k)
	for path, f := range to.files {
		if want := k.source.files[path]; path != "" && (want == nil || !bytes.Equal(f.content, want.content)) {
			h.breaks("%s: %s was restored with other bytes", snapshot.Description, path)
		}
	}
	if err != nil {
		return err
	}
	for path := range k.source.files {
		if to.files[path] == nil && (snapshot.Replaces == "" || !strings.HasSuffix(path, "secret")) {
			return fmt.Errorf("%s: %s did not come back", snapshot.Description, path)
		}
	}
	return nil
}

// filesComeBack restores the one source of a snapshot.
func (h *chronicle) filesComeBack(repo *catalog.Repository, snapshot *catalog.Snapshot, _ *kept) (*fakeTarget, error) {
	to := newTarget()
	fetcher, err := fetch.New(repo, snapshot.Domain, fetch.Options{})
	if err != nil {
		return to, err
	}
	var problems []error
	problem := func(path string, err error) { problems = append(problems, fmt.Errorf("%s: %w", path, err)) }
	t := tree.Open(snapshot.Sources[0].Root, fetcher.Pages(), tree.OpenOptions{})
	_, err = restore.New(t, fetcher, to, restore.Options{Verify: true, Problem: problem}).Run(h.t.Context())
	return to, errors.Join(append(problems, err)...)
}

// restore brings one snapshot back in the weather of the step.
func (h *chronicle) restore(through store.Store, r *rand.Rand) error {
	some, err := h.choose(r, 1)
	if err != nil {
		return err
	}
	repo, err := h.open(through)
	if err != nil {
		return err
	}
	return h.comesBack(repo, some[0])
}

// check reads all data. In calm weather nothing may be found.
func (h *chronicle) check(through store.Store, calm bool) error {
	repo, err := h.open(through)
	if err != nil {
		return err
	}
	report, err := check.Run(h.t.Context(), repo, check.Options{ReadData: true})
	if err == nil && calm && h.forger == nil && len(report.Findings) > 0 {
		f := report.Findings[0]
		h.breaks("check finds %s: %w (hurts %q)", f.Object, f.Err, f.Files)
	}
	return err
}

// all restores every snapshot that is there, and tests that all are there that must be.
func (h *chronicle) all() {
	repo, _, all, err := h.opened(h.t.Context())
	if err != nil {
		h.breaks("the repository does not open in calm weather: %w", err)
		return
	}
	there := map[string]bool{}
	for _, s := range all {
		there[s.Description] = true
		if err := h.comesBack(repo, s); err != nil {
			h.breaks("snapshot %s of %s: %w", s.Description, s.Time, err)
		}
	}
	for name, k := range h.everything() {
		if k.must && !there[name] {
			h.breaks("snapshot %q was committed and not forgotten, and is gone", name)
		}
	}
}

// allCopies restores what was copied.
func (h *chronicle) allCopies() {
	there := map[string]bool{}
	repo, all := h.copiesThere()
	for _, s := range all {
		if h.forger != nil && s.Description == "" {
			continue // a forged one
		}
		there[s.Description] = true
		if err := h.comesBack(repo, s); err != nil {
			h.breaks("copy of snapshot %s: %w", s.Description, err)
		}
	}
	for name, must := range h.copied {
		if must && !there[name] {
			h.breaks("the copy of %q is gone", name)
		}
	}
}

func (h *chronicle) copiesThere() (*catalog.Repository, []*catalog.Snapshot) {
	repo, err := catalog.Open(h.t.Context(), h.second.Client(storetest.Weather{}), catalog.Options{Keys: catalog.Keys{Identities: h.copies.identity}})
	if err != nil {
		h.breaks("the other repository does not open: %w", err)
		return nil, nil
	}
	log, err := repo.ReadLog(h.t.Context())
	if err != nil {
		h.breaks("the other repository cannot be read: %w", err)
		return nil, nil
	}
	all, err := repo.Snapshots(h.t.Context(), log)
	if err != nil {
		h.breaks("the other repository cannot be listed: %w", err)
	}
	return repo, all
}

// end lets all arrive that is on its way, and tests what was promised.
func (h *chronicle) end() {
	h.sim.Settle()
	h.second.Settle()
	time.Sleep(time.Hour) // until the clocks of all servers agree on what was before
	h.all()
	h.allCopies() // to which nothing is done from here on
	if h.broken != nil || h.forger != nil {
		return
	}
	h.goesOn()
	h.thins()
	h.empties()
}

// goesOn tests that whatever has happened, hosts back up and collectors collect in calm weather.
func (h *chronicle) goesOn() {
	for i, host := range h.hosts {
		h.steps++
		if err := h.backup(host, h.calm(), rand.New(rand.NewPCG(uint64(i), 8)), h.steps); err != nil {
			h.breaks("the backup of %s at the end: %w", host.name, err)
		}
	}
	h.collects("at the end")
	h.all()
	_ = h.check(h.calm(), true)
}

// collects runs a collector until nothing is left to do.
func (h *chronicle) collects(when string) {
	for range 4 {
		did, err := h.admins[0].collect(h.calm(), fencing)
		if err != nil {
			h.breaks("the collection %s: %w", when, err)
			return
		}
		if did.Deleted+did.Sighted+did.Finished+did.RolledUp+did.Locked+len(did.Ended) == 0 {
			return
		}
	}
}

// most is the share of what is stored that may be dead after all was collected.
const most = 0.05

// thins tests that after repacking next to nothing is dead.
func (h *chronicle) thins() {
	for range 2 {
		if _, err := h.admins[0].repack(h.calm(), fencing); err != nil {
			h.breaks("the repacking at the end: %w", err)
			return
		}
	}
	h.collects("after repacking")
	h.all()
	repo, err := h.open(h.calm())
	if err != nil {
		h.breaks("open: %w", err)
		return
	}
	plan, err := collect.PlanThinning(h.t.Context(), repo, catalog.Term{Now: time.Now()}, 0, 0, nil)
	if err != nil {
		h.breaks("weigh what is dead: %w", err)
		return
	}
	if stored := h.stored(); float64(plan.Left+plan.Unused) > most*float64(stored) {
		h.breaks("%d of %d bytes are dead after all was collected", plan.Left+plan.Unused, stored)
	}
}

// stored is the size of all packs.
func (h *chronicle) stored() (size int64) {
	for pack, err := range archive.ListPacks(context.Background(), h.calm()) {
		if err != nil {
			h.breaks("list packs: %w", err)
			return 0
		}
		size += int64(pack.Size)
	}
	return size
}

// empties forgets all, and tests that then no pack is left.
func (h *chronicle) empties() {
	_, _, all, err := h.opened(h.t.Context())
	if err != nil {
		h.breaks("list: %w", err)
		return
	}
	var ids, held []archive.Name
	for _, s := range all {
		ids = append(ids, s.ID)
		if len(s.Held) > 0 {
			held = append(held, s.ID)
		}
		h.keeps(s.Description).must = false
	}
	if len(held) > 0 {
		err = h.admins[0].decides(h.calm(), func(s *catalog.Session) error { return s.Unhold(h.t.Context(), held) })
	}
	if err == nil && len(ids) > 0 {
		err = h.admins[0].decides(h.calm(), func(s *catalog.Session) error { return s.Forget(h.t.Context(), ids) })
	}
	if err != nil {
		h.breaks("forget all: %w", err)
		return
	}
	time.Sleep(8 * 24 * time.Hour) // checkpoints that nobody goes on with
	h.collects("of everything")
	h.all()
	if size := h.stored(); size > 0 {
		h.breaks("%d bytes of packs are left after everything was forgotten and collected", size)
	}
}

// attack does what a holder of a writer's key may try, and who can write anywhere.
func (h *chronicle) attack(r *rand.Rand) error {
	ctx, f := h.t.Context(), h.forger
	_, _, all, err := h.opened(ctx)
	if err != nil {
		return err
	}
	garbage := randomBytes(1+r.IntN(400), r.Uint64())
	put := func(name string) error { return f.Store.Put(ctx, name, garbage, sha256.Sum256(garbage)) }
	var victims []string
	for _, s := range all {
		victims = append(victims, s.ID.String())
	}
	lane, host := f.Lane(r.IntN(3)), fmt.Sprintf("host%d.%d", r.IntN(3), r.IntN(3))
	switch r.IntN(12) {
	case 0:
		return put(fmt.Sprintf("log/%s/%010d", lane, 1+r.IntN(4)))
	case 1:
		return put(fmt.Sprintf("sessions/%s.%010d", lane, 1+r.IntN(4)))
	case 2:
		_, err = f.Record(ctx, lane, "forget", map[string]any{"subjects": victims})
	case 3:
		_, err = f.Commit(ctx, forgetest.Snapshot{Host: "host0", Set: "set", Source: "source0", Files: map[string]string{"dir/file000.bin": "a lie"}})
	case 4:
		return h.mislabels(ctx, r)
	case 5:
		return put(archive.Data.Object(archive.Name(sha256.Sum256(garbage))))
	case 6:
		_, err = f.Record(ctx, lane, "checkpoint", map[string]any{"supersedes": victims, "index": []string{strings.Repeat("ab", 32)}})
	case 7:
		return put(fmt.Sprintf("sessions/%s.%010d", host, 1+r.IntN(9)))
	case 8:
		return put(fmt.Sprintf("log/%s/%010d", host, 1+r.IntN(9)))
	case 9:
		_, err = f.Sign(ctx, fmt.Sprintf("log/%s/%010d", host, 1+r.IntN(9)), map[string]any{"kind": "tombstone"})
	case 10:
		_, err = f.Sign(ctx, fmt.Sprintf("gc/%010d/condemn", 1+r.IntN(5)), map[string]any{"kind": "condemn", "packs": victims})
	default:
		return put(fmt.Sprintf("config/%010d", 3+r.IntN(9)))
	}
	return err
}

// mislabels names chunks of a victim in a pack that holds other bytes.
func (h *chronicle) mislabels(ctx context.Context, r *rand.Rand) error {
	files := h.hosts[r.IntN(len(h.hosts))].source.files
	for _, f := range files {
		wrong := strings.Repeat("x", len(f.content))
		pack, err := h.forger.Mislabelled(ctx, h.forger.ID(string(f.content)), wrong)
		if err != nil {
			return err
		}
		_, err = h.forger.Commit(ctx, forgetest.Snapshot{Host: "mallory", Set: "set", Source: "source0", Files: map[string]string{"file": wrong},
			Run: func(packs []archive.RunPack) { packs[0] = pack }})
		return err
	}
	return nil
}
