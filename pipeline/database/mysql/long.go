package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/packstone/packstone/pipeline/database"
)

// A row is one packet, which server and client hold whole. Rows with values larger than
// database.LongBytes are therefore passed by when a table is read, and read afterwards by their
// key: such a value goes into a variable of the session, and from there in pieces. A row is written
// the same way: pieces into variables, which an INSERT puts together.

const (
	// pieceRead is how much of a long value the server sends at a time, pieceSent how much it is
	// sent.
	pieceRead, pieceSent = 4 << 20, 1 << 20
	// section is the part of a long value that pieces are cut from. The server copies a variable to
	// read of it, so pieces of the whole would take quadratic time.
	section = 32 << 20
)

// longReader reads the rows of a table that have long values.
type longReader struct {
	session *session
	table   *database.Table
	columns []int // that may be long
	key     []int // what finds a row
	aside   string
	places  []string // conditions for the rows passed by
}

// newLongReader gives nil for a table that is read whole: nothing in it can be long, or no key
// finds a row.
func newLongReader(s *session, t *database.Table, aside string) *longReader {
	r := &longReader{session: s, table: t, aside: aside}
	for i, c := range t.Columns {
		if mayBeLong(c.Type) {
			r.columns = append(r.columns, i)
		}
		if contains(t.Order, c.Name) && findsRows(c.Type) {
			r.key = append(r.key, i)
		}
	}
	if aside == "" || len(r.columns) == 0 || len(r.key) == 0 || len(r.key) < len(t.Order) {
		return nil
	}
	return r
}

func mayBeLong(t database.Type) bool {
	switch name, _, _ := strings.Cut(strings.ToLower(t.Native), " "); name {
	case "longtext", "longblob", "mediumtext", "mediumblob", "json":
		return true
	}
	return false
}

// findsRows says that a value of the type is equal to itself when it is written out, and short.
func findsRows(t database.Type) bool {
	switch t.Kind {
	case database.Int, database.Bool, database.Year, database.Decimal, database.Text, database.Bytes, database.UUID,
		database.Date, database.Time, database.Timestamp, database.TimestampTZ:
		return !mayBeLong(t)
	}
	return false
}

// list is what a query reads of a row: whether it has long values, and its cells with null in place
// of those.
func (r *longReader) list(columns []string) []string {
	out := append([]string{""}, columns...)
	var long []string
	for _, i := range r.columns {
		is := r.isLong(i)
		out[i+1] = "IF(" + is + ", NULL, " + columns[i] + ")"
		long = append(long, is)
	}
	out[0] = strings.Join(long, " OR ")
	return out
}

func (r *longReader) isLong(column int) string {
	return fmt.Sprintf("OCTET_LENGTH(%s) > %d", quote(r.table.Columns[column].Name), database.LongBytes)
}

// passes notes a row as list gives it, if it has long values.
func (r *longReader) passes(values []driver.Value) bool {
	if text(values[0]) != "1" {
		return false
	}
	var place []string
	for _, i := range r.key {
		place = append(place, quote(r.table.Columns[i].Name)+" = "+r.literal(i, values[i+1]))
	}
	r.places = append(r.places, strings.Join(place, " AND "))
	return true
}

func (r *longReader) literal(column int, v driver.Value) string {
	t := r.table.Columns[column].Type
	raw, ok := v.([]byte)
	switch {
	case !ok || t.Kind == database.Decimal && !textual(t):
		return text(v)
	case t.Kind == database.Bytes:
		return fmt.Sprintf("x'%x'", raw)
	}
	return fmt.Sprintf("_utf8mb4 x'%x'", raw)
}

// rows reads what was passed by.
func (r *longReader) rows(ctx context.Context, encoders []encoder, send func(*database.Batch) error) error {
	for _, place := range r.places {
		b := database.NewBatch()
		if err := r.row(ctx, encoders, place, b); err != nil {
			b.Release()
			return translate(err)
		}
		if err := send(b); err != nil {
			return err
		}
	}
	return nil
}

// row reads the row at a place.
func (r *longReader) row(ctx context.Context, encoders []encoder, place string, b *database.Batch) error {
	short, long, err := r.short(ctx, place)
	if err != nil {
		return err
	}
	for i, c := range r.table.Columns {
		switch {
		case long[i]:
			err = r.long(ctx, c, place, b)
		case short[i] == nil:
			b.Null()
		default:
			err = encoders[i](b, short[i])
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	b.EndRow()
	return nil
}

// short reads all of a row but its long values, and which these are.
func (r *longReader) short(ctx context.Context, place string) (short []driver.Value, long []bool, err error) {
	columns := r.list(selected(r.table))[1:]
	for _, i := range r.columns {
		columns = append(columns, r.isLong(i))
	}
	n := len(r.table.Columns)
	err = r.session.each(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+quote(r.table.Name)+" WHERE "+place, func(values []driver.Value) error {
		short, long = nil, make([]bool, n)
		for _, v := range values[:n] {
			if raw, ok := v.([]byte); ok {
				v = append([]byte{}, raw...)
			}
			short = append(short, v)
		}
		for k, i := range r.columns {
			long[i] = text(values[n+k]) == "1"
		}
		return nil
	})
	if err == nil && short == nil {
		err = fmt.Errorf("the row with %s cannot be found again", place)
	}
	return short, long, err
}

// long reads a value in pieces.
func (r *longReader) long(ctx context.Context, c *database.Column, place string, b *database.Batch) error {
	value, err := database.NewLong(r.aside)
	if err != nil {
		return err
	}
	check := &utf8Check{class: database.ClassBlob}
	if c.Type.Kind != database.Bytes {
		check.class = database.ClassText
	}
	err = r.fetch(ctx, fmt.Sprintf("SELECT %s INTO @packstone_long FROM %s WHERE %s", bytesOf(c), quote(r.table.Name), place), io.MultiWriter(value, check))
	if err != nil {
		value.Close()
		return fmt.Errorf("read a large value: %w", err)
	}
	b.Long(check.end(), value)
	return nil
}

// bytesOf is a column's value as bytes in UTF-8.
func bytesOf(c *database.Column) string {
	name := quote(c.Name)
	switch {
	case c.Type.Kind == database.Bytes:
		return name
	case c.Type.Charset == "utf8mb4":
		return "CONVERT(" + name + " USING binary)"
	}
	return "CONVERT(CONVERT(" + name + " USING utf8mb4) USING binary)"
}

// fetch writes the value that a statement has put into @packstone_long.
func (r *longReader) fetch(ctx context.Context, into string, w io.Writer) error {
	s := r.session
	if err := s.exec(ctx, into); err != nil {
		return err
	}
	length, err := s.value(ctx, "SELECT OCTET_LENGTH(@packstone_long)")
	size := integer(length)
	for at := int64(0); err == nil && at < size; at += section {
		err = r.section(ctx, at, min(section, size-at), w)
	}
	if err == nil && size <= database.LongBytes {
		err = errForm
	}
	return errors.Join(err, s.exec(ctx, "SET @packstone_long = NULL, @packstone_section = NULL"))
}

func (r *longReader) section(ctx context.Context, at, size int64, w io.Writer) error {
	err := r.session.exec(ctx, fmt.Sprintf("SET @packstone_section = SUBSTRING(@packstone_long, %d, %d)", at+1, size))
	piece := min(pieceRead, r.session.server.packet/2)
	for done := int64(0); err == nil && done < size; done += piece {
		n := 0
		err = r.session.each(ctx, fmt.Sprintf("SELECT SUBSTRING(@packstone_section, %d, %d)", done+1, piece), func(values []driver.Value) error {
			raw, _ := values[0].([]byte)
			n = len(raw)
			_, err := w.Write(raw)
			return err
		})
		if err == nil && int64(n) != min(piece, size-done) {
			err = errForm
		}
	}
	return err
}

// utf8Check finds out, from pieces, whether a text is UTF-8; what is not becomes a blob.
type utf8Check struct {
	class database.Class
	rest  []byte // an open character
}

// Write implements io.Writer.
func (u *utf8Check) Write(p []byte) (int, error) {
	if u.class == database.ClassBlob {
		return len(p), nil
	}
	n := len(p)
	for len(u.rest) > 0 && len(p) > 0 && !utf8.FullRune(u.rest) {
		u.rest, p = append(u.rest, p[0]), p[1:]
	}
	whole := wholeRunes(p)
	if len(p) > 0 && !utf8.Valid(u.rest) || !utf8.Valid(p[:whole]) {
		u.class = database.ClassBlob
	}
	if len(p) > 0 {
		u.rest = append(u.rest[:0], p[whole:]...)
	}
	return n, nil
}

func (u *utf8Check) end() database.Class {
	if !utf8.Valid(u.rest) {
		return database.ClassBlob
	}
	return u.class
}

// wholeRunes is the length of p without a character at its end that is not all there.
func wholeRunes(p []byte) int {
	for i := len(p) - 1; i >= 0 && i > len(p)-utf8.UTFMax; i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				return i
			}
			break
		}
	}
	return len(p)
}

// stage puts a long cell of a column into variables of the session, and returns the expression for
// all of it.
func (l *loader) stage(ctx context.Context, s *session, column int, c database.Cell) (expr string, err error) {
	if err := refuseBeyond(c.Long.Size(), s.server.packet); err != nil {
		return "", err
	}
	mark := "?"
	if c.Class == database.ClassBlob {
		mark = "CAST(? AS BINARY)"
	}
	in, piece, held := c.Long.Reader(), make([]byte, min(pieceSent, s.server.packet/2)), 0
	var names []string
	for {
		n, err := io.ReadFull(in, piece[held:])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return "", fmt.Errorf("read a large value back: %w", err)
		}
		n += held
		if n == 0 {
			return "CONCAT(" + strings.Join(names, ", ") + ")", nil
		}
		end := n
		if c.Class == database.ClassText && err == nil {
			end = wholeRunes(piece[:n])
		}
		name := fmt.Sprintf("@packstone_%d_%d", column, len(names))
		if _, err := s.prepared(ctx, "SET "+name+" = "+mark, []driver.NamedValue{{Ordinal: 1, Value: piece[:end]}}); err != nil {
			return "", fmt.Errorf("send a large value: %w", err)
		}
		names, l.staged = append(names, name), append(l.staged, name+" = NULL")
		held = copy(piece, piece[end:n])
	}
}

// unstage empties the variables.
func (l *loader) unstage(ctx context.Context, s *session) error {
	if len(l.staged) == 0 {
		return nil
	}
	err := s.exec(ctx, "SET "+strings.Join(l.staged, ", "))
	l.staged = l.staged[:0]
	return err
}
