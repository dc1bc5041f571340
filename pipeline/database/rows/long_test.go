package rows

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
)

func TestLongCellsPassRunsInFiles(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", database.LongBytes/16) + "!"
	first := rowList{"a", long, "b"}
	base, prints := writeBase(t, first)
	second := rowList{"a", long, "c", long + "?"}
	delta, _, _ := writeDelta(t, second, prints)
	dir := t.TempDir()
	var got rowList
	files := 0
	err := Read(context.Background(), readers([][]byte{base, delta}), dir, func(b *database.Batch) error {
		defer b.Release()
		cells := make([]database.Cell, 1)
		for i := range b.Len() {
			if err := b.Cells(cells, i); err != nil {
				return err
			}
			if cells[0].Long != nil {
				files++
			}
			c, err := cells[0].Whole()
			got = append(got, string(c.Bytes))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !slices.Equal(got, second) {
		t.Fatalf("%d rows, %v; want the %d that were written", len(got), err, len(second))
	}
	if files != 2 {
		t.Errorf("%d long cells came in files, want 2", files)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%d files stay behind, %v", len(left), err)
	}
}

func FuzzReadRow(f *testing.F) {
	f.Add([]byte{1, 14, 3, 2, 'a', 'b', 0, 2, 0, 0, 0, 0, 0, 0, 0, 0}, int64(15))
	f.Add([]byte{4, 255, 255, 255, 255, 3, 1}, int64(1<<30))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, n int64) {
		row, err := database.ReadRow(bufio.NewReader(bytes.NewReader(data)), n%database.MaxRow, dir)
		defer row.Drop()
		if err != nil || n <= 0 {
			return
		}
		var got bytes.Buffer
		if _, err := row.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), data[:got.Len()]) {
			t.Errorf("read %d bytes as %x, %v; want %x", n, got.Bytes(), err, data)
		}
	})
}

var _ io.Writer = (*database.Long)(nil)
