package collect_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/collect"
)

var somePlan = collect.Plan{Bytes: 7, Packs: []collect.Dead{{Name: archive.Name{1}, Kind: archive.Data, Size: 4, Why: "nothing needs it"}, {Name: archive.Name{2}, Kind: archive.Trees, Size: 3}}}

func TestAPlanThatIsWrittenDownDeletesTheSamePacks(t *testing.T) {
	text, err := somePlan.Encode("r1", catalog.Term{Now: time.Unix(1, 0), Grace: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	packs, err := collect.DecodePlan(text, "r1")
	if err != nil || len(packs) != 2 || !packs[archive.Name{1}] || !packs[archive.Name{2}] {
		t.Errorf("%s gives %v, %v; want both packs", text, packs, err)
	}
	if _, err := collect.DecodePlan(text, "r2"); !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("a plan for another repository is read: %v", err)
	}
}

func TestWhatIsNoPlanIsNotRead(t *testing.T) {
	for _, text := range []string{"", "x", "{}", `{"schema":"packstone.v2","repository":"r1"}`} {
		if _, err := collect.DecodePlan([]byte(text), "r1"); !errors.Is(err, collect.ErrNoPlan) {
			t.Errorf("%q: %v, want ErrNoPlan", text, err)
		}
	}
	if _, err := collect.DecodePlan([]byte(`{"schema":"packstone.v1","repository":"r1","packs":[{"name":"ab"}]}`), "r1"); err == nil || errors.Is(err, collect.ErrNoPlan) {
		t.Errorf("a plan with a name that is none: %v", err)
	}
}

func TestAPlanComesBackFromItsFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "plan.json")
	if err := somePlan.WritePlan(name, "r1", catalog.Term{Now: time.Unix(1, 0), Grace: time.Hour}); err != nil {
		t.Fatal(err)
	}
	read := func(name string, most int64) ([]byte, error) {
		if most < 1<<20 {
			t.Errorf("at most %d bytes are read", most)
		}
		return os.ReadFile(name)
	}
	if packs, err := collect.ReadPlan(name, "r1", read); err != nil || len(packs) != 2 {
		t.Errorf("got %v, %v", packs, err)
	}
	if _, err := collect.ReadPlan(name, "r2", read); !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("for another repository: %v, want %v", err, catalog.ErrRefused)
	}
	if _, err := collect.ReadPlan(name+"x", "r1", read); !errors.Is(err, catalog.ErrMisuse) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, want %v", err, catalog.ErrMisuse)
	}
	if err := os.WriteFile(name, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := collect.ReadPlan(name, "r1", read); !errors.Is(err, catalog.ErrMisuse) {
		t.Errorf("no plan: %v, want %v", err, catalog.ErrMisuse)
	}
}

func FuzzDecodePlan(f *testing.F) {
	text, err := somePlan.Encode("r1", catalog.Term{Now: time.Unix(1, 0)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"schema":"packstone.v1","repository":"r1","packs":[{"name":"ab"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		packs, err := collect.DecodePlan(text, "r1")
		if err != nil && packs != nil {
			t.Errorf("%q gives %v and %v", text, packs, err)
		}
	})
}
