package postgres

import (
	"slices"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
)

func TestNamedNotNullOfPostgres18IsSpelledAsItWas(t *testing.T) {
	r := &relation{OID: 1, Schema: "public", Name: "t", Kind: "r", Columns: []*column{
		{Number: 1, Name: "usual", Format: "integer", NotNull: true, Local: true, Must: &notNull{Name: "t_usual_not_null", Validated: true, Local: true}},
		{Number: 2, Name: "named", Format: "integer", NotNull: true, Local: true, Must: &notNull{Name: "a must", Validated: true, Local: true}},
		{Number: 3, Name: "here", Format: "integer", NotNull: true, Local: true, Must: &notNull{Name: "t_here_not_null", Validated: true, Local: true, NoInherit: true}},
		{Number: 4, Name: "later", Format: "integer", Local: true, Must: &notNull{OID: 9, Name: "l", Local: true}},
		{Number: 5, Name: "both", Format: "integer", NotNull: true, Must: &notNull{Name: "b", Validated: true, Local: true}},
	}}
	for _, col := range r.Columns {
		col.Statistics = -1
	}
	c := &catalog{relations: map[uint32]*relation{1: r}, order: []uint32{1}}
	want := []string{
		"CREATE TABLE \"public\".\"t\" (\n    \"usual\" integer NOT NULL,\n    \"named\" integer CONSTRAINT \"a must\" NOT NULL,\n    \"here\" integer NOT NULL NO INHERIT,\n    \"later\" integer\n)",
		`ALTER TABLE ONLY "public"."t" ADD CONSTRAINT "b" NOT NULL "both"`,
	}
	if got := c.tableDDL(r); !slices.Equal(got, want) {
		t.Errorf("the table is made by %q, want %q", got, want)
	}
	l := &lister{catalog: c}
	l.table(r)
	late := &database.Object{ObjectID: database.ObjectID{Kind: "not null", Table: "public.t", Name: "l"}, DDL: []string{`ALTER TABLE ONLY "public"."t" ADD CONSTRAINT "l" NOT NULL "later" NOT VALID`}}
	replay := &replay{schema: &database.Schema{}, at: &standing{me: &database.Principal{}}}
	for _, it := range l.items {
		if _, err := replay.read(it.object); err != nil {
			t.Errorf("%s: %v", it.object.ObjectID, err)
		}
		if it.object.ObjectID == late.ObjectID && !slices.Equal(it.object.DDL, late.DDL) {
			t.Errorf("%s is made by %q, want %q", late.ObjectID, it.object.DDL, late.DDL)
		}
	}
	if len(l.items) != 2 {
		t.Errorf("%d objects, want the table and what comes after its rows", len(l.items))
	}
	bad := &database.Object{ObjectID: l.items[0].object.ObjectID, DDL: []string{`CREATE TABLE "public"."t" ("a" integer CONSTRAINT "x" CHECK (f()))`}}
	if _, err := replay.read(bad); err == nil {
		t.Error("a constraint that is no NOT NULL passes as a column's")
	}
}

func TestAStandbyNamesTheRowsThatItLacks(t *testing.T) {
	whole := &relation{OID: 1, Schema: "public", Name: "p", Kind: "p", Persistence: "p"}
	logged := &relation{OID: 2, Schema: "public", Name: "p1", Kind: "r", Persistence: "p", Partition: true, Parents: []uint32{1}}
	unlogged := &relation{OID: 3, Schema: "public", Name: "p2", Kind: "r", Persistence: "u", Partition: true, Parents: []uint32{1}}
	c := &catalog{relations: map[uint32]*relation{1: whole, 2: logged, 3: unlogged}, order: []uint32{1, 2, 3}}
	for _, standby := range []bool{false, true} {
		c.standby = standby
		want := []*relation{logged, unlogged}
		if standby {
			want = want[:1]
		}
		if got := c.leaves(whole); !slices.Equal(got, want) {
			t.Errorf("on a standby %t: rows are read from %d relations, want %d", standby, len(got), len(want))
		}
		named := c.neutral(database.Filter{}).Findings
		if standby != (len(named) == 1 && named[0].Object.Name == "p2" && named[0].Status == database.Dropped) {
			t.Errorf("on a standby %t the findings are %v", standby, named)
		}
	}
}
