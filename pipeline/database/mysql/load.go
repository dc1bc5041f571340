package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	client "github.com/go-sql-driver/mysql"

	"github.com/packstone/packstone/pipeline/database"
)

// Load fills a table by LOAD DATA LOCAL, where the server allows that, else by
// INSERT statements of many rows.
func (t *target) Load(ctx context.Context, p *database.PlannedTable, next func() (*database.Batch, error)) error {
	s, err := t.loader(ctx)
	if err != nil {
		return err
	}
	defer func() { t.loaders <- s }()
	l := newLoader(p.Target, next)
	defer l.release()
	if s.server.local {
		if err := l.loadData(ctx, s); !localRefused(err) {
			return translate(err)
		}
		s.server.local = false
	}
	return translate(l.insert(ctx, s))
}

func (t *target) loader(ctx context.Context) (*session, error) {
	s := <-t.loaders
	if s != nil {
		return s, nil
	}
	s, err := t.connect(ctx)
	if err != nil {
		t.loaders <- nil
		return nil, err
	}
	return s, nil
}

// localRefused says that the server does not want LOAD DATA LOCAL.
func localRefused(err error) bool {
	switch number(err) {
	case 1148, 3948, 4166:
		return true
	}
	return false
}

// loader walks over the cells of a table's batches.
type loader struct {
	table   *database.Table
	columns []loadColumn
	next    func() (*database.Batch, error)

	batch *database.Batch
	row   int
	rows  int64
	// errorsWanted counts enum values that are MySQL's error value: storing one
	// is a warning.
	errorsWanted int64
}

// loadColumn says how a column's cells are written.
type loadColumn struct {
	skip    bool // the server computes it
	recode  bool // its bytes must be read as UTF-8, not as they are
	year    bool
	bits    bool
	instant bool // +00:00 is cut off
	empty   bool // '' is the enum's error value
	check   func(database.Cell) error
}

func newLoader(t *database.Table, next func() (*database.Batch, error)) *loader {
	l := &loader{table: t, next: next, row: -1}
	for _, c := range t.Columns {
		kept := textual(c.Type)
		l.columns = append(l.columns, loadColumn{
			skip:    c.Generated != nil,
			recode:  recoded(c.Type),
			year:    c.Type.Kind == database.Year,
			bits:    c.Type.Kind == database.Bits && !kept,
			instant: c.Type.Kind == database.TimestampTZ && !kept,
			empty:   c.Type.Kind == database.Enum && !kept && !contains(c.Type.Values, ""),
			check:   checkOf(c.Type),
		})
	}
	return l
}

// recoded says that raw UTF-8 bytes would be misread: the column has another
// character set, or a type that takes raw bytes for its binary form.
func recoded(t database.Type) bool {
	switch t.Charset {
	case "", "utf8mb4", "utf8mb3", "utf8", "ascii", "binary":
	default:
		return true
	}
	name, _, _ := strings.Cut(strings.ToLower(t.Native), "(")
	return name == "uuid" || name == "inet4" || name == "inet6" || name == "json"
}

// checkOf finds what the server would change or refuse without a clear word.
func checkOf(t database.Type) func(database.Cell) error {
	switch {
	case t.Kind == database.Bytes || t.Kind == database.Geometry:
		return nil
	case textual(t):
		return checkText
	}
	switch t.Kind {
	case database.Float:
		return checkFloat
	case database.Decimal:
		return checkDecimal
	case database.Date, database.Timestamp, database.TimestampTZ:
		return checkDate
	case database.Int, database.Bool, database.Year:
		return checkNumber
	}
	return checkText
}

func checkText(c database.Cell) error {
	if c.Class == database.ClassBlob {
		return errors.New("its bytes are no UTF-8, which a text column cannot hold")
	}
	return nil
}

func checkFloat(c database.Cell) error {
	if f := c.Float; c.Class == database.ClassFloat && (f != f || f-f != 0) {
		return fmt.Errorf("the server's floats cannot be %v", f)
	}
	return checkText(c)
}

func checkDecimal(c database.Cell) error {
	if text := strings.TrimPrefix(string(c.Bytes), "-"); text != "" && (text[0] == 'N' || text[0] == 'I') {
		return fmt.Errorf("the server's decimals cannot be %s", c.Bytes)
	}
	return checkText(c)
}

func checkDate(c database.Cell) error {
	b := c.Bytes
	if c.Class == database.ClassText && (len(b) < 10 || b[4] != '-' || b[0] < '0' || b[0] > '9' || b[len(b)-1] == 'C') {
		return fmt.Errorf("the server's dates run from the year 0 to 9999; %s is none of them", b)
	}
	return checkText(c)
}

func checkNumber(c database.Cell) error {
	if c.Class == database.ClassText && (len(c.Bytes) == 0 || strings.Trim(string(c.Bytes), "0123456789-") != "") {
		return fmt.Errorf("%.40q is no number", c.Bytes)
	}
	return checkText(c)
}

// nextRow gives the canonical bytes of the next row; io.EOF at the end.
func (l *loader) nextRow() ([]byte, error) {
	for l.batch == nil || l.row+1 >= l.batch.Len() {
		l.release()
		batch, err := l.next()
		if err != nil {
			return nil, err
		}
		l.batch, l.row = batch, -1
	}
	l.row++
	l.rows++
	return l.batch.Row(l.row), nil
}

func (l *loader) release() {
	if l.batch != nil {
		l.batch.Release()
		l.batch = nil
	}
}

// reject addresses a value that has no place.
func (l *loader) reject(column int, cause error) error {
	cells := make([]database.Cell, len(l.columns))
	if err := database.DecodeRow(cells, l.batch.Row(l.row)); err != nil {
		return err
	}
	return database.NewValueError(l.table, column, cells, cause)
}

// verify compares what the server says it did with what it was given. LOAD DATA
// LOCAL and INSERT IGNORE turn errors into warnings, so each must be accounted
// for.
func (l *loader) verify(ctx context.Context, s *session, stored, sent, wanted int64) error {
	text, err := s.value(ctx, "SHOW COUNT(*) WARNINGS")
	if err != nil {
		return err
	}
	if integer(text) != wanted {
		return fmt.Errorf("%w: the server says: %s", database.ErrValue, l.warning(ctx, s, wanted))
	}
	if stored != sent {
		return fmt.Errorf("%w: the server stored %d of %d rows", database.ErrValue, stored, sent)
	}
	return nil
}

// warning is the first one that is not about an enum's error value.
func (l *loader) warning(ctx context.Context, s *session, wanted int64) string {
	first := ""
	_ = s.texts(ctx, "SHOW WARNINGS", func(row []string, _ []bool) error {
		if first == "" || wanted > 0 && strings.HasPrefix(first, "Data truncated") {
			first = row[2]
		}
		return nil
	})
	return or(first, "nothing more")
}

// readers numbers the readers that the client library knows by name.
var readers atomic.Int64

// loadData streams all rows through one LOAD DATA statement.
func (l *loader) loadData(ctx context.Context, s *session) error {
	stream := &dataStream{loader: l}
	name := fmt.Sprintf("packstone-%d", readers.Add(1))
	client.RegisterReaderHandler(name, func() io.Reader { return stream })
	defer client.DeregisterReaderHandler(name)
	stored, err := s.affect(ctx, l.loadStatement(name))
	if stream.err != nil {
		return stream.err // the source's error, or a value's; the server's follows from it
	}
	if err != nil {
		return err
	}
	return l.verify(ctx, s, stored, l.rows, l.errorsWanted)
}

// loadStatement reads all fields as bytes, which suits blobs and columns in
// UTF-8; others go through a variable that is converted.
func (l *loader) loadStatement(name string) string {
	var fields, sets []string
	for i, c := range l.table.Columns {
		switch how := l.columns[i]; {
		case how.skip:
		case how.recode:
			variable := fmt.Sprintf("@c%d", i)
			fields = append(fields, variable)
			sets = append(sets, quote(c.Name)+" = CONVERT("+variable+" USING utf8mb4)")
		default:
			fields = append(fields, quote(c.Name))
		}
	}
	sql := "LOAD DATA LOCAL INFILE 'Reader::" + name + "' INTO TABLE " + quote(l.table.Name) +
		` CHARACTER SET binary FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' (` + strings.Join(fields, ", ") + ")"
	if len(sets) > 0 {
		sql += " SET " + strings.Join(sets, ", ")
	}
	return sql
}

// insertBytes is about how long an INSERT statement gets.
const insertBytes = 1 << 20

// insert sends all rows by statements of many rows.
func (l *loader) insert(ctx context.Context, s *session) error {
	var names []string
	for i, c := range l.table.Columns {
		if !l.columns[i].skip {
			names = append(names, c.Name)
		}
	}
	head := "INSERT IGNORE INTO " + quote(l.table.Name) + " (" + quoteAll(names) + ") VALUES "
	most := int(min(insertBytes, max(s.server.packet-1024, 0)))
	sql := []byte(head)
	var sent, wanted int64
	flush := func() error {
		if sent == 0 {
			return nil
		}
		stored, err := s.affect(ctx, string(sql))
		if err == nil {
			err = l.verify(ctx, s, stored, sent, l.errorsWanted-wanted)
		}
		sql, sent, wanted = sql[:len(head)], 0, l.errorsWanted
		return err
	}
	for {
		row, err := l.nextRow()
		if err == io.EOF {
			return flush()
		}
		if err != nil {
			return err
		}
		before, errors := len(sql), l.errorsWanted
		if sql, err = l.appendValues(sql, row, sent > 0); err != nil {
			return err
		}
		if len(sql) <= most || sent == 0 {
			if int64(len(sql)) > s.server.packet-64 {
				return l.reject(0, fmt.Errorf("the row makes a statement of %d bytes, and the server's max_allowed_packet is %d", len(sql), s.server.packet))
			}
			sent++
			continue
		}
		// The row does not fit any more: send the others and begin with it.
		last := append([]byte(nil), sql[before+1:]...)
		sql, l.errorsWanted, errors = sql[:before], errors, l.errorsWanted
		if err := flush(); err != nil {
			return err
		}
		l.errorsWanted = errors
		if sql, sent = append(sql, last...), 1; int64(len(sql)) > s.server.packet-64 {
			return l.reject(0, fmt.Errorf("the row makes a statement of %d bytes, and the server's max_allowed_packet is %d", len(sql), s.server.packet))
		}
	}
}
