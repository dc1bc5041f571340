package check_test

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"testing/synctest"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/pipeline/check"
)

// Requests whose answers are lost are repeated, and the first ones may arrive later. None of them
// takes the good copy away, or brings the damage back.
func TestWhatWasCopiedBackStaysWhateverArrivesLater(t *testing.T) {
	content := []byte("what the object held")
	object := archive.Data.Object(archive.Name(sha256.Sum256(content)))
	late := 0
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(300) {
			sim, from := storetest.NewSimulation(nil, 0), memory.New()
			from.Set(object, content)
			if err := sim.Bucket.Overwrite(t.Context(), object, []byte("damaged")); err != nil {
				t.Fatal(err)
			}
			bad := storetest.Weather{Seed: seed, Odds: 2}
			if err := check.CopyBack(t.Context(), retry.New(sim.Client(bad), retry.Options{}), from, object); err != nil {
				continue // and a person tries again
			}
			late += sim.Mishaps()[storetest.Late]
			sim.Settle()
			if got, err := sim.Bucket.Get(t.Context(), object, 0, -1, nil); err != nil || !bytes.Equal(got, content) {
				t.Errorf("seed %d: after all requests arrived: %q, %v", seed, got, err)
			}
		}
	})
	if late == 0 {
		t.Error("no request arrived late")
	}
}
