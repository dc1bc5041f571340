// Package expr carries expressions from one engine's dialect into another's, as
// far as they mean the same there, and reads literals.
package expr

import (
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// Translate carries an expression into another engine's dialect. It knows the
// subset that means the same everywhere: columns, literals, arithmetic without
// division, comparisons, AND OR NOT, IS NULL, IN, BETWEEN, CASE, ||, lower,
// upper, abs, coalesce, nullif, length, and the current time. Anything else, and
// any cast that might change a value, gives ok false; the expression then stays
// beside the data.
//
// column spells a reference to a column; it gives false for one that cannot be
// compared there. Nil quotes the name.
func Translate(e database.Expr, to string, column func(name string) (string, bool)) (sql string, ok bool) {
	n, ok := parseExpr(e)
	if !ok {
		return "", false
	}
	if column == nil {
		column = func(name string) (string, bool) { return database.Quote(to, name), true }
	}
	r := renderer{to: to, column: column}
	sql = r.render(n)
	return sql, !r.failed
}

// Literal gives the value of an expression that is a plain literal, cast or not.
func Literal(e database.Expr) (database.Cell, bool) {
	n, ok := parseExpr(e)
	if !ok {
		return database.Cell{}, false
	}
	return n.literal()
}

// IsNow says that the expression is the time of the statement or transaction.
func IsNow(e database.Expr) bool {
	n, ok := parseExpr(e)
	return ok && n.op == opNow
}

// op is what a node of an expression does.
type op int

const (
	opColumn op = iota
	opNumber
	opString
	opNull
	opBool
	opNow
	opUnary   // text: -, NOT
	opBinary  // text: the operator
	opIsNull  // text: IS NULL, IS NOT NULL
	opIn      // args[0] IN (rest); text NOT or empty
	opBetween // args[0] BETWEEN args[1] AND args[2]; text NOT or empty
	opCall    // text: the function in lower case
	opCase    // args: [operand or nil], when, then, …, else or nil
	opCast    // text: the type in lower case
	opList    // ARRAY[…]
)

type node struct {
	op   op
	text string
	args []*node
}

// literal folds a literal, its sign and its casts.
func (n *node) literal() (database.Cell, bool) {
	switch n.op {
	case opNull:
		return database.Cell{Class: database.ClassNull}, true
	case opString:
		return database.Cell{Class: database.ClassText, Bytes: []byte(n.text)}, true
	case opNumber:
		return number(n.text), true
	case opBool:
		if n.text == "true" {
			return database.Cell{Class: database.ClassInt, Int: 1}, true
		}
		return database.Cell{Class: database.ClassInt}, true
	case opCast:
		return n.args[0].literal()
	case opUnary:
		c, ok := n.args[0].literal()
		if n.text != "-" || !ok {
			return database.Cell{}, false
		}
		return negate(c)
	}
	return database.Cell{}, false
}

// renderer writes a node in a dialect.
type renderer struct {
	to     string
	column func(string) (string, bool)
	failed bool
}

func (r *renderer) fail() string {
	r.failed = true
	return ""
}

func (r *renderer) render(n *node) string {
	switch n.op {
	case opColumn:
		sql, ok := r.column(n.text)
		r.failed = r.failed || !ok
		return sql
	case opNumber:
		return n.text
	case opString:
		return database.QuoteText(r.to, n.text)
	case opNull:
		return "NULL"
	case opBool:
		return r.boolean(n.text)
	case opNow:
		return "CURRENT_TIMESTAMP"
	case opUnary:
		return "(" + n.text + " " + r.render(n.args[0]) + ")"
	case opBinary:
		return r.binary(n)
	case opIsNull:
		return "(" + r.render(n.args[0]) + " " + n.text + ")"
	case opIn:
		return "(" + r.render(n.args[0]) + n.text + " IN (" + r.list(n.args[1:]) + "))"
	case opBetween:
		return "(" + r.render(n.args[0]) + n.text + " BETWEEN " + r.render(n.args[1]) + " AND " + r.render(n.args[2]) + ")"
	case opCall:
		return r.call(n)
	case opCase:
		return r.caseOf(n)
	case opCast:
		return r.cast(n)
	}
	return r.fail()
}

func (r *renderer) boolean(text string) string {
	switch r.to {
	case database.SQLServer, database.Oracle, database.SQLite:
		return map[string]string{"true": "1", "false": "0"}[text]
	}
	return text
}

func (r *renderer) list(nodes []*node) string {
	parts := make([]string, len(nodes))
	for i, n := range nodes {
		parts[i] = r.render(n)
	}
	return strings.Join(parts, ", ")
}

func (r *renderer) binary(n *node) string {
	left, right := r.render(n.args[0]), r.render(n.args[1])
	if n.text == "||" {
		switch database.Family(r.to) {
		case database.MySQL:
			return "CONCAT(" + left + ", " + right + ")"
		case database.SQLServer:
			return "(" + left + " + " + right + ")"
		}
	}
	return "(" + left + " " + n.text + " " + right + ")"
}

// functions that mean the same on every engine; length counts characters.
var functions = map[string]string{
	"lower": "lower", "upper": "upper", "abs": "abs", "coalesce": "coalesce",
	"nullif": "nullif", "length": "length", "char_length": "length",
	"character_length": "length", "ifnull": "coalesce", "isnull": "coalesce", "len": "length",
}

func (r *renderer) call(n *node) string {
	name, ok := functions[n.text]
	if !ok {
		return r.fail()
	}
	if name == "length" {
		switch database.Family(r.to) {
		case database.MySQL:
			name = "char_length"
		case database.SQLServer:
			name = "len"
		}
	}
	return name + "(" + r.list(n.args) + ")"
}

func (r *renderer) caseOf(n *node) string {
	var b strings.Builder
	b.WriteString("CASE")
	last := len(n.args) - 1
	if n.args[0] != nil {
		b.WriteString(" " + r.render(n.args[0]))
	}
	for i := 1; i < last; i += 2 {
		b.WriteString(" WHEN " + r.render(n.args[i]) + " THEN " + r.render(n.args[i+1]))
	}
	if n.args[last] != nil {
		b.WriteString(" ELSE " + r.render(n.args[last]))
	}
	b.WriteString(" END")
	return b.String()
}

// plainCasts are types whose cast of a literal does not change how it compares.
var plainCasts = map[string]bool{
	"text": true, "character varying": true, "varchar": true, "character": true, "char": true, "bpchar": true,
	"smallint": true, "integer": true, "int": true, "bigint": true, "numeric": true, "decimal": true,
	"real": true, "double precision": true, "boolean": true, "date": true, "uuid": true, "citext": true,
	"timestamp without time zone": true, "timestamp": true, "name": true, "nvarchar": true,
}

func (r *renderer) cast(n *node) string {
	inner := n.args[0]
	base, _, _ := strings.Cut(n.text, "(")
	base = strings.TrimSpace(base)
	if c, ok := inner.literal(); ok && plainCasts[base] {
		return r.literalAs(inner, c, base)
	}
	switch base {
	case "text", "character varying", "varchar", "bpchar", "citext":
		return r.render(inner) // only columns of text are compared as text
	case "numeric", "decimal", "bigint", "integer":
		if inner.op == opColumn {
			return r.render(inner)
		}
	}
	return r.fail()
}

// literalAs spells '5'::integer as 5.
func (r *renderer) literalAs(n *node, c database.Cell, base string) string {
	switch base {
	case "smallint", "integer", "int", "bigint", "numeric", "decimal", "real", "double precision":
		if c.Class == database.ClassText && isNumber(string(c.Bytes)) {
			return string(c.Bytes)
		}
	}
	return r.render(n)
}
