package postgres

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/database"
)

func TestCivilAgreesWithTheCalendar(t *testing.T) {
	base := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for days := int64(-740000); days < 800000; days += 13 {
		year, month, day := civil(days)
		want := base.AddDate(0, 0, int(days))
		if int(year) != want.Year() || month != int(want.Month()) || day != want.Day() {
			t.Fatalf("civil(%d) = %d-%d-%d, want %s", days, year, month, day, want)
		}
	}
}

func binaryCopy(fields ...[]byte) []byte {
	out := append(bytes.Clone(copySignature), 0, 0, 0, 0, 0, 0, 0, 0)
	out = binary.BigEndian.AppendUint16(out, uint16(len(fields)))
	for _, f := range fields {
		if f == nil {
			out = binary.BigEndian.AppendUint32(out, math.MaxUint32)
			continue
		}
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(f))), f...)
	}
	return append(out, 0xff, 0xff)
}

func TestBinaryStreamTakesPiecesOfAnySize(t *testing.T) {
	stream := binaryCopy([]byte{0, 0, 0, 7}, nil, []byte("text"))
	for size := 1; size <= len(stream); size++ {
		var rows int
		p := newBinaryStream([]field{{decode: decodeInt4}, {decode: decodeText}, {decode: decodeText}}, "", func(b *database.Batch) error {
			rows += b.Len()
			cells := make([]database.Cell, 3)
			if err := database.DecodeRow(cells, b.Row(0)); err != nil {
				t.Fatal(err)
			}
			if cells[0].Int != 7 || cells[1].Class != database.ClassNull || string(cells[2].Bytes) != "text" {
				t.Errorf("pieces of %d: %+v", size, cells)
			}
			return nil
		})
		for rest := stream; len(rest) > 0; {
			n := min(size, len(rest))
			if _, err := p.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := p.close(); err != nil || rows != 1 {
			t.Errorf("pieces of %d: %d rows, %v", size, rows, err)
		}
	}
}

func FuzzBinaryStream(f *testing.F) {
	f.Add(binaryCopy([]byte{0, 3, 0, 1, 0, 0, 0, 2, 0, 1, 0, 2, 0, 3}, []byte{0, 0, 0, 1}, []byte{0, 0, 0, 0, 0, 0, 0, 1}))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := newBinaryStream([]field{{decode: decodeNumeric}, {decode: decodeDate}, {decode: decodeTimestampTZ}}, "", func(b *database.Batch) error {
			b.Release()
			return nil
		})
		if _, err := p.Write(data); err == nil {
			_ = p.close()
		}
	})
}
