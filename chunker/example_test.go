package chunker_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"github.com/packstone/packstone/chunker"
)

// An insert near the start changes the chunks around it, and no others.
func ExampleChunker_Cut() {
	c := chunker.New(chunker.Small, [32]byte{1})
	data := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{2}).Read(data)

	cut := func(data []byte) map[string]bool {
		chunks := map[string]bool{}
		for len(data) > 0 {
			n := c.Cut(data, true)
			chunks[string(data[:n])] = true
			data = data[n:]
		}
		return chunks
	}
	before := cut(data)
	after := cut(bytes.Join([][]byte{data[:1000], []byte("an insert"), data[1000:]}, nil))

	changed := 0
	for chunk := range after {
		if !before[chunk] {
			changed++
		}
	}
	fmt.Println("changed chunks:", changed)
	// Output: changed chunks: 1
}
