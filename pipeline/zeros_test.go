package pipeline_test

import (
	"bytes"
	"testing"

	"github.com/packstone/packstone/pipeline"
)

func TestRunsOfZerosAreStoredOnceAndComeBack(t *testing.T) {
	w := newWorld(t)
	s := newSource()
	data := randomBytes(100_000, 1)
	s.add("zeros", make([]byte, 40<<20))
	s.add("odd zeros", make([]byte, 40<<20+12345))
	s.add("few zeros", make([]byte, 777))
	s.add("around", bytes.Join([][]byte{make([]byte, 5_000_001), data, make([]byte, 9_000_001), data[:50_000], make([]byte, 70)}, nil))
	o := w.options(s)
	o.PackSize = 4 << 20
	o.Progress = &pipeline.Progress{}
	if _, err := w.backup(w.store, o); err != nil {
		t.Fatal(err)
	}
	// One chunk of zeros for all that are as long, the ends of the files, and what is around the
	// data.
	if chunks, stored := o.Progress.ChunksNew.Load(), o.Progress.BytesNew.Load(); chunks > 12 || stored > 14<<20 {
		t.Errorf("%d new chunks of %d bytes", chunks, stored)
	}
	w.check()
	w.same(0, s)
}

func BenchmarkBackupZeros(b *testing.B) {
	const size = 256 << 20
	s := newSource()
	s.add("zeros", make([]byte, size))
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b)
		b.StartTimer()
		w.mustBackup(s)
	}
}
