package mysql

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
)

// Limits of the server.
const (
	maxKeyBytes = 3072  // of an InnoDB key
	maxRowBytes = 65535 // of a row without its long texts
	maxVarchar  = 16383 // characters of utf8mb4
)

// keyed is how many characters of a column in a key fit there; 0: it is in no key, or all fit.
func keyed(m *ddl.Mapped) int { return m.Room / 4 }

// size is about how many bytes a column takes inside a row.
func size(m *ddl.Mapped) int {
	t := m.Type
	name, _, _ := strings.Cut(m.SQL, "(")
	switch name {
	case "varchar", "char":
		return 4*int(t.Length) + 2
	case "varbinary", "binary":
		return int(t.Length) + 2
	case "longtext", "longblob", "json":
		return 12
	case "decimal":
		return t.Precision/2 + 2
	}
	return 8
}

// long says that a type can only be indexed by a prefix.
func long(m ddl.Mapped) bool {
	name, _, _ := strings.Cut(strings.ToLower(m.SQL), "(")
	return strings.HasSuffix(name, "text") || strings.HasSuffix(name, "blob")
}

// retype gives a column another type.
func retype(m *ddl.Mapped, sql string) { m.SQL, m.Type.Native = sql, sql }

// typer chooses types on a server for columns of another engine.
type typer struct {
	server server
	family bool // the source is MySQL or MariaDB too
	fine   bool // the source may keep more than six digits of a second unsaid
	// collations of the server; nil: not asked
	collations map[string]bool
	around     *ddl.Around // what is there beside which tables are made; nil: nothing
}

func (y typer) choose(a ddl.Asked) ddl.Mapped {
	m := y.chosen(a.Column.Type, a)
	m.Type.Native = m.SQL
	return m
}

func (y typer) chosen(t database.Type, a ddl.Asked) ddl.Mapped {
	m := ddl.Mapped{Type: t, Room: a.Room}
	m.Type.Native, m.Type.Charset, m.Type.Collation = "", "", ""
	if y.family && y.native(&m, t) {
		return m
	}
	switch t.Kind {
	case database.Bool:
		m.SQL = "tinyint(1)"
	case database.Int:
		m.SQL = intType(t)
	case database.Decimal:
		y.decimal(&m, t)
	case database.Float:
		if !y.family {
			m.Convert = &database.Conversion{Cell: plusZero, Code: database.CodeMinusZero, Lost: "minus zero becomes zero"}
		}
		m.SQL = "double"
		if t.Bits == 32 {
			m.SQL = "float"
		}
	case database.Text:
		y.text(&m, t, a.Unique)
	case database.Bytes, database.Geometry:
		y.bytes(&m, t)
	case database.Enum, database.Set:
		y.labels(&m, t)
	case database.JSON:
		y.json(&m)
	case database.UUID:
		m.SQL = "char(36)"
		m.Clause = " CHARACTER SET ascii"
		if y.server.mariadb() && y.server.number >= 100700 {
			m.SQL, m.Clause = "uuid", ""
		}
	case database.Bits:
		y.bits(&m, t)
	case database.Year:
		m.SQL = "year"
	case database.Date:
		m.SQL = "date"
	case database.Time:
		m.SQL, m.Convert = y.withFraction("time", t.Fraction)
	case database.Timestamp:
		m.SQL, m.Convert = y.withFraction("datetime", t.Fraction)
	case database.TimestampTZ:
		y.instant(&m, t)
	case database.TimeTZ, database.Interval:
		asText(&m, 64, "there is no type for a "+string(t.Kind)+"; it is kept as text")
	case database.Any:
		asText(&m, 0, "a column of mixed contents becomes text")
		m.Convert = ddl.Spelt(nil)
	default:
		asText(&m, 0, "there is no type for "+or(t.Native, string(t.Kind))+"; it is kept as text")
	}
	return m
}

// systemType is how a server prints a type; labels are spelt anew.
var systemType = regexp.MustCompile(`^(tinyint|smallint|mediumint|int|integer|bigint|decimal|numeric|float|double|real|bit|year|date|time|datetime|timestamp` +
	`|char|varchar|binary|varbinary|(tiny|medium|long)?(blob|text)|json|uuid|inet[46]|vector|geometry|point|linestring|polygon|multipoint|multilinestring` +
	`|multipolygon|geometrycollection|geomcollection)(\(\d+(,\d+)?\))?( unsigned)?( zerofill)?$`)

// native takes the source's own type where this server has it.
func (y typer) native(m *ddl.Mapped, t database.Type) bool {
	name, _, _ := strings.Cut(strings.ToLower(t.Native), "(")
	switch {
	case t.Charset != "" && !plainWord.MatchString(t.Charset):
		return false
	case t.Kind == database.Enum || t.Kind == database.Set:
		m.SQL, m.Type.Charset, m.Type.Collation = labelType(t), t.Charset, t.Collation
		return y.collate(m, t)
	case !systemType.MatchString(strings.TrimSuffix(t.Native, " /* mariadb-5.3 */")):
		return false
	}
	switch name {
	case "uuid", "inet4", "inet6", "vector", "":
		if !y.server.mariadb() || name == "" {
			return false
		}
	case "json":
		if y.server.mariadb() {
			m.SQL, m.Type.Charset = "json", ""
			return true
		}
	case "longtext":
		if t.Kind == database.JSON { // MariaDB's JSON
			if m.SQL = "json"; !y.server.mariadb() {
				y.json(m)
			}
			return true
		}
	}
	m.SQL, m.Type.Charset, m.Type.Collation = strings.TrimSuffix(t.Native, " /* mariadb-5.3 */"), t.Charset, t.Collation
	return y.collate(m, t)
}

// collate gives a type of the family the character set and collation that it had.
func (y typer) collate(m *ddl.Mapped, t database.Type) bool {
	if t.Charset == "" || t.Charset == "binary" {
		return true
	}
	if !y.collations[t.Collation] {
		m.Lost = "the server does not know the collation " + t.Collation
		m.Type.Collation = ""
		m.Clause = " CHARACTER SET " + t.Charset
		return true
	}
	m.Clause = " CHARACTER SET " + t.Charset + " COLLATE " + t.Collation
	return true
}

func intType(t database.Type) string {
	name := "bigint"
	switch {
	case t.Bits == 0:
	case t.Bits <= 8:
		name = "tinyint"
	case t.Bits <= 16:
		name = "smallint"
	case t.Bits <= 24:
		name = "mediumint"
	case t.Bits <= 32:
		name = "int"
	}
	if t.Unsigned {
		name += " unsigned"
	}
	return name
}

// asText keeps a value's spelling in a text column; limit 0 means none.
func asText(m *ddl.Mapped, limit int64, lost string) {
	m.Lost = lost
	if keyed(m) > 0 && (limit == 0 || limit > int64(keyed(m))) {
		limit = int64(keyed(m))
		m.Lost += fmt.Sprintf(", in a key at most %d characters", limit)
	}
	m.Type.Length = limit
	if limit == 0 {
		m.SQL = "longtext"
		return
	}
	m.SQL = fmt.Sprintf("varchar(%d)", limit)
}

func (y typer) decimal(m *ddl.Mapped, t database.Type) {
	precision, scale := t.Precision, t.Scale
	if scale < 0 {
		precision, scale = precision-scale, 0
	}
	precision = max(precision, scale)
	if t.Precision == 0 || precision > 65 || scale > 30 {
		asText(m, 0, "the server's decimals have at most 65 digits, 30 of them in the fraction; it is kept as text")
		return
	}
	m.SQL, m.Type.Precision, m.Type.Scale = fmt.Sprintf("decimal(%d,%d)", precision, scale), precision, scale
}

// text chooses varchar or longtext. The collation distinguishes all that
// differs, trailing blanks included, as other engines do.
func (y typer) text(m *ddl.Mapped, t database.Type, unique bool) {
	m.Type.NoCase, m.Type.Fixed = false, false
	if t.NoCase {
		if collation := y.caseless(); collation != "" && !unique {
			m.Type.NoCase, m.Clause = true, " COLLATE "+collation
		} else {
			m.Lost = "it compares upper and lower case as different here"
		}
	}
	switch {
	case keyed(m) > 0 && (t.Length == 0 || t.Length > int64(keyed(m))):
		lost := m.Lost
		asText(m, int64(keyed(m)), fmt.Sprintf("in a key it holds at most %d characters here", keyed(m)))
		if lost != "" {
			m.Lost += "; " + lost
		}
	case t.Length == 0 || t.Length > maxVarchar:
		m.SQL = "longtext"
	default:
		m.SQL = fmt.Sprintf("varchar(%d)", t.Length)
	}
}

func (y typer) caseless() string {
	for _, name := range []string{"utf8mb4_0900_as_ci", "utf8mb4_uca1400_nopad_as_ci", "utf8mb4_general_nopad_ci"} {
		if y.collations[name] {
			return name
		}
	}
	return ""
}

// exactCollation is the table's, under which texts are equal only if their
// bytes are.
func (y typer) exactCollation() string {
	for _, name := range []string{"utf8mb4_nopad_bin", "utf8mb4_0900_bin"} {
		if y.collations[name] {
			return name
		}
	}
	return "utf8mb4_bin"
}

func (y typer) bytes(m *ddl.Mapped, t database.Type) {
	m.Type.Fixed = false
	if t.Kind == database.Geometry {
		m.Lost = "a geometry of another engine is kept as bytes"
		m.Type.Kind = database.Bytes
	}
	limit := int64(4 * keyed(m))
	switch {
	case keyed(m) > 0 && (t.Length == 0 || t.Length > limit):
		m.Lost = fmt.Sprintf("in a key it holds at most %d bytes here", limit)
		m.SQL, m.Type.Length = fmt.Sprintf("varbinary(%d)", limit), limit
	case t.Length == 0 || t.Length > 16000:
		m.SQL = "longblob"
	default:
		m.SQL = fmt.Sprintf("varbinary(%d)", t.Length)
	}
}

// labels chooses enum or set, unless a label could not be one here.
func (y typer) labels(m *ddl.Mapped, t database.Type) {
	most := 65535
	if t.Kind == database.Set {
		most = 64
	}
	bad := len(t.Values) == 0 || len(t.Values) > most
	for _, v := range t.Values {
		bad = bad || strings.HasSuffix(v, " ") || t.Kind == database.Set && strings.Contains(v, ",")
	}
	if bad {
		asText(m, 0, "its labels are not legal here; it is kept as text")
		return
	}
	m.SQL = labelType(t)
}

// labelType spells an enum or a set.
func labelType(t database.Type) string {
	quoted := make([]string, len(t.Values))
	for i, v := range t.Values {
		quoted[i] = quoteText(v)
	}
	return string(t.Kind) + "(" + strings.Join(quoted, ",") + ")"
}

// json is MariaDB's JSON, a checked text. MySQL's JSON changes the spelling of
// what it stores, so there a text of the same kind takes its place.
func (y typer) json(m *ddl.Mapped) {
	m.SQL = "json"
	if !y.server.mariadb() {
		m.SQL = "longtext"
		m.Lost = "JSON is kept as text, since the server's JSON would reorder it"
	}
}

func (y typer) bits(m *ddl.Mapped, t database.Type) {
	if t.Fixed && t.Length >= 1 && t.Length <= 64 {
		m.SQL = fmt.Sprintf("bit(%d)", t.Length)
		return
	}
	asText(m, min(t.Length, maxVarchar), "there is no type for these bits; they are kept as text")
}

// instant takes datetime in UTC: the server's timestamp ends in 2038.
func (y typer) instant(m *ddl.Mapped, t database.Type) {
	if t.KeepsOffset {
		asText(m, 64, "there is no type that keeps an offset; it is kept as text")
		return
	}
	m.SQL, m.Convert = y.withFraction("datetime", t.Fraction)
	m.Convert = withoutZone(m.Convert)
	m.Type.Kind = database.Timestamp
	m.Lost = "it becomes a datetime in UTC, since the server's timestamp ends in 2038"
}

// withFraction adds the digits of a second; more than six are cut.
func (y typer) withFraction(name string, digits *int) (string, *database.Conversion) {
	switch {
	case digits == nil && !y.fine:
		return name + "(6)", nil
	case digits == nil:
	case *digits <= 0:
		return name, nil
	case *digits <= 6:
		return fmt.Sprintf("%s(%d)", name, *digits), nil
	}
	return name + "(6)", &database.Conversion{Cell: cutMicroseconds, Code: database.CodeFraction, Lost: "digits below a microsecond are cut"}
}

// plusZero takes the sign off zero, as the server does.
func plusZero(c database.Cell) (database.Cell, bool, error) {
	if c.Class == database.ClassFloat && c.Float == 0 && math.Signbit(c.Float) {
		c.Float = 0
		return c, true, nil
	}
	return c, false, nil
}

// withoutZone cuts +00:00 off before anything else is done.
func withoutZone(then *database.Conversion) *database.Conversion {
	out := &database.Conversion{}
	if then != nil {
		*out = *then
	}
	out.Cell = func(c database.Cell) (database.Cell, bool, error) {
		c.Bytes = bytes.TrimSuffix(c.Bytes, []byte("+00:00"))
		if then == nil {
			return c, false, nil
		}
		return then.Cell(c)
	}
	return out
}

// cutMicroseconds shortens the fraction to six digits.
func cutMicroseconds(c database.Cell) (database.Cell, bool, error) {
	dot := bytes.IndexByte(c.Bytes, '.')
	if c.Class != database.ClassText || dot < 0 {
		return c, false, nil
	}
	end := dot + 1
	for end < len(c.Bytes) && c.Bytes[end] >= '0' && c.Bytes[end] <= '9' {
		end++
	}
	if end-dot-1 <= 6 {
		return c, false, nil
	}
	head := cutFraction(c.Bytes[:dot+7])
	c.Bytes = slices.Concat(head, c.Bytes[end:])
	return c, true, nil
}
