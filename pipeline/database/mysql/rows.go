package mysql

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/packstone/packstone/pipeline/database"
)

// encoder adds a value of the server, never null, to a batch in canonical form.
type encoder func(*database.Batch, driver.Value) error

// readRows streams a table in its order and hands batches to send. With a directory, rows that have
// long values come last.
func readRows(ctx context.Context, s *session, t *database.Table, aside string, send func(*database.Batch) error) error {
	encoders := make([]encoder, len(t.Columns))
	for i, c := range t.Columns {
		encoders[i] = encoderOf(c.Type)
	}
	long := newLongReader(s, t, aside)
	if err := readShort(ctx, s, t, encoders, long, send); err != nil || long == nil {
		return err
	}
	return long.rows(ctx, encoders, send)
}

func readShort(ctx context.Context, s *session, t *database.Table, encoders []encoder, long *longReader, send func(*database.Batch) error) error {
	batch := database.NewBatch()
	each := s.each
	if printsSlowly(t) {
		each = s.eachBinary
	}
	err := each(ctx, selectRows(t, long), func(values []driver.Value) error {
		if long != nil {
			if long.passes(values) {
				return nil
			}
			values = values[1:]
		}
		for i, v := range values {
			if v == nil {
				batch.Null()
				continue
			}
			if err := encoders[i](batch, v); err != nil {
				return fmt.Errorf("column %s: %w", t.Columns[i].Name, err)
			}
		}
		batch.EndRow()
		if !batch.Full() {
			return nil
		}
		full := batch
		batch = database.NewBatch()
		return send(full)
	})
	if err != nil || batch.Len() == 0 {
		batch.Release()
		return translate(err)
	}
	return send(batch)
}

// printsSlowly says that a table has many floating-point numbers, of which each takes the server a
// microsecond to print.
func printsSlowly(t *database.Table) bool {
	return t.EstimatedRows >= 10_000 && slices.ContainsFunc(t.Columns, func(c *database.Column) bool {
		return c.Type.Kind == database.Float && !textual(c.Type)
	})
}

// selectRows is the query for a table's rows, as long wants them if it is not nil.
func selectRows(t *database.Table, long *longReader) string {
	columns := selected(t)
	if long != nil {
		columns = long.list(columns)
	}
	sql := "SELECT " + strings.Join(columns, ", ") + " FROM " + quote(t.Name)
	if len(t.Order) > 0 {
		sql += " ORDER BY " + quoteAll(t.Order)
	}
	return sql
}

// selected is how each column is read. A product by 1e0 makes the server print all digits of a
// FLOAT.
func selected(t *database.Table) []string {
	var columns []string
	for _, c := range t.Columns {
		name := quote(c.Name)
		if c.Type.Kind == database.Float && !textual(c.Type) {
			name += "*1e0"
		}
		columns = append(columns, name)
	}
	return columns
}

func quoteAll(list []string) string {
	quoted := make([]string, len(list))
	for i, name := range list {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ", ")
}

// textual says that a kind without a type of its own here is kept as text.
func textual(t database.Type) bool {
	name, _, _ := strings.Cut(strings.ToLower(t.Native), "(")
	return name == "longtext" || name == "varchar"
}

var errForm = errors.New("the server gave a value in an unexpected form")

// encoderOf chooses how a column's values become canonical.
func encoderOf(t database.Type) encoder {
	switch t.Kind {
	case database.Bool, database.Int, database.Year:
		return encodeInt
	case database.Float:
		if textual(t) {
			return encodeText
		}
		return encodeFloat
	case database.Decimal:
		if textual(t) {
			return encodeText
		}
		return encodeDecimal
	case database.Bytes, database.Geometry:
		return encodeBlob
	case database.Bits:
		if textual(t) {
			return encodeText
		}
		return bitsEncoder(int(t.Length))
	case database.Time:
		return encodeTime
	case database.Timestamp, database.TimestampTZ:
		if textual(t) {
			return encodeText
		}
		if t.Kind == database.TimestampTZ {
			return encodeInstant
		}
		return encodeTime
	}
	return encodeText
}

func encodeInt(b *database.Batch, v driver.Value) error {
	switch v := v.(type) {
	case int64:
		b.Int(v)
	case uint64:
		b.Uint(v)
	case []byte: // a generated column may be printed as text
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			b.Int(n)
			break
		}
		n, err := strconv.ParseUint(string(v), 10, 64)
		if err != nil {
			return errForm
		}
		b.Uint(n)
	default:
		return errForm
	}
	return nil
}

func encodeFloat(b *database.Batch, v driver.Value) error {
	f, ok := v.(float64)
	if !ok {
		return errForm
	}
	b.Float(f)
	return nil
}

// encodeDecimal removes the padding of ZEROFILL and the sign of zero.
func encodeDecimal(b *database.Batch, v driver.Value) error {
	text, ok := v.([]byte)
	if !ok {
		return errForm
	}
	digits := bytes.TrimPrefix(text, []byte("-"))
	negative := len(digits) < len(text)
	for len(digits) > 1 && digits[0] == '0' && digits[1] != '.' {
		digits = digits[1:]
	}
	if !negative || len(bytes.Trim(digits, "0.")) == 0 {
		b.Text(digits)
		return nil
	}
	b.Text(text[len(text)-len(digits)-1:])
	if text[len(text)-len(digits)-1] != '-' {
		return errForm
	}
	return nil
}

func encodeBlob(b *database.Batch, v driver.Value) error {
	raw, ok := v.([]byte)
	if !ok {
		return errForm
	}
	b.Blob(raw)
	return nil
}

func encodeText(b *database.Batch, v driver.Value) error {
	raw, ok := v.([]byte)
	switch {
	case !ok:
		b.String(text(v))
	case utf8.Valid(raw):
		b.Text(raw)
	default:
		b.Blob(raw)
	}
	return nil
}

// bitsEncoder prints the lowest n bits of a big-endian value.
func bitsEncoder(n int) encoder {
	n = min(max(n, 1), 64)
	return func(b *database.Batch, v driver.Value) error {
		raw, ok := v.([]byte)
		if !ok || len(raw) > 8 {
			return errForm
		}
		var value uint64
		for _, c := range raw {
			value = value<<8 | uint64(c)
		}
		var digits [64]byte
		for i := range n {
			digits[i] = '0' + byte(value>>(n-1-i)&1)
		}
		b.Text(digits[:n])
		return nil
	}
}

// encodeTime cuts the trailing zeros of a fraction.
func encodeTime(b *database.Batch, v driver.Value) error {
	raw, ok := v.([]byte)
	if !ok {
		return errForm
	}
	b.Text(cutFraction(raw))
	return nil
}

func encodeInstant(b *database.Batch, v driver.Value) error {
	raw, ok := v.([]byte)
	if !ok {
		return errForm
	}
	var buffer [40]byte
	b.Text(append(append(buffer[:0], cutFraction(raw)...), "+00:00"...))
	return nil
}

func cutFraction(raw []byte) []byte {
	if bytes.IndexByte(raw, '.') < 0 {
		return raw
	}
	return bytes.TrimSuffix(bytes.TrimRight(raw, "0"), []byte("."))
}
