package catalog

import (
	"errors"
	"testing"

	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

// TestWhatIsDamagedOnItsWayIsReadAgain tells an object that is wrong from one that arrives wrong
// once: a roll that is passed over would make a run believe a commit that comes too late.
func TestWhatIsDamagedOnItsWayIsReadAgain(t *testing.T) {
	good := errors.New("these are not the bytes")
	check := func(data []byte) error {
		if string(data) == "the bytes" {
			return nil
		}
		return good
	}
	for name, c := range map[string]struct {
		stored  string
		damaged int // reads
		bad     bool
		reads   int
	}{
		"sound":                {"the bytes", 0, false, 1},
		"damaged on its way":   {"the bytes", 2, false, 3},
		"damaged":              {"other bytes", 0, true, 2},
		"damaged at each read": {"the bytes", 99, true, mostReads + 1},
	} {
		reads := 0
		f := &storetest.Faulty{Store: memory.New(), Corrupt: func(_ string, _ int64, data []byte) {
			if reads++; reads <= c.damaged {
				data[0] = byte(reads)
			}
		}}
		if err := putObject(t.Context(), f, "roll/0000000001", []byte(c.stored)); err != nil {
			t.Fatal(err)
		}
		data, err := openCache(Options{}).object(t.Context(), f, "roll/0000000001", check)
		var bad *badObject
		if errors.As(err, &bad) != c.bad || !c.bad && string(data) != c.stored || reads != c.reads {
			t.Errorf("%s: got %q, %v after %d reads, want %d", name, data, err, reads, c.reads)
		}
	}
}
