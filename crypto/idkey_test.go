package crypto

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/zeebo/blake3"
)

func TestIDsAreKeyedBlake3(t *testing.T) {
	// From the test vectors of BLAKE3's authors: this key, and bytes that count from 0 to 250 and
	// repeat.
	var key [32]byte
	copy(key[:], "whats the Elvish word for friend")
	ids := NewIDKey(key)
	for size, want := range map[int]string{
		0:    "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26",
		1:    "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b",
		1024: "75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4",
	} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i % 251)
		}
		if got := fmt.Sprintf("%x", ids.Sum(data)); got != want {
			t.Errorf("id of %d bytes is %s, want %s", size, got, want)
		}
	}
}

func TestIDsAreTheSameFromManyGoroutines(t *testing.T) {
	key := [32]byte{1, 2, 3}
	ids := NewIDKey(key)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 200 {
				data := testBytes(i*97 + worker)
				fresh, _ := blake3.NewKeyed(key[:])
				fresh.Write(data)
				if got := ids.Sum(data); !bytes.Equal(got[:], fresh.Sum(nil)) {
					t.Errorf("id of %d bytes is %x, want %x", len(data), got, fresh.Sum(nil))
				}
			}
		})
	}
	group.Wait()
}

func TestSumAllocatesNothing(t *testing.T) {
	ids, data := NewIDKey([32]byte{}), make([]byte, 20_000)
	var sum [32]byte
	if allocs := testing.AllocsPerRun(100, func() { sum = ids.Sum(data) }); allocs >= 1 {
		t.Errorf("an id costs %v allocations, want none (%x)", allocs, sum)
	}
}

func BenchmarkSum(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			ids, data := NewIDKey([32]byte{7}), testBytes(size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				sum := ids.Sum(data)
				binary.LittleEndian.PutUint64(data, binary.LittleEndian.Uint64(sum[:]))
			}
		})
	}
}
