package database_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
)

// tree is a database of two tables, of which one refers to both.
func tree() *databasetest.Source {
	parent := &database.Table{Name: "parent", Columns: []*database.Column{{Name: "id", Type: database.Type{Kind: database.Int}}}}
	child := &database.Table{
		Name:    "child",
		Columns: []*database.Column{{Name: "id", Type: database.Type{Kind: database.Int}, Identity: &database.Identity{Sequence: "child_seq"}}},
		ForeignKeys: []*database.ForeignKey{
			{Name: "up", Columns: []string{"id"}, RefTable: "parent", RefColumns: []string{"id"}}, {Name: "self", Columns: []string{"id"}, RefTable: "child", RefColumns: []string{"id"}},
		},
	}
	return &databasetest.Source{
		Model: &database.Schema{
			Engine: database.Postgres, Tables: []*database.Table{child, parent},
			Sequences: []*database.Sequence{{Name: "child_seq", OwnerTable: "child", OwnerColumn: "id"}, {Name: "free"}},
			Objects:   []*database.Object{{ObjectID: child.ObjectID(), DDL: []string{"CREATE TABLE child"}}, {ObjectID: child.Part("trigger", "t"), DDL: []string{"CREATE TRIGGER t"}}, {ObjectID: database.ObjectID{Kind: "view", Name: "v"}}},
		},
		Data: map[string][][]database.Cell{"child": {{databasetest.Int(7)}}},
	}
}

func TestAPickedTableHasAnotherNameAndItsOwnKeysAlone(t *testing.T) {
	src, err := database.Pick{Filter: database.Filter{Tables: []string{"child"}}, As: "again"}.Of(t.Context(), tree())
	if err != nil {
		t.Fatal(err)
	}
	s, _ := src.Schema(t.Context())
	if len(s.Tables) != 1 || s.Tables[0].Name != "again" {
		t.Fatalf("got tables %v, want again alone", s.Tables)
	}
	table := s.Tables[0]
	if len(table.ForeignKeys) != 1 || table.ForeignKeys[0].RefTable != "again" {
		t.Errorf("got foreign keys %v, want that to itself alone", table.ForeignKeys)
	}
	if len(s.Sequences) != 1 || s.Sequences[0].OwnerTable != "again" {
		t.Errorf("got sequences %v, want its own alone", s.Sequences)
	}
	for _, id := range []database.ObjectID{table.Part("foreign key", "up"), table.Part("trigger", "t")} {
		if !slices.ContainsFunc(s.Objects, func(o *database.Object) bool { return o.ObjectID == id && o.Lost != "" && len(o.DDL) == 0 }) {
			t.Errorf("%s is not listed as lost: %v", id, s.Objects)
		}
	}
	rows := 0
	err = src.Rows(t.Context(), table, func(b *database.Batch) error {
		rows += b.Len()
		return nil
	})
	if err != nil || rows != 1 {
		t.Errorf("got %d rows and %v, want the one of child", rows, err)
	}
}

func TestForeignKeysToOthersAreKeptWhereTheyAreAskedFor(t *testing.T) {
	src, err := database.Pick{Filter: database.Filter{Tables: []string{"child"}}, ForeignKeys: true}.Of(t.Context(), tree())
	if err != nil {
		t.Fatal(err)
	}
	s, _ := src.Schema(t.Context())
	if len(s.Tables[0].ForeignKeys) != 2 {
		t.Errorf("got %d foreign keys, want both", len(s.Tables[0].ForeignKeys))
	}
}

func TestOneNameIsForOneTable(t *testing.T) {
	_, err := database.Pick{As: "again"}.Of(t.Context(), tree())
	if err == nil || !strings.Contains(err.Error(), "2 match") {
		t.Errorf("got %v, want a refusal", err)
	}
}
