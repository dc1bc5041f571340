package expr

import (
	"strconv"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// parseExpr reads an expression of any engine; ok is false for whatever lies
// outside the common subset.
func parseExpr(e database.Expr) (*node, bool) {
	tokens, ok := tokenize(e.Engine, e.SQL)
	if !ok || len(tokens) == 0 {
		return nil, false
	}
	p := parser{tokens: tokens, engine: e.Engine}
	n := p.expr(0)
	if p.failed || p.at < len(p.tokens) {
		return nil, false
	}
	return n, true
}

type tokenKind int

const (
	tokWord   tokenKind = iota // unquoted; text in lower case, raw as written
	tokQuoted                  // a quoted identifier
	tokNumber
	tokString
	tokSymbol
)

type token struct {
	kind tokenKind
	text string
	raw  string
}

const maxExpr = 64 << 10

func tokenize(engine, sql string) ([]token, bool) {
	if len(sql) > maxExpr {
		return nil, false
	}
	var out []token
	for sql != "" {
		c := sql[0]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			sql = sql[1:]
			continue
		}
		t, n := nextToken(engine, sql)
		if n == 0 {
			return nil, false
		}
		out = append(out, t)
		sql = sql[n:]
	}
	return out, true
}

// nextToken reads one token and returns its length, 0 if there is none.
func nextToken(engine, sql string) (token, int) {
	switch c := sql[0]; {
	case c == '\'':
		return quoted(tokString, sql, '\'', database.Family(engine) == database.MySQL)
	case c == '"':
		if database.Family(engine) == database.MySQL {
			return quoted(tokString, sql, '"', true)
		}
		return quoted(tokQuoted, sql, '"', false)
	case c == '`':
		return quoted(tokQuoted, sql, '`', false)
	case c == '[' && (engine == database.SQLServer || engine == database.SQLite):
		return quoted(tokQuoted, sql, ']', false)
	case c >= '0' && c <= '9' || c == '.' && len(sql) > 1 && sql[1] >= '0' && sql[1] <= '9':
		return numberToken(sql)
	case isWordByte(c):
		return wordToken(sql)
	}
	for _, s := range []string{"::", "||", "<=", ">=", "<>", "!="} {
		if strings.HasPrefix(sql, s) {
			return token{kind: tokSymbol, text: s}, 2
		}
	}
	if strings.ContainsRune("()[],.+-*/%=<>", rune(sql[0])) {
		return token{kind: tokSymbol, text: sql[:1]}, 1
	}
	return token{}, 0
}

func isWordByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func wordToken(sql string) (token, int) {
	n := 1
	for n < len(sql) && (isWordByte(sql[n]) || sql[n] >= '0' && sql[n] <= '9' || sql[n] == '$') {
		n++
	}
	if n < len(sql) && sql[n] == '\'' { // E'…', b'…', N'…', _utf8mb4'…'
		switch strings.ToLower(sql[:n]) {
		case "n", "_utf8mb4", "_utf8mb3", "_utf8", "_latin1":
			t, m := quoted(tokString, sql[n:], '\'', sql[0] == '_')
			if m == 0 {
				return token{}, 0
			}
			return t, n + m
		}
		return token{}, 0
	}
	return token{kind: tokWord, text: strings.ToLower(sql[:n]), raw: sql[:n]}, n
}

func numberToken(sql string) (token, int) {
	n := 0
	for n < len(sql) && (sql[n] >= '0' && sql[n] <= '9' || sql[n] == '.') {
		n++
	}
	if n < len(sql) && isWordByte(sql[n]) { // an exponent, 0x…
		return token{}, 0
	}
	if !isNumber(sql[:n]) {
		return token{}, 0
	}
	return token{kind: tokNumber, text: sql[:n]}, n
}

// quoted reads up to the closing quote, which is doubled inside.
func quoted(kind tokenKind, sql string, end byte, backslash bool) (token, int) {
	var text strings.Builder
	for i := 1; i < len(sql); i++ {
		switch {
		case backslash && sql[i] == '\\' && i+1 < len(sql):
			i++
			if strings.IndexByte(`'"\%_`, sql[i]) < 0 {
				return token{}, 0
			}
			text.WriteByte(sql[i])
		case sql[i] != end:
			text.WriteByte(sql[i])
		case i+1 < len(sql) && sql[i+1] == end:
			i++
			text.WriteByte(end)
		default:
			return token{kind: kind, text: text.String()}, i + 1
		}
	}
	return token{}, 0
}

// isNumber says that text is digits with at most one point, maybe signed.
func isNumber(text string) bool {
	text = strings.TrimPrefix(text, "-")
	digits, points := 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '.':
			points++
		case c >= '0' && c <= '9':
			digits++
		default:
			return false
		}
	}
	return digits > 0 && points <= 1
}

// number is an int where it fits, else decimal text.
func number(text string) database.Cell {
	if v, err := strconv.ParseInt(text, 10, 64); err == nil {
		return database.Cell{Class: database.ClassInt, Int: v}
	}
	return database.Cell{Class: database.ClassText, Bytes: []byte(text)}
}

func negate(c database.Cell) (database.Cell, bool) {
	switch {
	case c.Class == database.ClassInt:
		c.Int = -c.Int
		return c, true
	case c.Class == database.ClassText && isNumber(string(c.Bytes)):
		return database.Cell{Class: database.ClassText, Bytes: append([]byte("-"), c.Bytes...)}, true
	}
	return c, false
}

// parser climbs precedences. It stops at the first thing that it does not know.
type parser struct {
	tokens []token
	at     int
	depth  int
	engine string
	failed bool
}

func (p *parser) fail() *node {
	p.failed = true
	p.at = len(p.tokens)
	return &node{op: opNull}
}

func (p *parser) peek() token {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return token{kind: tokSymbol}
}

// take skips a symbol or keyword if it comes next.
func (p *parser) take(text string) bool {
	t := p.peek()
	if (t.kind == tokSymbol || t.kind == tokWord) && t.text == text && p.at < len(p.tokens) {
		p.at++
		return true
	}
	return false
}

func (p *parser) need(text string) {
	if !p.take(text) {
		p.fail()
	}
}

// precedence of infix operators; 0: none.
func precedence(text string) int {
	switch text {
	case "or":
		return 1
	case "and":
		return 2
	case "=", "<>", "!=", "<", ">", "<=", ">=", "is", "in", "between", "not":
		return 4
	case "||":
		return 5
	case "+", "-":
		return 6
	case "*":
		return 7
	case "::":
		return 9
	}
	return 0
}

func (p *parser) expr(least int) *node {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > 100 {
		return p.fail()
	}
	left := p.prefix()
	for !p.failed {
		t := p.peek()
		level := precedence(t.text)
		if t.kind == tokQuoted || t.kind == tokString || level == 0 || level <= least {
			break
		}
		p.at++
		left = p.infix(left, t.text, level)
	}
	return left
}

func (p *parser) infix(left *node, text string, level int) *node {
	switch text {
	case "::":
		return &node{op: opCast, text: p.typeName(), args: []*node{left}}
	case "is":
		return p.is(left)
	case "not":
		return p.notInfix(left)
	case "in":
		return p.in(left, "")
	case "between":
		return p.between(left, "")
	case "||":
		if database.Family(p.engine) == database.MySQL { // there it means OR
			return p.fail()
		}
	case "=":
		if p.take("any") {
			return p.any(left)
		}
	case "!=":
		text = "<>"
	}
	return &node{op: opBinary, text: strings.ToUpper(text), args: []*node{left, p.expr(level)}}
}

func (p *parser) is(left *node) *node {
	text := "IS NULL"
	if p.take("not") {
		text = "IS NOT NULL"
	}
	p.need("null")
	return &node{op: opIsNull, text: text, args: []*node{left}}
}

func (p *parser) notInfix(left *node) *node {
	switch {
	case p.take("in"):
		return p.in(left, " NOT")
	case p.take("between"):
		return p.between(left, " NOT")
	case p.take("null"):
		return &node{op: opIsNull, text: "IS NOT NULL", args: []*node{left}}
	}
	return p.fail()
}

func (p *parser) in(left *node, not string) *node {
	p.need("(")
	return &node{op: opIn, text: not, args: append([]*node{left}, p.listUntil(")")...)}
}

func (p *parser) between(left *node, not string) *node {
	low := p.expr(4)
	p.need("and")
	return &node{op: opBetween, text: not, args: []*node{left, low, p.expr(4)}}
}

// any reads PostgreSQL's spelling of IN: = ANY (ARRAY[…]).
func (p *parser) any(left *node) *node {
	p.need("(")
	list := p.expr(0)
	p.need(")")
	for list.op == opCast {
		list = list.args[0]
	}
	if list.op != opList {
		return p.fail()
	}
	return &node{op: opIn, args: append([]*node{left}, list.args...)}
}

func (p *parser) listUntil(end string) []*node {
	var out []*node
	for !p.failed && !p.take(end) {
		if len(out) > 0 {
			p.need(",")
		}
		out = append(out, p.expr(0))
	}
	return out
}

func (p *parser) prefix() *node {
	t := p.peek()
	p.at++
	switch t.kind {
	case tokNumber:
		return &node{op: opNumber, text: t.text}
	case tokString:
		return &node{op: opString, text: t.text}
	case tokQuoted:
		return p.columnRef(t.text)
	case tokWord:
		return p.word(t)
	}
	switch t.text {
	case "(":
		n := p.expr(0)
		p.need(")")
		return n
	case "-":
		return &node{op: opUnary, text: "-", args: []*node{p.expr(8)}}
	}
	return p.fail()
}

// columnRef refuses qualified names.
func (p *parser) columnRef(name string) *node {
	if t := p.peek(); p.at < len(p.tokens) && t.kind == tokSymbol && (t.text == "." || t.text == "(") {
		return p.fail()
	}
	return &node{op: opColumn, text: name}
}

func (p *parser) word(t token) *node {
	switch t.text {
	case "null":
		return &node{op: opNull}
	case "true", "false":
		return &node{op: opBool, text: t.text}
	case "not":
		return &node{op: opUnary, text: "NOT", args: []*node{p.expr(3)}}
	case "case":
		return p.caseOf()
	case "array":
		p.need("[")
		return &node{op: opList, args: p.listUntil("]")}
	case "current_timestamp", "now", "getdate", "localtimestamp", "systimestamp":
		return p.now(t.text)
	case "cast", "select", "exists", "interval", "collate", "like", "current_date", "current_user", "user", "when", "then", "else", "end", "and", "or":
		return p.fail()
	}
	if p.take("(") {
		return &node{op: opCall, text: t.text, args: p.listUntil(")")}
	}
	return p.columnRef(t.raw)
}

// now takes an optional precision and refuses a local time.
func (p *parser) now(word string) *node {
	if p.take("(") {
		if p.peek().kind == tokNumber {
			p.at++
		}
		p.need(")")
	}
	if word == "localtimestamp" {
		return p.fail()
	}
	return &node{op: opNow}
}

func (p *parser) caseOf() *node {
	n := &node{op: opCase, args: []*node{nil}}
	if p.peek().text != "when" {
		n.args[0] = p.expr(0)
	}
	for p.take("when") {
		when := p.expr(0)
		p.need("then")
		n.args = append(n.args, when, p.expr(0))
	}
	var otherwise *node
	if p.take("else") {
		otherwise = p.expr(0)
	}
	p.need("end")
	n.args = append(n.args, otherwise)
	if len(n.args) < 4 {
		return p.fail()
	}
	return n
}

// typeName reads the type after :: as far as words, a length and [] go.
func (p *parser) typeName() string {
	if t := p.peek(); t.kind == tokQuoted && p.at < len(p.tokens) {
		p.at++
		if p.take(".") {
			return t.text + "." + p.typeName()
		}
		return t.text
	}
	var words []string
	for p.peek().kind == tokWord && p.at < len(p.tokens) && typeWord(p.peek().text, len(words)) {
		words = append(words, p.peek().text)
		p.at++
	}
	if len(words) == 0 {
		p.fail()
		return ""
	}
	name := strings.Join(words, " ")
	if p.take(".") {
		return name + "." + p.typeName()
	}
	if p.take("(") {
		p.listUntil(")")
		if p.peek().text == "without" || p.peek().text == "with" {
			return name + " " + p.typeName()
		}
	}
	for p.take("[") {
		p.need("]")
		name += "[]"
	}
	return name
}

// typeWord tells words of a type's name from operators that follow it.
func typeWord(word string, before int) bool {
	if before == 0 {
		return true
	}
	switch word {
	case "varying", "precision", "without", "with", "time", "zone":
		return true
	}
	return false
}
