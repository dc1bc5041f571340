package database

import (
	"errors"
	"strings"
	"testing"
)

func TestPartsThatThePlanPromisesMustBeInTheCopy(t *testing.T) {
	text := func(sql string) *Expr { return &Expr{Engine: Postgres, SQL: sql} }
	src := &Table{
		Name:    "t",
		Columns: []*Column{{Name: "A", Type: Type{Kind: Int}, Default: text("5")}, {Name: "B", Type: Type{Kind: Text}, Default: text("'x'")}},
		Checks:  []*Check{{Name: "positive", Expr: *text("a > 0")}},
		Indexes: []*Index{{Name: "by_b", Parts: []IndexPart{{Column: "B"}}}, {Name: "one_b", Unique: true, Parts: []IndexPart{{Expr: text("lower(b)")}}}},
	}
	copied := func() *Table {
		return &Table{
			Name:    "t",
			Columns: []*Column{{Name: "a", Type: Type{Kind: Int}, Default: text("5")}, {Name: "b", Type: Type{Kind: Text}, Default: text("'x'")}},
			Checks:  []*Check{{Expr: *text("a > 0")}, {Expr: *text("b <> ''")}},
			Indexes: []*Index{{Name: "i", Parts: []IndexPart{{Column: "b"}}}, {Name: "j", Unique: true, Parts: []IndexPart{{Expr: text("lower(b)")}}}},
		}
	}
	planned := &PlannedTable{Source: src, Target: &Table{Name: "t", Columns: copied().Columns}}
	var promised []Finding
	for _, id := range []ObjectID{src.Part("default", "A"), src.Part("default", "B"), src.Part("check", "positive"), src.Part("index", "by_b"), src.Part("index", "one_b")} {
		promised = append(promised, Finding{Object: id, Status: Exact})
	}
	for _, c := range []struct {
		what, want string
		change     func(*Table)
		known      []Finding
	}{
		{"nothing", "", func(*Table) {}, nil},
		{"a default gone", "column a has no default", func(c *Table) { c.Columns[0].Default = nil }, nil},
		{"another default", "default of column b", func(c *Table) { c.Columns[1].Default = text("'y'") }, nil},
		{"checks gone", "0 checks, want 1", func(c *Table) { c.Checks = nil }, nil},
		{"an index gone", "no index on b", func(c *Table) { c.Indexes = c.Indexes[1:] }, nil},
		{"uniqueness gone", "no unique an expression", func(c *Table) { c.Indexes[1].Unique = false }, nil},
		{"an index on more", "no index on b", func(c *Table) { c.Indexes[0].Parts = append(c.Indexes[0].Parts, IndexPart{Column: "a"}) }, nil},
		{"checks that the copy says it lacks", "", func(c *Table) { c.Checks = nil }, []Finding{{Object: src.Part("check", "positive"), Status: SidecarOnly}}},
	} {
		found := copied()
		c.change(found)
		err := errors.Join(compareParts(&Plan{Source: &Schema{}, Findings: promised}, planned, found, &Schema{Findings: c.known})...)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.what, err, c.want)
		}
	}
}
