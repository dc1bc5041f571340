package postgres

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/packstone/packstone/pipeline/database"
)

// textStream turns a COPY stream of text into batches: a line a row, its fields parted by tabs, \N
// for null.
type textStream struct {
	rowSink
	column int
	looked int    // bytes of pending in which no field ends
	plain  []byte // a field without escapes
	long   *longText
}

func newTextStream(fields []field, aside string, send func(*database.Batch) error) *textStream {
	s := &textStream{rowSink: rowSink{fields: fields, aside: aside, send: send}}
	s.open()
	return s
}

// Write implements io.Writer.
func (s *textStream) Write(p []byte) (int, error) { return s.write(p, s.parse) }

func (s *textStream) parse(data []byte) (used int, err error) {
	for used < len(data) {
		rest := data[used:]
		end := fieldEnd(rest, s.looked)
		if end < 0 {
			n, err := s.part(rest)
			s.looked = len(rest) - n
			return used + n, err
		}
		s.looked = 0
		if err := s.field(rest[:end], rest[end] == '\n'); err != nil {
			return used, err
		}
		used += end + 1
	}
	return used, nil
}

// fieldEnd finds the tab or the end of line after a field, from a place on; neither stands in a
// value.
func fieldEnd(data []byte, from int) int {
	for i := from; i < len(data); i++ {
		if data[i] == '\t' || data[i] == '\n' {
			return i
		}
	}
	return -1
}

// part takes what there is of a field that is too large to be kept in memory.
func (s *textStream) part(data []byte) (int, error) {
	if s.column >= len(s.fields) || !s.mayPutAside(s.column) {
		return 0, nil
	}
	limit := database.LongBytes
	if s.fields[s.column].hex {
		limit *= 2
	}
	if s.long == nil && len(data) <= limit {
		return 0, nil
	}
	if s.long == nil {
		value, err := s.beginLong()
		if err != nil {
			return 0, err
		}
		s.long = &longText{value: value, hex: s.fields[s.column].hex}
	}
	return s.long.add(data)
}

// field takes a field, or what is left of a large one. last says that it ends its row.
func (s *textStream) field(data []byte, last bool) error {
	if len(s.fields) == 0 && last && len(data) == 0 {
		return s.endRow()
	}
	if s.column >= len(s.fields) || last != (s.column == len(s.fields)-1) {
		return errCopy
	}
	if err := s.cell(data); err != nil {
		return fmt.Errorf("column %d: %w", s.column+1, err)
	}
	if s.column++; !last {
		return nil
	}
	s.column = 0
	return s.endRow()
}

func (s *textStream) cell(data []byte) error {
	switch {
	case s.long != nil:
		value, err := s.long.end(data)
		if err != nil {
			return err
		}
		s.batch.Long(s.fields[s.column].long, value)
		s.long = nil
		return nil
	case string(data) == `\N`:
		s.batch.Null()
		return nil
	case bytes.IndexByte(data, '\\') >= 0:
		var rest int
		s.plain, rest = unescape(s.plain[:0], data)
		if rest > 0 {
			return errCopy
		}
		data = s.plain
	}
	return s.fields[s.column].decode(s.batch, &s.scratch, data)
}

func (s *textStream) close() error {
	if len(s.pending) > 0 || s.column != 0 || s.long != nil {
		return errCopy
	}
	return s.finish()
}

func (s *textStream) drop() {
	s.rowSink.drop()
	if s.long != nil {
		s.long.value.Close()
	}
}

// unescape appends data without its escapes. rest is the length of an escape at the end that is not
// all there.
func unescape(dst, data []byte) (out []byte, rest int) {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 {
			return append(dst, data...), 0
		}
		dst = append(dst, data[:i]...)
		if i+1 == len(data) {
			return dst, 1
		}
		dst = append(dst, unescaped(data[i+1]))
		data = data[i+2:]
	}
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'v':
		return '\v'
	}
	return c
}

// longText writes a large value as its spelling comes.
type longText struct {
	value *database.Long
	hex   bool
	begun bool   // the \x of hex is gone
	plain []byte // without escapes, not written yet
}

// add takes all but a last escape that is not all there.
func (l *longText) add(data []byte) (used int, err error) {
	var rest int
	l.plain, rest = unescape(l.plain, data)
	if l.hex {
		err = l.addHex()
	} else {
		_, err = l.value.Write(l.plain)
		l.plain = l.plain[:0]
	}
	if err != nil {
		return 0, fmt.Errorf("put a large value aside: %w", err)
	}
	return len(data) - rest, nil
}

func (l *longText) addHex() error {
	if !l.begun {
		if len(l.plain) < 2 {
			return nil
		}
		if l.plain[0] != '\\' || l.plain[1] != 'x' {
			return errField
		}
		l.begun = true
		l.plain = append(l.plain[:0], l.plain[2:]...)
	}
	whole := len(l.plain) &^ 1
	n, err := hex.Decode(l.plain, l.plain[:whole])
	if err != nil {
		return errField
	}
	if _, err := l.value.Write(l.plain[:n]); err != nil {
		return err
	}
	l.plain = append(l.plain[:0], l.plain[whole:]...)
	return nil
}

func (l *longText) end(data []byte) (*database.Long, error) {
	used, err := l.add(data)
	if err != nil {
		return nil, err
	}
	if used < len(data) || len(l.plain) > 0 {
		return nil, errCopy
	}
	return l.value, nil
}

// textDecoders by the name of the base type; all others are the server's text as it is.
var textDecoders = map[string]decoder{
	"int2": readInt, "int4": readInt, "int8": readInt, "oid": readInt, "float4": readFloat4, "float8": readFloat8,
	"bool": readBool, "bytea": readBytes, "timetz": readZoned, "timestamptz": readZoned, "money": readMoney, "inet": readInet,
}

func readInt(b *database.Batch, _ *[]byte, f []byte) error {
	n, err := strconv.ParseInt(string(f), 10, 64)
	if err != nil {
		return errField
	}
	b.Int(n)
	return nil
}

func readFloat4(b *database.Batch, _ *[]byte, f []byte) error { return readFloat(b, f, 32) }
func readFloat8(b *database.Batch, _ *[]byte, f []byte) error { return readFloat(b, f, 64) }

func readFloat(b *database.Batch, f []byte, bits int) error {
	v, err := strconv.ParseFloat(string(f), bits)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return errField
	}
	b.Float(v)
	return nil
}

func readBool(b *database.Batch, _ *[]byte, f []byte) error {
	if string(f) != "t" && string(f) != "f" {
		return errField
	}
	b.Bool(f[0] == 't')
	return nil
}

func readBytes(b *database.Batch, scratch *[]byte, f []byte) error {
	if len(f) < 2 || f[0] != '\\' || f[1] != 'x' {
		return errField
	}
	raw, err := hex.AppendDecode((*scratch)[:0], f[2:])
	if err != nil {
		return errField
	}
	*scratch = raw
	b.Blob(raw)
	return nil
}

// readZoned adds the minutes that the server leaves out of a zone, +02.
func readZoned(b *database.Batch, scratch *[]byte, f []byte) error {
	text := bytes.TrimSuffix(f, []byte(" BC"))
	zone := bytes.LastIndexAny(text, "+-")
	if zone < 0 || len(text)-zone != len("+02") || bytes.IndexByte(text, ':') < 0 {
		b.Text(f)
		return nil
	}
	*scratch = append(append((*scratch)[:0], text...), ":00"...)
	*scratch = append(*scratch, f[len(text):]...)
	b.Text(*scratch)
	return nil
}

// readMoney takes $ and commas out of -$1,234.50.
func readMoney(b *database.Batch, scratch *[]byte, f []byte) error {
	*scratch = (*scratch)[:0]
	for _, c := range f {
		if c != '$' && c != ',' {
			*scratch = append(*scratch, c)
		}
	}
	b.Text(*scratch)
	return nil
}

// readInet adds the length of the mask that the server leaves out of a single address.
func readInet(b *database.Batch, scratch *[]byte, f []byte) error {
	mask := "/32"
	switch {
	case bytes.IndexByte(f, '/') >= 0:
		mask = ""
	case bytes.IndexByte(f, ':') >= 0:
		mask = "/128"
	}
	*scratch = append(append((*scratch)[:0], f...), mask...)
	b.Text(*scratch)
	return nil
}
