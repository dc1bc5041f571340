package fit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path"
	"strconv"
	"unicode/utf8"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/database"
)

// cause says why a value is no path. Its number stands in files that are put aside.
type cause byte

const (
	isPath cause = iota
	isNull
	isNumber
	isLong
	isEmpty
	isAbsolute
	hasParent
	hasNUL
)

var causes = map[cause]string{
	isNull:     "it is null",
	isNumber:   "it is a number with a fraction",
	isLong:     "it is longer than any path",
	isEmpty:    "it is empty",
	isAbsolute: "it is absolute; strip: says what stands before the path",
	hasParent:  "it has .. in it",
	hasNUL:     "it has a NUL in it",
}

// longest is how long a path may be, in bytes; shown is how much is kept of a value or a key.
const (
	longest = 4096
	shown   = 256
)

// appendText appends the value of a column.
func appendText(dst []byte, c *database.Cell) ([]byte, cause) {
	switch {
	case c.Long != nil || len(c.Bytes) > longest:
		return append(dst, c.Bytes[:min(len(c.Bytes), shown)]...), isLong
	case c.Class == database.ClassNull:
		return dst, isNull
	case c.Class == database.ClassInt:
		return strconv.AppendInt(dst, c.Int, 10), isPath
	case c.Class == database.ClassFloat:
		return strconv.AppendFloat(dst, c.Float, 'g', -1, 64), isNumber
	}
	return append(dst, c.Bytes...), isPath
}

// resolve is the path in a source that a value means.
func resolve(value []byte, strip string) ([]byte, cause) {
	if rest, ok := bytes.CutPrefix(value, []byte(strip)); ok && strip != "" &&
		(strip[len(strip)-1] == '/' || len(rest) == 0 || rest[0] == '/') {
		value = bytes.TrimLeft(rest, "/")
	}
	switch {
	case len(value) == 0:
		return nil, isEmpty
	case len(value) > longest:
		return nil, isLong
	case value[0] == '/':
		return nil, isAbsolute
	case bytes.IndexByte(value, 0) >= 0:
		return nil, hasNUL
	}
	return clean(value)
}

// clean makes a path that is spelled as a tree has it.
func clean(value []byte) ([]byte, cause) {
	plain := !bytes.Contains(value, []byte("//")) && value[0] != '.' && !bytes.Contains(value, []byte("/.")) && value[len(value)-1] != '/'
	if plain {
		return value, isPath
	}
	for part := range bytes.SplitSeq(value, []byte("/")) {
		if string(part) == ".." {
			return nil, hasParent
		}
	}
	if cleaned := path.Clean(string(value)); cleaned != "." {
		return []byte(cleaned), isPath
	}
	return nil, isEmpty
}

// appendKey appends what tells a row from others, such as id=7.
func appendKey(dst []byte, t *database.Table, keys []int, cells []database.Cell) []byte {
	from := len(dst)
	for n, i := range keys {
		if n > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(append(dst, t.Columns[i].Name...), '=')
		dst = appendShort(dst, &cells[i])
	}
	if len(dst)-from > shown {
		dst = append(dst[:from+shown], "…"...)
	}
	return dst
}

// shortText is how much of a text a key shows.
const shortText = 64

func appendShort(dst []byte, c *database.Cell) []byte {
	switch {
	case c.Long != nil:
		return append(dst, "…"...)
	case c.Class == database.ClassNull:
		return append(dst, "null"...)
	case c.Class == database.ClassText || c.Class == database.ClassBlob:
		return strconv.AppendQuote(dst, string(c.Bytes[:min(len(c.Bytes), shortText)]))
	}
	dst, _ = appendText(dst, c)
	return dst
}

// appendRecord appends what is put aside of a row beside its path. The value stands there where it
// is not the path itself.
func appendRecord(dst []byte, c cause, value, path []byte, key func([]byte) []byte) []byte {
	if bytes.Equal(value, path) {
		value = nil
	}
	dst = append(dst, byte(c))
	dst = binary.AppendUvarint(dst, uint64(min(len(value), longest)))
	dst = append(dst, value[:min(len(value), longest)]...)
	return key(dst)
}

var errRecord = errors.New("what was put aside is not what it was")

// parseRecord reads what was put aside of a row.
func parseRecord(table string, path string, rest []byte) (d catalog.Dangling, err error) {
	if len(rest) == 0 {
		return d, errRecord
	}
	n, used := binary.Uvarint(rest[1:])
	if used <= 0 || n > uint64(len(rest)-1-used) {
		return d, errRecord
	}
	value, key := rest[1+used:1+used+int(n)], rest[1+used+int(n):]
	d = catalog.Dangling{Table: table, Key: string(key), Value: shortened(string(value)), Cause: causes[cause(rest[0])]}
	switch {
	case len(value) == 0:
		d.Value = shortened(path)
	case d.Cause == "":
		d.Path = shortened(path)
	}
	return d, nil
}

// shortened is the beginning of a text, at a boundary of its characters.
func shortened(text string) string {
	if len(text) <= shown {
		return text
	}
	end := shown
	for end > shown-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
