package thaw

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
)

// glacier has archived all packs, or none; a thaw ends when somebody has waited.
type glacier struct {
	frozen, asked bool
	looks         int
}

func (g *glacier) Standing(context.Context, string) (store.Standing, error) {
	g.looks++
	return store.Standing{Class: "GLACIER", Frozen: g.frozen, Thawing: g.asked}, nil
}

func (g *glacier) Thaw(context.Context, string, store.Thaw) error {
	g.asked = true
	return nil
}

func TestAGateOpensOnlyForWhatCanBeRead(t *testing.T) {
	for _, test := range []struct {
		name            string
		gate            Gate
		none, frozen    bool // the storage has no classes, or has archived all
		want            error
		packs           int
		mayLook, asking bool
	}{
		{name: "no classes", none: true},
		{name: "no classes, and a thaw is asked for", none: true, gate: Gate{Ask: true}, want: ErrNoClasses},
		{name: "not cold, so nobody looks", frozen: true},
		{name: "not cold, but a plan is wanted", frozen: true, gate: Gate{DryRun: true}, packs: 3, mayLook: true},
		{name: "cold and readable", gate: Gate{Cold: true}, mayLook: true},
		{name: "cold and archived", frozen: true, gate: Gate{Cold: true}, want: ErrFrozen, packs: 3, mayLook: true},
		{name: "asked for", frozen: true, gate: Gate{Ask: true}, want: ErrThawing, packs: 3, mayLook: true, asking: true},
		{name: "asked for, but only as a plan", frozen: true, gate: Gate{Ask: true, DryRun: true}, packs: 3, mayLook: true},
		{name: "waited for", frozen: true, gate: Gate{Ask: true, Wait: true}, packs: 3, mayLook: true, asking: true},
	} {
		storage, g, told := &glacier{frozen: test.frozen}, test.gate, 0
		if !test.none {
			g.Storage = storage
		}
		g.Contents = threePacks
		g.Asked, g.Waiting = func(n int) { told += n }, func(Plan) {}
		g.pause = func(context.Context, time.Duration) error { storage.frozen = false; return nil }
		err := g.Pass(t.Context())
		if !errors.Is(err, test.want) || err != nil && test.want == nil {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		if g.Plan.Packs != test.packs || (storage.looks > 0) != test.mayLook || storage.asked != test.asking || (told == 3) != test.asking {
			t.Errorf("%s: plan of %d packs, %d looks, asked %v, told %d", test.name, g.Plan.Packs, storage.looks, storage.asked, told)
		}
	}
}

func TestAnArchivedPackThatARestoreMeetsIsExplained(t *testing.T) {
	other := errors.New("other")
	for _, test := range []struct {
		err, want error
		frozen    bool
	}{
		{nil, nil, true},
		{other, other, true},
		{store.ErrArchived, ErrFrozen, true},
		{store.ErrArchived, store.ErrArchived, false}, // thawed by now
	} {
		g := Gate{Storage: &glacier{frozen: test.frozen}, Contents: threePacks}
		if err := g.Explain(t.Context(), test.err); !errors.Is(err, test.want) || err != nil && test.want == nil {
			t.Errorf("%v: %v, want %v", test.err, err, test.want)
		}
	}
}

func threePacks(_ context.Context, put func([]archive.Chunk)) error {
	for i := range 3 {
		put([]archive.Chunk{{Place: archive.Place{Pack: &archive.Pack{Name: archive.Name{byte(i)}, Kind: archive.Data, Size: 100}}}})
	}
	return nil
}
