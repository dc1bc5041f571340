package s3_test

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/s3"
	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/archive/store/s3test"
)

// eachCold runs a test with both clients, each with a server of its own, in which packs are put
// into GLACIER.
func eachCold(t *testing.T, test func(t *testing.T, s *s3.Store, server *s3test.Cold)) {
	for _, dialect := range []string{"aws", "minio"} {
		t.Run(dialect, func(t *testing.T) {
			server := s3test.StartCold(t)
			t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
			address := "s3://bucket/some"
			if dialect == "minio" {
				address = "minio+" + server.URL + "/bucket/some"
			}
			at, err := bucket.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			s, err := s3.Open(t.Context(), at, bucket.Options{AccessKey: "a", SecretKey: "s"})
			if err != nil {
				t.Fatal(err)
			}
			s.PutAs(func(name string) store.Class {
				if strings.HasPrefix(name, "packs/") {
					return "GLACIER"
				}
				return "STANDARD_IA"
			})
			for _, name := range []string{"packs/a", "log/b"} {
				if err := s.Put(t.Context(), name, []byte(name), sha256.Sum256([]byte(name))); err != nil {
					t.Fatal(err)
				}
			}
			test(t, s, server)
		})
	}
}

func TestEachObjectIsPutIntoItsClass(t *testing.T) {
	eachCold(t, func(t *testing.T, s *s3.Store, server *s3test.Cold) {
		got := server.Classes()
		if got["/bucket/some/packs/a"] != "GLACIER" || got["/bucket/some/log/b"] != "STANDARD_IA" {
			t.Errorf("classes = %v", got)
		}
		if data, err := s.Get(t.Context(), "log/b", 0, -1, nil); string(data) != "log/b" || err != nil {
			t.Errorf("an object that is not archived: %q, %v", data, err)
		}
	})
}

func TestAnArchivedObjectIsReadAfterAThaw(t *testing.T) {
	eachCold(t, func(t *testing.T, s *s3.Store, server *s3test.Cold) {
		_, err := s.Get(t.Context(), "packs/a", 0, -1, nil)
		if !errors.Is(err, store.ErrArchived) || errors.Is(err, store.ErrNotExist) || retry.Transient(err) {
			t.Errorf("before the thaw: %v, want ErrArchived, which is not tried again", err)
		}
		wantStanding(t, s, "packs/a", store.Standing{Class: "GLACIER", Frozen: true})
		wantStanding(t, s, "log/b", store.Standing{Class: "STANDARD_IA"})
		for range 2 { // the second time it is under way
			if err := s.Thaw(t.Context(), "packs/a", store.Thaw{Days: 3, Tier: store.Bulk}); err != nil {
				t.Fatal(err)
			}
		}
		if asked := server.Asked()["/bucket/some/packs/a"]; !strings.Contains(asked, "<Days>3</Days>") || !strings.Contains(asked, "<Tier>Bulk</Tier>") {
			t.Errorf("the request is %s", asked)
		}
		wantStanding(t, s, "packs/a", store.Standing{Class: "GLACIER", Frozen: true, Thawing: true})
		server.Thaw()
		wantStanding(t, s, "packs/a", store.Standing{Class: "GLACIER", Until: time.Date(2040, 12, 21, 0, 0, 0, 0, time.UTC)})
		if data, err := s.Get(t.Context(), "packs/a", 2, 3, nil); string(data) != "cks" || err != nil {
			t.Errorf("after the thaw: %q, %v", data, err)
		}
	})
}

func wantStanding(t *testing.T, s *s3.Store, name string, want store.Standing) {
	t.Helper()
	if got, err := s.Standing(t.Context(), name); got != want || err != nil {
		t.Errorf("%s lies so: %+v, %v, want %+v", name, got, err, want)
	}
}

func TestFailuresOfAThawHaveTheirNames(t *testing.T) {
	eachCold(t, func(t *testing.T, s *s3.Store, server *s3test.Cold) {
		calls := map[string]func(name string) error{
			"standing": func(name string) error { _, err := s.Standing(t.Context(), name); return err },
			"thaw":     func(name string) error { return s.Thaw(t.Context(), name, store.Thaw{Days: 1, Tier: store.Standard}) },
		}
		if err := calls["thaw"]("log/b"); !errors.Is(err, store.ErrArchived) {
			t.Errorf("the thaw of what needs none: %v", err)
		}
		for call, do := range calls {
			if err := do("packs/none"); !errors.Is(err, store.ErrNotExist) {
				t.Errorf("%s of what is not there: %v", call, err)
			}
			if err := do("../bad"); !errors.Is(err, store.ErrInvalid) {
				t.Errorf("%s of a bad name: %v", call, err)
			}
			for status, want := range map[int]error{403: store.ErrDenied, 503: store.ErrUnreachable} {
				server.Fail = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(status); return true }
				if err := do("packs/a"); !errors.Is(err, want) {
					t.Errorf("%s that is answered %d: %v, want %v", call, status, err, want)
				}
				server.Fail = nil
			}
		}
	})
}
