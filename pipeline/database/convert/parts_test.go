package convert

import (
	"errors"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
)

func TestPartsThatThePlanPromisesMustBeInTheCopy(t *testing.T) {
	text := func(sql string) *database.Expr { return &database.Expr{Engine: database.Postgres, SQL: sql} }
	src := &database.Table{
		Name:    "t",
		Columns: []*database.Column{{Name: "A", Type: database.Type{Kind: database.Int}, Default: text("5")}, {Name: "B", Type: database.Type{Kind: database.Text}, Default: text("'x'")}},
		Checks:  []*database.Check{{Name: "positive", Expr: *text("a > 0")}},
		Indexes: []*database.Index{{Name: "by_b", Parts: []database.IndexPart{{Column: "B"}}}, {Name: "one_b", Unique: true, Parts: []database.IndexPart{{Expr: text("lower(b)")}}}},
	}
	copied := func() *database.Table {
		return &database.Table{
			Name:    "t",
			Columns: []*database.Column{{Name: "a", Type: database.Type{Kind: database.Int}, Default: text("5")}, {Name: "b", Type: database.Type{Kind: database.Text}, Default: text("'x'")}},
			Checks:  []*database.Check{{Expr: *text("a > 0")}, {Expr: *text("b <> ''")}},
			Indexes: []*database.Index{{Name: "i", Parts: []database.IndexPart{{Column: "b"}}}, {Name: "j", Unique: true, Parts: []database.IndexPart{{Expr: text("lower(b)")}}}},
		}
	}
	planned := &database.PlannedTable{Source: src, Target: &database.Table{Name: "t", Columns: copied().Columns}}
	var promised []database.Finding
	for _, id := range []database.ObjectID{src.Part("default", "A"), src.Part("default", "B"), src.Part("check", "positive"), src.Part("index", "by_b"), src.Part("index", "one_b")} {
		promised = append(promised, database.Finding{Object: id, Status: database.Exact})
	}
	for _, c := range []struct {
		what, want string
		change     func(*database.Table)
		known      []database.Finding
	}{
		{"nothing", "", func(*database.Table) {}, nil},
		{"a default gone", "column a has no default", func(c *database.Table) { c.Columns[0].Default = nil }, nil},
		{"another default", "default of column b", func(c *database.Table) { c.Columns[1].Default = text("'y'") }, nil},
		{"checks gone", "0 checks, want 1", func(c *database.Table) { c.Checks = nil }, nil},
		{"an index gone", "no index on b", func(c *database.Table) { c.Indexes = c.Indexes[1:] }, nil},
		{"uniqueness gone", "no unique an expression", func(c *database.Table) { c.Indexes[1].Unique = false }, nil},
		{"an index on more", "no index on b", func(c *database.Table) {
			c.Indexes[0].Parts = append(c.Indexes[0].Parts, database.IndexPart{Column: "a"})
		}, nil},
		{"checks that the copy says it lacks", "", func(c *database.Table) { c.Checks = nil }, []database.Finding{{Object: src.Part("check", "positive"), Status: database.SidecarOnly}}},
	} {
		found := copied()
		c.change(found)
		err := errors.Join(compareParts(&database.Plan{Source: &database.Schema{}, Findings: promised}, planned, found, &database.Schema{Findings: c.known})...)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, database.ErrMismatch) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.what, err, c.want)
		}
	}
}
