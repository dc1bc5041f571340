package mysql

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqltext"
)

func TestDefaultsThatAreNoTextAreSpeltByTheirBytes(t *testing.T) {
	for in, want := range map[string]string{
		"`a` varbinary(5) DEFAULT 'it''s'":                         "`a` varbinary(5) DEFAULT 'it''s'",
		"`a` varbinary(5) DEFAULT '\xff\\0\\'x''\\\\' COMMENT 'ä'": "`a` varbinary(5) DEFAULT X'ff0027782\x375c' COMMENT 'ä'",
		"`'` int, `b` binary(3) DEFAULT '\x80\xffA'":               "`'` int, `b` binary(3) DEFAULT X'80ff41'",
		"`a``' b` DEFAULT '\xff'":                                  "`a``' b` DEFAULT X'ff'",
	} {
		if got := hexDefaults(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestSequencesOfTheDatabaseItselfLoseItsName(t *testing.T) {
	for in, want := range map[string]string{
		"`id` int DEFAULT nextval(`d`.`s`)":                      "`id` int DEFAULT nextval(`s`)",
		"`id` int DEFAULT nextval(`e`.`s`)":                      "`id` int DEFAULT nextval(`e`.`s`)",
		"`id` int DEFAULT (nextval(`d`.`s`) + nextval(`d`.`s`))": "`id` int DEFAULT (nextval(`s`) + nextval(`s`))",
		"`nextval(``d``.` text DEFAULT 'nextval(`d`.`s`)'":       "`nextval(``d``.` text DEFAULT 'nextval(`d`.`s`)'",
	} {
		if got := ownCounters(in, "d"); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzDefaults(f *testing.F) {
	for _, seed := range []string{"`a` varbinary(5) DEFAULT '\xff\\0\\'x''\\\\' COMMENT 'ä'", "`id` int DEFAULT nextval(`d`.`s`)", "\xff`a", "nextval(`d`.`", "'\\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, create string) {
		if got := hexDefaults(create); utf8.ValidString(create) && got != create {
			t.Errorf("%q became %q", create, got)
		}
		got := ownCounters(create, "d")
		if len(got) > len(create) || ownCounters(got, "e") != got && !strings.Contains(create, "`e`.") {
			t.Errorf("%q became %q", create, got)
		}
		names, rest := cutNames(create)
		if len(names) > len(create) || !strings.HasSuffix(create, rest) {
			t.Errorf("%q begins with %q, and goes on with %q", create, names, rest)
		}
	})
}

// TestANameWithoutAnEndEndsAllTheSame: what a server prints of a schema is not to be relied on.
func TestANameWithoutAnEndEndsAllTheSame(t *testing.T) {
	if got := hexDefaults("\xff`a"); got != "\xff`a" {
		t.Errorf("got %q", got)
	}
	if got := ownCounters("nextval(`d`.`s", "d"); got != "nextval(`s" {
		t.Errorf("got %q", got)
	}
	if names, rest := cutNames("(`a`, `b"); !slices.Equal(names, []string{"a", "b"}) || rest != "" {
		t.Errorf("got %q, %q", names, rest)
	}
}

// FuzzLiterals writes rows of a snapshot, which may say anything, into a statement: each cell is one
// value, or is refused.
func FuzzLiterals(f *testing.F) {
	kinds := []database.Kind{database.Bits, database.Text, database.Bool, database.Int, database.Year, database.Decimal, database.Float, database.Bytes, database.Date, database.Time,
		database.TimestampTZ, database.JSON, database.UUID, database.Enum, database.Set, database.Geometry, database.Any}
	for kind := range kinds {
		for _, text := range []string{"it's", `\'`, "1'), (b'0", "0101", "2026-01-02 03:04:05+00:00", "\x00\xff", "/*", ""} {
			f.Add(byte(kind), byte(database.ClassText), []byte(text))
		}
	}
	dialect := sqltext.MySQL("", nil)
	f.Fuzz(func(t *testing.T, kind, class byte, value []byte) {
		l := newLoader(&database.Table{Name: "t", Columns: []*database.Column{{Name: "c", Type: database.Type{Kind: kinds[int(kind)%len(kinds)]}}}}, nil)
		b := database.NewBatch()
		defer b.Release()
		b.Cell(database.Cell{Class: database.Class(class % 5), Int: int64(len(value)), Float: 2.5, Bytes: value})
		b.EndRow()
		l.batch, l.row = b, 0
		sql, err := l.appendValues(nil, b.Row(0), false)
		if err != nil {
			return
		}
		tokens, err := dialect.Tokens(strings.ReplaceAll(string(sql), "\x00", "0")) // in quotes it is one byte like others
		n := len(tokens)
		if err != nil || n < 3 || n > 4 || !tokens[0].Is("(") || !tokens[n-1].Is(")") || tokens[n-2].Kind == sqltext.Symbol {
			t.Errorf("%v of kind %s is written %s: %v, %v", b.Row(0), kinds[int(kind)%len(kinds)], sql, tokens, err)
		}
	})
}

func TestBitsThatAreNoneAreRefused(t *testing.T) {
	l := newLoader(&database.Table{Name: "t", Columns: []*database.Column{{Name: "c", Type: database.Type{Kind: database.Bits}}}}, nil)
	b := database.NewBatch()
	defer b.Release()
	b.String("1'), ((SELECT authentication_string FROM mysql.user LIMIT 1)), (b'1")
	b.EndRow()
	l.batch, l.row = b, 0
	if sql, err := l.appendValues(nil, b.Row(0), false); err == nil {
		t.Errorf("they are written %s", sql)
	}
}

// FuzzGrants reads what a server says of privileges.
func FuzzGrants(f *testing.F) {
	for _, seed := range []string{"GRANT SELECT, EVENT ON `a``b`.* TO `u`@`%`", "GRANT ALL PRIVILEGES ON *.* TO u WITH GRANT OPTION", "GRANT `role`@`%` TO u", "GRANT X ON `a", "GRANT  ON .", "GRANT SELECT (a, b) ON `d`.`t` TO u"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if g, ok := parseGrant(line); ok && (g.database == "" || g.table == "" || len(g.privileges) == 0) {
			t.Errorf("%q is read as %+v", line, g)
		}
		parseVersion(line)
	})
}
