package postgres

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// relations lists tables, partitions and composite types, and columns' defaults.
func (l *lister) relations() {
	for _, oid := range l.catalog.order {
		r := l.catalog.relations[oid]
		switch {
		case r.Kind == "c":
			l.add(classRelation, oid, rankType, database.BeforeTables, named("type", r.Schema, r.Name), compositeDDL(r))
		case r.Kind == "f":
			it := l.add(classRelation, oid, rankTable, database.AtEnd, named("foreign table", r.Schema, r.Name))
			it.object.Lost = "foreign tables hold no data of their own and are not carried"
		case r.Kind == "r" || r.Kind == "p":
			l.table(r)
		}
	}
}

func compositeDDL(r *relation) string {
	parts := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		parts[i] = quote(c.Name) + " " + c.Format + collate(c)
	}
	return "CREATE TYPE " + r.sql() + " AS (" + strings.Join(parts, ", ") + ")"
}

func collate(c *column) string {
	if c.Collation == "" {
		return ""
	}
	return " COLLATE " + c.Collation
}

func (l *lister) table(r *relation) {
	kind, rank := "table", rankTable
	if r.Partition {
		kind, rank = "partition", rankPartition
	}
	it := l.add(classRelation, r.OID, rank, database.Tables, named(kind, r.Schema, r.Name), l.catalog.tableDDL(r)...)
	it.excluded = !l.takes(r)
	for _, c := range r.Columns {
		if c.Default == "" || c.Generated != "" {
			continue
		}
		id := database.ObjectID{Kind: "default", Table: r.id(), Name: c.Name}
		l.add(classDefault, c.DefaultOID, rankDefault, database.Tables, id,
			"ALTER TABLE ONLY "+r.sql()+" ALTER COLUMN "+quote(c.Name)+" SET DEFAULT "+c.Default).excluded = it.excluded
	}
	for _, c := range r.Columns {
		if c.Must != nil && !c.Must.Validated && (c.Must.Local || r.Partition) {
			id := database.ObjectID{Kind: "not null", Table: r.id(), Name: c.Must.Name}
			l.add(classConstraint, c.Must.OID, rankConstraint, database.AfterData, id,
				"ALTER TABLE ONLY "+r.sql()+" ADD CONSTRAINT "+quote(c.Must.Name)+" NOT NULL "+quote(c.Name)+noInherit(c.Must)+" NOT VALID").excluded = it.excluded
		}
	}
	if r.Security {
		ddl := []string{"ALTER TABLE " + r.sql() + " ENABLE ROW LEVEL SECURITY"}
		if r.ForceRLS {
			ddl = append(ddl, "ALTER TABLE ONLY "+r.sql()+" FORCE ROW LEVEL SECURITY")
		}
		l.add(0, r.OID, rankEnd, database.AtEnd, database.ObjectID{Kind: "row security", Table: r.id(), Name: "enabled"}, ddl...).excluded = it.excluded
	}
	if r.Identity == "f" || r.Identity == "n" {
		how := map[string]string{"f": "FULL", "n": "NOTHING"}[r.Identity]
		l.add(0, r.OID, rankEnd, database.AtEnd, database.ObjectID{Kind: "replica identity", Table: r.id(), Name: strings.ToLower(how)},
			"ALTER TABLE ONLY "+r.sql()+" REPLICA IDENTITY "+how).excluded = it.excluded
	}
}

// tableDDL creates a table without defaults and constraints.
func (c *catalog) tableDDL(r *relation) []string {
	var columns []string
	for _, col := range r.Columns {
		if col.Local || r.Partition {
			columns = append(columns, "\n    "+columnDDL(r, col))
		}
	}
	create := "CREATE TABLE "
	if r.Persistence == "u" {
		create = "CREATE UNLOGGED TABLE "
	}
	create += r.sql() + " (" + strings.Join(columns, ",") + "\n)"
	if !r.Partition && len(r.Parents) > 0 {
		create += " INHERITS (" + c.names(r.Parents) + ")"
	}
	if r.PartKey != "" {
		create += " PARTITION BY " + r.PartKey
	}
	if r.Method != "" && r.Method != "heap" {
		create += " USING " + quote(r.Method)
	}
	ddl := append([]string{create + withOptions(r.Options)}, alterColumns(r)...)
	if r.OfType != "" {
		ddl = append(ddl, "ALTER TABLE ONLY "+r.sql()+" OF "+r.OfType)
	}
	if r.Partition {
		ddl = append(ddl, "ALTER TABLE ONLY "+c.names(r.Parents)+" ATTACH PARTITION "+r.sql()+" "+r.Bound)
	}
	return ddl
}

func (c *catalog) names(oids []uint32) string {
	var out []string
	for _, oid := range oids {
		if r := c.relations[oid]; r != nil {
			out = append(out, r.sql())
		}
	}
	return strings.Join(out, ", ")
}

// withOptions turns k=v pairs into a WITH clause.
func withOptions(options []string) string {
	if len(options) == 0 {
		return ""
	}
	var parts []string
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		parts = append(parts, name+" = "+literal(value))
	}
	return " WITH (" + strings.Join(parts, ", ") + ")"
}

func columnDDL(r *relation, c *column) string {
	sql := quote(c.Name) + " " + c.Format + collate(c)
	switch c.Compression {
	case "p":
		sql += " COMPRESSION pglz"
	case "l":
		sql += " COMPRESSION lz4"
	}
	if c.Generated == "s" {
		sql += " GENERATED ALWAYS AS (" + c.Default + ") STORED"
	}
	if c.Generated == "v" {
		sql += " GENERATED ALWAYS AS (" + c.Default + ")"
	}
	if c.NotNull {
		sql += notNullDDL(r, c)
	}
	return sql
}

func noInherit(n *notNull) string {
	if n.NoInherit {
		return " NO INHERIT"
	}
	return ""
}

// notNullDDL names a NOT NULL that has not the name that the server would give it.
func notNullDDL(r *relation, c *column) string {
	sql := " NOT NULL"
	if c.Must == nil {
		return sql
	}
	if c.Must.Name != r.Name+"_"+c.Name+"_not_null" {
		sql = " CONSTRAINT " + quote(c.Must.Name) + sql
	}
	return sql + noInherit(c.Must)
}

// alterColumns sets what CREATE TABLE has no clause for.
func alterColumns(r *relation) []string {
	var out []string
	alter := func(c *column, what string) {
		out = append(out, "ALTER TABLE ONLY "+r.sql()+" ALTER COLUMN "+quote(c.Name)+" "+what)
	}
	for _, c := range r.Columns {
		switch {
		case c.Local || r.Partition || !c.NotNull:
		case c.Must == nil:
			alter(c, "SET NOT NULL")
		case c.Must.Local:
			out = append(out, "ALTER TABLE ONLY "+r.sql()+" ADD CONSTRAINT "+quote(c.Must.Name)+" NOT NULL "+quote(c.Name)+noInherit(c.Must))
		}
		if c.Storage != "" {
			alter(c, "SET STORAGE "+map[string]string{"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}[c.Storage])
		}
		if c.Statistics >= 0 {
			alter(c, fmt.Sprintf("SET STATISTICS %d", c.Statistics))
		}
		if len(c.Options) > 0 {
			alter(c, "SET "+strings.TrimPrefix(withOptions(c.Options), " WITH "))
		}
	}
	return out
}

// literal quotes a string.
func literal(s string) string {
	if strings.Contains(s, `\`) {
		return " E'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", "''") + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
