package tree

import (
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// TestALengthThatIsALieTakesNoMemory puts a length that no column has at every place of each column.
func TestALengthThatIsALieTakesNoMemory(t *testing.T) {
	leaf, index := vectorPages(t)
	for name, raw := range map[string][]byte{"leaf": leaf, "index": index} {
		var whole map[string]any
		if err := cbor.Unmarshal(raw, &whole); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tries := uint64(0)
		for key, value := range whole {
			column, ok := value.([]byte)
			if !ok {
				continue
			}
			for at := range column {
				for _, lie := range []uint64{1 << 20, 1 << 31, 1 << 40, 1 << 63} {
					tries++
					whole[key] = append(binary.AppendUvarint(append([]byte(nil), column[:at]...), lie), column[at+1:]...)
					told, err := encoding.Marshal(whole)
					if err != nil {
						t.Fatal(err)
					}
					var p page
					_ = p.decode(told)
				}
			}
			whole[key] = value
		}
		for _, key := range []string{"rows", "height"} {
			for _, lie := range []uint64{1 << 20, 1 << 40, 1 << 63} {
				right := whole[key]
				whole[key] = lie
				told, err := encoding.Marshal(whole)
				if err != nil {
					t.Fatal(err)
				}
				var p page
				if p.decode(told) == nil {
					t.Errorf("%s: %s of %d was believed", name, key, lie)
				}
				whole[key] = right
			}
		}
		runtime.ReadMemStats(&after)
		if took := (after.TotalAlloc - before.TotalAlloc) / tries; took > 1<<20 {
			t.Errorf("%s: a lie takes %d KiB", name, took>>10)
		}
	}
}
