package doctor

import (
	"errors"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive/store"
)

func TestWhatABucketKeepsOfVersionsIsTold(t *testing.T) {
	for _, c := range []struct {
		versions store.Versions
		err      error
		advice   bool
		want     string
	}{
		{store.Versions{}, nil, true, "keeps no versions"},
		{store.Versions{Suspended: true}, nil, true, "is suspended"},
		{store.Versions{Kept: true}, nil, false, "no lifecycle rule deletes them"},
		{store.Versions{Kept: true, Days: 7}, nil, true, "7 days after"},
		{store.Versions{Kept: true, Days: 30}, nil, false, "30 days after"},
		{store.Versions{Kept: true, Untold: store.ErrInvalid}, nil, false, "whether a lifecycle rule deletes them, the server does not tell"},
		{store.Versions{}, store.ErrDenied, false, "can't find out whether the bucket keeps versions"},
	} {
		x := new(Examination)
		x.Examine("versions", func() (string, error) { return describeVersions(c.versions, c.err) })
		if got := x.Checks[0]; x.Failures > 0 || (x.Warnings > 0) != c.advice || !strings.Contains(got.Detail, c.want) {
			t.Errorf("%+v, %v: %+v, want %q, advice: %v", c.versions, c.err, got, c.want, c.advice)
		}
	}
	if _, err := describeVersions(store.Versions{}, store.ErrUnreachable); !errors.Is(err, store.ErrUnreachable) {
		t.Errorf("no answer: %v", err)
	}
}
