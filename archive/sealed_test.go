package archive

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/crypto"
)

func TestSealedContentComesBack(t *testing.T) {
	b := newBench(t, memory.New())
	r := rand.New(rand.NewPCG(1, 12))
	for _, content := range [][]byte{nil, []byte("x"), text(r, 300), noise(r, 5_000), make([]byte, MaxChunk), text(r, MaxChunk+5)} {
		name, size, err := PutSealed(t.Context(), b.store, Runs, content, b.recipients...)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := GetContent(t.Context(), b.store, Runs, name)
		if err != nil || len(sealed) != size {
			t.Fatalf("content of %d bytes: stored %d, got %d, %v", len(content), size, len(sealed), err)
		}
		got, err := OpenSealed(sealed, 0, b.identities...)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("content of %d bytes: got %d back, %v", len(content), len(got), err)
		}
	}
}

func TestSealedContentIsPadded(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 12))
	for n := 1; n < 1<<20; n += n/3 + 1 {
		if size := int64(len(Compact(noise(r, n)))); size != Padme(size, 0) {
			t.Errorf("content of %d bytes: %d bytes are no padded size", n, size)
		}
	}
}

func TestSealedContentTellsDamageFromAWrongIdentity(t *testing.T) {
	b, other := newBench(t, memory.New()), newBench(t, memory.New())
	sealed, err := crypto.Seal(nil, Compact([]byte("content")), b.recipients...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSealed(sealed, 0, other.identities...); !errors.Is(err, crypto.ErrWrongIdentity) || errors.Is(err, ErrDamaged) {
		t.Errorf("another identity: got %v, want ErrWrongIdentity", err)
	}
	if _, err := OpenSealed(sealed[:len(sealed)-1], 0, b.identities...); !errors.Is(err, ErrDamaged) {
		t.Errorf("cut short: got %v, want ErrDamaged", err)
	}
	loose, err := crypto.Seal(nil, []byte("not compressed"), b.recipients...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSealed(loose, 0, b.identities...); !errors.Is(err, ErrDamaged) {
		t.Errorf("not compressed: got %v, want ErrDamaged", err)
	}
}

func TestExpandRefusesMoreThanIsAllowed(t *testing.T) {
	compact := Compact(make([]byte, 1<<20))
	if _, err := Expand(compact, 1<<20-1); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte too many: got %v, want ErrDamaged", err)
	}
	if content, err := Expand(compact, 1<<20); err != nil || len(content) != 1<<20 {
		t.Errorf("as many as allowed: got %d bytes, %v", len(content), err)
	}
}
