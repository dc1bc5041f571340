package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/s3/bucket"
)

func TestReadTakesWhatTheGetWants(t *testing.T) {
	for _, c := range []struct {
		body, contentRange string
		offset, length     int64
		want               string
	}{
		{"0123456789", "", 0, -1, "0123456789"},
		{"34567", "bytes 3-7/10", 3, 5, "34567"},
		{"789", "bytes 7-9/10", 7, 100, "789"},
		{"6789", "bytes 6-9/10", -4, -1, "6789"},
		{"6789", "bytes 6-9/10", -4, 2, "67"},
		{"0", "bytes 0-0/10", 0, 0, ""},
		// A server that does not know ranges sends the whole.
		{"0123456789", "", 3, 5, "34567"},
		{"0123456789", "", -4, 2, "67"},
		{"0123456789", "", 20, 2, ""},
	} {
		o := bucket.Object{Size: int64(len(c.body)), Range: c.contentRange}
		got, err := read([]byte("x"), strings.NewReader(c.body), o, c.offset, c.length)
		if err != nil || string(got) != "x"+c.want {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}

func TestReadRefusesWrongAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		size         int64
		contentRange string
		want         error
	}{
		"no length":      {-1, "", store.ErrInvalid},
		"another part":   {10, "bytes 4-13/20", store.ErrInvalid},
		"too large":      {store.MaxObject + 1000, "bytes 3-9/10", store.ErrInvalid},
		"ends too early": {11, "bytes 3-13/14", store.ErrUnreachable},
	} {
		got, err := read([]byte("x"), strings.NewReader("0123456789"), bucket.Object{Size: c.size, Range: c.contentRange}, 3, -1)
		if !errors.Is(err, c.want) || string(got) != "x" {
			t.Errorf("%s: %q, %v, want dst as it was and %v", name, got, err, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("0123456789"), int64(10), "bytes 3-12/20", int64(3), int64(5))
	f.Add([]byte("0123456789"), int64(10), "", int64(-3), int64(-1))
	f.Fuzz(func(t *testing.T, body []byte, size int64, contentRange string, offset, length int64) {
		if size > 1<<20 {
			size %= 1 << 20
		}
		o := bucket.Object{Size: size, Range: contentRange}
		got, err := read([]byte("x"), bytes.NewReader(body), o, offset, length)
		if !bytes.HasPrefix(got, []byte("x")) || err != nil && len(got) != 1 || length >= 0 && int64(len(got)-1) > length {
			t.Errorf("read %q, %v at %d, %d", got, err, offset, length)
		}
	})
}

// TestAnAnswerIsNeverTakenForALostRace is about what refused does not ask the storage about.
func TestAnAnswerIsNeverTakenForALostRace(t *testing.T) {
	there := memory.New()
	there.Set("a", nil)
	for _, err := range []error{io.EOF, store.ErrUnreachable, context.Canceled} {
		if got := refused(context.Background(), there, "a", err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}
