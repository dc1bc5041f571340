package rows

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/packstone/packstone/pipeline/database"
)

// rowList is a Reader over rows of one text cell.
type rowList []string

func (l rowList) Schema(context.Context) (*database.Schema, error) { return &database.Schema{}, nil }

func (l rowList) Rows(_ context.Context, _ *database.Table, send func(*database.Batch) error) error {
	b := database.NewBatch()
	for _, s := range l {
		if s != "" { // an empty one stands for a row without cells
			b.String(s)
		}
		b.EndRow()
		if b.Full() {
			if err := send(b); err != nil {
				return err
			}
			b = database.NewBatch()
		}
	}
	return send(b)
}

// collect reads runs back.
func collect(t testing.TB, runs ...[]byte) rowList {
	t.Helper()
	var out rowList
	err := Read(context.Background(), readers(runs), "", func(b *database.Batch) error {
		defer b.Release()
		for i := range b.Len() {
			if len(b.Row(i)) == 0 {
				out = append(out, "")
				continue
			}
			c, _, err := database.NextCell(b.Row(i))
			if err != nil {
				return err
			}
			out = append(out, string(c.Bytes))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func writeBase(t testing.TB, rows rowList) (run, prints []byte) {
	t.Helper()
	var out, p bytes.Buffer
	if _, err := WriteBase(context.Background(), &out, &p, rows, &database.Table{Name: "t"}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), p.Bytes()
}

func writeDelta(t testing.TB, rows rowList, previous []byte) (run, prints []byte, changed bool) {
	t.Helper()
	var out, p bytes.Buffer
	result, err := WriteDelta(context.Background(), &out, &p, bytes.NewReader(previous), 1<<40, rows, &database.Table{Name: "t"})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), p.Bytes(), result.Changed
}

func numbered(n int) rowList {
	var out rowList
	for i := range n {
		out = append(out, fmt.Sprintf("row %d of the table, with some more text to it", i))
	}
	return out
}

func TestDeltasBringEveryLaterStateBack(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	edits := map[string]func(rowList) rowList{
		"nothing":         func(l rowList) rowList { return l },
		"a change":        func(l rowList) rowList { l[len(l)/2] += "!"; return l },
		"an insert":       func(l rowList) rowList { return slices.Insert(l, len(l)/3, "new", "newer") },
		"an append":       func(l rowList) rowList { return append(l, "last") },
		"a prepend":       func(l rowList) rowList { return slices.Insert(l, 0, "first") },
		"a deletion":      func(l rowList) rowList { return slices.Delete(l, 10, 900) },
		"the last gone":   func(l rowList) rowList { return l[:len(l)-1] },
		"all gone":        func(rowList) rowList { return nil },
		"all new":         func(rowList) rowList { return numbered(50) },
		"a block change":  func(l rowList) rowList { return slices.Replace(l, 100, 400, numbered(250)...) },
		"repetitions":     func(l rowList) rowList { return append(append(l, l[:50]...), l[:50]...) },
		"another order":   func(l rowList) rowList { random.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] }); return l },
		"rows of nothing": func(l rowList) rowList { return append(l, "", "") },
	}
	for name, edit := range edits {
		first := numbered(2000)
		base, prints := writeBase(t, first)
		second := edit(slices.Clone(first))
		d1, prints, changed := writeDelta(t, second, prints)
		if changed == (name == "nothing") {
			t.Errorf("%s: changed = %v", name, changed)
		}
		if got := collect(t, base, d1); !slices.Equal(got, second) {
			t.Errorf("%s: %d rows come back, want %d", name, len(got), len(second))
		}
		third := append(slices.Clone(second), "once more")
		d2, _, _ := writeDelta(t, third, prints)
		if got := collect(t, base, d1, d2); !slices.Equal(got, third) {
			t.Errorf("%s, then an append: %d rows come back, want %d", name, len(got), len(third))
		}
	}
}

func TestADeltaOfFewChangesIsSmall(t *testing.T) {
	rows := numbered(100000)
	base, prints := writeBase(t, rows)
	random := rand.New(rand.NewPCG(3, 4))
	changed := slices.Clone(rows)
	for range len(rows) / 100 {
		changed[random.IntN(len(rows))] += " changed"
	}
	delta, _, _ := writeDelta(t, changed, prints)
	if limit := len(base) * 15 / 1000; len(delta) > limit {
		t.Errorf("1 %% changed rows make a delta of %d bytes over a base of %d, want at most %d", len(delta), len(base), limit)
	}
}

func TestADeltaGivesUpAtItsLimit(t *testing.T) {
	_, prints := writeBase(t, numbered(100))
	_, err := WriteDelta(context.Background(), io.Discard, nil, bytes.NewReader(prints), 200, rowList{"a", numbered(30)[29] + "x", "b", string(make([]byte, 300))}, &database.Table{Name: "t"})
	if !errors.Is(err, database.ErrRebase) {
		t.Errorf("error %v, want ErrRebase", err)
	}
}

func TestAlteredRunsAreErrors(t *testing.T) {
	base, prints := writeBase(t, numbered(20))
	delta, _, _ := writeDelta(t, append(numbered(19), "x"), prints)
	for i := range base {
		bad := bytes.Clone(base)
		bad[i] ^= 1
		if err := discard(bad); err == nil {
			t.Errorf("byte %d of a base altered: no error", i)
		}
		if err := discard(base[:i]); err == nil {
			t.Errorf("base cut at %d: no error", i)
		}
	}
	for i := range delta {
		bad := bytes.Clone(delta)
		bad[i] ^= 1
		if err := discard(base, bad); err == nil {
			t.Errorf("byte %d of a delta altered: no error", i)
		}
		if err := discard(base, delta[:i]); err == nil {
			t.Errorf("delta cut at %d: no error", i)
		}
	}
}

func readers(runs [][]byte) (out []io.Reader) {
	for _, r := range runs {
		out = append(out, bytes.NewReader(r))
	}
	return out
}

func discard(runs ...[]byte) error {
	return Read(context.Background(), readers(runs), "", func(b *database.Batch) error { b.Release(); return nil })
}

func FuzzRead(f *testing.F) {
	base, prints := writeBase(f, numbered(5))
	delta, _, _ := writeDelta(f, append(rowList{"new"}, numbered(4)...), prints)
	f.Add(base, delta)
	f.Add([]byte(baseMagic+"\x00\x00"), []byte(deltaMagic+"\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		_ = discard(a)
		_ = discard(a, b)
	})
}

func FuzzDecodeRow(f *testing.F) {
	f.Add([]byte{1, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 'x', 0})
	f.Fuzz(func(t *testing.T, row []byte) {
		for rest := row; len(rest) > 0; {
			var err error
			if _, rest, err = database.NextCell(rest); err != nil {
				return
			}
		}
	})
}

func TestDigestSeesWhatAnExclusiveOrWouldNot(t *testing.T) {
	digest := func(rows ...string) database.Digest {
		var s database.Summer
		for _, r := range rows {
			s.AddRow([]byte(r))
		}
		return s.Digest()
	}
	if digest("a", "b") != digest("b", "a") {
		t.Error("the digest depends on the order")
	}
	if digest("a", "b", "b", "b") == digest("a", "c", "c", "b") || digest("b", "b") == digest() {
		t.Error("repeated rows cancel out")
	}
}

func BenchmarkWriteDeltaOfOnePercent(b *testing.B) {
	rows := numbered(100000)
	base, prints := writeBase(b, rows)
	for i := 0; i < len(rows); i += 100 {
		rows[i] += "!"
	}
	b.SetBytes(int64(len(base)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := WriteDelta(context.Background(), io.Discard, io.Discard, bytes.NewReader(prints), 1<<40, rows, &database.Table{Name: "t"}); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzOpen reads a database whose description and rows may say anything.
func FuzzOpen(f *testing.F) {
	base, _ := writeBase(f, numbered(5))
	schema, err := MarshalSchema(&database.Schema{Engine: database.SQLite, Tables: []*database.Table{{Name: "t", Columns: []*database.Column{{Name: "a", Type: database.Type{Kind: database.Text}}}}}})
	if err != nil {
		f.Fatal(err)
	}
	tables, err := MarshalStored([]Stored{{Table: "t", Runs: []Run{{Path: "run", Bytes: int64(len(base))}}, Rows: 5}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(schema, tables, base)
	f.Add([]byte(`{"tables":[null]}`), []byte(`[]`), base)
	f.Add([]byte(`{"tables":[{"name":"t"}]}`), []byte(`[{"table":"t","runs":[{"path":"../run","bytes":-1},{"path":"run"}],"rows":9223372036854775807}]`), base)
	f.Fuzz(func(t *testing.T, schema, tables, run []byte) {
		files := fstest.MapFS{SchemaEntry: {Data: schema}, TablesEntry: {Data: tables}, "run": {Data: run}}
		src, err := Open(files, database.SourceOptions{})
		if err != nil {
			return
		}
		defer src.Close()
		s, err := src.Schema(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		again, err := MarshalSchema(s)
		if err != nil {
			t.Fatalf("what was read is not written: %v", err)
		}
		files[SchemaEntry] = &fstest.MapFile{Data: again}
		if _, err := Open(files, database.SourceOptions{}); err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		for _, table := range s.Tables {
			_ = src.Rows(t.Context(), table, func(b *database.Batch) error { b.Release(); return nil })
		}
	})
}

// TestALengthThatIsALieTakesNoMemory puts a length that no run has at every place.
func TestALengthThatIsALieTakesNoMemory(t *testing.T) {
	base, prints := writeBase(t, numbered(5))
	delta, _, _ := writeDelta(t, append(rowList{"new"}, numbered(4)...), prints)
	for name, c := range map[string]struct {
		run  []byte
		read func([]byte)
	}{
		"base":  {base, func(b []byte) { _ = discard(b) }},
		"delta": {delta, func(b []byte) { _ = discard(base, b) }},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tries := uint64(0)
		for at := range c.run {
			for _, lie := range []uint64{1 << 24, 1 << 31, 1 << 40, 1 << 63} {
				tries++
				c.read(append(binary.AppendUvarint(bytes.Clone(c.run[:at]), lie), c.run[at+1:]...))
			}
		}
		runtime.ReadMemStats(&after)
		if took := (after.TotalAlloc - before.TotalAlloc) / tries; took > 2<<20 {
			t.Errorf("%s: a lie takes %d KiB", name, took>>10)
		}
	}
}
