package sqlite

import (
	"strings"
	"testing"
)

// FuzzSQLText looks for clauses in a statement that a file may hold: what is found stands there.
func FuzzSQLText(f *testing.F) {
	for _, seed := range []string{
		"CREATE TABLE a (id INTEGER, b TEXT CONSTRAINT \"n\"\"m\" CHECK (b <> ')' AND (1)), CHECK(b /* ) */ > 1) -- x\n)",
		"CREATE INDEX i ON [t]t](lower(b) DESC, 'x,', c COLLATE NOCASE ASC) WHERE b > '(' AND WHERE", "CHECK ((", "\"a\"\"b\"", "+0x1F", "CONSTRAINT '", "/*", "--", "CREATE INDEX ON",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		for _, c := range checksOf(sql) {
			if !strings.Contains(sql, "("+c.Expr.SQL+")") {
				t.Errorf("%q has the check %q", sql, c.Expr.SQL)
			}
		}
		for _, part := range indexTexts(sql) {
			if !strings.Contains(sql, part) {
				t.Errorf("%q has the part %q", sql, part)
			}
		}
		if where := whereOf(sql); !strings.HasSuffix(strings.TrimSpace(sql), where) {
			t.Errorf("%q has the condition %q", sql, where)
		}
		if plain := plainDefault(sql); len(plain) > 2*len(sql)+2 {
			t.Errorf("%q is spelt %q", sql, plain)
		}
	})
}
