package tree

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// parser reads the CBOR map of a page in place: columns become parts of the page's bytes. It
// accepts only the deterministic encoding, and skips values of keys that it does not know.
type parser struct{ b []byte }

// Major types of CBOR.
const (
	cborUint  = 0
	cborBytes = 2
	cborText  = 3
	cborArray = 4
	cborMap   = 5
	cborTag   = 6
	cborOther = 7 // floating-point numbers and simple values
)

const (
	maxKeys  = 1 << 10
	maxDepth = 8 // of values that are stepped over
)

// wireColumns are the columns' keys in the order of the encoding, each with its field.
var wireColumns = func() (list []wireColumn) {
	t := reflect.TypeFor[wire]()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type == reflect.TypeFor[[]byte]() {
			key, _, _ := strings.Cut(f.Tag.Get("cbor"), ",")
			list = append(list, wireColumn{key, i})
		}
	}
	slices.SortFunc(list, func(a, b wireColumn) int { return compareKeys(a.key, b.key) })
	return list
}()

type wireColumn struct {
	key   string
	field int
}

// compareKeys compares encoded keys: shorter ones come first.
func compareKeys(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// parse reads a page into w, which refers to raw from then on. Of a page of a later version it
// reads only the version.
func (w *wire) parse(raw []byte) error {
	p := parser{raw}
	major, n, ok := p.head()
	if !ok || major != cborMap || n > maxKeys {
		return malformed("no map")
	}
	fields := reflect.ValueOf(w).Elem()
	known := wireColumns
	last := ""
	for i := range n {
		key, ok := p.text()
		if !ok || i == 0 && key != "v" || i > 0 && compareKeys(last, key) >= 0 {
			return malformed("key %d", i)
		}
		last = key
		for len(known) > 0 && compareKeys(known[0].key, key) < 0 {
			known = known[1:]
		}
		if len(known) > 0 && known[0].key == key {
			ok = p.column(fields.Field(known[0].field).Addr().Interface().(*[]byte))
		} else {
			ok = w.scalar(&p, key)
		}
		if !ok {
			return malformed("value of %q", key)
		}
		if i == 0 && w.Version != pageVersion {
			return fmt.Errorf("%w: version %d", ErrUnsupported, w.Version)
		}
	}
	if len(p.b) > 0 {
		return malformed("%d more bytes", len(p.b))
	}
	return nil
}

// scalar reads a value that is not a column.
func (w *wire) scalar(p *parser, key string) bool {
	switch key {
	case "v":
		return p.uint(&w.Version)
	case "height":
		return p.uint(&w.Height)
	case "rows":
		return p.uint(&w.Rows)
	case "requires":
		return p.texts(&w.Requires)
	}
	return p.skip(maxDepth)
}

// head reads the head of an item: its major type and argument, which must be in its shortest form.
func (p *parser) head() (major byte, n uint64, ok bool) {
	if len(p.b) == 0 {
		return 0, 0, false
	}
	major, low := p.b[0]>>5, p.b[0]&31
	p.b = p.b[1:]
	if low < 24 {
		return major, uint64(low), true
	}
	size := 1 << (low - 24)
	if low > 27 || len(p.b) < size {
		return 0, 0, false
	}
	var wide [8]byte
	copy(wide[8-size:], p.b[:size])
	p.b = p.b[size:]
	n = binary.BigEndian.Uint64(wide[:])
	shortest := n >= [4]uint64{24, 1 << 8, 1 << 16, 1 << 32}[low-24]
	return major, n, shortest || major == cborOther
}

// string reads a byte or text string.
func (p *parser) string(want byte) (s []byte, ok bool) {
	major, n, ok := p.head()
	if !ok || major != want || n > uint64(len(p.b)) {
		return nil, false
	}
	s = p.b[:n:n]
	p.b = p.b[n:]
	return s, true
}

func (p *parser) text() (string, bool) {
	s, ok := p.string(cborText)
	return string(s), ok
}

// column reads a byte string. It must not be empty, since a column without bytes is left out.
func (p *parser) column(to *[]byte) (ok bool) {
	*to, ok = p.string(cborBytes)
	return ok && len(*to) > 0
}

func (p *parser) uint(to *uint64) bool {
	major, n, ok := p.head()
	*to = n
	return ok && major == cborUint
}

func (p *parser) texts(to *[]string) bool {
	major, n, ok := p.head()
	if !ok || major != cborArray || n > uint64(len(p.b)) {
		return false
	}
	for range n {
		s, ok := p.text()
		if !ok {
			return false
		}
		*to = append(*to, s)
	}
	return true
}

// skip skips an item of any type.
func (p *parser) skip(depth int) bool {
	major, n, ok := p.head()
	if !ok || depth == 0 {
		return false
	}
	if major >= cborBytes && major <= cborMap && n > uint64(len(p.b)) {
		return false
	}
	items := uint64(0)
	switch major {
	case cborBytes, cborText:
		p.b = p.b[n:]
	case cborArray:
		items = n
	case cborMap:
		items = 2 * n
	case cborTag:
		items = 1
	}
	for range items {
		if !p.skip(depth - 1) {
			return false
		}
	}
	return true
}
