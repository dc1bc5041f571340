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
