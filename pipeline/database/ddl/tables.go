package ddl

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/expr"
)

// types chooses the types of a table's columns.
func (m *mapper) types(d *Draft) {
	src := d.Source
	whole := wholeLists(src)
	for _, c := range src.Columns {
		to := Mapped{SQL: c.Type.Native, Type: c.Type}
		// Only SQLite's own keys may hold nulls.
		inKey := src.PrimaryKey != nil && slices.Contains(src.PrimaryKey.Columns, c.Name) && m.source.Engine != database.SQLite
		notNull := c.NotNull && (m.native || !m.loosens(src, c)) || inKey
		if !m.native {
			a := Asked{Table: src, Column: c, Engine: m.source.Engine, NotNull: notNull, Opts: m.opts}
			a.Keyed, a.Unique = whole.hold(c.Name)
			a.Room = m.room(src, whole, c.Name)
			to = m.Type(a)
			to.Room = a.Room
		}
		d.Types = append(d.Types, to)
		d.Target.Columns = append(d.Target.Columns, &database.Column{Name: d.names[c.Name], NotNull: notNull})
	}
}

// loosens says that a column must allow null for MySQL's impossible dates.
func (m *mapper) loosens(t *database.Table, c *database.Column) bool {
	if m.opts.ZeroDates != database.ZeroDatesLoosen || database.Family(m.source.Engine) != database.MySQL || database.Family(m.Engine) == database.MySQL {
		return false
	}
	switch c.Type.Kind {
	case database.Date, database.Timestamp, database.TimestampTZ:
		return t.PrimaryKey == nil || !slices.Contains(t.PrimaryKey.Columns, c.Name)
	}
	return false
}

// table makes CREATE TABLE and all that hangs on the table.
func (m *mapper) table(d *Draft) {
	src, t := d.Source, d.Target
	if src.Role != database.Data && m.LargeObjects {
		*t = *src
		return
	}
	var lines []string
	for i := range src.Columns {
		lines = append(lines, m.column(d, i))
	}
	if len(lines) == 0 && m.Filler != "" {
		lines = append(lines, m.Filler)
	}
	at := len(m.statements)
	m.add(src.ObjectID(), database.Tables, "")
	m.comments(d)
	lines = append(lines, m.keys(d)...)
	lines = append(lines, m.checks(d)...)
	for _, x := range src.Indexes {
		lines = append(lines, m.index(d, x)...)
	}
	for _, k := range src.ForeignKeys {
		lines = append(lines, m.foreignKey(d, k)...)
	}
	d.Create = "CREATE TABLE " + m.Qualified(t.Schema, t.Name) + " (\n    " + strings.Join(lines, ",\n    ") + "\n)" + m.Tail + m.ending(src) + m.remark(src.ObjectID(), false, src.Comment)
	m.statements[at].SQL = d.Create
}

func (m *mapper) ending(t *database.Table) string {
	if m.Ending == nil {
		return ""
	}
	return m.Ending(t)
}

// column is a line of CREATE TABLE.
func (m *mapper) column(d *Draft, i int) string {
	c, out, to := d.Source.Columns[i], d.Target.Columns[i], &d.Types[i]
	id := d.Source.Part("column", c.Name)
	if len(to.Labels) > 0 {
		name := m.name(spacesOf(m.Spaces.Types, d.Target.Schema, d.Target.Name), d.Target.Name+"_"+out.Name)
		to.SQL = m.Qualified(d.Target.Schema, name)
		m.add(id, database.BeforeTables, "CREATE TYPE "+to.SQL+" AS ENUM ("+m.texts(to.Labels)+")")
	}
	out.Type = to.Type
	out.Type.Native = to.SQL
	d.Convert = append(d.Convert, to.Convert)
	if to.Check != "" {
		m.late = append(m.late, m.alter(id, d.Target, "CHECK ("+fmt.Sprintf(to.Check, m.Quote(out.Name))+")"))
	}
	losses := []database.Finding{m.renaming(c.Name, out.Name)}
	if c.NotNull && !out.NotNull {
		losses = append(losses, weaker(database.CodeNullAllowed, "null is allowed, for impossible dates"))
	}
	if to.Code == "" {
		to.Code = database.CodeTypeChanged
	}
	losses = append(losses, weaker(to.Code, to.Lost))
	sql, lost := m.definition(d, i)
	m.inexact(id, append(losses, lost)...)
	return m.Quote(out.Name) + " " + sql + m.remark(id, true, c.Comment)
}

// inexact reports losses, and nothing where there are none.
func (m *mapper) inexact(id database.ObjectID, losses ...database.Finding) {
	losses = slices.DeleteFunc(losses, func(f database.Finding) bool { return f.Code == "" })
	if len(losses) > 0 {
		m.settle(id, losses...)
	}
}

// definition is all that follows a column's name, and what is lost of what computes it.
func (m *mapper) definition(d *Draft, i int) (sql string, lost database.Finding) {
	c, out, to := d.Source.Columns[i], d.Target.Columns[i], &d.Types[i]
	sql = to.SQL + to.Clause
	switch {
	case c.Generated != nil:
		if computed, ok := m.generated(d, i); ok {
			return m.computedNotNull(computed, out)
		}
		lost = weaker(database.CodeGeneratedPlain, "a generated column becomes a plain one that holds the values")
	case c.Identity != nil:
		if lost = weaker(database.CodeCounterLost, m.uncounted(d, i)); lost.Code == "" {
			sql += m.identity(c, out)
		}
	case c.Default != nil:
		sql += m.defaultOf(d, i)
	}
	if m.Extra != nil {
		extra, id := m.Extra(d.Source, c, *to)
		if sql += extra; extra != "" {
			m.settle(id)
		}
	}
	if out.NotNull {
		return sql + " NOT NULL", lost
	}
	return sql + m.Null, lost
}

// computedNotNull forbids null in a computed column where the engine can.
func (m *mapper) computedNotNull(sql string, out *database.Column) (string, database.Finding) {
	switch {
	case !out.NotNull:
		return sql, database.Finding{}
	case m.ComputedNotNull:
		return sql + " NOT NULL", database.Finding{}
	}
	out.NotNull = false
	return sql, weaker(database.CodeCheckLost, "null is allowed, since no computed column forbids it here")
}

func (m *mapper) generated(d *Draft, i int) (string, bool) {
	g, to := d.Source.Columns[i].Generated, d.Types[i]
	computes := m.compares
	if m.Computes != nil {
		computes = func(d *Draft, i int) bool { return m.Computes(d.Source.Columns[i].Type, d.Types[i]) }
	}
	expr, ok := m.expression(d, g.Expr, computes)
	if !ok || !m.native && (to.Convert != nil || !computes(d, i)) {
		return "", false
	}
	sql := m.Generated(to, expr, g.Stored)
	if sql != "" {
		d.Target.Columns[i].Generated = &database.Generated{Expr: database.Expr{Engine: m.Engine, SQL: expr}, Stored: g.Stored || m.StoredOnly}
	}
	return sql, sql != ""
}

// uncounted says why a column does not count by itself; "": it does.
func (m *mapper) uncounted(d *Draft, i int) string {
	c, to := d.Source.Columns[i], d.Types[i]
	switch {
	case m.native:
	case m.Counters == CountsOne && counter(d.Source) != c:
		return "it does not count by itself: one column of a table can"
	case m.Counters == CountsRow && !to.Key:
		return "it does not count by itself: an integer that is the primary key can"
	case m.Counters == CountsAny && to.Type.Kind != database.Int:
		return "it does not count by itself: no type that counts has room for its values"
	case m.Counters == CountsKeyed && m.keyedCounter(d) != c.Name:
		return "it does not count by itself: one integer column that begins a key can"
	}
	return ""
}

// keyedCounter is the first column that counts, is an integer and begins a key; "": none.
func (m *mapper) keyedCounter(d *Draft) string {
	for i, c := range d.Source.Columns {
		begins := func(list []string) bool { return list[0] == c.Name }
		if c.Identity != nil && d.Types[i].Type.Kind == database.Int && slices.ContainsFunc(wholeLists(d.Source).unique, begins) {
			return c.Name
		}
	}
	return ""
}

// counter is the column that counts where only one can: that of the primary key, else the first.
func counter(t *database.Table) *database.Column {
	var first *database.Column
	for _, c := range t.Columns {
		switch {
		case c.Identity == nil:
		case t.PrimaryKey != nil && slices.Contains(t.PrimaryKey.Columns, c.Name):
			return c
		case first == nil:
			first = c
		}
	}
	return first
}

func (m *mapper) identity(c, out *database.Column) string {
	out.Identity = c.Identity
	q := m.source.Sequence(c.Identity.Sequence)
	if q != nil {
		m.counts[q.ID()] = true
		lost := ""
		if m.StepOne && (q.Increment != 1 || q.Cycle || q.Min < 0) {
			lost = fmt.Sprintf("it counts up by 1 here, without end, and not by %d", q.Increment)
		}
		m.settle(database.ObjectID{Kind: "sequence", Schema: q.Schema, Name: q.Name}, weaker(database.CodeSequenceWeaker, lost))
	}
	return m.Identity(q, c.Identity.Always)
}

func (m *mapper) defaultOf(d *Draft, i int) string {
	c, out, to := d.Source.Columns[i], d.Target.Columns[i], d.Types[i]
	id := d.Source.Part("default", c.Name)
	sql, ok := c.Default.SQL, true
	if !m.native {
		sql, ok = m.spellDefault(d, *c.Default, to)
	}
	if !ok {
		m.settle(id, aside(database.CodeDefaultLost, "the default "+c.Default.SQL+" has no counterpart"))
		return ""
	}
	m.settle(id)
	out.Default = &database.Expr{Engine: m.Engine, SQL: sql}
	return " DEFAULT " + sql
}

func (m *mapper) spellDefault(d *Draft, e database.Expr, to Mapped) (string, bool) {
	switch c, literal := expr.Literal(e); {
	case to.Key:
		return "", false
	case m.Own != nil && m.Own(e) && to.Lost == "" && m.Engine == database.SQLite: // which wants parentheses
		return "(" + e.SQL + ")", true
	case m.Own != nil && m.Own(e) && to.Lost == "":
		return e.SQL, true
	case expr.IsNow(e):
		return m.Now(to)
	case literal:
		return m.Literal(c, to)
	case !m.ComputedDefaults || to.Type.Kind != database.Text && database.Family(m.source.Engine) != database.Family(m.Engine):
		return "", false
	}
	sql, ok := m.expression(d, e, m.compares)
	return "(" + sql + ")", ok
}

// compares says that a column's values mean the same in an expression on both sides. Those of a
// fixed length have blanks at their end that the source does not compare. No condition may be over
// a column that counts where only one can.
func (m *mapper) compares(d *Draft, i int) bool {
	c := d.Source.Columns[i]
	padded := c.Type.Fixed && c.Type.Kind == database.Text && database.Family(m.source.Engine) != database.MySQL && m.source.Engine != m.Engine
	counting := m.Counters == CountsKeyed && m.keyedCounter(d) == c.Name
	return !padded && !counting && m.Comparable(c.Type, d.Types[i])
}

// expression carries an expression over; natively it stays.
func (m *mapper) expression(d *Draft, e database.Expr, good func(d *Draft, column int) bool) (string, bool) {
	if m.native || m.Own != nil && m.Own(e) {
		return e.SQL, true
	}
	return expr.Translate(e, m.Engine, func(name string) (string, bool) {
		i := d.columnAt(name)
		if i < 0 {
			return "", false
		}
		return m.Quote(d.Target.Columns[i].Name), good(d, i)
	})
}

// columnAt finds a column by the name that an expression uses, in whatever case; -1: none.
func (d *Draft) columnAt(name string) int {
	found := -1
	for i, c := range d.Source.Columns {
		if c.Name == name {
			return i
		}
		if found < 0 && strings.EqualFold(c.Name, name) {
			found = i
		}
	}
	return found
}

// comments makes the statements of comments.
func (m *mapper) comments(d *Draft) {
	if m.Comment == nil {
		return
	}
	add := func(id database.ObjectID, column, text string) {
		if text = m.cutComment(id, column != "", text); text != "" {
			m.add(d.Source.ObjectID(), database.Tables, m.Comment(d.Target.Schema, d.Target.Name, column, text))
		}
	}
	add(d.Source.ObjectID(), "", d.Source.Comment)
	for i, c := range d.Source.Columns {
		add(d.Source.Part("column", c.Name), d.Target.Columns[i].Name, c.Comment)
	}
}

// remark is a comment that stands in CREATE TABLE.
func (m *mapper) remark(id database.ObjectID, column bool, text string) string {
	if m.Remark == nil || text == "" {
		return ""
	}
	return m.Remark(column, m.cutComment(id, column, text))
}

// cutComment shortens a comment to what the engine keeps.
func (m *mapper) cutComment(id database.ObjectID, column bool, text string) string {
	most, whole := m.TableComment, text
	if column {
		most = m.ColumnComment
	}
	for most > 0 && m.CommentLength(text) > most {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	if text != whole {
		m.settle(id, weaker(database.CodeCommentCut, fmt.Sprintf("its comment is cut: the longest here has %d", most)))
	}
	return text
}
