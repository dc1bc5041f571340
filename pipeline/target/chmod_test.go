package target_test

import (
	"math"
	"testing"

	"github.com/packstone/packstone/pipeline/target"
)

// FuzzChmods parses changes of modes and owners as people type them.
func FuzzChmods(f *testing.F) {
	for _, seed := range []string{"u=rwX,go=rX", "640", "D755,F644", "a+s,-t", "D", "7777", "10000", "u", "0:0", "root:", ":4294967295", "-1"} {
		f.Add(seed, uint32(0o644))
	}
	f.Fuzz(func(t *testing.T, text string, mode uint32) {
		if m, err := target.ParseChmod(text); err == nil {
			for _, directory := range []bool{false, true} {
				if got := m.Apply(mode, directory); got&^0o7777 != 0 {
					t.Errorf("%q makes %o of %o", text, got, mode)
				}
			}
		}
		if o, err := target.ParseOwner(text); err == nil {
			uid, gid := o.Apply(7, 7)
			if !o.Named() || uid == math.MaxUint32 || gid == math.MaxUint32 {
				t.Errorf("%q is %d:%d", text, uid, gid)
			}
		}
	})
}
