package store_test

import (
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
)

func TestDestroySaysWhatIsLostAndWhatOnlyCovered(t *testing.T) {
	locking := store.Protection{Versions: true, Locks: true, Mode: store.Governance, Default: time.Hour}
	for name, test := range map[string]struct {
		bucket *memory.Bucket
		want   map[string]store.Outcome
	}{
		"locks without a right to bypass": {&memory.Bucket{Rules: locking}, map[string]store.Outcome{
			"overwrite objects": store.Covered, "delete objects": store.Covered, "delete versions": store.Refused, "shorten locks": store.Refused, "write configurations": store.Done}},
		"locks that can be bypassed": {&memory.Bucket{Rules: locking, Bypass: true}, map[string]store.Outcome{
			"overwrite objects": store.Done, "delete objects": store.Done, "delete versions": store.Done, "shorten locks": store.Done, "write configurations": store.Done}},
		"versions without locks": {&memory.Bucket{Rules: store.Protection{Versions: true}}, map[string]store.Outcome{
			"overwrite objects": store.Done, "delete objects": store.Done, "delete versions": store.Done, "shorten locks": store.Refused, "write configurations": store.Done}},
	} {
		t.Run(name, func(t *testing.T) {
			attempts, err := store.Destroy(t.Context(), test.bucket)
			if err != nil {
				t.Fatal(err)
			}
			found := map[string]store.Outcome{}
			for _, a := range attempts {
				found[a.Act] = a.Outcome
			}
			for act, want := range test.want {
				if got, tried := found[act]; !tried || got != want {
					t.Errorf("%s: %v, tried %v, want %v", act, got, tried, want)
				}
			}
			for info, err := range test.bucket.List(t.Context(), "", "") {
				t.Errorf("%s stays, %v", info.Name, err)
			}
		})
	}
}
