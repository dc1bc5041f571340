package fetch

import "testing"

func TestOnlyLittleOfALimitIsTaken(t *testing.T) {
	for limit, want := range map[int64]int64{0: 0, 1 << 20: 4 << 20, 128 << 20: 16 << 20, 8 << 30: defaultMemory} {
		if got := MemoryWithin(limit); got != want {
			t.Errorf("of %d it is %d, want %d", limit, got, want)
		}
	}
}
