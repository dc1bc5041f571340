package postgres

import (
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// table describes a relation neutrally.
func (c *catalog) table(r *relation) *database.Table {
	t := &database.Table{
		Schema: r.Schema, Name: r.Name, Comment: r.Comment,
		EstimatedRows: max(int64(r.Rows), 0), EstimatedBytes: r.Pages * 8192,
	}
	for _, col := range r.Columns {
		t.Columns = append(t.Columns, c.column(r, col))
		t.Checks = append(t.Checks, c.domainChecks(col)...)
	}
	for _, k := range c.constraints {
		if k.Relation == r.OID {
			c.addConstraint(t, k)
		}
	}
	for _, x := range c.indexes {
		if x.Relation == r.OID && x.Constraint == 0 {
			t.Indexes = append(t.Indexes, neutralIndex(x))
		}
	}
	t.Order = rowOrder(t)
	return t
}

func (c *catalog) column(r *relation, col *column) *database.Column {
	out := &database.Column{Name: col.Name, Type: c.typeOf(col), NotNull: col.NotNull, Comment: col.Comment}
	if t := c.types[col.Type]; t != nil && t.Kind == "d" && t.NotNull {
		out.NotNull = true
	}
	if col.Generated != "" && !c.computable(r, col) {
		out.Unread, out.NotNull = true, false
	}
	owned := c.ownedSequence(r.OID, col.Number)
	switch {
	case col.Generated == "s" || col.Generated == "v":
		out.Generated = &database.Generated{Expr: expr(col.Default), Stored: col.Generated == "s", Changed: col.Generated == "s" && col.Changed}
	case col.Identity != "" && owned != nil:
		out.Identity = &database.Identity{Always: col.Identity == "a", Sequence: database.JoinName(owned.Schema, owned.Name)}
	case owned != nil && strings.HasPrefix(col.Default, "nextval("):
		out.Identity = &database.Identity{Sequence: database.JoinName(owned.Schema, owned.Name)}
	case col.Default != "":
		e := expr(col.Default)
		out.Default = &e
	}
	return out
}

func expr(sql string) database.Expr { return database.Expr{Engine: database.Postgres, SQL: sql} }

func (c *catalog) ownedSequence(relation uint32, number int16) *sequence {
	for _, s := range c.sequences {
		if s.Owner == relation && s.Attribute == number {
			return s
		}
	}
	return nil
}

// domainChecks turns a domain's checks into checks of the column.
func (c *catalog) domainChecks(col *column) []*database.Check {
	var out []*database.Check
	for t := c.types[col.Type]; t != nil && t.Kind == "d"; t = c.types[t.Base] {
		for _, k := range c.constraints {
			if k.Domain != t.OID || k.Type != "c" {
				continue
			}
			sql := strings.TrimSuffix(strings.TrimPrefix(k.Definition, "CHECK "), " NOT VALID")
			out = append(out, &database.Check{
				Name: col.Name + "_" + k.Name,
				Expr: expr(replaceWord(sql, "VALUE", quote(col.Name))),
			})
		}
	}
	return out
}

// replaceWord replaces a bare word outside of quotes.
func replaceWord(sql, word, with string) string {
	var b strings.Builder
	quoted := byte(0)
	for i := 0; i < len(sql); i++ {
		ch := sql[i]
		switch {
		case quoted != 0:
			if ch == quoted {
				quoted = 0
			}
		case ch == '\'' || ch == '"':
			quoted = ch
		case strings.HasPrefix(sql[i:], word) && !wordAt(sql, i-1) && !wordAt(sql, i+len(word)):
			b.WriteString(with)
			i += len(word) - 1
			continue
		}
		b.WriteByte(ch)
	}
	return b.String()
}

func wordAt(sql string, i int) bool {
	if i < 0 || i >= len(sql) {
		return false
	}
	c := sql[i]
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func (c *catalog) addConstraint(t *database.Table, k *constraint) {
	deferral := database.Immediate
	switch {
	case k.Deferred:
		deferral = database.InitiallyDeferred
	case k.Deferrable:
		deferral = database.Deferrable
	}
	switch k.Type {
	case "p":
		t.PrimaryKey = &database.Key{Name: k.Name, Columns: k.Columns, Deferrable: deferral}
	case "u":
		t.Uniques = append(t.Uniques, &database.Key{
			Name: k.Name, Columns: k.Columns, Deferrable: deferral,
			NullsNotDistinct: strings.HasPrefix(k.Definition, "UNIQUE NULLS NOT DISTINCT"),
		})
	case "c":
		t.Checks = append(t.Checks, &database.Check{Name: k.Name, Expr: expr(k.Expression), NotValid: !k.Validated})
	case "f":
		if foreign := c.relations[k.Foreign]; k.Parent == 0 && foreign != nil {
			t.ForeignKeys = append(t.ForeignKeys, &database.ForeignKey{
				Name: k.Name, Columns: k.Columns, RefSchema: foreign.Schema, RefTable: foreign.Name, RefColumns: k.ForeignCol,
				OnDelete: action(k.OnDelete), OnUpdate: action(k.OnUpdate), MatchFull: k.Match == "f",
				NotValid: !k.Validated, Deferrable: deferral,
			})
		}
	}
}

func action(code string) database.Action {
	switch code {
	case "r":
		return database.Restrict
	case "c":
		return database.Cascade
	case "n":
		return database.SetNull
	case "d":
		return database.SetDefault
	}
	return database.NoAction
}

func neutralIndex(x *index) *database.Index {
	out := &database.Index{Name: x.Name, Unique: x.Unique, NullsNotDistinct: x.NotDistinct}
	if x.Method != "btree" {
		out.Method = x.Method
	}
	for i, name := range x.Attributes {
		if i >= int(x.KeyColumns) {
			out.Include = append(out.Include, name)
			continue
		}
		part := database.IndexPart{Column: name, Desc: x.Descending[i]}
		if name == "" {
			e := expr(x.Texts[i])
			part.Expr = &e
		}
		out.Parts = append(out.Parts, part)
	}
	if x.Predicate != "" {
		e := expr(x.Predicate)
		out.Where = &e
	}
	return out
}

// rowOrder is the primary key, else the first unique key that holds no null.
func rowOrder(t *database.Table) []string {
	if t.PrimaryKey != nil {
		return t.PrimaryKey.Columns
	}
	for _, k := range t.Uniques {
		nullable := slices.ContainsFunc(k.Columns, func(name string) bool { return !t.Column(name).NotNull })
		if !nullable {
			return k.Columns
		}
	}
	return nil
}

// kinds of base types.
var kinds = map[string]database.Type{
	"int2": {Kind: database.Int, Bits: 16}, "int4": {Kind: database.Int, Bits: 32}, "int8": {Kind: database.Int, Bits: 64},
	"oid": {Kind: database.Int, Bits: 32, Unsigned: true}, "float4": {Kind: database.Float, Bits: 32}, "float8": {Kind: database.Float, Bits: 64},
	"bool": {Kind: database.Bool}, "text": {Kind: database.Text}, "varchar": {Kind: database.Text},
	"bpchar": {Kind: database.Text, Fixed: true}, "name": {Kind: database.Text, Length: 63}, "citext": {Kind: database.Text, NoCase: true},
	"json": {Kind: database.JSON}, "jsonb": {Kind: database.JSON}, "bytea": {Kind: database.Bytes}, "uuid": {Kind: database.UUID},
	"numeric": {Kind: database.Decimal}, "money": {Kind: database.Decimal, Precision: 19, Scale: 2},
	"date": {Kind: database.Date}, "time": {Kind: database.Time}, "timetz": {Kind: database.TimeTZ},
	"timestamp": {Kind: database.Timestamp}, "timestamptz": {Kind: database.TimestampTZ}, "interval": {Kind: database.Interval},
	"bit": {Kind: database.Bits, Fixed: true}, "varbit": {Kind: database.Bits},
}

// typeOf maps a column's type; Native is what its DDL needs.
func (c *catalog) typeOf(col *column) database.Type {
	out := c.baseType(col.Type, col.Modifier, 0)
	out.Native = col.Format
	out.Collation = col.Collation
	return out
}

func (c *catalog) baseType(oid uint32, modifier int32, depth int) database.Type {
	t := c.types[oid]
	switch {
	case t == nil || depth > 16:
		return database.Type{Kind: database.Other}
	case t.Kind == "d":
		base := c.baseType(t.Base, t.Modifier, depth+1)
		out := base
		out.Base = &base
		return out
	case t.Kind == "e":
		return database.Type{Kind: database.Enum, Values: t.Labels}
	case t.Category == "A" && t.Element != 0:
		element := c.baseType(t.Element, modifier, depth+1)
		return database.Type{Kind: database.Array, Base: &element}
	}
	out, ok := kinds[t.Name]
	if !ok || t.Schema != "pg_catalog" && t.Name != "citext" {
		return database.Type{Kind: database.Other}
	}
	return withModifier(out, t.Name, modifier)
}

func withModifier(out database.Type, name string, modifier int32) database.Type {
	if modifier < 0 {
		return out
	}
	switch name {
	case "varchar", "bpchar":
		out.Length = int64(modifier - 4)
	case "numeric":
		out.Precision = int((modifier - 4) >> 16 & 0xffff)
		out.Scale = int((modifier-4)&0x7ff^1024) - 1024
	case "bit", "varbit":
		out.Length = int64(modifier)
	case "time", "timetz", "timestamp", "timestamptz":
		digits := int(modifier)
		out.Fraction = &digits
	}
	return out
}
