package doctor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
)

func TestWhatABucketKeepsOfVersionsIsTold(t *testing.T) {
	for _, c := range []struct {
		found  store.Protection
		err    error
		advice bool
		want   string
	}{
		{store.Protection{}, nil, true, "keeps no versions"},
		{store.Protection{Suspended: true}, nil, true, "is suspended"},
		{store.Protection{Versions: true, Rules: true}, nil, false, "no lifecycle rule deletes them"},
		{store.Protection{Versions: true, Rules: true, Old: 7 * 24 * time.Hour}, nil, true, "7 days after"},
		{store.Protection{Versions: true, Rules: true, Old: 30 * 24 * time.Hour}, nil, false, "30 days after"},
		{store.Protection{Versions: true}, nil, false, "whether a lifecycle rule deletes them, the server does not tell"},
		{store.Protection{}, store.ErrDenied, false, "can't find out whether the bucket keeps versions"},
	} {
		x := new(Examination)
		x.Examine("versions", func() (string, error) { return describeVersions(c.found, c.err) })
		if got := x.Checks[0]; x.Failures > 0 || (x.Warnings > 0) != c.advice || !strings.Contains(got.Detail, c.want) {
			t.Errorf("%+v, %v: %+v, want %q, advice: %v", c.found, c.err, got, c.want, c.advice)
		}
	}
	if _, err := describeVersions(store.Protection{}, store.ErrUnreachable); !errors.Is(err, store.ErrUnreachable) {
		t.Errorf("no answer: %v", err)
	}
}
