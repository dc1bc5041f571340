//go:build soak

package pipeline_test

import "testing"

func TestSoakGeneratedTreesComeBackAsTheyWere(t *testing.T) {
	for seed := uint64(1000); seed < 1000+uint64(max(1, 500/stride)); seed++ {
		if roundOfTrees(t, seed); t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
		if seed%50 == 49 {
			t.Logf("%d rounds", seed-999)
		}
	}
}
