package database

import "testing"

// benchRows is a batch of rows as they are met often.
func benchRows() *Batch {
	b := NewBatch()
	for i := 0; !b.Full(); i++ {
		b.Int(int64(i))
		b.String("2026-11-22 01:02:03+00:00")
		b.String("a name of a thing")
		b.Float(0.5)
		b.Null()
		b.EndRow()
	}
	return b
}

func BenchmarkDigest(b *testing.B) {
	rows := benchRows()
	b.SetBytes(int64(rows.Size()))
	b.ReportAllocs()
	for b.Loop() {
		var s Summer
		s.Add(rows)
	}
}

func BenchmarkDecodeRow(b *testing.B) {
	rows := benchRows()
	cells := make([]Cell, 5)
	b.SetBytes(int64(rows.Size()))
	b.ReportAllocs()
	for b.Loop() {
		for i := range rows.Len() {
			if err := DecodeRow(cells, rows.Row(i)); err != nil {
				b.Fatal(err)
			}
		}
	}
}
