package database

import "context"

// Observer is shown what is read of a database. It changes nothing about that, and cannot fail it.
type Observer interface {
	// Schema is called before any row is read.
	Schema(s *Schema)
	// Table is called each time that a table is read from its first row; several are read at once.
	// What it returns is shown each batch of rows, which it neither keeps nor releases; nil: none.
	Table(t *Table) func(b *Batch)
}

// Observed is a source that shows an observer what it gives.
func Observed(src Source, o Observer) Source {
	if o == nil {
		return src
	}
	return observed{src, o}
}

type observed struct {
	Source
	observer Observer
}

// Schema implements Source.
func (s observed) Schema(ctx context.Context) (*Schema, error) {
	schema, err := s.Source.Schema(ctx)
	if err == nil {
		s.observer.Schema(schema)
	}
	return schema, err
}

// Rows implements Source.
func (s observed) Rows(ctx context.Context, t *Table, send func(*Batch) error) error {
	show := s.observer.Table(t)
	if show == nil {
		return s.Source.Rows(ctx, t, send)
	}
	return s.Source.Rows(ctx, t, func(b *Batch) error {
		show(b)
		return send(b)
	})
}
