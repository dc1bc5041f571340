package database

import "context"

// Refiller is a Target that puts rows back into tables that are there. It changes and removes none
// of their rows. The order of calls is Stage, Fill and StagedRows for every table, then Missing or
// PutBack for each, and Commit; without Commit the tables are as they were.
type Refiller interface {
	Target
	// Stage makes a table that this session alone sees, with columns of a living one and their types.
	Stage(ctx context.Context, living *Table, columns []*Column) (*Staged, error)
	// Fill loads it, as Load does.
	Fill(ctx context.Context, s *Staged, next func() (*Batch, error)) error
	// StagedRows reads it back, as Rows does.
	StagedRows(ctx context.Context, s *Staged, send func(*Batch) error) error
	// Missing counts the rows of which the living table has none with the same key.
	Missing(ctx context.Context, s *Staged) (int64, error)
	// PutBack inserts these rows and says how many they are. altered is how many of them are not in
	// the living table afterwards as they were put there, since a trigger or a rule changed them.
	PutBack(ctx context.Context, s *Staged, trustCode bool) (put, altered int64, err error)
}

// Staged is a table of a session that holds the rows of a living one as they were.
type Staged struct {
	Living  *Table
	Columns []*Column // those of Living that are filled
	Name    string
}

// Key is what the living table tells rows apart by: its primary key, else a unique key without
// nulls.
func (s *Staged) Key() []string { return s.Living.KeyOrder() }

// Table is what is staged, as a table of that name and schema.
func (s *Staged) Table(schema string) *Table {
	return &Table{Schema: schema, Name: s.Name, Columns: s.Columns}
}

// Names are those of the columns.
func (s *Staged) Names() []string {
	out := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		out[i] = c.Name
	}
	return out
}
