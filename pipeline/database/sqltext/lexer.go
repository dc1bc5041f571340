package sqltext

import (
	"errors"
	"fmt"
	"strings"
)

// Dialect says how an engine reads SQL.
type Dialect struct {
	// Fold gives what an unquoted name means; nil: itself.
	Fold func(string) string
	// Comments may stand in a statement. Where they may not, one is an error.
	Comments bool
	// Nested comments count; else the first */ ends a comment.
	Nested bool
	// Hash begins a comment too.
	Hash bool
	// Executed says of the number in a comment /*!NNNNN … */ whether the server
	// reads its content as part of the statement; where it does not, and where
	// Executed is nil, such a comment is an error.
	Executed func(version int) bool
	// Backslashes escape in strings.
	Backslashes bool
	// Texts says that "…" is a string and no name.
	Texts bool
	// Backticks and Brackets quote names; Doubled says that a bracket in such a
	// name is doubled.
	Backticks, Brackets, Doubled bool
	// Dollars quote strings: $tag$ … $tag$.
	Dollars bool
	// Escaped strings begin with E', whose backslashes escape.
	Escaped bool
	// Qs are strings such as q'[ … ]'.
	Qs bool
	// Loose says that a name may begin with a digit.
	Loose bool
}

// Kind is what a token is.
type Kind int

// Kinds of tokens.
const (
	Word   Kind = iota // an unquoted name or keyword
	Name               // a quoted name
	Text               // a string
	Number             // digits, a fraction, an exponent
	Symbol             // one character
)

// Token is a piece of a statement.
type Token struct {
	Kind Kind
	// Value is what a name means, what a string holds if that is plain, or the
	// text itself.
	Value    string
	At, End  int // its place in the text
	original string
}

// Is says that the token is this keyword, in lower case, or this symbol.
func (t Token) Is(word string) bool {
	switch t.Kind {
	case Word:
		return strings.EqualFold(t.original, word)
	case Symbol:
		return t.original == word
	}
	return false
}

// named says that the token can be a name.
func (t Token) named() bool { return t.Kind == Word || t.Kind == Name }

// names says that the token may stand for a name: SQLite and MySQL take strings too.
func (t Token) names() bool { return t.named() || t.Kind == Text }

// Errors of a lexer.
var (
	errComment = errors.New("it holds a comment")
	errOpen    = errors.New("a quote or comment is not closed")
	errNumber  = errors.New("letters follow a number")
)

// lexer reads one text.
type lexer struct {
	*Dialect
	sql    string
	at     int
	tokens []Token
	inside int // comments of a version that are open
}

// Tokens takes a text apart.
func (d *Dialect) Tokens(sql string) ([]Token, error) {
	l := &lexer{Dialect: d, sql: sql}
	for l.at < len(l.sql) {
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	if l.inside > 0 {
		return nil, errOpen
	}
	return l.tokens, nil
}

func (l *lexer) rest() string { return l.sql[l.at:] }

// next reads a token, a blank or a comment.
func (l *lexer) next() error {
	c := l.sql[l.at]
	switch {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
		l.at++
		return nil
	case c < ' ' || c == 0x7f:
		return fmt.Errorf("the character %#x has no place in it", c)
	case l.inside > 0 && strings.HasPrefix(l.rest(), "*/"):
		l.inside--
		l.at += 2
		return nil
	}
	if begins, err := l.comment(); begins || err != nil {
		return err
	}
	if begins, err := l.quoted(); begins || err != nil {
		return err
	}
	switch {
	case digit(c) || c == '.' && l.at+1 < len(l.sql) && digit(l.sql[l.at+1]) && !l.afterName():
		return l.number()
	case letter(c):
		l.word()
		return nil
	}
	l.add(Symbol, l.at+1, l.sql[l.at:l.at+1])
	return nil
}

// afterName says that the last token is a name that ends here, as in a.1.
func (l *lexer) afterName() bool {
	n := len(l.tokens)
	return n > 0 && l.tokens[n-1].named() && l.tokens[n-1].End == l.at
}

func (l *lexer) add(kind Kind, end int, value string) {
	l.tokens = append(l.tokens, Token{Kind: kind, Value: value, At: l.at, End: end, original: l.sql[l.at:end]})
	l.at = end
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func (l *lexer) word() {
	end := l.at
	for end < len(l.sql) && (letter(l.sql[end]) || digit(l.sql[end]) || l.sql[end] == '$') {
		end++
	}
	value := l.sql[l.at:end]
	if l.Fold != nil {
		value = l.Fold(value)
	}
	l.add(Word, end, value)
}

func (l *lexer) number() error {
	end := l.at
	digits := func() {
		for end < len(l.sql) && (digit(l.sql[end]) || l.sql[end] == '_' && end+1 < len(l.sql) && digit(l.sql[end+1]) && !l.Loose) {
			end++
		}
	}
	digits()
	if end < len(l.sql) && l.sql[end] == '.' {
		end++
		digits()
	}
	if end < len(l.sql) && (l.sql[end] == 'e' || l.sql[end] == 'E') {
		mark := end
		end++
		if end < len(l.sql) && (l.sql[end] == '+' || l.sql[end] == '-') {
			end++
		}
		if end == len(l.sql) || !digit(l.sql[end]) {
			end = mark
		}
		digits()
	}
	if end < len(l.sql) && (letter(l.sql[end]) || l.sql[end] == '$') {
		return l.digitsAndLetters()
	}
	l.add(Number, end, l.sql[l.at:end])
	return nil
}

// digitsAndLetters is 0x1F, and where names may begin with a digit one of those.
func (l *lexer) digitsAndLetters() error {
	end := l.at
	for end < len(l.sql) && (letter(l.sql[end]) || digit(l.sql[end]) || l.sql[end] == '$') {
		end++
	}
	text := l.sql[l.at:end]
	hex, isHex := strings.CutPrefix(strings.ToLower(text), "0x")
	switch {
	case isHex && hex != "" && strings.Trim(hex, "0123456789abcdef") == "":
		l.add(Number, end, text)
	case l.Loose && (end == len(l.sql) || l.sql[end] != '.'):
		l.add(Word, end, text)
	default:
		return errNumber
	}
	return nil
}

// comment skips a comment that begins here.
func (l *lexer) comment() (begins bool, err error) {
	rest := l.rest()
	switch {
	case l.Executed != nil && (strings.HasPrefix(rest, "/*!") || strings.HasPrefix(rest, "/*M!")):
		return true, l.version()
	case strings.HasPrefix(rest, "/*"):
		if strings.HasPrefix(rest, "/*!") || strings.HasPrefix(rest, "/*M!") || !l.Comments || l.inside > 0 {
			return true, errComment
		}
		return true, l.block()
	case strings.HasPrefix(rest, "--") && (!l.Hash || len(rest) == 2 || rest[2] <= ' '):
		return true, l.line()
	case l.Hash && rest[0] == '#':
		return true, l.line()
	}
	return false, nil
}

func (l *lexer) line() error {
	if !l.Comments {
		return errComment
	}
	end := strings.IndexByte(l.rest(), '\n')
	if end < 0 {
		l.at = len(l.sql)
		return nil
	}
	l.at += end + 1
	return nil
}

func (l *lexer) block() error {
	depth := 0
	for i := l.at; i+1 < len(l.sql); i++ {
		switch pair := l.sql[i : i+2]; {
		case pair == "/*" && (depth == 0 || l.Nested):
			depth++
			i++
		case pair == "*/":
			depth--
			i++
		}
		if depth == 0 {
			l.at = i + 1
			return nil
		}
	}
	return errOpen
}

// version opens a comment that the server reads.
func (l *lexer) version() error {
	at := l.at + strings.IndexByte(l.rest(), '!') + 1
	number, digits := 0, 0
	for at < len(l.sql) && digit(l.sql[at]) && digits < 6 {
		number = number*10 + int(l.sql[at]-'0')
		at++
		digits++
	}
	if l.inside > 0 || digits < 5 || digits > 6 || at < len(l.sql) && digit(l.sql[at]) || !l.Executed(number) {
		return errComment
	}
	l.inside++
	l.at = at
	return nil
}

// quoted reads a string or quoted name that begins here.
func (l *lexer) quoted() (begins bool, err error) {
	rest := l.rest()
	switch c := rest[0]; {
	case c == '\'':
		return true, l.until(Text, '\'', l.Backslashes, l.at+1)
	case c == '"' && l.Texts:
		return true, l.until(Text, '"', l.Backslashes, l.at+1)
	case c == '"':
		return true, l.until(Name, '"', false, l.at+1)
	case c == '`' && l.Backticks:
		return true, l.until(Name, '`', false, l.at+1)
	case c == '[' && l.Brackets && !l.Doubled:
		return true, l.bracket()
	case c == '[' && l.Brackets:
		return true, l.until(Name, ']', false, l.at+1)
	case c == '$' && l.Dollars:
		return l.dollars()
	case l.Escaped && (c == 'e' || c == 'E') && strings.HasPrefix(rest[1:], "'"):
		return true, l.escaped()
	case l.Escaped && (c == 'u' || c == 'U') && strings.HasPrefix(rest[1:], "&"):
		return true, errors.New("it holds a text with Unicode escapes")
	case l.Qs && (c == 'q' || c == 'Q' || c == 'n' || c == 'N'):
		return l.qs()
	}
	return false, nil
}

// until reads up to the closing quote, which is doubled inside.
func (l *lexer) until(kind Kind, end byte, backslash bool, from int) error {
	var value strings.Builder
	for i := from; i < len(l.sql); i++ {
		switch c := l.sql[i]; {
		case c == 0:
			return fmt.Errorf("the character %#x has no place in it", c)
		case backslash && c == '\\':
			if i++; i < len(l.sql) {
				value.WriteByte(l.sql[i])
			}
		case c != end:
			value.WriteByte(c)
		case i+1 < len(l.sql) && l.sql[i+1] == end:
			i++
			value.WriteByte(end)
		default:
			l.add(kind, i+1, value.String())
			return nil
		}
	}
	return errOpen
}

// bracket reads up to the first closing bracket.
func (l *lexer) bracket() error {
	length := strings.IndexByte(l.rest(), ']')
	if length < 0 {
		return errOpen
	}
	l.add(Name, l.at+length+1, l.sql[l.at+1:l.at+length])
	return nil
}

// escaped reads E'…'. What follows on another line would go on with it.
func (l *lexer) escaped() error {
	if err := l.until(Text, '\'', true, l.at+2); err != nil {
		return err
	}
	after := strings.TrimLeft(l.rest(), " \t\r\n\f\v")
	if strings.HasPrefix(after, "'") {
		return errors.New("two strings follow each other")
	}
	return nil
}

// dollars reads $tag$ … $tag$; begins is false for a parameter such as $1.
func (l *lexer) dollars() (begins bool, err error) {
	end := l.at + 1
	for end < len(l.sql) && l.sql[end] != '$' {
		if !letter(l.sql[end]) && !(digit(l.sql[end]) && end > l.at+1) {
			return false, nil
		}
		end++
	}
	if end == len(l.sql) {
		return false, nil
	}
	tag := l.sql[l.at : end+1]
	length := strings.Index(l.sql[end+1:], tag)
	if length < 0 {
		return true, errOpen
	}
	l.add(Text, end+1+length+len(tag), l.sql[end+1:end+1+length])
	return true, nil
}

// qs reads q'[ … ]'; begins is false for a word that only looks like it.
func (l *lexer) qs() (begins bool, err error) {
	from := l.at
	if c := l.sql[from]; (c == 'n' || c == 'N') && from+1 < len(l.sql) {
		from++
	}
	if c := l.sql[from]; c != 'q' && c != 'Q' || from+2 >= len(l.sql) || l.sql[from+1] != '\'' {
		return false, nil
	}
	from += 3
	closing := l.sql[from-1 : from]
	if at := strings.Index("[{(<", closing); at >= 0 {
		closing = "]})>"[at : at+1]
	}
	length := strings.Index(l.sql[from:], closing+"'")
	if length < 0 {
		return true, errOpen
	}
	l.add(Text, from+length+2, l.sql[from:from+length])
	return true, nil
}
