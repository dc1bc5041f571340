package mysql

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// plan is what a target does besides loading rows.
type plan struct {
	create    []statement // before the rows
	alter     []addition  // keys and indexes, after the rows
	foreign   []reference // foreign keys, after all other keys
	end       []*statements
	made      []made // everything by name, for the marker
	collation string // the database's default, where the source's is to be kept
	opts      database.PlanOptions
}

type statement struct {
	object database.ObjectID
	sql    string
}

// addition is ALTER TABLE table ADD what; those of a table are made in one go.
type addition struct {
	object      database.ObjectID
	table, what string
}

// reference is a foreign key and what it promises.
type reference struct {
	addition
	key *database.ForeignKey
}

type made struct{ kind, name string }

// nativePlan replays the DDL of a server of the same kind.
func nativePlan(s *database.Schema, server server, opts database.PlanOptions) (*database.Plan, error) {
	d := &plan{opts: opts}
	if plainWord.MatchString(s.Settings["collation"]) {
		d.collation = s.Settings["collation"]
	}
	p := &database.Plan{Source: s, Native: true, Detail: d}
	reader := &reader{server: server, name: s.Namespace, handed: opts.HandedOver}
	tables := map[string]bool{}
	for _, o := range s.Objects {
		if len(o.DDL) == 0 {
			continue
		}
		if inside(o) {
			p.Findings = append(p.Findings, database.Finding{Object: o.ObjectID, Status: database.Exact})
			continue
		}
		if reader.take(p, d, o) && o.Kind == "table" {
			tables[o.Name] = true
		}
	}
	for _, t := range s.Tables {
		if !tables[t.Name] {
			return nil, fmt.Errorf("%w: no statement makes table %s", database.ErrRefused, t.ID())
		}
		p.Tables = append(p.Tables, &database.PlannedTable{Source: t, Target: asStored(t, server.lowerCase)})
	}
	return p, nil
}

// inside says that an object is made by its table's statement; its own is for people.
func inside(o *database.Object) bool { return o.Phase == database.Tables && o.Kind != "table" }

// take plans an object's statement if it is one that makes it, and says so.
func (r *reader) take(p *database.Plan, d *plan, o *database.Object) bool {
	one, err := r.read(o)
	if err == nil {
		err = d.replay(p.Source, one)
	}
	if err != nil {
		p.Findings = append(p.Findings, database.Finding{Object: o.ObjectID, Status: database.Dropped, Code: "DB303", Reason: "its statement is left out: " + err.Error()})
		return false
	}
	p.Findings = append(p.Findings, database.Finding{Object: o.ObjectID, Status: database.Exact})
	if one.setting != "" {
		p.Statements = append(p.Statements, one.setting)
	}
	p.Statements = append(p.Statements, one.main)
	if why := r.reaches(one.main); r.handed && o.Kind == "table" && why != "" {
		p.Untrusted = append(p.Untrusted, database.Finding{Object: o.ObjectID, Status: database.Untrusted, Code: "DB320", Reason: why + " leads out of the database"})
	}
	return true
}

// asStored is the table as a server shows it that folds names of tables.
func asStored(t *database.Table, lower bool) *database.Table {
	if !lower {
		return t
	}
	out := *t
	out.Name = strings.ToLower(t.Name)
	out.ForeignKeys = nil
	for _, k := range t.ForeignKeys {
		folded := *k
		folded.RefTable = strings.ToLower(k.RefTable)
		out.ForeignKeys = append(out.ForeignKeys, &folded)
	}
	return &out
}

// replay puts a statement where it belongs.
func (d *plan) replay(s *database.Schema, one *statements) error {
	o := one.object
	switch {
	case o.Kind == "table" || o.Kind == "sequence":
		d.made = append(d.made, made{o.Kind, o.Name})
		d.create = append(d.create, statement{o.ObjectID, one.main})
	case isCode(o.Kind):
		d.made = append(d.made, made{o.Kind, o.Name})
		d.end = append(d.end, one)
	case s.Find(o.Table) == nil:
		return errors.New("there is no such table")
	case o.Kind == "foreign key":
		for _, k := range s.Find(o.Table).ForeignKeys {
			if k.Name == o.Name {
				d.foreign = append(d.foreign, reference{additionOf(o), k})
				return nil
			}
		}
		return errors.New("the table has no such key")
	default:
		d.alter = append(d.alter, additionOf(o))
	}
	return nil
}

func additionOf(o *database.Object) addition {
	what := strings.TrimPrefix(o.DDL[0], "ALTER TABLE "+quote(o.Table)+" ADD ")
	return addition{object: o.ObjectID, table: o.Table, what: what}
}

// mapper builds a plan from the neutral schema.
type mapper struct {
	typer
	source *database.Schema
	out    *database.Plan
	detail *plan
	tables *names            // tables and sequences
	links  *names            // foreign keys and checks
	ids    map[string]string // source table ID to target name
	drafts []*draft
}

// draft is a table on its way.
type draft struct {
	src     *database.Table
	planned *database.PlannedTable
	types   []mapped
	renamed map[string]string // columns
	indexes *names
	counter string // the source's identity column that counts here
}

func mappedPlan(s *database.Schema, y typer, opts database.PlanOptions) *database.Plan {
	m := &mapper{typer: y, source: s, detail: &plan{opts: opts}, ids: map[string]string{}, tables: newNames(maxName, 'i'), links: newNames(maxName, 'i')}
	m.out = &database.Plan{Source: s, Detail: m.detail}
	m.tables.unique(markerTable)
	for _, t := range s.Tables {
		if len(t.Columns) == 0 {
			m.finding(t.ObjectID(), database.Dropped, "DB119", "a table here needs a column")
			continue
		}
		m.draft(t)
	}
	m.alignReferences()
	m.sequences()
	for _, d := range m.drafts {
		m.table(d)
	}
	for _, d := range m.drafts {
		m.foreignKeys(d)
	}
	m.late()
	return m.out
}

func (m *mapper) finding(id database.ObjectID, status database.Status, code database.Code, reason string) {
	m.out.Findings = append(m.out.Findings, database.Finding{Object: id, Status: status, Code: code, Reason: reason})
}

func (m *mapper) exact(id database.ObjectID) { m.finding(id, database.Exact, "", "") }

func (m *mapper) approximated(id database.ObjectID, code database.Code, reason string) {
	m.finding(id, database.Approximated, code, reason)
}

// draft names a table and chooses the types of its columns.
func (m *mapper) draft(src *database.Table) {
	want := src.Name
	if src.Schema != "" && src.Schema != m.source.Namespace {
		want = src.Schema + "__" + src.Name
	}
	name := m.tables.unique(want)
	if m.server.lowerCase {
		name = strings.ToLower(name)
	}
	if m.ids[src.ID()] = name; name != src.Name {
		m.approximated(src.ObjectID(), "DB120", "it is called "+name+" here")
	} else if src.Role != database.Data {
		m.approximated(src.ObjectID(), "DB121", "large objects become an ordinary table")
	} else {
		m.exact(src.ObjectID())
	}
	d := &draft{
		src: src, planned: &database.PlannedTable{Source: src, Target: &database.Table{Name: name}},
		renamed: map[string]string{}, indexes: newNames(maxName, 'i'),
	}
	d.indexes.unique("PRIMARY")
	d.types = make([]mapped, len(src.Columns))
	columns := newNames(maxName, 'i')
	room, unique := keyRoom(src)
	for i, c := range src.Columns {
		d.renamed[c.Name] = columns.unique(c.Name)
		d.types[i] = m.choose(c.Type, room[c.Name], unique[c.Name])
	}
	m.narrow(d)
	m.drafts = append(m.drafts, d)
	m.out.Tables = append(m.out.Tables, d.planned)
}

// keyRoom gives, for every column in a key that must hold whole values, how many
// characters fit there, and says which are in unique ones.
func keyRoom(t *database.Table) (room map[string]int, unique map[string]bool) {
	room, unique = map[string]int{}, map[string]bool{}
	reserve := func(columns []string, distinct bool) {
		long := 0
		for _, name := range columns {
			if c := t.Column(name); c != nil && wide(c.Type) {
				long++
			}
		}
		for _, name := range columns {
			unique[name] = unique[name] || distinct
			fit := (maxKeyBytes - 16*(len(columns)-long)) / 4 / max(long, 1)
			if had := room[name]; had == 0 || fit < had {
				room[name] = fit
			}
		}
	}
	for _, k := range keysOf(t) {
		reserve(k.Columns, true)
	}
	for _, k := range t.ForeignKeys {
		reserve(k.Columns, false)
	}
	return room, unique
}

// wide types take room in a key by their length.
func wide(t database.Type) bool {
	switch t.Kind {
	case database.Bool, database.Int, database.Float, database.Date, database.Time, database.Timestamp, database.TimestampTZ, database.Year, database.Enum, database.Set:
		return false
	}
	return true
}

// keysOf lists the primary key and the unique keys, plain unique indexes
// included.
func keysOf(t *database.Table) []*database.Key {
	var out []*database.Key
	if t.PrimaryKey != nil {
		out = append(out, t.PrimaryKey)
	}
	out = append(out, t.Uniques...)
	for _, x := range t.Indexes {
		if k := plainUnique(x); k != nil {
			out = append(out, k)
		}
	}
	return out
}

// plainUnique is the key that a unique index over whole columns is; else nil.
func plainUnique(x *database.Index) *database.Key {
	if !x.Unique || x.Where != nil || x.Method != "" {
		return nil
	}
	k := &database.Key{Name: x.Name, NullsNotDistinct: x.NullsNotDistinct}
	for _, p := range x.Parts {
		if p.Column == "" || p.Prefix > 0 {
			return nil
		}
		k.Columns = append(k.Columns, p.Column)
	}
	return k
}

// narrow turns the longest texts into long ones until a row fits.
func (m *mapper) narrow(d *draft) {
	for {
		total, longest := 0, -1
		for i := range d.types {
			size := d.types[i].size()
			total += size
			if d.types[i].keyed == 0 && size > 1000 && (longest < 0 || size > d.types[longest].size()) {
				longest = i
			}
		}
		if m.family || total < maxRowBytes-2000 || longest < 0 {
			return
		}
		t := &d.types[longest]
		if t.typ.Native = "longtext"; t.typ.Kind == database.Bytes {
			t.typ.Native = "longblob"
		}
		t.lost = or(t.lost, fmt.Sprintf("its length of %d is not enforced, since a row has at most %d bytes", t.typ.Length, maxRowBytes))
	}
}

// alignReferences gives an integer column that refers to another that one's
// width: the server wants them equal.
func (m *mapper) alignReferences() {
	for range 3 {
		for _, d := range m.drafts {
			for _, k := range d.src.ForeignKeys {
				if parent := m.find(k.RefSchema, k.RefTable); parent != nil {
					align(d, parent, k)
				}
			}
		}
	}
}

func (m *mapper) find(schema, table string) *draft {
	for _, d := range m.drafts {
		same := d.src.Schema == schema || (schema == "" || schema == m.source.Namespace) && (d.src.Schema == "" || d.src.Schema == m.source.Namespace)
		if d.src.Name == table && same {
			return d
		}
	}
	return nil
}

func align(child, parent *draft, k *database.ForeignKey) {
	for i, name := range k.Columns {
		if i >= len(k.RefColumns) {
			return
		}
		a, b := child.typeOf(name), parent.typeOf(k.RefColumns[i])
		if a == nil || b == nil || a.typ.Kind != database.Int || b.typ.Kind != database.Int || a.typ.Native == b.typ.Native {
			continue
		}
		if b.typ.Bits >= a.typ.Bits || a.typ.Bits == 0 {
			a.typ.Native, a.typ.Bits, a.typ.Unsigned = b.typ.Native, b.typ.Bits, b.typ.Unsigned
		} else {
			b.typ.Native, b.typ.Bits, b.typ.Unsigned = a.typ.Native, a.typ.Bits, a.typ.Unsigned
		}
	}
}

func (d *draft) typeOf(column string) *mapped {
	for i, c := range d.src.Columns {
		if c.Name == column {
			return &d.types[i]
		}
	}
	return nil
}

// names translates columns of the source.
func (d *draft) names(columns []string) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = d.renamed[c]
	}
	return out
}

// sequences plans counters that stand alone.
func (m *mapper) sequences() {
	for _, q := range m.source.Sequences {
		id := database.ObjectID{Kind: "sequence", Schema: q.Schema, Name: q.Name}
		switch {
		case q.OwnerTable != "":
		case !m.server.mariadb():
			m.finding(id, database.Dropped, "DB122", "MySQL has no sequences")
		default:
			name := m.tables.unique(q.Name)
			m.detail.create = append(m.detail.create, statement{id, sequenceSQL(name, q)})
			m.detail.made = append(m.detail.made, made{"sequence", name})
			m.exact(id)
		}
	}
}

func sequenceSQL(name string, q *database.Sequence) string {
	low, high := max(q.Min, -9223372036854775807), min(q.Max, 9223372036854775806)
	sql := fmt.Sprintf("CREATE SEQUENCE %s START WITH %d MINVALUE %d MAXVALUE %d INCREMENT BY %d CACHE %d",
		quote(name), min(max(q.Start, low), high), low, high, q.Increment, max(q.Cache, 1))
	if q.Cycle {
		return sql + " CYCLE"
	}
	return sql + " NOCYCLE"
}

// table plans CREATE TABLE with its primary key and checks, and keys for later.
func (m *mapper) table(d *draft) {
	t := d.planned.Target
	t.Order = d.names(d.src.Order)
	d.counter = m.chooseCounter(d)
	var lines []string
	for i, c := range d.src.Columns {
		lines = append(lines, m.column(d, i, c))
	}
	if k := d.src.PrimaryKey; k != nil {
		t.PrimaryKey = &database.Key{Name: "PRIMARY", Columns: d.names(k.Columns)}
		lines = append(lines, "PRIMARY KEY ("+m.primaryParts(d, k.Columns)+")")
		m.keyFinding(d.src.Part("primary key", k.Name), k)
	}
	lines = append(lines, m.uniques(d)...)
	lines = append(lines, m.checks(d)...)
	m.indexes(d)
	collation := ""
	if !m.family {
		collation = " DEFAULT CHARSET=utf8mb4 COLLATE=" + m.exactCollation()
	}
	sql := "CREATE TABLE " + quote(t.Name) + " (\n  " + strings.Join(lines, ",\n  ") + "\n) ENGINE=InnoDB" + collation + m.comment(d.src.ObjectID(), d.src.Comment, 2048)
	t.Comment = d.src.Comment
	m.detail.create = append(m.detail.create, statement{d.src.ObjectID(), sql})
	m.detail.made = append(m.detail.made, made{"table", t.Name})
}

// primaryParts gives long columns of the family's own types a prefix.
func (m *mapper) primaryParts(d *draft, columns []string) string {
	var parts []string
	for _, name := range columns {
		part := quote(d.renamed[name])
		if t := d.typeOf(name); t.long() {
			part += fmt.Sprintf("(%d)", min(191, t.keyed))
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// chooseCounter finds the identity column that can be AUTO_INCREMENT: an integer
// that begins the primary key or a unique one.
func (m *mapper) chooseCounter(d *draft) string {
	chosen := ""
	for i, c := range d.src.Columns {
		if c.Identity == nil {
			continue
		}
		first := slices.ContainsFunc(keysOf(d.src), func(k *database.Key) bool { return len(k.Columns) > 0 && k.Columns[0] == c.Name })
		if chosen == "" && first && d.types[i].typ.Kind == database.Int {
			chosen = c.Name
			continue
		}
		m.approximated(d.src.Part("column", c.Name), "DB123", "it does not count by itself here: AUTO_INCREMENT is for one integer column that begins a key")
	}
	return chosen
}

func (m *mapper) column(d *draft, i int, c *database.Column) string {
	t, id := &d.types[i], d.src.Part("column", c.Name)
	if t.lost != "" {
		m.approximated(id, "DB124", t.lost)
	}
	name := d.renamed[c.Name]
	if name != c.Name {
		m.approximated(id, "DB120", "it is called "+name+" here")
	}
	out := &database.Column{Name: name, Type: t.typ, NotNull: c.NotNull, Comment: c.Comment}
	d.planned.Target.Columns = append(d.planned.Target.Columns, out)
	d.planned.Convert = append(d.planned.Convert, t.convert)
	return quote(name) + " " + t.typ.Native + t.clause + m.extras(d, c, out, t) + m.comment(id, c.Comment, 1024)
}

// extras is what stands between a column's type and its comment.
func (m *mapper) extras(d *draft, c, out *database.Column, t *mapped) string {
	null := " NULL"
	if c.NotNull {
		null = " NOT NULL"
	}
	switch {
	case c.Generated != nil:
		sql, ok := m.expression(d, c.Generated.Expr)
		if !ok || t.convert != nil || textual(t.typ) && t.typ.Kind != database.Text {
			m.approximated(d.src.Part("column", c.Name), "DB125", "a generated column becomes a plain one that holds the values")
			return null
		}
		out.Generated = &database.Generated{Expr: *expr(m.server.engine, sql), Stored: c.Generated.Stored}
		if c.Generated.Stored {
			return " GENERATED ALWAYS AS (" + sql + ") STORED"
		}
		return " GENERATED ALWAYS AS (" + sql + ") VIRTUAL"
	case c.Name == d.counter && d.counter != "":
		out.Identity = c.Identity
		m.counterFinding(c)
		return null + " AUTO_INCREMENT"
	case c.Default != nil:
		id := d.src.Part("default", c.Name)
		if sql, ok := m.defaultSQL(d, *c.Default, t); ok {
			m.exact(id)
			return null + " DEFAULT " + sql + m.onUpdate(d, c, t)
		}
		m.finding(id, database.Dropped, "DB126", "the default "+c.Default.SQL+" has no counterpart")
	}
	return null + m.onUpdate(d, c, t)
}

// onUpdate keeps ON UPDATE CURRENT_TIMESTAMP between MySQL and MariaDB.
func (m *mapper) onUpdate(d *draft, c *database.Column, t *mapped) string {
	id := d.src.Part("on update", c.Name)
	now, ok := nowSQL(t.typ)
	if !m.family || !ok || !slices.ContainsFunc(m.source.Objects, func(o *database.Object) bool { return o.ObjectID == id }) {
		return ""
	}
	m.exact(id)
	return " ON UPDATE " + now
}

func (m *mapper) counterFinding(c *database.Column) {
	q := m.source.Sequence(c.Identity.Sequence)
	if q == nil {
		return
	}
	id := database.ObjectID{Kind: "sequence", Schema: q.Schema, Name: q.Name}
	if q.Increment != 1 || q.Cycle || q.Min < 0 {
		m.approximated(id, "DB127", "AUTO_INCREMENT counts up by one")
		return
	}
	m.exact(id)
}

// expression carries an expression over; one of the same server stays as it is if it only computes.
func (m *mapper) expression(d *draft, e database.Expr) (string, bool) {
	if e.Engine == m.server.engine && m.computes(e.SQL) {
		return e.SQL, true
	}
	return database.Translate(e, m.server.engine, func(name string) (string, bool) {
		for i, c := range d.src.Columns {
			if strings.EqualFold(c.Name, name) {
				return quote(d.renamed[c.Name]), m.comparable(d.types[i])
			}
		}
		return "", false
	})
}

// comparable types mean the same in comparisons on both sides.
func (m *mapper) comparable(t mapped) bool {
	switch t.typ.Kind {
	case database.JSON, database.Bytes, database.Interval, database.Bits, database.Array, database.Other:
		return false
	}
	return m.family || !textual(t.typ) || t.typ.Kind == database.Text
}

// defaultSQL spells a default.
func (m *mapper) defaultSQL(d *draft, e database.Expr, t *mapped) (string, bool) {
	if e.Engine == m.server.engine && t.lost == "" && m.computes(e.SQL) {
		return e.SQL, true
	}
	if e.IsNow() {
		return nowSQL(t.typ)
	}
	c, ok := e.Literal()
	if !ok {
		sql, ok := m.expression(d, e)
		return "(" + sql + ")", ok && (t.typ.Kind == database.Text || m.family)
	}
	if t.convert != nil && t.typ.Kind == database.Timestamp {
		return "", false // its zone is not that of the column
	}
	sql, ok := literalSQL(c, t.typ, m.family)
	if ok && t.long() && !m.server.mariadb() {
		sql = "(" + sql + ")"
	}
	return sql, ok
}

func nowSQL(t database.Type) (string, bool) {
	_, digits, found := strings.Cut(strings.TrimSuffix(t.Native, ")"), "(")
	if found {
		digits = "(" + digits + ")"
	}
	switch {
	case textual(t):
	case t.Kind == database.Timestamp || t.Kind == database.TimestampTZ:
		return "CURRENT_TIMESTAMP" + digits, true
	case t.Kind == database.Date:
		return "(CURRENT_DATE)", true
	case t.Kind == database.Time:
		return "(CURRENT_TIME" + digits + ")", true
	}
	return "", false
}

func literalSQL(c database.Cell, t database.Type, family bool) (string, bool) {
	text := ""
	switch c.Class {
	case database.ClassNull:
		return "NULL", true
	case database.ClassInt:
		text = fmt.Sprint(c.Int)
	case database.ClassFloat:
		text = fmt.Sprint(c.Float)
	default:
		text = string(c.Bytes)
	}
	switch t.Kind {
	case database.Bytes, database.Bits, database.Geometry, database.TimestampTZ, database.Interval:
		return "", false
	case database.Bool:
		switch text {
		case "0", "1":
			return text, true
		case "true", "t":
			return "1", true
		case "false", "f":
			return "0", true
		}
		return "", false
	case database.Int, database.Decimal, database.Float, database.Year:
		return text, strings.Trim(text, "0123456789.-+eE") == "" && text != ""
	case database.Date, database.Timestamp:
		return quoteText(text), family || len(text) >= 10 && text[4] == '-' && !database.ImpossibleDate(text)
	}
	return quoteText(text), true
}

// comment cuts a comment to what the server keeps.
func (m *mapper) comment(id database.ObjectID, text string, most int) string {
	if text == "" {
		return ""
	}
	if cut := cutRunes(text, most); cut != text {
		m.approximated(id, "DB128", fmt.Sprintf("its comment is cut to %d characters", most))
		text = cut
	}
	if most > 1024 {
		return " COMMENT=" + quoteText(text)
	}
	return " COMMENT " + quoteText(text)
}
