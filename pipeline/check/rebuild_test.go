package check

import (
	"errors"
	"fmt"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

func TestNoIndexRunThatIsMadeAgainIsTooLargeToBeRead(t *testing.T) {
	huge := &archive.Directory{Frames: make([]archive.Frame, 1), IDs: make([]archive.ID, 3<<17), Lengths: make([]uint32, 3<<17)}
	small := &archive.Directory{Frames: make([]archive.Frame, 1), IDs: make([]archive.ID, 100), Lengths: make([]uint32, 100)}
	var packs []archive.RunPack
	for i := range 5000 {
		p := archive.RunPack{Pack: &archive.Pack{Kind: archive.Data}, Directory: small}
		if i%100 == 0 {
			p.Directory = huge
		}
		packs = append(packs, p)
	}
	listed, runs := 0, 0
	for run := range runsOf(packs) {
		listed, runs = listed+len(run), runs+1
		if size := len(archive.EncodeRun(run)); size > store.MaxObject/4 || len(run) > runPacks {
			t.Errorf("a run of %d packs has %d bytes", len(run), size)
		}
	}
	if listed != len(packs) || runs > 110 {
		t.Errorf("%d of %d packs are listed, in %d runs", listed, len(packs), runs)
	}
}

func TestWhatOnlyLacksAKeyOrAThawIsNotCalledDamaged(t *testing.T) {
	for _, test := range []struct {
		err     error
		damaged int
	}{
		{store.ErrArchived, 0},
		{crypto.ErrWrongIdentity, 0},
		{catalog.ErrNoIdentity, 0},
		{archive.ErrDamaged, 1},
		{store.ErrNotExist, 1},
		{archive.ErrOtherDirectory, 1},
	} {
		r := &Rebuild{}
		err := r.leave(t.Context(), "packs/x", fmt.Errorf("open: %w", test.err))
		if err != nil || len(r.Left) != 1 || r.Damaged() != test.damaged || !errors.Is(r.Left[0].Err, test.err) {
			t.Errorf("%v: %v; left %v, of which %d are damaged, want %d", test.err, err, r.Left, r.Damaged(), test.damaged)
		}
	}
	r := &Rebuild{}
	if err := r.leave(t.Context(), "packs/x", store.ErrDenied); !errors.Is(err, store.ErrDenied) || len(r.Left) > 0 {
		t.Errorf("access denied: %v, left %v; want that error", err, r.Left)
	}
}
