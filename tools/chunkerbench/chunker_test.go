package chunkerbench

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	chunkers "github.com/PlakarKorp/go-cdc-chunkers"
	_ "github.com/PlakarKorp/go-cdc-chunkers/chunkers/fastcdc"
	restic "github.com/restic/chunker"

	"github.com/packstone/packstone/chunker"
)

const inputSize = 64 << 20

func inputs() map[string][]byte {
	random := make([]byte, inputSize)
	rand.NewChaCha8([32]byte{1}).Read(random)
	var text bytes.Buffer
	for r := rand.New(rand.NewPCG(1, 2)); text.Len() < inputSize; {
		fmt.Fprintf(&text, "INSERT INTO reading VALUES (%d, 'corridor %d', %.3f);\n", text.Len(), r.IntN(40), r.Float64())
	}
	return map[string][]byte{"random": random, "text": text.Bytes()[:inputSize], "zero": make([]byte, inputSize)}
}

// cutters cut all data, held in memory, and return the number of chunks.
var cutters = map[string]func(testing.TB, chunker.Class, []byte) int{
	"packstone": func(_ testing.TB, class chunker.Class, data []byte) (chunks int) {
		c := chunker.New(class, [32]byte{1})
		for ; len(data) > 0; chunks++ {
			data = data[c.Cut(data, true):]
		}
		return chunks
	},
	"restic": func(t testing.TB, class chunker.Class, data []byte) (chunks int) {
		c := restic.NewWithBoundaries(bytes.NewReader(data), restic.Pol(0x3DA3358B4DC173), uint(class.Min), uint(class.Max))
		c.SetAverageBits(averageBits(class))
		buffer := make([]byte, class.Max)
		for {
			_, err := c.Next(buffer)
			if err == io.EOF {
				return chunks
			}
			if err != nil {
				t.Fatal(err)
			}
			chunks++
		}
	},
	"plakar": func(t testing.TB, class chunker.Class, data []byte) (chunks int) {
		options := &chunkers.ChunkerOpts{MinSize: class.Min, NormalSize: class.Average, MaxSize: class.Max}
		c, err := chunkers.NewChunker("fastcdc-v1.0.0", bytes.NewReader(data), options)
		if err != nil {
			t.Fatal(err)
		}
		for {
			chunk, err := c.Next()
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if len(chunk) > 0 {
				chunks++
			}
			if err == io.EOF {
				return chunks
			}
		}
	},
}

func averageBits(class chunker.Class) (bits int) {
	for 1<<bits < class.Average {
		bits++
	}
	return bits
}

func BenchmarkCut(b *testing.B) {
	data := inputs()
	for _, class := range []chunker.Class{chunker.Medium, chunker.Large} {
		for _, kind := range []string{"random", "text", "zero"} {
			for _, name := range []string{"packstone", "restic", "plakar"} {
				b.Run(class.Name+"/"+kind+"/"+name, func(b *testing.B) {
					b.SetBytes(inputSize)
					b.ReportAllocs()
					chunks := 0
					for b.Loop() {
						chunks = cutters[name](b, class, data[kind])
					}
					b.ReportMetric(inputSize/1024/float64(chunks), "KiB/chunk")
				})
			}
		}
	}
}
