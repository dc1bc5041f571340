package rows

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/packstone/packstone/pipeline/database"
)

// known is a file system that knows what lies in its files, and which were opened.
type known struct {
	fstest.MapFS
	opened map[string]bool
}

func (k known) Open(name string) (fs.File, error) {
	k.opened[name] = true
	return k.MapFS.Open(name)
}

func (k known) ContentID(name string) ([32]byte, error) {
	return sha256.Sum256(k.MapFS[name].Data), nil
}

// stateOf is a state of a table of n rows that lies in these runs.
func stateOf(t testing.TB, n int, runs ...[]byte) (database.Source, known) {
	t.Helper()
	of := Stored{Table: "t", Rows: int64(n)}
	files := known{fstest.MapFS{}, map[string]bool{}}
	for i, run := range runs {
		of.Runs = append(of.Runs, Run{Path: RunPath("t", i, i > 0), Bytes: int64(len(run))})
		files.MapFS[RunPath("t", i, i > 0)] = &fstest.MapFile{Data: run}
	}
	tables, err := MarshalStored([]Stored{of})
	if err != nil {
		t.Fatal(err)
	}
	schema, err := json.Marshal(&database.Schema{Engine: database.SQLite, Tables: []*database.Table{{Name: "t", Columns: []*database.Column{{Name: "c", Type: database.Type{Kind: database.Text}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	files.MapFS[TablesEntry], files.MapFS[SchemaEntry] = &fstest.MapFile{Data: tables}, &fstest.MapFile{Data: schema}
	src, err := Open(files, database.SourceOptions{Aside: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return src, files
}

// sent is what Apart sends, with a sign before each row.
func sent(t testing.TB, before, after database.Source) (out []string, ok bool, err error) {
	t.Helper()
	table := &database.Table{Name: "t"}
	ok, err = Apart(t.Context(), before, after, table, table, func(b *database.Batch, count int64, _ bool) error {
		defer b.Release()
		for i := range b.Len() {
			text := ""
			if b.At(i).Size() > 0 {
				cells := make([]database.Cell, 1)
				if err := b.Cells(cells, i); err != nil {
					return err
				}
				c, err := cells[0].Whole()
				if err != nil {
					return err
				}
				text = string(c.Bytes)
			}
			out = append(out, map[int64]string{1: "-", 0: " ", -1: "+"}[count]+text)
		}
		return nil
	})
	return out, ok, err
}

// net counts what was sent, as often as one state has it more than the other.
func net(sent []string) map[string]int {
	out := map[string]int{}
	for _, s := range sent {
		out[s[1:]] += map[byte]int{'-': 1, ' ': 0, '+': -1}[s[0]]
	}
	maps.DeleteFunc(out, func(_ string, n int) bool { return n == 0 })
	return out
}

// difference is what net should be.
func difference(before, after rowList) map[string]int {
	var all []string
	for _, s := range before {
		all = append(all, "-"+s)
	}
	for _, s := range after {
		all = append(all, "+"+s)
	}
	return net(all)
}

func TestApartSendsWhatDiffersBetweenAnyTwoStates(t *testing.T) {
	first := numbered(2000)
	base, prints := writeBase(t, first)
	for name, edit := range map[string]func(rowList) rowList{
		"nothing":        func(l rowList) rowList { return l },
		"a change":       func(l rowList) rowList { l[1000] += "!"; return l },
		"an append":      func(l rowList) rowList { return append(l, "last") },
		"a prepend":      func(l rowList) rowList { return slices.Insert(l, 0, "first") },
		"a deletion":     func(l rowList) rowList { return slices.Delete(l, 10, 900) },
		"all gone":       func(rowList) rowList { return nil },
		"all new":        func(rowList) rowList { return numbered(3000)[2500:] },
		"a block change": func(l rowList) rowList { return slices.Replace(l, 100, 400, numbered(2250)[2000:]...) },
		"another order":  func(l rowList) rowList { slices.Reverse(l); return l },
		"repetitions":    func(l rowList) rowList { return append(append(l, l[:50]...), l[:50]...) },
	} {
		second := edit(slices.Clone(first))
		d1, p, _ := writeDelta(t, second, prints)
		third := append(slices.Clone(second), "once more")
		if len(third) > 600 {
			third = slices.Delete(third, 500, 503)
		}
		d2, _, _ := writeDelta(t, third, p)
		states := []struct {
			rows rowList
			runs [][]byte
		}{{first, [][]byte{base}}, {second, [][]byte{base, d1}}, {third, [][]byte{base, d1, d2}}}
		for i, x := range states {
			for k, y := range states {
				before, _ := stateOf(t, len(x.rows), x.runs...)
				after, _ := stateOf(t, len(y.rows), y.runs...)
				got, ok, err := sent(t, before, after)
				if !ok || err != nil {
					t.Fatalf("%s, %d to %d: %v, %v", name, i, k, ok, err)
				}
				if want := difference(x.rows, y.rows); !maps.Equal(net(got), want) {
					t.Errorf("%s, %d to %d: got %d rows that differ, want %d", name, i, k, len(net(got)), len(want))
				}
				if i == k && len(got) > 0 {
					t.Errorf("%s: the same state differs from itself: %q", name, got[0])
				}
			}
		}
	}
}

func TestStatesWithoutASharedRunAreNotReadApart(t *testing.T) {
	base, _ := writeBase(t, rowList{"a"})
	other, _ := writeBase(t, rowList{"b"})
	before, files := stateOf(t, 1, base)
	after, _ := stateOf(t, 1, other)
	clear(files.opened)
	if got, ok, err := sent(t, before, after); ok || err != nil || got != nil || len(files.opened) > 0 {
		t.Errorf("got %q, %v, %v, opened %v", got, ok, err, files.opened)
	}
}

func TestSharedRunsAreReadOnlyForRowsThatOneStateLacks(t *testing.T) {
	first := numbered(1000)
	base, prints := writeBase(t, first)
	delta, _, _ := writeDelta(t, append(slices.Clone(first), "last"), prints)
	before, files := stateOf(t, 1000, base)
	after, _ := stateOf(t, 1001, base, delta)
	clear(files.opened)
	got, _, err := sent(t, before, after)
	if want := []string{"+last"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if len(files.opened) > 0 {
		t.Errorf("what was appended has %v read", files.opened)
	}

	first = numbered(5000)
	base, prints = writeBase(t, first)
	changed := slices.Clone(first)
	changed[3] += "!"
	delta, _, _ = writeDelta(t, changed, prints)
	damaged := slices.Clone(base)
	copy(damaged[128<<10:], bytes.Repeat([]byte{255}, len(damaged)))
	before, _ = stateOf(t, 5000, damaged)
	after, _ = stateOf(t, 5000, damaged, delta)
	got, _, err = sent(t, before, after)
	if want := []string{"+" + changed[3], "-" + first[3], " " + first[4]}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q and nothing read of what comes far behind", got, err, want)
	}
}

func TestApartEndsWithItsReader(t *testing.T) {
	base, prints := writeBase(t, numbered(100))
	delta, _, _ := writeDelta(t, nil, prints)
	before, _ := stateOf(t, 100, base)
	after, _ := stateOf(t, 0, base, delta)
	table := &database.Table{Name: "t"}
	stop := errors.New("stop")
	_, err := Apart(t.Context(), before, after, table, table, func(b *database.Batch, _ int64, _ bool) error { b.Release(); return stop })
	if !errors.Is(err, stop) {
		t.Errorf("got %v, want %v", err, stop)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Apart(ctx, before, after, table, table, func(b *database.Batch, _ int64, _ bool) error { b.Release(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func FuzzApart(f *testing.F) {
	first := numbered(20)
	base, prints := writeBase(f, first)
	for _, rows := range []rowList{first[:10], append(slices.Clone(first), "x"), nil} {
		delta, _, _ := writeDelta(f, rows, prints)
		f.Add(delta, delta)
	}
	f.Add([]byte(deltaMagic+"\x00\x00"), []byte(deltaMagic+"\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, x, y []byte) {
		before, _ := stateOf(t, 0, base, x)
		after, _ := stateOf(t, 0, base, y)
		var whole [2]rowList
		for i, run := range [][]byte{x, y} {
			rows, err := textsOf(base, run)
			if err != nil {
				return
			}
			whole[i] = rows
		}
		got, ok, err := sent(t, before, after)
		if !ok || err != nil {
			t.Fatalf("what can be read cannot be compared: %v", err)
		}
		if want := difference(whole[0], whole[1]); !maps.Equal(net(got), want) {
			t.Fatalf("got %v, want %v", net(got), want)
		}
	})
}

// textsOf reads runs of rows of one text.
func textsOf(runs ...[]byte) (out rowList, err error) {
	var in []io.Reader
	for _, r := range runs {
		in = append(in, bytes.NewReader(r))
	}
	err = Read(context.Background(), in, "", func(b *database.Batch) error {
		defer b.Release()
		for i := range b.Len() {
			if len(b.Row(i)) == 0 {
				out = append(out, "")
				continue
			}
			cells := make([]database.Cell, 1)
			if err := database.DecodeRow(cells, b.Row(i)); err != nil {
				return fmt.Errorf("row %d: %w", i, err)
			}
			out = append(out, string(cells[0].Bytes))
		}
		return nil
	})
	return out, err
}
