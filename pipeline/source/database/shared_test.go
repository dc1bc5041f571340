package database

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// smallTables returns tables of a few rows.
func smallTables(count int) content {
	c := content{}
	for i := range count {
		name := fmt.Sprintf("t%d", i)
		c[name] = table1000(name)[name][:20]
	}
	return c
}

func endings(t *testing.T, dir string) (found []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !f.IsDir() && f.Name() != lockName {
			found = append(found, filepath.Ext(f.Name()))
		}
	}
	return found
}

func TestSmallTablesShareAFile(t *testing.T) {
	dir, c := t.TempDir(), smallTables(50)
	last, _ := backUp(t, c, dir, nil, 2)
	for round := range 2 { // the third change folds the runs into a new base
		c["t7"][round][1] = "changed"
		next, k := backUp(t, c, dir, last, 2)
		if want := []string{fmt.Sprintf("tables/t7/%d.delta", round+1)}; !slices.Equal(deltas(k.opened), want) {
			t.Errorf("round %d: %q were read, want %q", round, k.opened, want)
		}
		if got := endings(t, dir); !slices.Equal(got, []string{sharedEnding}) {
			t.Errorf("round %d: there are files %q", round, got)
		}
		last = next
	}
}

func deltas(opened []string) []string {
	return slices.DeleteFunc(sorted(opened), func(path string) bool { return !strings.HasPrefix(path, "tables/") })
}

func TestASmallTableThatCanNoLongerBeTakenOverIsReadNextTime(t *testing.T) {
	dir, c := t.TempDir(), smallTables(3)
	first, _ := backUp(t, c, dir, nil, 2)
	k := newTaker(t, Options{Driver: driver{source: c.source()}, StateDir: dir}, first)
	k.last = nil
	if _, err := k.run(2); err == nil {
		t.Fatal("what cannot be taken over was no error")
	}
	_, k = backUp(t, c, dir, first, 2)
	if !slices.ContainsFunc(k.opened, func(path string) bool { return strings.HasSuffix(path, "/0.base") }) {
		t.Errorf("only %q were read", k.opened)
	}
}

func TestAStateThatWasDamagedIsNotBuiltOn(t *testing.T) {
	for _, rows := range []int{20, 1000} { // a line among others, and a file of its own
		dir, c := t.TempDir(), content{"t": table1000("t")["t"][:rows]}
		first, _ := backUp(t, c, dir, nil, 2)
		files, err := filepath.Glob(filepath.Join(dir, "*s*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				continue // a directory
			}
			if err := os.WriteFile(name, bytes.Replace(text, fmt.Appendf(nil, `"rows":%d`, rows), fmt.Appendf(nil, `"rows":%d`, rows+1), 1), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, k := backUp(t, c, dir, first, 2); !slices.Contains(k.opened, "tables/t/0.base") {
			t.Errorf("%d rows: only %q were read", rows, k.opened)
		}
	}
}

func TestStatesWithoutRoomGetFilesOfTheirOwn(t *testing.T) {
	s, err := openStates(t.TempDir(), "0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if added, err := s.small.add(&state{Table: "t", Small: make([]byte, roomBytes+1)}); added || err != nil {
		t.Errorf("what has no room was added: %v", err)
	}
}

func TestWhatIsPutAsideComesBackFromMemoryAndFiles(t *testing.T) {
	for _, room := range []int64{0, 100, roomBytes} {
		for _, size := range []int{0, 1, smallBytes, smallBytes + 1, 3 * smallBytes} {
			var left atomic.Int64
			left.Store(room)
			a := &aside{path: filepath.Join(t.TempDir(), "aside"), room: &left}
			want := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
			for rest := want; len(rest) > 0; {
				n, err := a.Write(rest[:min(1000, len(rest))])
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if got := readAside(t, a); !bytes.Equal(got, want) {
				t.Errorf("room %d: %d bytes became %d", room, size, len(got))
			}
			if err := a.remove(); err != nil || left.Load() != room {
				t.Errorf("room %d: %d is left after %d bytes are gone: %v", room, left.Load(), size, err)
			}
		}
	}
}

func readAside(t *testing.T, a *aside) []byte {
	t.Helper()
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	r, err := a.open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// FuzzStates reads what an earlier backup may have left of tables: what counts has its sum.
func FuzzStates(f *testing.F) {
	one := &state{Table: "t", Runs: []run{{Identity: "i"}}, Rows: 3, Small: []byte("prints")}
	one.Sum = one.sum()
	text, err := json.Marshal(one)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(append(append(bytes.Clone(text), '\n'), `{"table":"t","sum":"x"}`+"\n"...))
	f.Add([]byte("null\n{}\n[]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, ending := range []string{stateEnding, sharedEnding} {
			name := filepath.Join(t.TempDir(), "a"+ending)
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, s := range readStates(name) {
				if s.Sum != s.sum() || len(s.Runs) == 0 {
					t.Errorf("%q gives %+v", text, s)
				}
			}
		}
	})
}
