package keep

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
)

func TestAFileOfTwoInterruptedRunsHasTheNewerLocks(t *testing.T) {
	m := memory{path: filepath.Join(t.TempDir(), "keep", "file")}
	at := func(days int) store.Lock {
		return store.Lock{Mode: store.Compliance, Until: time.Unix(int64(days)*86400, 0).UTC()}
	}
	write := func(whole bool, lines ...line) {
		w, err := m.create()
		if err != nil {
			t.Fatal(err)
		}
		defer w.close()
		for _, l := range lines {
			if err := w.add(l.name, l.version, l.lock); err != nil {
				t.Fatal(err)
			}
		}
		if whole {
			err = w.finish(&Report{}, at(1).Until)
		} else {
			err = w.flush()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(true, line{"a", "1", at(1)}, line{"b", "1", at(1)}, line{"d", "1", at(1)})
	write(false, line{"b", "1", at(2)}, line{"c", "1", at(2)})
	if err := m.recover(); err != nil || !m.whole {
		t.Fatalf("recover: %v, whole %v", err, m.whole)
	}
	write(false, line{"a", "2", at(3)})
	if err := m.recover(); err != nil || !m.whole {
		t.Fatalf("recover: %v, whole %v", err, m.whole)
	}
	r, err := m.open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	for _, want := range []line{{"a", "2", at(3)}, {"b", "1", at(2)}, {"c", "1", at(2)}, {"d", "1", at(1)}} {
		if lock, ok := r.find(want.name, want.version); !ok || lock != want.lock {
			t.Errorf("%s is locked until %v, %v, want %v", want.name, lock, ok, want.lock)
		}
	}
}

func FuzzAFileThatIsDamagedIsReadUpToThere(f *testing.F) {
	f.Add([]byte("{\"packstone_keep\":1,\"whole\":true}\na v1 100 COMPLIANCE\nb v2 200 GOVERNANCE\n"))
	f.Add([]byte("{\"packstone_keep\":1}\nb  100 COMPLIANCE\na v2 200 GOVERNANCE\n"))
	f.Add([]byte("{\"packstone_keep\":2}\na v1 100 COMPLIANCE\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := openFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		for last := ""; r.more; r.step() {
			again, ok := parseLine(r.next.String())
			if !ok || again != r.next || r.next.name <= last {
				t.Errorf("line %+v after %q reads as %+v, %v", r.next, last, again, ok)
			}
			last = r.next.name
		}
	})
}
