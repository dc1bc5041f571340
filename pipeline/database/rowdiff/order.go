package rowdiff

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/packstone/packstone/pipeline/database"
)

// order is by which first columns of the key the rows of a stored table are certain to be in order.
type order struct {
	places []int
	texts  bool // also by texts and binary values, as their bytes compare
}

// orderOf is nil if there is none. Every engine gives whole numbers in order; others have rules of
// their own for texts, which PostgreSQL's reader sorts by their bytes.
func orderOf(t *Table, engine string) *order {
	o := &order{texts: engine == database.Postgres}
	for _, name := range t.Key {
		at := slices.IndexFunc(t.Columns, func(c *database.Column) bool { return c.Name == name })
		kind := t.Columns[at].Type.Kind
		if kind != database.Int && (!o.texts || kind == database.Decimal || kind == database.Float) {
			break
		}
		o.places = append(o.places, at)
	}
	if len(o.places) == 0 {
		return nil
	}
	return o
}

// of are bytes that compare as rows with these cells are in order; false: they are in none.
func (o *order) of(cells []database.Cell) (place []byte, ok bool) {
	for _, at := range o.places {
		switch c := cells[at]; {
		case c.Class == database.ClassInt:
			place = binary.BigEndian.AppendUint64(append(place, 1), uint64(c.Int)^1<<63)
		case o.texts && (c.Class == database.ClassText || c.Class == database.ClassBlob) && c.Long == nil:
			place = append(append(place, 2), bytes.ReplaceAll(c.Bytes, []byte{0}, []byte{0, 255})...)
			place = append(place, 0, 0)
		default:
			return nil, false
		}
	}
	return place, true
}
