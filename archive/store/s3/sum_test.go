package s3_test

import (
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/s3test"
)

func TestTheServerTellsTheChecksumOfWhatItStored(t *testing.T) {
	server := s3test.Start(t, s3test.Options{})
	for name, p := range places(t, server) {
		t.Run(name, func(t *testing.T) {
			s, object := open(t, p), "packs/"+name
			body, other := []byte("what was put"), []byte("what somebody has put in its place")
			if err := s.Put(t.Context(), object, body, sha256.Sum256(body)); err != nil {
				t.Fatal(err)
			}
			if sum, known, err := s.Sum(t.Context(), object); sum != sha256.Sum256(body) || !known || err != nil {
				t.Errorf("got %x, %v, %v; want %x", sum, known, err, sha256.Sum256(body))
			}
			if err := s.Overwrite(t.Context(), object, other); err != nil {
				t.Fatal(err)
			}
			if sum, known, err := s.Sum(t.Context(), object); sum != sha256.Sum256(other) || !known || err != nil {
				t.Errorf("after it was overwritten: %x, %v, %v; want %x", sum, known, err, sha256.Sum256(other))
			}
			if _, _, err := s.Sum(t.Context(), object+"b"); !errors.Is(err, store.ErrNotExist) {
				t.Errorf("of no object: %v, want %v", err, store.ErrNotExist)
			}
			if _, _, err := s.Sum(t.Context(), "../b"); !errors.Is(err, store.ErrInvalid) {
				t.Errorf("of what is no name: %v, want %v", err, store.ErrInvalid)
			}
		})
	}
}
