package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// An extension says of some of its tables, by pg_extension_config_dump, that their rows are the
// user's, or those for which a condition holds. They are carried as statements that follow the
// extension's own.

// configured is such a table, or a sequence.
type configured struct {
	oid          uint32
	schema, name string
	kind         string // of pg_class
	condition    string // beginning with WHERE; empty: all rows
	extension    string
	columns      []string
	bytes        int64
	readable     bool // by whoever reads, and all rows
	guarded      bool // it is a superuser's: a query over it runs nobody else's code
	refers       []uint32
}

// maxConfigured bounds the text of such rows, and maxConfiguredFile the tables in which they lie.
const (
	maxConfigured     = 8 << 20
	maxConfiguredFile = 64 << 20
	rowsPerInsert     = 500
)

// configurations lists rows of extensions' tables and states of their sequences.
func (l *lister) configurations() {
	left := maxConfigured
	for _, c := range byReference(l.configured()) {
		if l.err != nil {
			return
		}
		ddl, lost := l.configuredState(c, left)
		if len(ddl) == 0 && lost == "" {
			continue
		}
		it := l.add(classRelation, c.oid, rankFunction, database.BeforeTables, named("extension rows", c.schema, c.name), ddl...)
		it.object.Lost, it.excluded = lost, !l.filter.Empty()
		for _, sql := range ddl {
			left -= len(sql)
		}
	}
}

// configuredState gives the statements for a table or a sequence, or says why there are none.
func (l *lister) configuredState(c *configured, left int) (ddl []string, lost string) {
	switch {
	case !l.filter.Empty():
		return nil, database.LeftOut
	case c.kind == "S":
		return l.configuredCounter(c)
	}
	return l.configuredRows(c, left)
}

func (l *lister) configured() (out []*configured) {
	if l.err != nil {
		return nil
	}
	var c configured
	l.err = translate(each(l.ctx, l.conn, `
		SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, coalesce(u.condition, ''), x.extname::text,
		       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum),
		       coalesce(pg_catalog.pg_relation_size(c.oid), 0),
		       pg_catalog.has_table_privilege(c.oid, 'SELECT') AND NOT pg_catalog.row_security_active(c.oid), o.rolsuper,
		       ARRAY(SELECT k.confrelid FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid <> c.oid)
		FROM pg_catalog.pg_extension x CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(x.extconfig), pg_catalog.unnest(x.extcondition)) u(relation, condition)
		JOIN pg_catalog.pg_class c ON c.oid = u.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
		WHERE c.relkind IN ('r', 'p', 'S') ORDER BY x.extname, n.nspname, c.relname`,
		[]any{&c.oid, &c.schema, &c.name, &c.kind, &c.condition, &c.extension, &c.columns, &c.bytes, &c.readable, &c.guarded, &c.refers},
		func() error {
			one := c
			one.columns, one.refers = slices.Clone(c.columns), slices.Clone(c.refers)
			out = append(out, &one)
			return nil
		}))
	return out
}

// byReference puts tables after those that they refer to, as far as there is no circle.
func byReference(all []*configured) (out []*configured) {
	for len(all) > 0 {
		next := slices.IndexFunc(all, func(c *configured) bool {
			return !slices.ContainsFunc(all, func(other *configured) bool { return slices.Contains(c.refers, other.oid) })
		})
		next = max(next, 0)
		out = append(out, all[next])
		all = slices.Delete(all, next, next+1)
	}
	return out
}

// configuredRows gives statements that insert the rows, or says why there are none.
func (l *lister) configuredRows(c *configured, room int) (ddl []string, lost string) {
	switch {
	case c.kind == "p":
		return nil, "rows of partitioned tables of extensions are not carried"
	case c.bytes == 0 || len(c.columns) == 0:
		return nil, ""
	case isSystem(c.schema):
		return nil, "it lies in a schema of the system"
	case !c.readable:
		return nil, "this user may not read its rows"
	case c.condition != "" && !c.guarded:
		return nil, "which of its rows are the user's only a query could tell, and it belongs to no superuser, so that a query could run others' code"
	case c.bytes > maxConfiguredFile:
		return nil, "it is too large for the table of an extension"
	}
	rows := &limited{room: room}
	if l.err = l.copyConfigured(c, rows); l.err != nil {
		return nil, ""
	}
	if rows.over {
		return nil, "it has too many rows for the table of an extension"
	}
	return c.inserts(rows.Bytes()), ""
}

// copyConfigured reads the rows, which a TRUNCATE after the snapshot's moment would have hidden.
func (l *lister) copyConfigured(c *configured, rows *limited) error {
	table := qualified(c.schema, c.name)
	if _, err := l.conn.Exec(l.ctx, "LOCK TABLE ONLY "+table+" IN ACCESS SHARE MODE"); err != nil {
		return translate(err)
	}
	var same bool
	sql := fmt.Sprintf("SELECT pg_catalog.pg_relation_filenode(oid) = relfilenode AND pg_catalog.to_regclass(%s) = oid FROM pg_catalog.pg_class WHERE oid = %d", literal(table), c.oid)
	if err := l.conn.QueryRow(l.ctx, sql).Scan(&same); err != nil {
		return translate(err)
	}
	if !same {
		return fmt.Errorf("table %s: %w", table, errReplaced)
	}
	columns := quoteAll(c.columns)
	copying := "COPY " + table + " (" + columns + ") TO STDOUT"
	if c.condition != "" {
		copying = "COPY (SELECT " + columns + " FROM ONLY " + table + " " + c.condition + ") TO STDOUT"
	}
	if _, err := l.conn.PgConn().CopyTo(l.ctx, rows, copying); err != nil {
		return fmt.Errorf("read the rows of %s, which extension %s says are the user's: %w", table, c.extension, translate(err))
	}
	return nil
}

func quoteAll(names []string) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = quote(name)
	}
	return strings.Join(out, ", ")
}

// inserts turns lines of COPY into statements.
func (c *configured) inserts(lines []byte) (out []string) {
	var rows []string
	flush := func() {
		if len(rows) > 0 {
			out = append(out, "INSERT INTO "+qualified(c.schema, c.name)+" ("+quoteAll(c.columns)+") OVERRIDING SYSTEM VALUE VALUES\n"+strings.Join(rows, ",\n"))
		}
		rows = rows[:0]
	}
	for line := range bytes.Lines(lines) {
		var cells []string
		for field := range bytes.SplitSeq(bytes.TrimSuffix(line, []byte("\n")), []byte("\t")) {
			cell := "NULL"
			if string(field) != `\N` {
				plain, _ := unescape(nil, field)
				cell = strings.TrimSpace(literal(string(plain)))
			}
			cells = append(cells, cell)
		}
		rows = append(rows, "("+strings.Join(cells, ", ")+")")
		if len(rows) == rowsPerInsert {
			flush()
		}
	}
	flush()
	return out
}

// configuredCounter gives the statement that sets a sequence of an extension.
func (l *lister) configuredCounter(c *configured) (ddl []string, lost string) {
	if isSystem(c.schema) || !c.readable {
		return nil, "this user may not read it"
	}
	var last *int64 // null: it has given out nothing
	if l.err = translate(l.conn.QueryRow(l.ctx, fmt.Sprintf("SELECT pg_catalog.pg_sequence_last_value(%d)", c.oid)).Scan(&last)); l.err != nil || last == nil {
		return nil, ""
	}
	return []string{fmt.Sprintf("SELECT pg_catalog.setval(%s, %d, true)", strings.TrimSpace(literal(qualified(c.schema, c.name))), *last)}, ""
}

// limited keeps what is written as long as there is room.
type limited struct {
	bytes.Buffer
	room int
	over bool
}

// Write implements io.Writer. It takes everything, so that the connection stays usable.
func (l *limited) Write(p []byte) (int, error) {
	if l.over = l.over || l.Len()+len(p) > l.room; l.over {
		return len(p), nil
	}
	return l.Buffer.Write(p)
}

// extensionRows are forms of rows of extensions' tables.
var extensionRows = []form{
	{pattern: "insert into $self $group overriding system value values $rest:rows", check: insertForm},
	{pattern: "select pg_catalog . setval ( $text:what , $number , true|false )", check: setvalForm},
}

// insertForm: rows are literals. What an extension does with them is unknown: where a file or a
// role of the source says so, it may be what a scheduler runs as somebody.
func insertForm(r *replay, m *matched) error {
	for _, t := range m.bound["rows"] {
		if t.Kind != sqltext.Text && !slices.ContainsFunc([]string{"(", ")", ",", "null"}, t.Is) {
			return errors.New("its rows are no plain values")
		}
	}
	if isSuperuser(r.at.me) && r.doubted(m.object.Owner) {
		r.untrusted(m.object, "what the extension does with these rows, it may do with more rights than the one who wrote them had")
	}
	return nil
}

func setvalForm(_ *replay, m *matched) error {
	if m.bound["what"][0].Value != qualified(m.object.Schema, m.object.Name) {
		return errors.New("it sets another sequence")
	}
	return nil
}
