package postgres

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

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

// benchWire is what a server sends for a table of rows in the order of their key, a row a message.
func benchWire(count int) []byte {
	var wire []byte
	message := func(kind byte, body []byte) {
		wire = append(binary.BigEndian.AppendUint32(append(wire, kind), uint32(len(body)+4)), body...)
	}
	for i := range count {
		one := binaryCopy(binary.BigEndian.AppendUint64(nil, uint64(i)), []byte("a name of a thing that has a name"), binary.BigEndian.AppendUint64(nil, 1<<50+uint64(i)<<24),
			[]byte{0, 2, 0, 0, 0, 0, 0, 2, 0, 9, 38, 172}, []byte("\x01{\"a\": 1, \"tags\": [\"x\", \"y\"], \"note\": \"2d9e0b8a17b3c4c2a1f5f7f1b4ad9c11\"}"))
		if i == 0 {
			message('d', one[:19])
		}
		message('d', one[19:len(one)-2])
	}
	message('d', []byte{0xff, 0xff})
	return wire
}

// BenchmarkReading is all that a row costs between the connection and whoever takes the rows.
func BenchmarkReading(b *testing.B) {
	wire := benchWire(50000)
	fields := []field{{decode: decodeInt8}, {decode: decodeText}, {decode: decodeTimestampTZ}, {decode: decodeNumeric}, {decode: decodeJSONB}}
	table := numbered(database.Int)
	table.Columns[0], table.Columns[1] = table.Columns[1], table.Columns[0]
	for range fields[2:] {
		table.Columns = append(table.Columns, table.Columns[1])
	}
	b.SetBytes(int64(len(wire)))
	for b.Loop() {
		front := pgproto3.NewFrontend(newMessages(bytes.NewReader(wire)), io.Discard)
		order := newOrder(newKeyEncoder(table), "", func(batch *database.Batch) error { batch.Release(); return nil })
		stream := newBinaryStream(fields, "", order.add)
		for !stream.ended {
			message, err := front.Receive()
			if err != nil {
				b.Fatal(err)
			}
			if _, err := stream.Write(message.(*pgproto3.CopyData).Data); err != nil {
				b.Fatal(err)
			}
		}
		if err := stream.close(); err != nil {
			b.Fatal(err)
		}
		if err := order.finish(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOrder sorts rows whose keys are random, and rows that lie in order.
func BenchmarkOrder(b *testing.B) {
	const rows = 1 << 20
	table := &database.Table{Columns: []*database.Column{{Name: "id", Type: database.Type{Kind: database.UUID}}, {Name: "text", Type: database.Type{Kind: database.Text}}}, Order: []string{"id"}}
	for _, random := range []bool{true, false} {
		b.Run(map[bool]string{true: "random", false: "in-order"}[random], func(b *testing.B) {
			source := rand.NewChaCha8([32]byte{1})
			key, id, text := make([]byte, 16), make([]byte, 36), bytes.Repeat([]byte("some text "), 8)
			b.SetBytes(rows * int64(len(id)+len(text)))
			for b.Loop() {
				o := newOrder(newKeyEncoder(table), b.TempDir(), func(batch *database.Batch) error { batch.Release(); return nil })
				batch := database.NewBatch()
				for i := range rows {
					if random {
						source.Read(key)
					} else {
						binary.BigEndian.PutUint64(key, uint64(i))
					}
					batch.Text(uuid(id, key))
					batch.Text(text)
					batch.EndRow()
					if batch.Full() {
						if err := o.add(batch); err != nil {
							b.Fatal(err)
						}
						batch = database.NewBatch()
					}
				}
				if err := errors.Join(o.add(batch), o.finish(), o.close()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// uuid writes 16 bytes as 36 characters into dst.
func uuid(dst, key []byte) []byte {
	hex.Encode(dst, key[:4])
	for i, at := range []int{9, 14, 19} {
		dst[at-1] = '-'
		hex.Encode(dst[at:], key[4+2*i:6+2*i])
	}
	dst[23] = '-'
	hex.Encode(dst[24:], key[10:])
	return dst
}
