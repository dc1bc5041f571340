package storetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/archive/store"
)

// BenchmarkPut measures the Put of objects of size bytes by two writers at once, and deletes them.
func BenchmarkPut(b *testing.B, s store.Store, size int) {
	data := random(size)
	digest := sha256.Sum256(data)
	// Some servers remove a directory with its last object, and fail a Put that comes in between.
	mustPut(b, s, "packs/ab/stays", nil)
	var next atomic.Int64
	b.ResetTimer()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			name := fmt.Sprintf("packs/ab/%d", next.Add(1))
			if err := s.Put(context.Background(), name, data, digest); err != nil {
				b.Error(err)
				return
			}
			if err := s.Delete(context.Background(), name); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkGet measures the Get of an object of size bytes into a buffer that is reused, by two
// readers at once.
func BenchmarkGet(b *testing.B, s store.Store, size int) {
	mustPut(b, s, "packs/ab/get", random(size))
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		buf := make([]byte, 0, size)
		for pb.Next() {
			got, err := s.Get(context.Background(), "packs/ab/get", 0, -1, buf)
			if err != nil || len(got) != size {
				b.Errorf("get: %d bytes, %v", len(got), err)
				return
			}
		}
	})
}
