package crypto

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"filippo.io/age"
)

var borderSizes = []int{
	0, 1, 15, 16, 17, SegmentSize - 17, SegmentSize - 16, SegmentSize - 1, SegmentSize, SegmentSize + 1,
	2*SegmentSize - 1, 2 * SegmentSize, 2*SegmentSize + 1, 5*SegmentSize + 333,
}

func kind(classic bool) string {
	if classic {
		return "classic"
	}
	return "hybrid"
}

func TestAgeOpensWhatIsSealedHere(t *testing.T) {
	for _, classic := range []bool{false, true} {
		identity, recipient := testIdentity(t, classic)
		_, second := testIdentity(t, classic)
		for _, size := range borderSizes {
			plain := testBytes(size)
			sealed, err := Seal([]byte("before"), plain, second, recipient)
			if err != nil {
				t.Fatal(err)
			}
			sealed, found := bytes.CutPrefix(sealed, []byte("before"))
			if !found {
				t.Fatalf("%s, %d bytes: Seal does not append", kind(classic), size)
			}
			checkWithAge(t, fmt.Sprintf("%s, %d bytes", kind(classic), size), sealed, plain, identity)
		}
	}
}

// checkWithAge opens with age's own readers.
func checkWithAge(t *testing.T, name string, sealed, plain []byte, identity age.Identity) {
	t.Helper()
	r, err := age.Decrypt(bytes.NewReader(sealed), identity)
	if err != nil {
		t.Fatalf("%s: age does not open it: %v", name, err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%s: age reads %d bytes (%v), want the %d sealed", name, len(got), err, len(plain))
	}
	at, size, err := age.DecryptReaderAt(bytes.NewReader(sealed), int64(len(sealed)), identity)
	if err != nil || size != int64(len(plain)) {
		t.Fatalf("%s: age sees %d bytes (%v), want %d", name, size, err, len(plain))
	}
	if got, err := io.ReadAll(io.NewSectionReader(at, 0, size)); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%s: age reads %d bytes at offsets (%v), want the %d sealed", name, len(got), err, len(plain))
	}
}

func TestWhatAgeSealsOpensHere(t *testing.T) {
	for _, classic := range []bool{false, true} {
		identity, recipient := testIdentity(t, classic)
		other, _ := testIdentity(t, classic)
		for _, size := range borderSizes {
			plain := testBytes(size)
			var sealed bytes.Buffer
			w, err := age.Encrypt(&sealed, recipient)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(plain); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := Open([]byte("before"), sealed.Bytes(), other, identity)
			if err != nil || !bytes.Equal(got, append([]byte("before"), plain...)) {
				t.Errorf("%s, %d bytes: opened %d bytes, %v", kind(classic), size, len(got), err)
			}
		}
	}
}

func TestSizesAgreeWithAge(t *testing.T) {
	identity, recipient := testIdentity(t, true)
	for _, size := range borderSizes {
		sealed, err := Seal(nil, testBytes(size), recipient)
		if err != nil {
			t.Fatal(err)
		}
		length, err := HeaderLength(sealed)
		if err != nil {
			t.Fatal(err)
		}
		if got := SealedSize(length, int64(size)); got != int64(len(sealed)) {
			t.Errorf("SealedSize of %d bytes is %d, want %d", size, got, len(sealed))
		}
		if got, err := PlainSize(length, int64(len(sealed))); err != nil || got != int64(size) {
			t.Errorf("PlainSize of %d bytes is %d, %v, want %d", len(sealed), got, err, size)
		}
		_, want, err := age.DecryptReaderAt(bytes.NewReader(sealed), int64(len(sealed)), identity)
		if err != nil || want != int64(size) {
			t.Errorf("age sees %d bytes, %v, want %d", want, err, size)
		}
	}
	for _, payload := range []int64{-1, 0, 15, SealedSegment + 1, SealedSegment + SegmentOverhead, 1 << 62, 1<<63 - 1} {
		if payload > 0 && payload < 1<<40 || payload <= 0 {
			if got, err := PlainSize(200, 200+payload); !errors.Is(err, ErrDamaged) {
				t.Errorf("PlainSize of a payload of %d bytes is %d, %v, want ErrDamaged", payload, got, err)
			}
			continue
		}
		PlainSize(200, payload) // must not overflow into a panic
	}
}

func TestSegmentsSealInPlaceInAnyOrder(t *testing.T) {
	identity, recipient := testIdentity(t, false)
	plain := testBytes(3*SegmentSize + 77)
	envelope, err := NewEnvelope([]age.Recipient{recipient})
	if err != nil {
		t.Fatal(err)
	}
	count := SegmentCount(int64(len(plain)))
	segments := make([][]byte, count)
	for _, index := range []uint64{2, 0, 3, 1} {
		part := plain[index*SegmentSize : min(int(index+1)*SegmentSize, len(plain))]
		buffer := make([]byte, len(part), len(part)+SegmentOverhead)
		copy(buffer, part)
		sealed := envelope.SealSegment(buffer[:0], buffer, index, index == count-1)
		if &sealed[0] != &buffer[0] {
			t.Errorf("segment %d was not sealed in place", index)
		}
		segments[index] = sealed
	}
	file := append(slices.Clone(envelope.Header()), bytes.Join(segments, nil)...)
	checkWithAge(t, "in place", file, plain, identity)
}

func TestAnyRangeOpensFromItsSegmentsAlone(t *testing.T) {
	identity, recipient := testIdentity(t, true)
	plain := testBytes(4*SegmentSize + 99)
	sealed, err := Seal(nil, plain, recipient)
	if err != nil {
		t.Fatal(err)
	}
	length, err := HeaderLength(sealed[:300])
	if err != nil {
		t.Fatal(err)
	}
	opener, err := OpenHeader(sealed[:length], identity)
	if err != nil {
		t.Fatal(err)
	}
	count := SegmentCount(int64(len(plain)))
	for _, r := range [][2]int64{
		{0, 1}, {0, SegmentSize}, {SegmentSize - 1, 2}, {SegmentSize, SegmentSize}, {70_000, 150_000},
		{int64(len(plain)) - 1, 1}, {0, int64(len(plain))},
	} {
		first, from, to := SealedRange(length, r[0], r[1])
		got, err := opener.OpenSegments(nil, sealed[from:min(to, int64(len(sealed)))], first, count)
		if err != nil {
			t.Fatalf("range %v: %v", r, err)
		}
		start := r[0] - int64(first)*SegmentSize
		if !bytes.Equal(got[start:start+r[1]], plain[r[0]:r[0]+r[1]]) {
			t.Errorf("range %v: opened other bytes", r)
		}
	}
}

func TestOpenRefusesEveryDamage(t *testing.T) {
	identity, recipient := testIdentity(t, true)
	plain := testBytes(2*SegmentSize + 50)
	sealed, err := Seal(nil, plain, recipient)
	if err != nil {
		t.Fatal(err)
	}
	length, _ := HeaderLength(sealed)
	cut := func(n int) []byte { return slices.Clone(sealed[:n]) }
	flip := func(i int) []byte { b := slices.Clone(sealed); b[i] ^= 1; return b }
	swapped := slices.Concat(sealed[:length], sealed[length+SealedSegment:length+2*SealedSegment],
		sealed[length:length+SealedSegment], sealed[length+2*SealedSegment:])
	for name, bad := range map[string][]byte{
		"empty": {}, "no age file": []byte("hello, this is no age file"), "header cut": cut(length - 20), "nonce cut": cut(length - 1),
		"no payload": cut(length), "tag cut": cut(length + 15), "cut at a segment's end": cut(length + SealedSegment),
		"cut at the second segment's end": cut(length + 2*SealedSegment), "one byte short": cut(len(sealed) - 1),
		"one byte more": append(cut(len(sealed)), 0), "MAC changed": flip(length - 30), "nonce changed": flip(length - 1),
		"first byte changed": flip(length), "last byte changed": flip(len(sealed) - 1), "segments swapped": swapped,
	} {
		if got, err := Open(nil, bad, identity); !errors.Is(err, ErrDamaged) || got != nil {
			t.Errorf("%s: opened %d bytes, %v, want ErrDamaged", name, len(got), err)
		}
	}
}

func TestOpenTellsAWrongIdentity(t *testing.T) {
	for _, classic := range []bool{false, true} {
		_, recipient := testIdentity(t, classic)
		other, _ := testIdentity(t, classic)
		crossed, _ := testIdentity(t, !classic)
		sealed, err := Seal(nil, []byte("x"), recipient)
		if err != nil {
			t.Fatal(err)
		}
		for _, identities := range [][]age.Identity{{}, {other}, {crossed}, {other, crossed}} {
			if _, err := Open(nil, sealed, identities...); !errors.Is(err, ErrWrongIdentity) || errors.Is(err, ErrDamaged) {
				t.Errorf("%s, %d identities: %v, want ErrWrongIdentity", kind(classic), len(identities), err)
			}
		}
	}
}

var errToken = errors.New("the token is not plugged in")

type brokenIdentity struct{}

func (brokenIdentity) Unwrap([]*age.Stanza) ([]byte, error) { return nil, errToken }

func TestAFailingDeviceIsNoDamage(t *testing.T) {
	_, recipient := testIdentity(t, true)
	sealed, err := Seal(nil, []byte("x"), recipient)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(nil, sealed, brokenIdentity{}); !errors.Is(err, errToken) || errors.Is(err, ErrDamaged) {
		t.Errorf("open with a broken device: %v, want its own error", err)
	}
}

func TestMixedRecipientsAreRefused(t *testing.T) {
	_, hybrid := testIdentity(t, false)
	_, classic := testIdentity(t, true)
	if _, err := Seal(nil, nil, hybrid, classic); !errors.Is(err, ErrMixed) {
		t.Errorf("seal to mixed recipients: %v, want ErrMixed", err)
	}
	if _, err := NewEnvelope(nil); err == nil {
		t.Error("an envelope for nobody was made")
	}
}

func TestRewrappedHeadersOpenForTheNewRecipientsOnly(t *testing.T) {
	for _, classic := range []bool{false, true} {
		old, oldRecipient := testIdentity(t, classic)
		first, firstRecipient := testIdentity(t, classic)
		second, secondRecipient := testIdentity(t, classic)
		plain := testBytes(SegmentSize + 5)
		sealed, err := Seal(nil, plain, oldRecipient)
		if err != nil {
			t.Fatal(err)
		}
		length, _ := HeaderLength(sealed)
		header, err := Rewrap(sealed[:length], []age.Identity{old}, []age.Recipient{firstRecipient, secondRecipient})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := HeaderLength(header); err != nil || n != len(header) {
			t.Errorf("%s: new header of %d bytes has length %d, %v", kind(classic), len(header), n, err)
		}
		file := slices.Concat(header, sealed[length:])
		checkWithAge(t, kind(classic)+", first new recipient", file, plain, first)
		checkWithAge(t, kind(classic)+", second new recipient", file, plain, second)
		if _, err := age.Decrypt(bytes.NewReader(file), old); err == nil {
			t.Errorf("%s: the old identity opens the new header", kind(classic))
		}
		if _, err := Rewrap(sealed[:length], []age.Identity{first}, []age.Recipient{oldRecipient}); !errors.Is(err, ErrWrongIdentity) {
			t.Errorf("%s: rewrap with a wrong identity: %v, want ErrWrongIdentity", kind(classic), err)
		}
	}
}

func TestHeaderLengthAsksForMore(t *testing.T) {
	_, recipient := testIdentity(t, false)
	envelope, err := NewEnvelope([]age.Recipient{recipient, recipient})
	if err != nil {
		t.Fatal(err)
	}
	header := envelope.Header()
	for n := range len(header) {
		if got, err := HeaderLength(header[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d of %d bytes: length %d, %v, want io.ErrUnexpectedEOF", n, len(header), got, err)
		}
	}
	if got, err := HeaderLength(append(slices.Clone(header), "payload"...)); err != nil || got != len(header) {
		t.Errorf("length %d, %v, want %d", got, err, len(header))
	}
	if _, err := HeaderLength([]byte("age-encryption.org/v2\n")); !errors.Is(err, ErrDamaged) {
		t.Errorf("another version: %v, want ErrDamaged", err)
	}
	endless := append([]byte(ageIntro), bytes.Repeat([]byte("A"), largestHeader)...)
	if _, err := HeaderLength(endless); !errors.Is(err, ErrDamaged) {
		t.Errorf("endless header: %v, want ErrDamaged", err)
	}
}

func TestImpossibleSegmentsPanicWhenSealedAndFailWhenOpened(t *testing.T) {
	identity, recipient := testIdentity(t, true)
	envelope, _ := NewEnvelope([]age.Recipient{recipient})
	opener, err := OpenHeader(envelope.Header(), identity)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		size  int
		index uint64
		last  bool
	}{{SegmentSize - 1, 0, false}, {0, 0, false}, {0, 1, true}, {SegmentSize + 1, 0, true}} {
		if _, err := opener.OpenSegment(nil, make([]byte, c.size+SegmentOverhead), c.index, c.last); !errors.Is(err, ErrDamaged) {
			t.Errorf("open %+v: %v, want ErrDamaged", c, err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("seal %+v does not panic", c)
				}
			}()
			envelope.SealSegment(nil, make([]byte, c.size), c.index, c.last)
		}()
	}
}

func FuzzOpenHeader(f *testing.F) {
	identity, recipient := testIdentity(f, true)
	hybrid, hybridRecipient := testIdentity(f, false)
	for _, r := range []age.Recipient{recipient, hybridRecipient} {
		envelope, err := NewEnvelope([]age.Recipient{r})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(envelope.Header())
		f.Add(envelope.Header()[:100])
	}
	f.Add([]byte("age-encryption.org/v1\n-> X25519 a\nb\n--- \n"))
	f.Add([]byte("age-encryption.org/v1\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef"))
	f.Fuzz(func(t *testing.T, header []byte) {
		length, err := HeaderLength(header)
		if err == nil && (length > len(header) || length < nonceSize) {
			t.Fatalf("header length %d of %d bytes", length, len(header))
		}
		if opener, err := OpenHeader(header, identity, hybrid); err == nil {
			opener.OpenSegment(nil, make([]byte, 32), 0, true)
		}
		Open(nil, header, identity, hybrid)
		Rewrap(header, []age.Identity{identity}, []age.Recipient{recipient})
	})
}

func BenchmarkSealSegmentsInPlace(b *testing.B) {
	_, recipient := testIdentity(b, false)
	buffer := make([]byte, 16<<20/SegmentSize*SealedSegment)
	b.SetBytes(16 << 20)
	b.ReportAllocs()
	for b.Loop() {
		envelope, err := NewEnvelope([]age.Recipient{recipient})
		if err != nil {
			b.Fatal(err)
		}
		for i := range 16 << 20 / SegmentSize {
			segment := buffer[i*SealedSegment:]
			envelope.SealSegment(segment[:0], segment[:SegmentSize], uint64(i), i == 16<<20/SegmentSize-1)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	identity, recipient := testIdentity(b, false)
	for _, size := range []int{4 << 10, 1 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			sealed, err := Seal(nil, testBytes(size), recipient)
			if err != nil {
				b.Fatal(err)
			}
			dst := make([]byte, 0, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Open(dst[:0], sealed, identity); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNewEnvelope(b *testing.B) {
	for _, classic := range []bool{false, true} {
		b.Run(kind(classic), func(b *testing.B) {
			_, recipient := testIdentity(b, classic)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := NewEnvelope([]age.Recipient{recipient}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
