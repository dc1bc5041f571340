package sqltext

import (
	"slices"
	"strings"
	"testing"
)

var everything = func(int) bool { return true }

// values prints tokens with what they are.
func values(tokens []Token) string {
	var out []string
	for _, t := range tokens {
		out = append(out, map[Kind]string{Word: "w", Name: "n", Text: "t", Number: "d", Symbol: "s"}[t.Kind]+":"+t.Value)
	}
	return strings.Join(out, " ")
}

func TestTokensAreThoseOfTheServer(t *testing.T) {
	mysql := MySQL("", everything)
	for _, c := range []struct {
		dialect   *Dialect
		sql, want string // want is empty for a text that is refused
	}{
		{Postgres, `SELECT "a""b", 'it''s', 1.5e-3`, `w:select n:a"b s:, t:it's s:, d:1.5e-3`},
		{Postgres, `Foo.bAr`, `w:foo s:. w:bar`},
		{Postgres, `'a\' x`, `t:a\ w:x`},
		{Postgres, `E'a\'' x`, `t:a' w:x`},
		{Postgres, `E'a\\' x`, `t:a\ w:x`},
		{Postgres, "E'a'\n'b\\'c'", ``},
		{Postgres, `$$a;'$$ $x$ $$ $x$ $1`, `t:a;' t: $$  s:$ d:1`},
		{Postgres, `a$b$c`, `w:a$b$c`},
		{Postgres, `$x$ never`, ``},
		{Postgres, `-- x`, ``},
		{Postgres, `1 /* x */`, ``},
		{Postgres, `U&'\0041'`, ``},
		{Postgres, `u&"x"`, ``},
		{Postgres, `1and`, ``},
		{Postgres, `0x1F`, `d:0x1F`},
		{Postgres, "a\x00b", ``},
		{Postgres, "'a\x00b'", ``},
		{Postgres, `'open`, ``},
		{Postgres, `"open`, ``},
		{Postgres, `a::b||c[1]`, `w:a s:: s:: w:b s:| s:| w:c s:[ d:1 s:]`},
		{mysql, "`a``b` \"x\\\"y\" 'a\\'b' 'c''d'", "n:a`b t:x\"y t:a'b t:c'd"},
		{MySQL("ANSI_QUOTES", nil), `"x"`, `n:x`},
		{MySQL("NO_BACKSLASH_ESCAPES", nil), `'a\' b`, `t:a\ w:b`},
		{mysql, "1 -- x\n2 # y\n3 /* z */ 4--5", "d:1 d:2 d:3 d:4 s:- s:- d:5"},
		{mysql, "/*!50000 a */ b", "w:a w:b"},
		{mysql, "/*!50000 a /* b */ */", ""},
		{mysql, "/*!50000 a", ""},
		{mysql, "/*! a */", ""},
		{MySQL("", nil), "/*!50000 a */", ""},
		{MySQL("", func(n int) bool { return n < 60000 }), "/*!99999 a */", ""},
		{mysql, "/*M!100100 a */", "w:a"},
		{mysql, "1abc x'00'", "w:1abc w:x t:00"},
		{mysql, "/* open", ""},
		{SQLite, "[a b] `c` \"d\" 'e' -- f", "n:a b n:c n:d t:e"},
		{SQLite, "[a]]", "n:a s:]"},
		{SQLServer, "[a]]b] /* /* */ */ N'x'", "n:a]b w:N t:x"},
		{SQLServer, "/* /* */", ""},
		{Oracle, `q'[it's]' nq'{x}' q'!a!' "b" c`, `t:it's t:x t:a n:b w:C`},
		{Oracle, `q'[open`, ``},
	} {
		tokens, err := c.dialect.Tokens(c.sql)
		if got := values(tokens); (err != nil) != (c.want == "") || err == nil && got != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.sql, got, err, c.want)
		}
	}
}

func TestTextsArePartedWhereStatementsEnd(t *testing.T) {
	for sql, want := range map[string][]string{
		"a; b;\n c ;":                             {"a", "b", "c"},
		"CREATE RULE r DO (a; b); c":              {"CREATE RULE r DO (a; b)", "c"},
		"f BEGIN ATOMIC a; CASE b END; c; END; d": {"f BEGIN ATOMIC a; CASE b END; c; END", "d"},
		"'a;b'; $$c;d$$":                          {"'a;b'", "$$c;d$$"},
		"'open; x":                                {"'open; x"},
		"(a; b":                                   {"(a; b"},
		";;":                                      nil,
	} {
		if got := Postgres.Split(sql); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
}

func TestPatternsFitExactly(t *testing.T) {
	own := Own{Schema: "s", Name: "n", Table: []string{"s", "t"}}
	for _, c := range []struct {
		pattern, sql string
		want         bool
	}{
		{"create view $self as $rest", `CREATE VIEW s.n AS SELECT 1`, true},
		{"create view $self as $rest", `CREATE VIEW "s"."n" AS SELECT 1`, true},
		{"create view $self as $rest", `CREATE VIEW "S"."n" AS SELECT 1`, false},
		{"create view $self as $rest", `CREATE VIEW n AS SELECT 1`, false},
		{"create view $self as $rest", `CREATE VIEW x.s.n AS SELECT 1`, false},
		{"create view $self as $rest", `CREATE TEMP VIEW s.n AS SELECT 1`, false},
		{"create [ unlogged ] table $self $group", `CREATE UNLOGGED TABLE s.n (a)`, true},
		{"create [ unlogged ] table $self $group", `CREATE TABLE s.n (a) b`, false},
		{"create [ unlogged ] table $self $group", `CREATE TABLE s.n`, false},
		{"alter table $table add $list", `ALTER TABLE s.t ADD (a, b)`, true},
		{"alter table $table add $list", `ALTER TABLE s.t ADD a, DROP b`, false},
		{"alter table $table add $list", `ALTER TABLE s.other ADD a`, false},
		{"a|b $id $ids:all", `b "x" y, z`, true},
		{"a|b $id $ids", `c x y`, false},
		{"a $texts", `a ('x', 'y')`, true},
		{"a $texts", `a ('x', f())`, false},
		{"a $number $text", `a -5 'x'`, true},
		{"a $number", `a b`, false},
		{"a [ b [ c ] ] d", `a d`, true},
		{"a [ b [ c ] ] d", `a b c d`, true},
		{"a [ b [ c ] ] d", `a c d`, false},
		{"a", `"a"`, false},
	} {
		st, err := Postgres.Parse(c.sql, false)
		if err != nil {
			t.Fatalf("%s: %v", c.sql, err)
		}
		if _, got := st.Match(c.pattern, own); got != c.want {
			t.Errorf("%s fits %s: %v, want %v", c.sql, c.pattern, got, c.want)
		}
	}
	st, _ := Postgres.Parse(`b x y, "Z"`, false)
	bound, _ := st.Match("a|b $id:first $ids:all", own)
	if got := st.Slice(bound["all"]); got != `y, "Z"` || bound["first"][0].Value != "x" {
		t.Errorf("bound are %v", bound)
	}
}

func TestStatementsAreOneAndBalanced(t *testing.T) {
	for sql, good := range map[string]bool{
		"a (b) [c]": true, "a; b": false, "a;": false, "(a": false, "a)": false, "(a]": false, "": false, "x BEGIN ATOMIC a; END": true, "x BEGIN ATOMIC a;": false,
	} {
		if _, err := Postgres.Parse(sql, false); (err == nil) != good {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if _, err := Postgres.Parse("a; b", true); err != nil {
		t.Errorf("a body: %v", err)
	}
}

func TestCallsNameWhatRuns(t *testing.T) {
	st, err := Postgres.Parse(`f(a) + s.g(b) OPERATOR(x.<>) "H"(1) AND c IN (1) AND OPERATOR(+) (2)`, false)
	if err != nil {
		t.Fatal(err)
	}
	want := []Call{{Name: "f"}, {Schema: "s", Name: "g"}, {Schema: "x", Name: "<>", Operator: true}, {Name: "H", Quoted: true}, {Name: "in"}, {Name: "+", Operator: true}}
	if got := Calls(st.Tokens); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// FuzzTokens: tokens lie in the text one after another, and what splits a text loses nothing but
// blanks and semicolons.
func FuzzTokens(f *testing.F) {
	for _, sql := range []string{"a; b", `E'x' "y" $$z$$`, "/*!50000 a */ [b] `c`", "q'[x]'", "(1e5, 0x1f, .5)", "BEGIN ATOMIC x; END"} {
		f.Add(sql)
	}
	dialects := []*Dialect{Postgres, SQLite, Oracle, SQLServer, MySQL("", everything), MySQL("ANSI_QUOTES,NO_BACKSLASH_ESCAPES", nil)}
	f.Fuzz(func(t *testing.T, sql string) {
		for _, d := range dialects {
			tokens, err := d.Tokens(sql)
			if err != nil {
				continue
			}
			at := 0
			for _, token := range tokens {
				if token.At < at || token.End <= token.At || token.End > len(sql) {
					t.Fatalf("%q: the token %v lies before %d or outside", sql, token, at)
				}
				at = token.End
			}
			st := &Statement{SQL: sql, Tokens: tokens}
			st.Match("create [ a|b ] table $self $group [ with $group ] $list", Own{Name: "x"})
			Calls(tokens)
			d.Split(sql)
		}
	})
}
