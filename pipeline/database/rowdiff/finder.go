package rowdiff

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"

	"github.com/packstone/packstone/pipeline/database"
)

// longWaiting bounds, in bytes, the large cells of rows that wait, which are in files.
const longWaiting = 1 << 30

// finder tells of rows as soon as it is certain that they differ: when both states have gone past
// their place.
type finder struct {
	*pending
	by      *order    // nil: the rows are in none
	reached [2][]byte // the place to which each state has come
	most    int       // so many rows wait before those that are certain are looked for
	wanted  int
	long    int64 // bytes of large cells that wait
	cells   []database.Cell
}

func newFinder(t *Table, o FirstOptions, by *order, each func(*Change) error) *finder {
	f := &finder{pending: newPending(t, Options{}, each), by: by, wanted: o.Rows, most: o.Rows}
	f.cells = make([]database.Cell, len(t.Columns))
	if f.limit = int(o.Memory); f.limit == 0 {
		f.limit = 16 << 20
	}
	return f
}

// take implements sink. A row with a count of 0 is one that both states have come to.
func (f *finder) take(b *database.Batch, count int64, passed bool) error {
	if b.HasLong() {
		return f.takeLong(b, count, passed)
	}
	defer b.Release()
	for i := range b.Len() {
		if err := database.DecodeRow(f.cells, b.Row(i)); err != nil {
			return err
		}
		if err := f.reach(count, passed); err != nil {
			return err
		}
		if count == 0 {
			continue
		}
		f.note(sha256.Sum256(b.Row(i)), count, len(b.Row(i)), func() *waiting { return &waiting{row: slices.Clone(b.Row(i))} })
		if err := f.settle(); err != nil {
			return err
		}
	}
	return nil
}

// takeLong takes a row with large cells, which stay in their files while it waits.
func (f *finder) takeLong(b *database.Batch, count int64, passed bool) error {
	h := sha256.New()
	_, err := b.At(0).WriteTo(h)
	if err == nil {
		err = b.Cells(f.cells, 0)
	}
	if err == nil {
		err = f.reach(count, passed)
	}
	if err != nil || count == 0 {
		b.Release()
		return err
	}
	kept := false
	f.note([sha256.Size]byte(h.Sum(nil)), count, 0, func() *waiting { kept = true; return &waiting{long: b} })
	if !kept {
		b.Release()
	}
	return f.settle()
}

// note counts a row, which is made if it waits from now on.
func (f *finder) note(id [sha256.Size]byte, count int64, size int, made func() *waiting) {
	w := f.rows[id]
	if w == nil {
		w = made()
		f.serial++
		w.count, w.serial = count, f.serial
		f.rows[id] = w
		f.size += size + overhead
		if w.long != nil {
			f.long += int64(w.long.Size())
		}
		return
	}
	if w.count += count; w.count == 0 {
		f.forget(id, w)
	}
}

func (f *finder) forget(id [sha256.Size]byte, w *waiting) {
	f.size -= len(w.row) + overhead
	if w.long != nil {
		f.long -= int64(w.long.Size())
	}
	w.close()
	delete(f.rows, id)
}

// reach notes the place of the row in cells, to which one state has come, or both.
func (f *finder) reach(count int64, passed bool) error {
	if f.by == nil {
		return nil
	}
	place, ok := f.by.of(f.cells)
	if !ok {
		return errDisorder
	}
	for i, of := range []int64{1, -1} {
		mine := count == 0 || count == of
		switch bytes.Compare(place, f.reached[i]) {
		case -1:
			if mine {
				return errDisorder
			}
		case 1:
			if mine || passed {
				f.reached[i] = append(f.reached[i][:0], place...)
			}
		}
	}
	return nil
}

// settle tells the rows that are certain, once many wait.
func (f *finder) settle() error {
	if len(f.rows) <= f.most && f.size <= f.limit && f.long <= longWaiting {
		return nil
	}
	var certain []*waiting
	ids := map[*waiting][sha256.Size]byte{}
	for id, w := range f.rows {
		past, err := f.past(w)
		if err != nil {
			return err
		}
		if past {
			certain, ids[w] = append(certain, w), id
		}
	}
	slices.SortFunc(certain, func(a, b *waiting) int { return cmp.Compare(a.serial, b.serial) })
	if err := f.tell(certain); err != nil {
		return err
	}
	for _, w := range certain {
		f.forget(ids[w], w)
	}
	f.most = max(f.wanted, 2*len(f.rows))
	if f.size > f.limit || f.long > longWaiting {
		return errTooMuch
	}
	return nil
}

// past reports whether both states have gone past a row.
func (f *finder) past(w *waiting) (bool, error) {
	if f.by == nil {
		return false, nil
	}
	if err := w.cells(f.cells); err != nil {
		return false, err
	}
	place, _ := f.by.of(f.cells)
	return bytes.Compare(place, f.reached[0]) < 0 && bytes.Compare(place, f.reached[1]) < 0, nil
}

// close drops all that waits.
func (f *finder) close() {
	for _, w := range f.rows {
		w.close()
	}
}
