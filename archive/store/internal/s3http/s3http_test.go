package s3http_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/internal/s3http"
	"github.com/packstone/packstone/archive/store/memory"
)

func TestKeysAreBelowThePrefix(t *testing.T) {
	for _, prefix := range []string{"a/b", "/a/b", "a/b/", "//a/b//"} {
		if got := s3http.NewKeys(prefix).Key("packs/c"); got != "a/b/packs/c" {
			t.Errorf("prefix %q: key = %q, want a/b/packs/c", prefix, got)
		}
	}
	keys := s3http.NewKeys("a")
	for key, want := range map[string]bool{"a/b": true, "a/": false, "a": false, "b/c": false, "a/b/": false, "a/b c": false, "a/tmp/b": false} {
		if name, ours := keys.Name(key); ours != want || ours && name != "b" {
			t.Errorf("Name(%q) = %q, %v, want %v", key, name, ours, want)
		}
	}
}

func TestRange(t *testing.T) {
	for _, c := range []struct {
		offset, length int64
		want           string
	}{
		{0, -1, ""}, {0, 10, "bytes=0-9"}, {5, 10, "bytes=5-14"}, {5, -1, "bytes=5-"}, {-5, -1, "bytes=-5"}, {-5, 2, "bytes=-5"},
		{0, 0, "bytes=0-0"}, {7, 0, "bytes=7-7"}, {5, math.MaxInt64, "bytes=5-"}, {0, math.MaxInt64, "bytes=0-9223372036854775806"},
	} {
		if got := s3http.Range(c.offset, c.length); got != c.want {
			t.Errorf("Range(%d, %d) = %q, want %q", c.offset, c.length, got, c.want)
		}
	}
}

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
		got, err := s3http.Read([]byte("x"), strings.NewReader(c.body), int64(len(c.body)), c.contentRange, c.offset, c.length)
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
		got, err := s3http.Read([]byte("x"), strings.NewReader("0123456789"), c.size, c.contentRange, 3, -1)
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
		got, err := s3http.Read([]byte("x"), bytes.NewReader(body), size, contentRange, offset, length)
		if !bytes.HasPrefix(got, []byte("x")) || err != nil && len(got) != 1 || length >= 0 && int64(len(got)-1) > length {
			t.Errorf("read %q, %v at %d, %d", got, err, offset, length)
		}
	})
}

func TestAnswersBecomeTheStoresErrors(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   error // nil for an error that has no name
	}{
		{412, "PreconditionFailed", store.ErrExist}, {409, "ConditionalRequestConflict", store.ErrConflict}, {409, "", store.ErrConflict},
		{403, "AccessDenied", store.ErrDenied}, {403, "", store.ErrDenied}, {400, "ExpiredToken", store.ErrDenied},
		{404, "NoSuchKey", store.ErrNotExist}, {404, "", store.ErrNotExist}, {404, "NoSuchBucket", store.ErrNotExist},
		{400, "BadDigest", store.ErrCorrupt}, {400, "XAmzContentChecksumMismatch", store.ErrCorrupt},
		{507, "", store.ErrFull}, {507, "XMinioStorageFull", store.ErrFull}, {403, "QuotaExceeded", store.ErrFull},
		{503, "SlowDown", store.ErrUnreachable}, {429, "", store.ErrUnreachable}, {502, "", store.ErrUnreachable},
		{400, "RequestTimeout", store.ErrUnreachable}, {400, "IncompleteBody", store.ErrUnreachable},
		{301, "PermanentRedirect", store.ErrInvalid}, {400, "InvalidArgument", store.ErrInvalid}, {501, "NotImplemented", store.ErrInvalid},
		{500, "InternalError", nil}, {500, "", nil},
	} {
		answer := s3http.Answer{Status: c.status, Code: c.code, Message: "as it says", RequestID: "17"}
		err := s3http.Error(context.Background(), "bucket b", answer, errors.New("the library's words"))
		if c.want != nil && !errors.Is(err, c.want) || c.want == nil && errors.Is(err, store.ErrInvalid) {
			t.Errorf("%d %s: %v, want %v", c.status, c.code, err, c.want)
		}
		if !strings.Contains(err.Error(), "bucket b") {
			t.Errorf("%d %s: %v does not name the bucket", c.status, c.code, err)
		}
		if got := s3http.Refused(context.Background(), holding("a"), "a", err); got != err {
			t.Errorf("%d %s: an answer became %v", c.status, c.code, got)
		}
	}
}

func holding(names ...string) store.Store {
	s := memory.New()
	for _, name := range names {
		s.Set(name, nil)
	}
	return s
}

func TestSilenceIsUnreachable(t *testing.T) {
	for _, c := range []struct {
		err     error
		refused bool
	}{
		{&net.OpError{Op: "dial", Err: errors.New("connection refused")}, false},
		{&net.OpError{Op: "write", Err: errors.New("connection reset by peer")}, true},
		{io.EOF, true},
	} {
		library := fmt.Errorf("many words: %w", &url.Error{Op: "Put", URL: "http://host/key", Err: c.err})
		err := s3http.Error(context.Background(), "bucket b", s3http.Answer{}, library)
		if !errors.Is(err, store.ErrUnreachable) || !errors.Is(err, c.err) || strings.Contains(err.Error(), "many words") {
			t.Errorf("%v became %v", library, err)
		}
		for name, there := range map[string]bool{"a": false, "ab": true} {
			got := s3http.Refused(context.Background(), holding("ab", "ac"), name, err)
			if errors.Is(got, store.ErrExist) != (c.refused && there) {
				t.Errorf("Put of %s, silent with %v, became %v", name, err, got)
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s3http.Error(ctx, "bucket b", s3http.Answer{}, io.EOF); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context has ended: %v, want context.Canceled", err)
	}
}
