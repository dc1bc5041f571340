package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
)

// The rows of users' tables are read by COPY table TO alone. A query over a table is planned, and
// the planner runs what expressions of indexes, statistics, constraints and partition keys call,
// with the rights of whoever reads; an owner may add such a thing at any moment. COPY plans
// nothing: it runs the output functions of the columns' types, no more.

// reading is how a table is read.
type reading struct {
	relations []*relation // whose rows the table has
	columns   []*column
	query     bool // by a query
	binary    bool
	fields    []field
	computed  *computing // for columns that are not read; nil: there are none
}

// reading finds out how a table is read. Generated columns, which COPY leaves out, are read by a
// query where the transaction has made the table itself, from a plan in which there is nobody's
// code: nobody else can change it yet.
func (c *catalog) reading(t *database.Table, own bool) (*reading, error) {
	r := c.find(t.Schema, t.Name)
	if r == nil {
		return nil, fmt.Errorf("table %s is not in the catalog", t.ID())
	}
	how := &reading{relations: c.leaves(r), binary: true}
	for _, want := range t.Columns {
		col := r.column(want.Name)
		if col == nil {
			return nil, fmt.Errorf("column %s.%s is not in the catalog", t.ID(), want.Name)
		}
		asked := own && col.Generated != "" && !want.Unread
		if col.Generated == "" || asked {
			how.columns = append(how.columns, col)
			how.binary = how.binary && c.binaryField(col).decode != nil
			how.query = how.query || asked
		}
	}
	for _, col := range how.columns {
		if how.binary {
			how.fields = append(how.fields, c.binaryField(col))
		} else {
			how.fields = append(how.fields, c.textField(col))
		}
	}
	if len(how.columns) < len(t.Columns) {
		how.computed = c.computing(t, r, how.columns)
	}
	return how, nil
}

// leaves are the relations in which a table's rows lie. Foreign tables hold none of their own.
func (c *catalog) leaves(r *relation) []*relation {
	if c.absent(r.Persistence) && r.Kind != "p" {
		return nil
	}
	if r.Kind != "p" {
		return []*relation{r}
	}
	var out []*relation
	for _, oid := range c.order {
		if part := c.relations[oid]; part.Partition && slices.Contains(part.Parents, r.OID) && part.Kind != "f" {
			out = append(out, c.leaves(part)...)
		}
	}
	return out
}

// base is what a column's values are, under all domains.
func (c *catalog) base(oid uint32) *pgType {
	t := c.types[oid]
	for t != nil && t.Kind == "d" {
		t = c.types[t.Base]
	}
	return t
}

// binaryField has no decoder where the server's text is wanted.
func (c *catalog) binaryField(col *column) field {
	t := c.base(col.Type)
	switch {
	case t == nil:
		return field{}
	case t.Kind == "e":
		return field{decode: decodeText}
	case !t.system():
		return field{}
	}
	return field{decode: binaryDecoders[t.Name], long: t.longClass()}
}

func (c *catalog) textField(col *column) field {
	f := field{decode: decodeText}
	if t := c.base(col.Type); t != nil && t.system() {
		if decode := textDecoders[t.Name]; decode != nil {
			f.decode = decode
		}
		f.long = t.longClass()
		f.hex = f.long == database.ClassBlob
	}
	return f
}

// system says that the type, with all its functions, came with the server.
func (t *pgType) system() bool { return t.OID < firstUser && t.Schema == "pg_catalog" }

// longClass is the class of values that COPY sends as they are.
func (t *pgType) longClass() database.Class {
	switch t.Name {
	case "text", "varchar":
		return database.ClassText
	case "bytea":
		return database.ClassBlob
	}
	return database.ClassNull
}

// sql copies the rows that lie in a relation.
func (how *reading) sql(r *relation) string {
	names := make([]string, len(how.columns))
	for i, col := range how.columns {
		names[i] = quote(col.Name)
	}
	format := ""
	if how.binary {
		format = " (FORMAT binary)"
	}
	list := strings.Join(names, ", ")
	switch {
	case how.query:
		return "COPY (SELECT " + list + " FROM ONLY " + r.sql() + ") TO STDOUT" + format
	case list != "": // else COPY takes all but generated columns, of which there are none
		list = " (" + list + ")"
	}
	return "COPY " + r.sql() + list + " TO STDOUT" + format
}

func (how *reading) stream(aside string, send func(*database.Batch) error) copyStream {
	if how.binary {
		return newBinaryStream(how.fields, aside, send)
	}
	return newTextStream(how.fields, aside, send)
}

// reader reads tables of a catalog as they lie in the server.
type reader struct {
	conn    *pgx.Conn
	catalog *catalog
	aside   string
	at      database.Location
	own     bool   // see reading
	hold    string // what the first COPY comes after, in the same message
}

func (r *reader) rows(ctx context.Context, t *database.Table, send func(*database.Batch) error) error {
	if t.Role == database.LargeObjects {
		fields := []field{{decode: decodeInt8}, {decode: decodeInt4}, {decode: decodeBytes}}
		return copyOut(ctx, r.conn, "COPY ("+largeObjectSQL+") TO STDOUT (FORMAT binary)", newBinaryStream(fields, "", send))
	}
	how, err := r.catalog.reading(t, r.own)
	if err != nil {
		return err
	}
	if how.computed == nil {
		return r.read(ctx, how, send)
	}
	if err := how.computed.open(ctx, r.at); err != nil {
		return err
	}
	err = r.read(ctx, how, func(b *database.Batch) error {
		whole, err := how.computed.add(ctx, b)
		if err != nil {
			return err
		}
		return send(whole)
	})
	if closed := how.computed.close(); err == nil {
		err = closed
	}
	return err
}

func (r *reader) read(ctx context.Context, how *reading, send func(*database.Batch) error) error {
	hold := r.hold
	for _, part := range how.relations {
		sql := hold + how.sql(part)
		hold = ""
		if err := copyOut(ctx, r.conn, sql, how.stream(r.aside, send)); err != nil {
			return err
		}
	}
	return nil
}

// ordered is rows in the order of the table's key, as far as order says.
func (r *reader) ordered(ctx context.Context, t *database.Table, send func(*database.Batch) error) error {
	keys := newKeyEncoder(t)
	if keys == nil || t.Role != database.Data {
		return r.rows(ctx, t, send)
	}
	o := newOrder(keys, r.aside, send)
	err := r.rows(ctx, t, o.add)
	if err == nil {
		err = o.finish()
	}
	if dropped := o.close(); err == nil {
		err = dropped
	}
	return err
}

// copyOut runs a COPY into a stream. An error of the receiver of rows comes back as it is.
func copyOut(ctx context.Context, conn *pgx.Conn, sql string, stream copyStream) error {
	defer stream.drop()
	_, err := conn.PgConn().CopyTo(ctx, stream, sql)
	if err == nil {
		err = stream.close()
	}
	if refused := stream.refusal(); refused != nil {
		return refused
	}
	return translate(err)
}
