package rowdiff

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/rows"
)

// FirstOptions steer First.
type FirstOptions struct {
	// Rows is how many rows that differ are wanted.
	Rows int
	// Memory bounds the rows that wait, in bytes; 0 means 16 MiB.
	Memory int64
}

// Found is what First finds.
type Found[T any] struct {
	Table *Table // nil: there was nothing to read
	Rows  []T    // what was kept of the rows that differ
	Count Result // of these; of all rows unless More
	More  bool   // there are, or may be, other rows that differ
}

// longWaiting bounds, in bytes, the large cells of rows that wait, which are in files.
const longWaiting = 1 << 30

var (
	errEnough   = errors.New("enough rows differ")
	errTooMuch  = errors.New("too many rows wait")
	errDisorder = errors.New("the rows are not in the order of their key")
)

// First finds the first rows that differ in a table, and keeps of each what keep returns; the row
// itself is gone then. It reads no further than it must: not at all where the same rows are
// recorded, what the states share once at most (see [rows.Apart]), and nothing after the rows that
// are wanted. That holds if rows come in the order of their key. With other keys, and without one,
// a row is known to differ only when all were read; if more wait than may wait, First gives up, and
// says so by More.
//
// Rows with cells of more than 8 MiB come last. One that grew beyond that may pass for one that was
// removed, if the end was not read.
//
// If ctx ends before that, Found has what was certain by then.
func First[T any](ctx context.Context, before, after database.Source, t, now *database.Table, o FirstOptions, keep func(*Table, *Change) T) (*Found[T], error) {
	schema, _, err := schemas(ctx, before, after)
	if err != nil {
		return nil, err
	}
	c := &comparison{before: before, after: after, loose: schema.Engine == database.SQLite}
	p := pairOf(t, now, c.loose)
	found := &Found[T]{Count: Result{Table: t.ID(), Columns: p.table.Differences}}
	if p.whole && c.sameRecord(t, now) {
		return found, nil
	}
	for _, lead := range [][]int{leadOf(p.table, schema.Engine), nil} {
		found.Table, found.Rows, found.More = p.table, nil, false
		found.Count = Result{Table: t.ID(), Columns: p.table.Differences}
		f := newFinder(p.table, o, lead, func(change *Change) error {
			if len(found.Rows) == o.Rows {
				return errEnough
			}
			found.Count.count(change)
			found.Rows = append(found.Rows, keep(p.table, change))
			return nil
		})
		if err = c.find(ctx, p, f); !errors.Is(err, errDisorder) {
			break
		}
	}
	if errors.Is(err, errEnough) || errors.Is(err, errTooMuch) {
		found.More = true
		return found, nil
	}
	if err != nil {
		found.More = true
		return found, fmt.Errorf("compare table %s: %w", t.ID(), err)
	}
	return found, nil
}

// find reads what differs, or all.
func (c *comparison) find(ctx context.Context, p *pair, f *finder) error {
	defer f.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	shared, err := rows.Apart(ctx, c.before, c.after, p.before, p.after, func(b *database.Batch, count int64, passed bool) error {
		columns, places := len(p.before.Columns), p.first
		if count < 0 {
			columns, places = len(p.after.Columns), p.second
		}
		b, err := convert.Project(b, columns, places)
		if err != nil {
			return err
		}
		return f.take(b, count, passed)
	})
	if err == nil && !shared {
		err = c.read(ctx, p, f)
	}
	if err != nil {
		return err
	}
	return f.tell(f.sorted())
}

// finder tells of rows as soon as it is certain that they differ: when both states have gone past
// their place.
type finder struct {
	*pending
	lead    []int     // places of the columns by which rows are in order; nil: they are in none
	reached [2][]byte // the place to which each state has come
	most    int       // so many rows wait before those that are certain are looked for
	wanted  int
	long    int64 // bytes of large cells that wait
	cells   []database.Cell
}

func newFinder(t *Table, o FirstOptions, lead []int, each func(*Change) error) *finder {
	f := &finder{pending: newPending(t, Options{}, each), lead: lead, wanted: o.Rows, most: o.Rows}
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
	if f.lead == nil {
		return nil
	}
	place, ok := placeOf(f.cells, f.lead)
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
	if f.lead == nil {
		return false, nil
	}
	if err := w.cells(f.cells); err != nil {
		return false, err
	}
	place, _ := placeOf(f.cells, f.lead)
	return bytes.Compare(place, f.reached[0]) < 0 && bytes.Compare(place, f.reached[1]) < 0, nil
}

// close drops all that waits.
func (f *finder) close() {
	for _, w := range f.rows {
		w.close()
	}
}

// leadOf are the places of the first columns of the key by which the rows of a stored table are
// certain to be in order: every engine gives whole numbers so, and PostgreSQL's reader sorts texts
// by their bytes.
func leadOf(t *Table, engine string) (places []int) {
	for _, name := range t.Key {
		at := slices.IndexFunc(t.Columns, func(c *database.Column) bool { return c.Name == name })
		kind := t.Columns[at].Type.Kind
		if kind != database.Int && (engine != database.Postgres || kind == database.Decimal || kind == database.Float) {
			break
		}
		places = append(places, at)
	}
	return places
}

// placeOf are bytes that compare as the cells of a key do; false: they have no such order.
func placeOf(cells []database.Cell, lead []int) (place []byte, ok bool) {
	for _, at := range lead {
		switch c := cells[at]; {
		case c.Class == database.ClassInt:
			place = binary.BigEndian.AppendUint64(append(place, 1), uint64(c.Int)^1<<63)
		case (c.Class == database.ClassText || c.Class == database.ClassBlob) && c.Long == nil:
			place = append(append(place, 2), bytes.ReplaceAll(c.Bytes, []byte{0}, []byte{0, 255})...)
			place = append(place, 0, 0)
		default:
			return nil, false
		}
	}
	return place, true
}
