package oracle

import (
	"io"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
)

// once gives one batch and then the end.
func once(b *database.Batch) func() (*database.Batch, error) {
	return func() (*database.Batch, error) {
		if b == nil {
			return nil, io.EOF
		}
		out := b
		b = nil
		return out, nil
	}
}

// outside blanks what stands in quotes; ok is false where a quote stays open.
func outside(sql string) (rest string, ok bool) {
	var b strings.Builder
	open := byte(0)
	for i := range len(sql) {
		switch c := sql[i]; {
		case open == 0 && (c == '"' || c == '\''):
			open = c
		case open != 0 && c == open:
			open = 0
		case open == 0:
			b.WriteByte(c)
		}
	}
	return b.String(), open == 0
}

func build(table, column, comment string, release int) *ddl.Mapping {
	s := &database.Schema{Engine: database.Postgres, Namespace: "public", Tables: []*database.Table{{
		Schema: "public", Name: table, Comment: comment,
		Columns: []*database.Column{
			{Name: column, NotNull: true, Type: database.Type{Kind: database.Enum, Values: []string{comment}}},
			{Name: column + "2", Type: database.Type{Kind: database.Text, Length: 10}, Default: &database.Expr{Engine: database.Postgres, SQL: database.QuoteText(database.Postgres, comment)}},
		},
		PrimaryKey: &database.Key{Name: table, Columns: []string{column}},
	}}}
	return dialect(server{release: release, unicode: true}).Map(s, database.PlanOptions{})
}

func FuzzDDLQuoting(f *testing.F) {
	f.Add("t", "c", "it's")
	f.Add(`t" (x NUMBER); DROP TABLE "y`, `'c'`, `' || DBMS_LOCK.SLEEP(9) || '`)
	f.Add("\x00", strings.Repeat("ö", 99), "%s%d%")
	f.Add("", "", "\xff\"")
	f.Fuzz(func(t *testing.T, table, column, comment string) {
		plain := build("t", "c", "x", 1201)
		got := build(table, column, comment, 1201)
		for i, s := range got.Steps.Create {
			rest, ok := outside(s.SQL)
			if !ok {
				t.Fatalf("a quote stays open in %s", s.SQL)
			}
			want, _ := outside(plain.Steps.Create[min(i, len(plain.Steps.Create)-1)].SQL)
			if len(got.Steps.Create) == len(plain.Steps.Create) && shape(rest) != shape(want) {
				t.Errorf("names leak into\n%s\nwant the shape of\n%s", s.SQL, want)
			}
		}
		for _, p := range got.Plan.Tables {
			for _, c := range append([]*database.Column{{Name: p.Target.Name}}, p.Target.Columns...) {
				if len(c.Name) > 30 || c.Name == "" || strings.ContainsAny(c.Name, "\"\x00") {
					t.Errorf("the name %q is not legal", c.Name)
				}
			}
		}
	})
}

// shape leaves out what may differ: lengths and a default that has no
// counterpart.
func shape(sql string) string {
	sql = strings.ReplaceAll(sql, " DEFAULT ", "")
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, sql)
}

func TestNamesThatAreTooLongAreShortenedAndReported(t *testing.T) {
	long := strings.Repeat("long_", 20)
	for _, c := range []struct{ release, limit int }{{1201, 30}, {1202, 128}, {1900, 128}} {
		b := build(long, "c", "x", c.release)
		name := b.Plan.Tables[0].Target.Name
		if len(name) > c.limit || (name == long) != (c.limit == 128) {
			t.Errorf("release %d: the name became %q", c.release, name)
		}
		reported := false
		for _, f := range b.Plan.Findings {
			reported = reported || f.Object.Kind == "table" && f.Code == "DB117" && strings.Contains(f.Reason, "at most 30")
		}
		if reported != (c.limit == 30) {
			t.Errorf("release %d: findings are %v", c.release, b.Plan.Findings)
		}
	}
}
