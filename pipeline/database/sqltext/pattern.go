package sqltext

import (
	"errors"
	"slices"
	"strings"
	"sync"
)

// Statement is one statement, taken apart.
type Statement struct {
	SQL    string
	Tokens []Token
}

var (
	errSeveral    = errors.New("it is more than one statement")
	errUnbalanced = errors.New("its parentheses do not match")
	errEmpty      = errors.New("it is empty")
)

// Parse takes a statement apart. Parentheses match in it, and outside of them
// and of BEGIN ATOMIC … END there is no semicolon, unless body allows for one:
// where the server takes the rest of the text for the body of what is made.
func (d *Dialect) Parse(sql string, body bool) (*Statement, error) {
	tokens, err := d.Tokens(sql)
	if err != nil {
		return nil, err
	}
	if len(tokens) == 0 {
		return nil, errEmpty
	}
	depths, err := depthsOf(tokens)
	if err != nil {
		return nil, err
	}
	for i, t := range tokens {
		if t.Is(";") && depths[i] == 0 && !body {
			return nil, errSeveral
		}
	}
	return &Statement{SQL: sql, Tokens: tokens}, nil
}

// Split parts a text at the semicolons that stand outside of parentheses and
// bodies. A text that cannot be read stays whole.
func (d *Dialect) Split(sql string) []string {
	tokens, err := d.Tokens(sql)
	if err != nil {
		return []string{sql}
	}
	depths, err := depthsOf(tokens)
	if err != nil {
		return []string{sql}
	}
	var out []string
	from := 0
	cut := func(to int) {
		if part := strings.TrimSpace(sql[from:to]); part != "" {
			out = append(out, part)
		}
	}
	for i, t := range tokens {
		if t.Is(";") && depths[i] == 0 {
			cut(t.At)
			from = t.End
		}
	}
	cut(len(sql))
	return out
}

// depthsOf counts, for every token, the parentheses, brackets and bodies that
// are open before it.
func depthsOf(tokens []Token) ([]int, error) {
	depths := make([]int, len(tokens))
	var open []string
	for i, t := range tokens {
		inBody := len(open) > 0 && open[len(open)-1] == "end"
		closes := ""
		switch {
		case t.Is("("):
			closes = ")"
		case t.Is("["):
			closes = "]"
		case t.Is("begin") && i+1 < len(tokens) && tokens[i+1].Is("atomic"), inBody && (t.Is("case") || t.Is("begin")):
			closes = "end"
		case t.Is(")") || t.Is("]") || inBody && t.Is("end"):
			if len(open) == 0 || !t.Is(open[len(open)-1]) {
				return nil, errUnbalanced
			}
			open = open[:len(open)-1]
		}
		depths[i] = len(open)
		if closes != "" {
			open = append(open, closes)
		}
	}
	if len(open) > 0 {
		return nil, errUnbalanced
	}
	return depths, nil
}

// Own is what a pattern's own names stand for.
type Own struct {
	Schema, Name string
	// Table is the table's name, after that of its schema if it has one.
	Table []string
}

// Bound is what stood in a pattern's places.
type Bound map[string][]Token

// Match compares a statement with a pattern, whose parts are parted by blanks:
//
//	word      the keyword; a|b is one of them, ( and the like are themselves
//	$self     the object's own name, with its schema if that has one
//	$name     the object's own name alone
//	$table    the name of its table
//	$id       any name; $ids names with commas between
//	$called   any name, with a schema or without
//	$text     a string
//	$texts    strings with commas between, in parentheses
//	$number   a number, signed or not
//	$one      any one token
//	$group    parentheses and all in them
//	$list     all that follows, without a comma outside of parentheses
//	$rest     all that follows
//	[ … ]     what may be there or not
//
// A place may have a name of its own, by which it is found in Bound: $id:role.
func (s *Statement) Match(pattern string, own Own) (Bound, bool) {
	m := &matcher{statement: s, own: own, bound: Bound{}}
	return m.bound, m.match(compile(pattern), 0)
}

// Slice is the text of tokens that follow each other.
func (s *Statement) Slice(tokens []Token) string {
	if len(tokens) == 0 {
		return ""
	}
	return s.SQL[tokens[0].At:tokens[len(tokens)-1].End]
}

// part is an element of a pattern.
type part struct {
	place string // what a place takes, without the dollar; empty: words
	label string
	words []string
	maybe []part // an optional group
}

var compiled sync.Map // by pattern

func compile(pattern string) []part {
	if known, ok := compiled.Load(pattern); ok {
		return known.([]part)
	}
	parts, _ := parts(strings.Fields(pattern))
	compiled.Store(pattern, parts)
	return parts
}

func parts(fields []string) (out []part, rest []string) {
	for len(fields) > 0 {
		field := fields[0]
		fields = fields[1:]
		switch {
		case field == "[":
			var maybe []part
			maybe, fields = parts(fields)
			out = append(out, part{maybe: maybe})
		case field == "]":
			return out, fields
		case strings.HasPrefix(field, "$"):
			place, label, _ := strings.Cut(field[1:], ":")
			out = append(out, part{place: place, label: label})
		default:
			out = append(out, part{words: strings.Split(field, "|")})
		}
	}
	return out, nil
}

type matcher struct {
	statement *Statement
	own       Own
	bound     Bound
}

// match tries all that the parts can stand for, from the token at on.
func (m *matcher) match(parts []part, at int) bool {
	tokens := m.statement.Tokens
	if len(parts) == 0 {
		return at == len(tokens)
	}
	p, rest := parts[0], parts[1:]
	if p.maybe != nil {
		return m.match(append(p.maybe[:len(p.maybe):len(p.maybe)], rest...), at) || m.match(rest, at)
	}
	if p.place == "" {
		return at < len(tokens) && isOne(tokens[at], p.words) && m.match(rest, at+1)
	}
	for _, n := range m.lengths(p.place, tokens[at:]) {
		if m.match(rest, at+n) {
			if p.label != "" {
				m.bound[p.label] = tokens[at : at+n]
			}
			return true
		}
	}
	return false
}

func isOne(t Token, words []string) bool {
	for _, w := range words {
		if t.Is(w) {
			return true
		}
	}
	return false
}

// lengths says how many tokens a place may take of those that come.
func (m *matcher) lengths(place string, tokens []Token) []int {
	switch place {
	case "rest":
		return []int{len(tokens)}
	case "list":
		return listLength(tokens)
	}
	if len(tokens) == 0 {
		return nil
	}
	switch place {
	case "self":
		if m.own.Schema != "" {
			return m.exactly(tokens, m.own.Schema, m.own.Name)
		}
		return m.exactly(tokens, m.own.Name)
	case "name":
		return m.exactly(tokens, m.own.Name)
	case "table":
		return calledLengths(tokens, func(names []string) bool { return slices.Equal(names, m.own.Table) })
	case "called":
		return calledLengths(tokens, func([]string) bool { return true })
	case "id":
		return when(tokens[0].named(), 1)
	case "ids":
		return idsLength(tokens)
	case "text":
		return when(tokens[0].Kind == Text, 1)
	case "one":
		return []int{1}
	case "number":
		return numberLength(tokens)
	case "group", "texts":
		n := groupLength(tokens)
		return when(n > 0 && (place == "group" || onlyTexts(tokens[1:n-1])), n)
	}
	panic("sqltext: a pattern holds $" + place)
}

func when(ok bool, n int) []int {
	if ok {
		return []int{n}
	}
	return nil
}

// exactly takes these names with dots between.
func (m *matcher) exactly(tokens []Token, names ...string) []int {
	n := 2*len(names) - 1
	if len(tokens) < n {
		return nil
	}
	for i, name := range names {
		if i > 0 && !tokens[2*i-1].Is(".") || !tokens[2*i].names() || tokens[2*i].Value != name {
			return nil
		}
	}
	return []int{n}
}

// calledLengths takes one to three names with dots between, the most first.
func calledLengths(tokens []Token, good func(names []string) bool) []int {
	var out []int
	var names []string
	for n := 1; n <= min(len(tokens), 5) && tokens[n-1].names(); n += 2 {
		names = append(names, tokens[n-1].Value)
		if good(names) {
			out = append([]int{n}, out...)
		}
		if n == len(tokens) || !tokens[n].Is(".") {
			break
		}
	}
	return out
}

func idsLength(tokens []Token) []int {
	n := 0
	for n < len(tokens) && tokens[n].named() {
		n++
		if n == len(tokens) || !tokens[n].Is(",") {
			return []int{n}
		}
		n++
	}
	return nil
}

func numberLength(tokens []Token) []int {
	if tokens[0].Kind == Number {
		return []int{1}
	}
	signed := tokens[0].Is("-") || tokens[0].Is("+")
	return when(signed && len(tokens) > 1 && tokens[1].Kind == Number, 2)
}

// groupLength is how many tokens a pair of parentheses takes with all in it.
func groupLength(tokens []Token) int {
	if !tokens[0].Is("(") {
		return 0
	}
	depth := 0
	for i, t := range tokens {
		switch {
		case t.Is("("):
			depth++
		case t.Is(")"):
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

func onlyTexts(tokens []Token) bool {
	for i, t := range tokens {
		if i%2 == 0 && t.Kind != Text || i%2 == 1 && !t.Is(",") {
			return false
		}
	}
	return len(tokens)%2 == 1 || len(tokens) == 0
}

// listLength takes everything if no comma stands outside of parentheses.
func listLength(tokens []Token) []int {
	depths, err := depthsOf(tokens)
	if err != nil {
		return nil
	}
	for i, t := range tokens {
		if t.Is(",") && depths[i] == 0 {
			return nil
		}
	}
	return []int{len(tokens)}
}

// Items parts tokens at the commas that stand outside of parentheses.
func Items(tokens []Token) [][]Token {
	depths, err := depthsOf(tokens)
	if err != nil || len(tokens) == 0 {
		return nil
	}
	var out [][]Token
	from := 0
	for i, t := range tokens {
		if t.Is(",") && depths[i] == 0 {
			out = append(out, tokens[from:i])
			from = i + 1
		}
	}
	return append(out, tokens[from:])
}

// Inside is what a group holds.
func Inside(group []Token) []Token {
	if len(group) < 2 {
		return nil
	}
	return group[1 : len(group)-1]
}

// Call is a function, or an operator with a schema, that an expression names.
type Call struct {
	Schema, Name string
	Quoted       bool // its name is quoted, and so no keyword
	Operator     bool
}

// Calls lists all names that a parenthesis follows. Keywords such as IN are
// among them.
func Calls(tokens []Token) []Call {
	var out []Call
	for i := 0; i+1 < len(tokens); i++ {
		t := tokens[i]
		if !t.named() || !tokens[i+1].Is("(") {
			continue
		}
		if t.Is("operator") {
			out = append(out, operatorAt(tokens[i+2:]))
			continue
		}
		call := Call{Name: t.Value, Quoted: t.Kind == Name}
		if i >= 2 && tokens[i-1].Is(".") && tokens[i-2].named() {
			call.Schema = tokens[i-2].Value
		}
		out = append(out, call)
	}
	return out
}

// operatorAt reads what follows OPERATOR( up to the closing parenthesis.
func operatorAt(tokens []Token) Call {
	call := Call{Operator: true}
	if len(tokens) > 2 && tokens[0].named() && tokens[1].Is(".") {
		call.Schema = tokens[0].Value
		tokens = tokens[2:]
	}
	for _, t := range tokens {
		if t.Is(")") {
			break
		}
		call.Name += t.Value
	}
	return call
}
