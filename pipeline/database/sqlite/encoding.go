package sqlite

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unsafe"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
)

// encoding is how canonical cells lie in a column. It is part of the file's
// format: "plain", "decimal:SCALE", "float", "uint", "moment", "utc".
type encoding string

// Encodings.
const (
	// plain: the cell's class is SQLite's.
	plain encoding = "plain"
	// float: REAL; NaN is the text 'NaN'; -0 stands in _packstone_exact.
	float encoding = "float"
	// uint: decimal digits as TEXT.
	uint64Text encoding = "uint"
	// moment: TEXT whose fraction of a second, if any, is padded to six digits.
	moment encoding = "moment"
	// utc: as moment; a text without an offset is in UTC.
	utc encoding = "utc"
	// decimal:SCALE is INTEGER or REAL, printed with SCALE digits.
	decimalPrefix = "decimal:"
)

// nativeDigits is how many decimal digits a double keeps exactly.
const nativeDigits = 15

// declare chooses a column's declared type and encoding. The declared type
// decides SQLite's affinity, which must not change what is stored; hence the
// word TEXT, and never a name with INT in it for what is no integer.
func declare(t database.Type) (decl string, enc encoding) {
	switch t.Kind {
	case database.Bool:
		return "BOOLEAN", plain
	case database.Int:
		return declareInt(t)
	case database.Year:
		return "YEAR INTEGER", plain
	case database.Decimal:
		return declareDecimal(t)
	case database.Float:
		if t.Bits == 32 {
			return "REAL", float
		}
		return "DOUBLE", float
	case database.Text:
		return declareText(t), plain
	case database.Bytes, database.Geometry, database.Any:
		return "BLOB", plain
	case database.Date:
		return "DATE", plain
	case database.Time:
		return "TIME", moment
	case database.Timestamp:
		return "TIMESTAMP", moment
	case database.TimestampTZ:
		return "DATETIME", utc
	case database.TimeTZ:
		return "TIMETZ TEXT", plain
	case database.Interval:
		return "DURATION TEXT", plain
	case database.Bits:
		return "BIT TEXT", plain
	case database.Set: // the word SET itself is reserved
		return "LABELS TEXT", plain
	case database.JSON, database.UUID, database.Enum, database.Array:
		return strings.ToUpper(string(t.Kind)) + " TEXT", plain
	}
	return otherName(t.Native) + "TEXT", plain
}

func declareInt(t database.Type) (string, encoding) {
	switch {
	case t.Unsigned && t.Bits == 64 && !t.Fits:
		return "NUMERIC TEXT(20)", uint64Text
	case t.Bits == 8:
		return "TINYINT", plain
	case t.Bits == 16:
		return "SMALLINT", plain
	case t.Bits == 32 || t.Bits == 24:
		return "INTEGER", plain
	}
	return "BIGINT", plain
}

func declareDecimal(t database.Type) (string, encoding) {
	switch {
	case t.Precision == 0:
		return "NUMERIC TEXT", plain
	case t.Precision <= nativeDigits && t.Scale >= 0 && t.Scale <= t.Precision:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale), encoding(decimalPrefix + strconv.Itoa(t.Scale))
	}
	return fmt.Sprintf("NUMERIC TEXT(%d,%d)", t.Precision, t.Scale), plain
}

func declareText(t database.Type) string {
	decl := "TEXT"
	switch {
	case t.Length > 0 && t.Fixed:
		decl = fmt.Sprintf("CHAR(%d)", t.Length)
	case t.Length > 0:
		decl = fmt.Sprintf("VARCHAR(%d)", t.Length)
	}
	if t.NoCase {
		decl += " COLLATE NOCASE"
	}
	return decl
}

var notWord = regexp.MustCompile(`[^A-Z0-9_]+`)

// otherName makes a harmless first word from a native type's name.
func otherName(native string) string {
	name, _, _ := strings.Cut(strings.ToUpper(native), "(")
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Trim(notWord.ReplaceAllString(name, "_"), "_")
	if name == "" || strings.Contains(name, "INT") || name[0] <= '9' {
		return ""
	}
	return name + " "
}

// scale is how many digits a decimal that is stored natively has.
func (e encoding) scale() (int, bool) {
	text, ok := strings.CutPrefix(string(e), decimalPrefix)
	if !ok {
		return 0, false
	}
	scale, err := strconv.Atoi(text)
	return scale, err == nil && scale >= 0 && scale <= nativeDigits
}

// codec stores and reads cells of one column.
type codec struct {
	enc     encoding
	scale   int
	decimal bool
	scratch []byte
}

func newCodec(e encoding) *codec {
	c := &codec{enc: e}
	c.scale, c.decimal = e.scale()
	return c
}

// stored is the value that SQLite is given for a cell. exact is true where what it keeps needs an
// entry in _packstone_exact. The bytes are good until the next call.
func (c *codec) stored(cell database.Cell) (out database.Cell, exact bool, err error) {
	switch {
	case cell.Class == database.ClassInt && c.enc == uint64Text:
		c.scratch = strconv.AppendInt(c.scratch[:0], cell.Int, 10)
		return storedText(c.scratch), false, nil
	case cell.Class == database.ClassFloat && math.IsNaN(cell.Float):
		return storedText(notANumber), false, nil
	case cell.Class == database.ClassFloat:
		return cell, cell.Float == 0 && math.Signbit(cell.Float), nil
	case cell.Class == database.ClassText && c.decimal:
		out, err = c.storedDecimal(cell.Bytes)
		return out, false, err
	case cell.Class == database.ClassText && (c.enc == moment || c.enc == utc):
		c.scratch = padFraction(c.scratch[:0], cell.Bytes)
		return storedText(c.scratch), false, nil
	}
	return cell, false, nil
}

var notANumber = []byte("NaN")

func storedText(text []byte) database.Cell {
	return database.Cell{Class: database.ClassText, Bytes: text}
}

// storedDecimal stores a number natively, or refuses one that would come back differently.
func (c *codec) storedDecimal(text []byte) (database.Cell, error) {
	if c.scale == 0 {
		if v, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return database.Cell{Class: database.ClassInt, Int: v}, nil
		}
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return storedText(text), nil // NaN; it stays a text under NUMERIC affinity
	}
	c.scratch = strconv.AppendFloat(c.scratch[:0], v, 'f', c.scale, 64)
	if !bytes.Equal(c.scratch, text) {
		return database.Cell{}, fmt.Errorf("%w: decimal %s is not exact with %d digits", database.ErrValue, text, c.scale)
	}
	return database.Cell{Class: database.ClassFloat, Float: v}, nil
}

// bind binds what stored gives to a parameter.
func bind(s *sqlite3.Stmt, param int, cell database.Cell) error {
	switch cell.Class {
	case database.ClassNull:
		return s.BindNull(param)
	case database.ClassInt:
		return s.BindInt64(param, cell.Int)
	case database.ClassFloat:
		return s.BindFloat(param, cell.Float)
	case database.ClassBlob:
		if len(cell.Bytes) == 0 {
			return s.BindZeroBlob(param, 0)
		}
		return s.BindBlob(param, cell.Bytes)
	}
	// SQLite copies the text. The driver's own call for bytes makes a string of them first.
	return s.BindText(param, unsafe.String(unsafe.SliceData(cell.Bytes), len(cell.Bytes)))
}

// columnCell is a column's value as SQLite keeps it. Its bytes are good until the next step.
func columnCell(s *sqlite3.Stmt, col int) database.Cell {
	switch s.ColumnType(col) {
	case sqlite3.INTEGER:
		return database.Cell{Class: database.ClassInt, Int: s.ColumnInt64(col)}
	case sqlite3.FLOAT:
		return database.Cell{Class: database.ClassFloat, Float: s.ColumnFloat(col)}
	case sqlite3.TEXT:
		return database.Cell{Class: database.ClassText, Bytes: s.ColumnRawText(col)}
	case sqlite3.BLOB:
		return database.Cell{Class: database.ClassBlob, Bytes: s.ColumnRawBlob(col)}
	}
	return database.Cell{}
}

// read appends what SQLite keeps as a canonical cell.
func (c *codec) read(cell database.Cell, b *database.Batch) {
	switch cell.Class {
	case database.ClassInt:
		c.readInt(cell.Int, b)
	case database.ClassFloat:
		c.readFloat(cell.Float, b)
	case database.ClassText:
		c.readText(cell.Bytes, b)
	case database.ClassBlob:
		b.Blob(cell.Bytes)
	default:
		b.Null()
	}
}

func (c *codec) readFloat(v float64, b *database.Batch) {
	if !c.decimal {
		b.Float(v)
		return
	}
	c.scratch = strconv.AppendFloat(c.scratch[:0], v, 'f', c.scale, 64)
	b.Text(c.scratch)
}

func (c *codec) readInt(v int64, b *database.Batch) {
	switch {
	case c.decimal:
		c.scratch = strconv.AppendInt(c.scratch[:0], v, 10)
		if c.scale > 0 {
			c.scratch = append(c.scratch, '.')
			c.scratch = append(c.scratch, "000000000000000"[:c.scale]...)
		}
		b.Text(c.scratch)
	case c.enc == float:
		b.Float(float64(v))
	default:
		b.Int(v)
	}
}

func (c *codec) readText(text []byte, b *database.Batch) {
	switch {
	case c.enc == float && string(text) == "NaN":
		b.Float(math.NaN())
	case c.enc == uint64Text:
		if v, err := strconv.ParseUint(string(text), 10, 64); err == nil {
			b.Uint(v)
			return
		}
		b.Text(text)
	case c.enc == moment:
		c.scratch = trimFraction(c.scratch[:0], text)
		b.Text(c.scratch)
	case c.enc == utc:
		c.scratch = trimFraction(c.scratch[:0], text)
		if looksLocal(c.scratch) {
			c.scratch = append(c.scratch, "+00:00"...)
		}
		b.Text(c.scratch)
	default:
		b.Text(text)
	}
}

// fraction finds the digits after the point of a time.
func fraction(text []byte) (start, end int) {
	point := bytes.IndexByte(text, '.')
	if point < 0 || bytes.IndexByte(text[:point], ':') < 0 {
		return 0, 0
	}
	end = point + 1
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	return point + 1, end
}

// padFraction makes a fraction at least six digits long, which is what readers
// of SQLite files expect.
func padFraction(dst, text []byte) []byte {
	start, end := fraction(text)
	if start == 0 {
		return append(dst, text...)
	}
	dst = append(dst, text[:end]...)
	for range 6 - (end - start) {
		dst = append(dst, '0')
	}
	return append(dst, text[end:]...)
}

// trimFraction undoes padFraction.
func trimFraction(dst, text []byte) []byte {
	start, end := fraction(text)
	if start == 0 {
		return append(dst, text...)
	}
	cut := end
	for cut > start && text[cut-1] == '0' {
		cut--
	}
	if cut == start {
		cut--
	}
	return append(append(dst, text[:cut]...), text[end:]...)
}

// looksLocal says that text is a date and time without an offset.
func looksLocal(text []byte) bool {
	return len(text) >= 19 && text[4] == '-' && text[10] == ' ' && text[13] == ':' &&
		bytes.IndexByte(text[11:], '+') < 0 && bytes.IndexByte(text[11:], '-') < 0
}
