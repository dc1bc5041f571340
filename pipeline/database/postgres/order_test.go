package postgres

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/packstone/packstone/pipeline/database"
)

// numbered is a table with one key column.
func numbered(kind database.Kind) *database.Table {
	return &database.Table{Name: "t", Order: []string{"id"}, Columns: []*database.Column{
		{Name: "note", Type: database.Type{Kind: database.Text}}, {Name: "id", Type: database.Type{Kind: kind}},
	}}
}

// arranged sends rows with these keys through an order that has room for few, and gives the keys as
// they come out.
func arranged(t *testing.T, keys []int64, dir string, change func(*order)) []int64 {
	t.Helper()
	var out []int64
	cells := make([]database.Cell, 2)
	o := newOrder(newKeyEncoder(numbered(database.Int)), dir, func(b *database.Batch) error {
		defer b.Release()
		for i := range b.Len() {
			if err := database.DecodeRow(cells, b.Row(i)); err != nil {
				return err
			}
			if string(cells[0].Bytes) != fmt.Sprint("note of ", cells[1].Int) {
				t.Fatalf("row %d has the note %q", cells[1].Int, cells[0].Bytes)
			}
			out = append(out, cells[1].Int)
		}
		return nil
	})
	change(o)
	for part := range slices.Chunk(keys, 100) {
		b := database.NewBatch()
		for _, k := range part {
			b.String(fmt.Sprint("note of ", k))
			b.Int(k)
			b.EndRow()
		}
		if err := o.add(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.finish(); err != nil {
		t.Fatal(err)
	}
	if err := o.close(); err != nil {
		t.Fatal(err)
	}
	return out
}

func sequenceOf(n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(i - n/2)
	}
	return out
}

// fewBlocks gives an order room for four batches in its window.
func fewBlocks(o *order) { o.room, o.late.room = 4*(database.BatchBytes+4096), 20000 }

func TestRowsThatLieInOrderPassWithoutAFile(t *testing.T) {
	keys := sequenceOf(20000)
	if got := arranged(t, keys, "/nonexistent", fewBlocks); !slices.Equal(got, keys) {
		t.Error("rows in order changed their order")
	}
}

func TestRowsOutOfPlaceWithinTheWindowComeInOrder(t *testing.T) {
	keys := sequenceOf(20000)
	moved := slices.Clone(keys)
	for i := 0; i+250 < len(moved); i += 300 {
		moved[i], moved[i+250] = moved[i+250], moved[i]
	}
	if got := arranged(t, moved, "/nonexistent", fewBlocks); !slices.Equal(got, keys) {
		t.Error("the rows are not in order")
	}
}

func TestLateRowsFollowInOrder(t *testing.T) {
	keys := sequenceOf(20000)
	var moved, late []int64
	for _, k := range keys {
		if k%7 == 3 {
			late = append(late, k)
		} else {
			moved = append(moved, k)
		}
	}
	want := append(slices.Clone(moved), late...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
	dir := t.TempDir()
	got := arranged(t, append(moved, late...), dir, fewBlocks)
	rest := got[len(got)-1000:]
	if !slices.IsSorted(rest) || len(got) != len(want) {
		t.Errorf("%d rows, want %d, the last of them in order", len(got), len(want))
	}
	if descents(got) != 1 {
		t.Errorf("%d descents, want the one where the late rows begin", descents(got))
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v stayed behind, %v", left, err)
	}
}

func descents(keys []int64) (n int) {
	for i := range keys {
		if i > 0 && keys[i] < keys[i-1] {
			n++
		}
	}
	return n
}

func TestShuffledRowsComeInLongStretches(t *testing.T) {
	keys := sequenceOf(50000)
	moved := slices.Clone(keys)
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(moved), func(i, j int) { moved[i], moved[j] = moved[j], moved[i] })
	for _, c := range []struct {
		what     string
		dir      string
		disk     int64
		descents int
	}{
		{"a file", t.TempDir(), lateBytes, 1},
		{"a small file", t.TempDir(), 300000, 8},
		{"no file", "", lateBytes, 80},
	} {
		got := arranged(t, moved, c.dir, func(o *order) { fewBlocks(o); o.late.disk = c.disk })
		if again := arranged(t, moved, c.dir, func(o *order) { fewBlocks(o); o.late.disk = c.disk }); !slices.Equal(again, got) {
			t.Errorf("with %s the order is another one each time", c.what)
		}
		if n := descents(got); n == 0 || n > c.descents {
			t.Errorf("with %s there are %d descents, want at most %d", c.what, n, c.descents)
		}
		slices.Sort(got)
		if !slices.Equal(got, keys) {
			t.Errorf("with %s rows are lost or repeated", c.what)
		}
	}
}

func TestLongRowsKeepTheirCells(t *testing.T) {
	dir := t.TempDir()
	var got []string
	o := newOrder(newKeyEncoder(numbered(database.Int)), dir, func(b *database.Batch) error {
		defer b.Release()
		cells := make([]database.Cell, 2)
		for i := range b.Len() {
			if err := b.Cells(cells, i); err != nil {
				return err
			}
			text := cells[0].Bytes
			if cells[0].Long != nil {
				text, _ = cells[0].Long.Bytes()
			}
			got = append(got, fmt.Sprint(cells[1].Int, string(text)))
		}
		return nil
	})
	o.room = 4 * longWeight
	for _, k := range []int64{5, 3, 9, 1, 8, 7, 2} {
		b, long := database.NewBatch(), newLongText(t, dir, fmt.Sprint("long", k))
		b.Long(database.ClassText, long)
		b.Int(k)
		b.EndRow()
		if err := o.add(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.finish(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"1long1", "3long3", "2long2", "5long5", "7long7", "8long8", "9long9"}; !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
	if err := o.close(); err != nil {
		t.Error(err)
	}
}

func newLongText(t *testing.T, dir, text string) *database.Long {
	t.Helper()
	l, err := database.NewLong(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(l, text); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestKeysCompareAsTheirValues(t *testing.T) {
	text := func(s string) database.Cell { return database.Cell{Class: database.ClassText, Bytes: []byte(s)} }
	integer := func(n int64) database.Cell { return database.Cell{Class: database.ClassInt, Int: n} }
	float := func(f float64) database.Cell { return database.Cell{Class: database.ClassFloat, Float: f} }
	for _, c := range []struct {
		kind database.Kind
		list []database.Cell // in order
	}{
		{database.Int, []database.Cell{{}, integer(-1 << 63), integer(-5), integer(0), integer(7), integer(1<<63 - 1)}},
		{database.Float, []database.Cell{{}, float(-1e300), float(-1), float(-0.5), float(0), float(1e-300), float(2)}},
		{database.Text, []database.Cell{{}, text(""), text("\x00"), text("\x00a"), text("a"), text("a\x00"), text("a\x00b"), text("ab"), text("b")}},
		{database.Decimal, []database.Cell{
			{}, text("-100"), text("-99.5"), text("-12"), text("-1"), text("-0.5"), text("-0.05"), text("0.00"), text("0.004"), text("0.05"), text("0.5"),
			text("1"), text("1.5"), text("9"), text("10.25"), text("100000000000000000000"), text("Infinity"), text("NaN"),
		}},
	} {
		var before []byte
		for i, cell := range c.list {
			b := database.NewBatch()
			b.String("note")
			b.Cell(cell)
			b.EndRow()
			key, err := newKeyEncoder(numbered(c.kind)).append(nil, b.Row(0))
			if err != nil {
				t.Fatal(err)
			}
			if i > 0 && bytes.Compare(before, key) >= 0 {
				t.Errorf("%s: the key of %s, %x, does not follow %x", c.kind, cell.Bytes, key, before)
			}
			before = key
		}
	}
}

func TestLargeMessagesAreCutWithoutLoss(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var stream []byte
	want := map[byte][]byte{}
	for i := range 200 {
		kind, size := "dTZ"[i%3], random.IntN(300)
		if i%9 == 0 {
			size = pieceOfRow*random.IntN(4) + random.IntN(3) - 1 + i%2
			size = max(size, 0)
		}
		body := make([]byte, size)
		for n := range body {
			body[n] = byte(random.Uint32())
		}
		stream = append(binary.BigEndian.AppendUint32(append(stream, kind), uint32(size+4)), body...)
		want[kind] = append(want[kind], body...)
	}
	for _, in := range []io.Reader{bytes.NewReader(stream), iotest.OneByteReader(bytes.NewReader(stream)), iotest.HalfReader(bytes.NewReader(stream))} {
		got, largest := map[byte][]byte{}, 0
		m := newMessages(in)
		for {
			var head [5]byte
			if _, err := io.ReadFull(m, head[:]); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
			if _, err := io.ReadFull(m, body); err != nil {
				t.Fatal(err)
			}
			got[head[0]] = append(got[head[0]], body...)
			if head[0] == 'd' {
				largest = max(largest, len(body))
			}
		}
		if largest > pieceOfRow {
			t.Errorf("a piece has %d bytes, more than %d", largest, pieceOfRow)
		}
		for kind, body := range want {
			if !bytes.Equal(got[kind], body) {
				t.Errorf("messages %c differ: %d bytes, want %d", kind, len(got[kind]), len(body))
			}
		}
	}
}
