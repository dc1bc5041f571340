package mysql

import "strings"

// createTable is the output of SHOW CREATE TABLE, taken apart. The server writes
// each column, key and constraint on a line of its own.
type createTable struct {
	head    string   // CREATE TABLE `name` (
	lines   []string // definitions without the separating commas
	options string   // ) ENGINE=…, without AUTO_INCREMENT=…
	parts   string   // PARTITION BY …; empty if there is none
}

// splitCreate takes SHOW CREATE TABLE apart; ok is false for a text that does
// not look like one.
func splitCreate(ddl string) (c createTable, ok bool) {
	lines := splitLines(ddl)
	if len(lines) < 2 || !strings.HasSuffix(lines[0], "(") {
		return c, false
	}
	c.head = lines[0]
	for i, line := range lines[1:] {
		if strings.HasPrefix(line, ")") {
			c.options = withoutCounter(line)
			c.parts = strings.TrimSpace(strings.Join(lines[i+2:], "\n"))
			return c, true
		}
		c.lines = append(c.lines, strings.TrimSuffix(strings.TrimSpace(line), ","))
	}
	return c, false
}

// splitLines splits at line ends that stand outside quotes.
func splitLines(ddl string) []string {
	var lines []string
	start := 0
	scan(ddl, func(i int) {
		if ddl[i] == '\n' {
			lines = append(lines, ddl[start:i])
			start = i + 1
		}
	})
	return append(lines, ddl[start:])
}

// scan calls f with the position of every byte that stands outside quotes.
func scan(sql string, f func(i int)) {
	for i := 0; i < len(sql); i++ {
		switch quote := sql[i]; quote {
		case '\'', '"', '`':
			for i++; i < len(sql) && sql[i] != quote; i++ {
				if sql[i] == '\\' && quote != '`' {
					i++
				}
			}
		default:
			f(i)
		}
	}
}

// withoutCounter removes the table option AUTO_INCREMENT=n, which is a counter
// and no part of the schema.
func withoutCounter(options string) string {
	const word = " AUTO_INCREMENT="
	at := -1
	scan(options, func(i int) {
		if at < 0 && strings.HasPrefix(options[i:], word) {
			at = i
		}
	})
	if at < 0 {
		return options
	}
	end := at + len(word)
	for end < len(options) && options[end] >= '0' && options[end] <= '9' {
		end++
	}
	return options[:at] + options[end:]
}

// join makes the statement of some of the lines.
func (c createTable) join(lines []string) string {
	out := c.head + "\n  " + strings.Join(lines, ",\n  ") + "\n" + c.options
	if c.parts != "" {
		out += "\n" + c.parts
	}
	return out
}

// definition is what a line of CREATE TABLE defines.
type definition struct {
	kind string // as in database.ObjectID; "period" and the like are "other"
	name string
}

// define reads the head of a line.
func define(line string) definition {
	rest := line
	name := ""
	if after, ok := strings.CutPrefix(rest, "CONSTRAINT "); ok {
		name, rest = cutName(after)
	}
	for _, k := range []struct{ prefix, kind string }{
		{"PRIMARY KEY ", "primary key"}, {"UNIQUE KEY ", "unique"}, {"KEY ", "index"}, {"FULLTEXT KEY ", "index"},
		{"SPATIAL KEY ", "index"}, {"VECTOR KEY ", "index"}, {"FOREIGN KEY ", "foreign key"}, {"CHECK ", "check"}, {"`", "column"},
	} {
		after, ok := strings.CutPrefix(rest, k.prefix)
		if !ok {
			continue
		}
		switch k.kind {
		case "column":
			name, _ = cutName(rest)
		case "unique", "index":
			name, _ = cutName(after)
		case "primary key":
			name = "PRIMARY"
		}
		return definition{kind: k.kind, name: name}
	}
	return definition{kind: "other"}
}

// parseForeignKey reads a line that defines a foreign key; action is what the
// server does where the line does not say.
func parseForeignKey(line, action string) (*foreignKey, bool) {
	if define(line).kind != "foreign key" {
		return nil, false
	}
	f := &foreignKey{onDelete: action, onUpdate: action}
	rest := line
	if after, ok := strings.CutPrefix(line, "CONSTRAINT "); ok {
		f.name, rest = cutName(after)
	}
	rest = strings.TrimPrefix(rest, "FOREIGN KEY ")
	if strings.HasPrefix(rest, "`") { // the name of its index
		_, rest = cutName(rest)
	}
	f.columns, rest = cutNames(rest)
	rest, ok := strings.CutPrefix(rest, "REFERENCES ")
	if !ok {
		return nil, false
	}
	f.table, rest = cutName(rest)
	if after, ok := strings.CutPrefix(rest, "."); ok {
		f.schema = f.table
		f.table, rest = cutName(after)
	}
	f.references, rest = cutNames(rest)
	for _, rule := range strings.Split(" "+rest, " ON ") { // with its spaces: NO ACTION has it too
		if what, ok := strings.CutPrefix(rule, "DELETE "); ok {
			f.onDelete = what
		} else if what, ok := strings.CutPrefix(rule, "UPDATE "); ok {
			f.onUpdate = what
		}
	}
	return f, len(f.columns) > 0 && len(f.columns) == len(f.references)
}

// cutNames takes a list of names, as in (`a`, `b`), off the head of a text.
func cutNames(text string) (names []string, rest string) {
	rest, ok := strings.CutPrefix(text, "(")
	for ok && strings.HasPrefix(rest, "`") {
		var name string
		name, rest = cutName(rest)
		names = append(names, name)
		rest = strings.TrimLeft(rest, ", ")
	}
	return names, strings.TrimPrefix(strings.TrimPrefix(rest, ")"), " ")
}

// cutName takes a quoted name off the head of a text. One without an end is all of the text.
func cutName(text string) (name, rest string) {
	if !strings.HasPrefix(text, "`") {
		return "", text
	}
	for i := 1; i < len(text); i++ {
		if text[i] != '`' {
			continue
		}
		if i+1 < len(text) && text[i+1] == '`' {
			i++
			continue
		}
		return strings.ReplaceAll(text[1:i], "``", "`"), strings.TrimPrefix(text[i+1:], " ")
	}
	return strings.ReplaceAll(text[1:], "``", "`"), ""
}

// labels reads the values of enum('a','it”s') or set(…).
func labels(columnType string) []string {
	_, list, ok := strings.Cut(columnType, "(")
	if !ok {
		return nil
	}
	var out []string
	for len(list) > 0 && list[0] == '\'' {
		value, rest := cutLiteral(list)
		out = append(out, value)
		list = strings.TrimPrefix(rest, ",")
	}
	return out
}

// escapes are what a backslash and a letter mean in a literal.
var escapes = map[byte]byte{'0': 0, 'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'Z': 26}

// cutLiteral takes a string literal off the head of a text.
func cutLiteral(text string) (value, rest string) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			if c, ok := escapes[text[i]]; ok {
				b.WriteByte(c)
			} else {
				b.WriteByte(text[i])
			}
		case text[i] != '\'':
			b.WriteByte(text[i])
		case i+1 < len(text) && text[i+1] == '\'':
			b.WriteByte('\'')
			i++
		default:
			return b.String(), text[i+1:]
		}
	}
	return b.String(), ""
}
