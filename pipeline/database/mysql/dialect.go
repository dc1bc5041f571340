package mysql

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
)

// names are the server's rules for names.
var names = ddl.NameRules{
	Max: 64, Unit: "characters", Length: utf8.RuneCountInString, Takes: func(r rune) bool { return r <= 0xffff }, Fold: strings.ToLower,
}

// mappedPlan builds from the neutral schema.
func mappedPlan(s *database.Schema, y typer, opts database.PlanOptions) (*database.Plan, error) {
	mapping := y.dialect(s).Map(s, opts)
	d := &plan{opts: opts, sequences: mapping.Steps.Sequences}
	for _, one := range mapping.Steps.Create {
		d.create = append(d.create, statement{one.Object, one.SQL})
	}
	for _, one := range mapping.Steps.After {
		if what := (addition{one.Object, one.Table, one.Adds}); one.Key != nil {
			d.foreign = append(d.foreign, reference{what, one.Key, one.Loose})
		} else {
			d.alter = append(d.alter, what)
		}
	}
	for _, q := range s.Sequences {
		if name, ok := d.sequences[q.ID()]; ok {
			bare, _ := cutName(name)
			d.made = append(d.made, made{"sequence", bare})
		}
	}
	for _, t := range mapping.Plan.Tables {
		d.made = append(d.made, made{"table", t.Target.Name})
	}
	mapping.Plan.Detail = d
	if y.family && !opts.NoNativeDDL {
		reader := &reader{server: y.server, name: s.Namespace, handed: opts.HandedOver}
		for _, o := range s.Objects {
			if isCode(o.Kind) && len(o.DDL) > 0 { // its replay may fail, which Finish reports
				reader.take(mapping.Plan, d, o)
			}
		}
	}
	return mapping.Plan, mapping.Refuse()
}

// dialect is how the server spells what comes from another engine.
func (y typer) dialect(s *database.Schema) *ddl.Dialect {
	relations, links := []ddl.Space{{Name: "relation"}}, []ddl.Space{{Name: "link"}}
	d := &ddl.Dialect{
		Engine: y.server.engine,
		Names:  names,
		Spaces: ddl.Spaces{
			Tables: relations, Sequences: relations, Indexes: []ddl.Space{{Name: "index", Table: true}}, Foreign: links,
			Checks: append(links, ddl.Columns), // a check of a column has its name
		},
		Inline: true, Tail: " ENGINE=InnoDB", Null: " NULL",
		Uniques: ddl.AsKey, Refers: ddl.ToHeads, Lenient: true,
		Counters: ddl.CountsKeyed, StepOne: true, ComputedDefaults: true,
		KeyBytes: maxKeyBytes, FixedBytes: 16, FixedKinds: []database.Kind{
			database.Bool, database.Int, database.Float, database.Date, database.Time, database.Timestamp, database.TimestampTZ, database.Year, database.Enum, database.Set,
		},
		Expressions:  !y.server.mariadb() && y.server.number >= 80013,
		Ascending:    y.server.mariadb() && y.server.number < 100800,
		TableComment: 2048, ColumnComment: 1024, CommentLength: utf8.RuneCountInString,
		LargeObjectsLost: "large objects become an ordinary table",
		Type:             y.choose,
		Settle:           y.settle,
		Now:              func(to ddl.Mapped) (string, bool) { return nowSQL(to.Type) },
		Literal:          y.literalSQL,
		Own:              y.own,
		Comparable:       y.comparable,
		Identity:         func(*database.Sequence, bool) string { return " AUTO_INCREMENT" },
		Generated:        generated,
		Actions:          weaken,
		Indexed:          func(to ddl.Mapped) bool { return to.Type.Kind != database.JSON || y.server.mariadb() },
		Prefix:           prefix,
		Remark:           remark,
	}
	d.Names.Used, d.Around = []string{markerTable}, y.around
	if y.server.lowerCase {
		d.Names.Place = strings.ToLower
	}
	if y.server.mariadb() {
		d.Sequence = sequenceSQL
	}
	if y.family {
		d.Methods = []string{"fulltext", "spatial", "vector"}
		d.Extra = y.onUpdate(s)
	} else {
		d.Tail += " DEFAULT CHARSET=utf8mb4 COLLATE=" + y.exactCollation()
	}
	return d
}

// settle fits types to each other.
func (y typer) settle(drafts []*ddl.Draft) {
	for _, d := range drafts {
		if !y.family {
			narrow(d)
		}
	}
	for range 3 { // an integer that refers to another has its width: the server wants them equal
		for _, d := range drafts {
			for _, k := range d.Source.ForeignKeys {
				if parent := ddl.Parent(drafts, k); parent != nil {
					align(d, parent, k)
				}
			}
		}
	}
}

// narrow turns the longest texts into long ones until a row fits.
func narrow(d *ddl.Draft) {
	for {
		total, longest := 0, -1
		for i := range d.Types {
			n := size(&d.Types[i])
			total += n
			if d.Types[i].Room == 0 && n > 1000 && (longest < 0 || n > size(&d.Types[longest])) {
				longest = i
			}
		}
		if total < maxRowBytes-2000 || longest < 0 {
			return
		}
		t := &d.Types[longest]
		retype(t, "longtext")
		if t.Type.Kind == database.Bytes {
			retype(t, "longblob")
		}
		t.Lost = or(t.Lost, fmt.Sprintf("its length of %d is not enforced, since a row has at most %d bytes", t.Type.Length, maxRowBytes))
	}
}

func align(child, parent *ddl.Draft, k *database.ForeignKey) {
	for i, name := range k.Columns {
		if i >= len(k.RefColumns) {
			return
		}
		a, b := child.Column(name), parent.Column(k.RefColumns[i])
		if a == nil || b == nil || a.Type.Kind != database.Int || b.Type.Kind != database.Int || a.SQL == b.SQL {
			continue
		}
		if b.Type.Bits < a.Type.Bits && a.Type.Bits != 0 {
			a, b = b, a
		}
		retype(a, b.SQL)
		a.Type.Bits, a.Type.Unsigned = b.Type.Bits, b.Type.Unsigned
	}
}

func sequenceSQL(name string, q *database.Sequence) string {
	low, high := max(q.Min, -9223372036854775807), min(q.Max, 9223372036854775806)
	sql := fmt.Sprintf("CREATE SEQUENCE %s START WITH %d MINVALUE %d MAXVALUE %d INCREMENT BY %d CACHE %d",
		name, min(max(q.Start, low), high), low, high, q.Increment, max(q.Cache, 1))
	if q.Cycle {
		return sql + " CYCLE"
	}
	return sql + " NOCYCLE"
}

func generated(to ddl.Mapped, expr string, stored bool) string {
	switch {
	case textual(to.Type) && to.Type.Kind != database.Text:
		return ""
	case stored:
		return to.SQL + to.Clause + " GENERATED ALWAYS AS (" + expr + ") STORED"
	}
	return to.SQL + to.Clause + " GENERATED ALWAYS AS (" + expr + ") VIRTUAL"
}

// onUpdate keeps ON UPDATE CURRENT_TIMESTAMP between MySQL and MariaDB.
func (y typer) onUpdate(s *database.Schema) func(*database.Table, *database.Column, ddl.Mapped) (string, database.ObjectID) {
	return func(t *database.Table, c *database.Column, to ddl.Mapped) (string, database.ObjectID) {
		id := t.Part("on update", c.Name)
		now, ok := nowSQL(to.Type)
		if !ok || !slices.ContainsFunc(s.Objects, func(o *database.Object) bool { return o.ObjectID == id }) {
			return "", id
		}
		return " ON UPDATE " + now, id
	}
}

// own says that an expression is of the same server, and only computes.
func (y typer) own(e database.Expr) bool { return e.Engine == y.server.engine && computes(e.SQL) }

// comparable types mean the same in comparisons on both sides.
func (y typer) comparable(from database.Type, to ddl.Mapped) bool {
	switch to.Type.Kind {
	case database.JSON, database.Bytes, database.Interval, database.Bits, database.Array, database.Other:
		return false
	}
	return y.family || from.NoCase == to.Type.NoCase && (!textual(to.Type) || to.Type.Kind == database.Text)
}

// zoned is a time with its zone.
var zoned = regexp.MustCompile(`:\d\d(\.\d+)?[+-]\d\d(:?\d\d)*$`)

// literalSQL spells a value as a default.
func (y typer) literalSQL(c database.Cell, to ddl.Mapped) (string, bool) {
	if to.Convert != nil && to.Type.Kind == database.Timestamp && zoned.Match(c.Bytes) { // the column has no zone
		return "", false
	}
	sql, ok := spellLiteral(c, to.Type, y.family)
	if ok && long(to) && !y.server.mariadb() {
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

func spellLiteral(c database.Cell, t database.Type, family bool) (string, bool) {
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

// prefix says how much of a column an index takes.
func prefix(to ddl.Mapped, asked, columns int) (clause string, cut bool) {
	fit := maxKeyBytes / 4 / columns
	switch {
	case asked < 0 && long(to):
		return fmt.Sprintf("(%d)", min(191, keyed(&to))), false
	case asked < 0:
		return "", false
	case asked > 0:
		return fmt.Sprintf("(%d)", asked), false
	case long(to) || to.SQL == "json" || strings.HasPrefix(to.SQL, "varchar") && to.Type.Length > int64(fit):
		return fmt.Sprintf("(%d)", min(191, fit)), true
	}
	return "", false
}

// weaken takes from a foreign key what the server does not know.
func weaken(d *ddl.Draft, k *database.ForeignKey) (lost string) {
	for _, a := range []*database.Action{&k.OnDelete, &k.OnUpdate} {
		if *a == database.SetDefault {
			*a, lost = database.NoAction, "SET DEFAULT becomes NO ACTION"
		}
		if *a == database.SetNull && slices.ContainsFunc(k.Columns, func(name string) bool { return d.Target.Column(name).NotNull }) {
			*a, lost = database.NoAction, "SET NULL of a column that is never null becomes NO ACTION"
		}
	}
	return lost
}

// remark is a comment in CREATE TABLE.
func remark(column bool, text string) string {
	if column {
		return " COMMENT " + quoteText(text)
	}
	return " COMMENT=" + quoteText(text)
}
