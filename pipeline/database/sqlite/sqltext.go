package sqlite

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// This file finds clauses in the SQL that SQLite keeps, where no pragma tells
// them. It knows quotes, comments and parentheses, and gives up quietly on what
// it does not understand: the clause is then only in the native DDL.

// skipQuoted returns the index after a quoted run or comment that begins at i,
// or i if none does.
func skipQuoted(sql string, i int) int {
	end := byte(0)
	switch sql[i] {
	case '\'', '"', '`':
		end = sql[i]
	case '[':
		end = ']'
	case '-':
		if strings.HasPrefix(sql[i:], "--") {
			if n := strings.IndexByte(sql[i:], '\n'); n >= 0 {
				return i + n + 1
			}
			return len(sql)
		}
		return i
	case '/':
		if strings.HasPrefix(sql[i:], "/*") {
			if n := strings.Index(sql[i:], "*/"); n >= 0 {
				return i + n + 2
			}
			return len(sql)
		}
		return i
	default:
		return i
	}
	for i++; i < len(sql); i++ {
		if sql[i] == end {
			return i + 1
		}
	}
	return len(sql)
}

// parenthesized returns what stands between the parenthesis at i and its
// partner, and the index after that.
func parenthesized(sql string, i int) (inner string, after int, ok bool) {
	depth := 0
	for j := i; j < len(sql); {
		if next := skipQuoted(sql, j); next > j {
			j = next
			continue
		}
		switch sql[j] {
		case '(':
			depth++
		case ')':
			depth--
			if depth == 0 {
				return sql[i+1 : j], j + 1, true
			}
		}
		j++
	}
	return "", 0, false
}

// words calls f for every bare word with its place; f returns where to go on, 0
// for right after the word.
func words(sql string, f func(word string, start, end int) int) {
	for i := 0; i < len(sql); {
		if next := skipQuoted(sql, i); next > i {
			i = next
			continue
		}
		if !wordByte(sql[i]) {
			i++
			continue
		}
		end := i
		for end < len(sql) && wordByte(sql[end]) {
			end++
		}
		if next := f(strings.ToUpper(sql[i:end]), i, end); next > end {
			i = next
			continue
		}
		i = end
	}
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// checksOf finds a table's CHECK clauses and their names.
func checksOf(sql string) []*database.Check {
	var out []*database.Check
	name := ""
	words(sql, func(word string, start, end int) int {
		switch word {
		case "CONSTRAINT":
			var after int
			name, after = nextName(sql, end)
			return after
		case "CHECK":
			open := end
			for open < len(sql) && strings.IndexByte(" \t\r\n", sql[open]) >= 0 {
				open++
			}
			if open == len(sql) || sql[open] != '(' {
				return 0
			}
			inner, after, ok := parenthesized(sql, open)
			if !ok {
				return 0
			}
			out = append(out, &database.Check{Name: name, Expr: database.Expr{Engine: database.SQLite, SQL: inner}})
			name = ""
			return after
		case "PRIMARY", "UNIQUE", "FOREIGN", "REFERENCES", "NOT", "DEFAULT":
			name = ""
		}
		return 0
	})
	return out
}

// nextName reads a bare or quoted name after i.
func nextName(sql string, i int) (string, int) {
	for i < len(sql) && strings.IndexByte(" \t\r\n", sql[i]) >= 0 {
		i++
	}
	if i == len(sql) {
		return "", i
	}
	if next := skipQuoted(sql, i); next > i+1 {
		quote := sql[next-1 : next]
		return strings.ReplaceAll(sql[i+1:next-1], quote+quote, quote), next
	}
	end := i
	for end < len(sql) && wordByte(sql[end]) {
		end++
	}
	return sql[i:end], end
}

// indexTexts splits the list of a CREATE INDEX into its parts, without their
// order and collation.
func indexTexts(sql string) []string {
	open := -1
	words(sql, func(word string, start, end int) int {
		if open < 0 && word == "ON" {
			_, after := nextName(sql, end)
			if n := strings.IndexByte(sql[after:], '('); n >= 0 {
				open = after + n
			}
		}
		return 0
	})
	if open < 0 {
		return nil
	}
	inner, _, ok := parenthesized(sql, open)
	if !ok {
		return nil
	}
	var out []string
	start := 0
	for i := 0; i < len(inner); {
		if next := skipQuoted(inner, i); next > i {
			i = next
			continue
		}
		switch inner[i] {
		case '(':
			if _, after, ok := parenthesized(inner, i); ok {
				i = after
				continue
			}
		case ',':
			out = append(out, trimOrder(inner[start:i]))
			start = i + 1
		}
		i++
	}
	return append(out, trimOrder(inner[start:]))
}

func trimOrder(part string) string {
	part = strings.TrimSpace(part)
	upper := strings.ToUpper(part)
	for _, suffix := range []string{" ASC", " DESC"} {
		if strings.HasSuffix(upper, suffix) {
			part = strings.TrimSpace(part[:len(part)-len(suffix)])
		}
	}
	return part
}

// whereOf finds the condition of a partial index.
func whereOf(sql string) string {
	where := ""
	words(sql, func(word string, start, end int) int {
		if word == "WHERE" {
			where = strings.TrimSpace(sql[end:])
			return len(sql)
		}
		return 0
	})
	return where
}

var (
	bareWord  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	hexNumber = regexp.MustCompile(`^0[xX][0-9A-Fa-f]{1,15}$`)
)

// plainDefault spells a default as any engine would: SQLite takes a name for a text there, since it
// can be no column.
func plainDefault(sql string) string {
	switch word := strings.ToUpper(sql); {
	case len(sql) > 1 && sql[0] == '"' && sql[len(sql)-1] == '"':
		return text(strings.ReplaceAll(sql[1:len(sql)-1], `""`, `"`))
	case word == "NULL" || word == "TRUE" || word == "FALSE" || strings.HasPrefix(word, "CURRENT_"):
		return sql
	case bareWord.MatchString(sql):
		return text(sql)
	case strings.HasPrefix(sql, "+"):
		return plainDefault(strings.TrimSpace(sql[1:]))
	case hexNumber.MatchString(sql):
		n, _ := strconv.ParseInt(sql[2:], 16, 64)
		return strconv.FormatInt(n, 10)
	}
	return sql
}
