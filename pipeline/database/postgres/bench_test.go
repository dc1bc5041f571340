package postgres

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
)

// benchStream is a binary COPY stream of rows as they are met often, and how
// many there are.
func benchStream() (stream []byte, rows int) {
	const count = 2000
	one := binaryCopy(binary.BigEndian.AppendUint64(nil, 7), []byte("a name of a thing"), binary.BigEndian.AppendUint64(nil, 1<<50), []byte{0, 2, 0, 0, 0, 0, 0, 2, 0, 9, 38, 172}, nil)
	head, tuple := one[:19], one[19:len(one)-2]
	stream = append(stream, head...)
	for range count {
		stream = append(stream, tuple...)
	}
	return append(stream, 0xff, 0xff), count
}

var benchColumns = []field{{decode: decodeInt8}, {decode: decodeText}, {decode: decodeTimestampTZ}, {decode: decodeNumeric}, {decode: decodeText}}

func BenchmarkBinaryStream(b *testing.B) {
	stream, _ := benchStream()
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		p := newBinaryStream(benchColumns, "", func(batch *database.Batch) error { batch.Release(); return nil })
		if _, err := p.Write(stream); err != nil {
			b.Fatal(err)
		}
		if err := p.close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCopyEncoder(b *testing.B) {
	stream, _ := benchStream()
	var batch *database.Batch
	p := newBinaryStream(benchColumns, "", func(full *database.Batch) error { batch = full; return nil })
	if _, err := p.Write(stream); err != nil {
		b.Fatal(err)
	}
	if err := p.close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(batch.Size()))
	b.ReportAllocs()
	buffer := make([]byte, 64<<10)
	for b.Loop() {
		given := false
		e := &copyEncoder{next: func() (*database.Batch, error) {
			if given {
				return nil, io.EOF
			}
			given = true
			copied := database.NewBatch()
			for i := range batch.Len() {
				copied.AppendRow(batch.Row(i))
			}
			return copied, nil
		}}
		for {
			if _, err := e.Read(buffer); err != nil {
				break
			}
		}
		if err := e.failure(); err != nil {
			b.Fatal(err)
		}
	}
}
