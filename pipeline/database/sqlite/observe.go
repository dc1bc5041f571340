package sqlite

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
)

// observed is what the cells of a column hold.
type observed struct {
	ints, reals, texts, blobs int64
	longest                   int64 // characters of a text
	special                   int64 // values that the declared type would not have
	long                      int64 // integers that no float holds exactly
}

const observations = 7

var typeArgs = regexp.MustCompile(`\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)`)

// declaredAs sorts a declared type into what people mean by it.
type declaredAs struct {
	word             string // BOOL, DECIMAL, DATE, TIMESTAMP, UUID, JSON or empty
	precision, scale int
	length           int
}

func parseDeclared(native string) declaredAs {
	upper := strings.ToUpper(native)
	d := declaredAs{}
	if m := typeArgs.FindStringSubmatch(upper); m != nil {
		d.precision, d.scale = atoi(m[1]), atoi(m[2])
	}
	switch {
	case strings.HasPrefix(upper, "BOOL"):
		d.word = "BOOL"
	case strings.HasPrefix(upper, "DECIMAL") || strings.HasPrefix(upper, "NUMERIC") && !strings.Contains(upper, "TEXT"):
		d.word = "DECIMAL"
	case strings.HasPrefix(upper, "DATETIME") || strings.HasPrefix(upper, "TIMESTAMP"):
		d.word = "TIMESTAMP"
	case upper == "DATE":
		d.word = "DATE"
	case strings.Contains(upper, "CHAR"):
		d.length = d.precision
	}
	return d
}

// special is the SQL condition for a value that the declared type would not
// have; it decides whether the declaration can be believed.
func (d declaredAs) special(column string) string {
	switch d.word {
	case "BOOL":
		return column + " NOT IN (0, 1)"
	case "DECIMAL":
		return fmt.Sprintf("(typeof(%[1]s) NOT IN ('integer', 'real') OR abs(%[1]s) >= 1e%[2]d OR CAST(printf('%%.%[3]df', %[1]s) AS REAL) <> %[1]s)", column, max(d.precision-d.scale, 0), d.scale)
	case "DATE":
		return column + " NOT GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]' OR date(" + column + ") IS NOT " + column
	case "TIMESTAMP":
		return column + " NOT GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]' OR datetime(" + column + ") IS NOT " + column
	}
	return "0"
}

// observeColumns settles the types of all columns in one pass over the table.
func (i *inspector) observeColumns(t *database.Table) error {
	if len(t.Columns) == 0 {
		return nil
	}
	list := []string{"count(*)"}
	for _, c := range t.Columns {
		name := quote(c.Name)
		d := parseDeclared(c.Type.Native)
		list = append(list,
			"sum(typeof("+name+") = 'integer')", "sum(typeof("+name+") = 'real')", "sum(typeof("+name+") = 'text')", "sum(typeof("+name+") = 'blob')",
			"max(CASE WHEN typeof("+name+") = 'text' THEN CASE WHEN octet_length("+name+") > 65536 THEN octet_length("+name+") ELSE length("+name+") END END)",
			"sum("+name+" IS NOT NULL AND ("+d.special(name)+"))",
			"sum(typeof("+name+") = 'integer' AND CAST("+name+" AS REAL) <> "+name+")")
	}
	return query(i.conn, "SELECT "+strings.Join(list, ", ")+" FROM "+quote(t.Name), func(s *sqlite3.Stmt) error {
		t.EstimatedRows = s.ColumnInt64(0)
		for n, c := range t.Columns {
			at := 1 + n*observations
			o := observed{
				ints: s.ColumnInt64(at), reals: s.ColumnInt64(at + 1), texts: s.ColumnInt64(at + 2), blobs: s.ColumnInt64(at + 3),
				longest: s.ColumnInt64(at + 4), special: s.ColumnInt64(at + 5), long: s.ColumnInt64(at + 6),
			}
			native := c.Type.Native
			c.Type = o.kind(native)
			c.Type.Native = native
			// A primary key may hold nulls; others need to know whether it does.
			full := o.ints+o.reals+o.texts+o.blobs == t.EstimatedRows
			c.NotNull = c.NotNull || full && t.PrimaryKey != nil && slices.Contains(t.PrimaryKey.Columns, c.Name)
		}
		return i.collations(t)
	})
}

// collations marks text columns whose equality ignores case.
func (i *inspector) collations(t *database.Table) error {
	for _, c := range t.Columns {
		if c.Type.Kind != database.Text {
			continue
		}
		_, collation, _, _, _, err := i.conn.TableColumnMetadata("main", t.Name, c.Name)
		if err != nil {
			return fmt.Errorf("collation of column %s: %w", c.Name, err)
		}
		c.Type.NoCase = strings.EqualFold(collation, "NOCASE")
		if !strings.EqualFold(collation, "BINARY") {
			c.Type.Collation = collation
		}
	}
	return nil
}

// kind chooses a column's type: the declared one if every cell agrees, else what
// the cells have in common.
func (o observed) kind(native string) database.Type {
	d := parseDeclared(native)
	if o.special == 0 && o.blobs == 0 {
		switch {
		case d.word == "BOOL" && o.reals+o.texts == 0:
			return database.Type{Kind: database.Bool}
		case d.word == "DECIMAL" && d.precision > 0 && d.precision <= nativeDigits && o.texts == 0:
			return database.Type{Kind: database.Decimal, Precision: d.precision, Scale: d.scale}
		case d.word == "DATE" && o.ints+o.reals == 0:
			return database.Type{Kind: database.Date}
		case d.word == "TIMESTAMP" && o.ints+o.reals == 0:
			return database.Type{Kind: database.Timestamp}
		}
	}
	return o.common(native, d)
}

func (o observed) common(native string, d declaredAs) database.Type {
	affinity := affinityOf(native)
	switch {
	case o.reals+o.texts+o.blobs == 0 && (o.ints > 0 || affinity == "INTEGER"):
		return database.Type{Kind: database.Int, Bits: 64}
	case o.texts+o.blobs+o.long == 0 && (o.reals > 0 && (o.ints == 0 || affinity == "NUMERIC") || affinity == "REAL"):
		return database.Type{Kind: database.Float, Bits: 64}
	case o.ints+o.reals+o.blobs == 0 && (o.texts > 0 || affinity == "TEXT"):
		t := database.Type{Kind: database.Text}
		if d.length > 0 && int64(d.length) >= o.longest {
			t.Length = int64(d.length)
		}
		return t
	case o.ints+o.reals+o.texts == 0:
		if o.blobs == 0 && affinity == "NUMERIC" {
			return database.Type{Kind: database.Decimal}
		}
		return database.Type{Kind: database.Bytes}
	}
	return database.Type{Kind: database.Any}
}

// affinityOf follows SQLite's rules for declared types.
func affinityOf(native string) string {
	upper := strings.ToUpper(native)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(upper, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("INT"):
		return "INTEGER"
	case has("CHAR", "CLOB", "TEXT"):
		return "TEXT"
	case upper == "" || has("BLOB"):
		return "BLOB"
	case has("REAL", "FLOA", "DOUB"):
		return "REAL"
	}
	return "NUMERIC"
}
