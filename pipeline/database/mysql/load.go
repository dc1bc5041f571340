package mysql

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	client "github.com/go-sql-driver/mysql"

	"github.com/packstone/packstone/pipeline/database"
)

// LoadsLong implements database.LongLoader: what is long goes in pieces.
func (t *target) LoadsLong() {}

// Load fills a table by LOAD DATA LOCAL, where the server allows that, else by
// INSERT statements of many rows.
func (t *target) Load(ctx context.Context, p *database.PlannedTable, next func() (*database.Batch, error)) error {
	s, err := t.loader(ctx)
	if err != nil {
		return err
	}
	defer func() { t.loaders <- s }()
	return loadBy(ctx, s, p.Target, next)
}

// loadBy fills a table by a session.
func loadBy(ctx context.Context, s *session, table *database.Table, next func() (*database.Batch, error)) error {
	l := newLoader(table, next)
	defer l.release()
	if s.server.local {
		if err := l.load(ctx, s); !localRefused(err) {
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
	held  []byte // the current row, where it is still to be written
	// staged are assignments that empty the session's variables.
	staged []string
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
	case database.Bits:
		return checkBits
	}
	return checkText
}

// checkBits lets nothing pass that would not be the digits of a literal.
func checkBits(c database.Cell) error {
	if c.Class == database.ClassText && strings.Trim(string(c.Bytes), "01") != "" {
		return fmt.Errorf("bits are 0 and 1; %.40q is something else", c.Bytes)
	}
	return checkText(c)
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

// nextRow gives the canonical bytes of the next row, or of the one held back;
// io.EOF at the end.
func (l *loader) nextRow() ([]byte, error) {
	if row := l.held; row != nil {
		l.held = nil
		return row, nil
	}
	for l.batch == nil || l.row+1 >= l.batch.Len() {
		l.release()
		batch, err := l.next()
		if err != nil {
			return nil, err
		}
		l.batch, l.row = batch, -1
	}
	l.row++
	return l.batch.Row(l.row), nil
}

// alone says that the row nextRow gave goes into no statement with others.
func (l *loader) alone(row []byte, limit int) bool { return len(row) > limit || l.batch.HasLong() }

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

// bigRow is the size from which a row is sent alone: LOAD DATA takes quadratic
// time for long values, so one beyond max_allowed_packet is refused instead.
const bigRow = 1 << 20

// load streams rows through LOAD DATA and sends big ones between.
func (l *loader) load(ctx context.Context, s *session) error {
	for {
		stream := &dataStream{loader: l}
		if err := l.loadData(ctx, s, stream); err != nil || !stream.stopped {
			return err
		}
		row, err := l.nextRow()
		for ; err == nil && l.alone(row, bigRow); row, err = l.nextRow() {
			if err := l.insertBig(ctx, s); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		l.held = row
	}
}

// loadData streams rows through one LOAD DATA statement, to the end or to a row
// that goes alone.
func (l *loader) loadData(ctx context.Context, s *session, stream *dataStream) error {
	name := fmt.Sprintf("packstone-%d", readers.Add(1))
	client.RegisterReaderHandler(name, func() io.Reader { return stream })
	defer client.DeregisterReaderHandler(name)
	before := l.errorsWanted
	stored, err := s.affect(ctx, l.loadStatement(name))
	if stream.err != nil {
		return stream.err // the source's error, or a value's; the server's follows from it
	}
	if err != nil {
		return err
	}
	return l.verify(ctx, s, stored, stream.rows, l.errorsWanted-before)
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

// inserter collects rows for one INSERT statement.
type inserter struct {
	*loader
	session *session
	head    int // length of what stands before the rows
	sql     []byte
	rows    int64
	wanted  int64 // errorsWanted before the first row
}

// insert sends all rows by statements of many rows.
func (l *loader) insert(ctx context.Context, s *session) error {
	head := l.insertHead()
	in := &inserter{loader: l, session: s, head: len(head), sql: []byte(head), wanted: l.errorsWanted}
	limit := int(min(insertBytes, s.server.packet/4))
	for {
		row, err := l.nextRow()
		if err == io.EOF {
			return in.flush(ctx)
		}
		if err != nil {
			return err
		}
		if l.alone(row, limit/2) {
			if err := errors.Join(in.flush(ctx), l.insertBig(ctx, s)); err != nil {
				return err
			}
			in.wanted = l.errorsWanted
			continue
		}
		if in.sql, err = l.appendValues(in.sql, row, in.rows > 0); err != nil {
			return err
		}
		if in.rows++; len(in.sql) < limit {
			continue
		}
		if err := in.flush(ctx); err != nil {
			return err
		}
	}
}

func (in *inserter) flush(ctx context.Context) error {
	if in.rows == 0 {
		return nil
	}
	stored, err := in.session.affect(ctx, string(in.sql))
	if err == nil {
		err = in.verify(ctx, in.session, stored, in.rows, in.errorsWanted-in.wanted)
	}
	in.sql, in.rows, in.wanted = in.sql[:in.head], 0, in.errorsWanted
	return err
}

// insertHead is an INSERT statement up to its first row.
func (l *loader) insertHead() string {
	var names []string
	for i, c := range l.table.Columns {
		if !l.columns[i].skip {
			names = append(names, c.Name)
		}
	}
	return "INSERT IGNORE INTO " + quote(l.table.Name) + " (" + quoteAll(names) + ") VALUES "
}

// insertBig sends the current row by a prepared statement, which carries long
// values as they are and in pieces.
func (l *loader) insertBig(ctx context.Context, s *session) error {
	cells := make([]database.Cell, len(l.columns))
	if err := l.batch.Cells(cells, l.row); err != nil {
		return err
	}
	before := l.errorsWanted
	var values []driver.NamedValue
	var exprs []string
	for i, c := range cells {
		if l.columns[i].skip {
			continue
		}
		expr, v, err := l.alonePart(ctx, s, i, c)
		if err != nil && number(err) == 0 && !errors.Is(err, database.ErrUnreachable) {
			err = database.NewValueError(l.table, i, cells, err)
		}
		if err != nil {
			return err
		}
		if exprs = append(exprs, expr); expr == "?" {
			values = append(values, driver.NamedValue{Ordinal: len(values) + 1, Value: v})
		}
	}
	stored, err := s.prepared(ctx, l.insertHead()+"("+strings.Join(exprs, ", ")+")", values)
	if err == nil {
		err = l.verify(ctx, s, stored, 1, l.errorsWanted-before)
	}
	return errors.Join(err, l.unstage(ctx, s))
}

// alonePart is a cell of a row that is sent alone: an expression of what was sent before, or a mark
// and its value.
func (l *loader) alonePart(ctx context.Context, s *session, i int, c database.Cell) (expr string, v driver.Value, err error) {
	if check := l.columns[i].check; check != nil {
		if err := check(c); err != nil {
			return "", nil, err
		}
	}
	if c.Long != nil && mayBeLong(l.table.Columns[i].Type) {
		expr, err = l.stage(ctx, s, i, c)
		return expr, nil, err
	}
	if c.Long != nil {
		if c.Bytes, err = c.Long.Bytes(); err != nil {
			return "", nil, err
		}
	}
	v, err = l.argument(i, c, s.server.packet)
	return "?", v, err
}

// argument is a cell as a value of a prepared statement.
func (l *loader) argument(i int, c database.Cell, packet int64) (driver.Value, error) {
	how := &l.columns[i]
	switch c.Class {
	case database.ClassNull:
		return nil, nil
	case database.ClassInt:
		return c.Int, nil
	case database.ClassFloat:
		return c.Float, nil
	}
	if err := refuseBeyond(int64(len(c.Bytes)), packet); err != nil {
		return nil, err
	}
	switch {
	case how.bits:
		return packBits(c.Bytes), nil
	case how.instant:
		return bytes.TrimSuffix(c.Bytes, []byte("+00:00")), nil
	case how.empty && len(c.Bytes) == 0:
		l.errorsWanted++
	}
	return c.Bytes, nil
}

// refuseBeyond keeps out what no client could read in a row again.
func refuseBeyond(size, packet int64) error {
	if size > packet {
		return fmt.Errorf("it has %d bytes, and the server's max_allowed_packet is %d", size, packet)
	}
	return nil
}
