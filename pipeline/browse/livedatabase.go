package browse

import (
	"context"
	"fmt"
	"slices"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/rows"
)

// TableChange is a table that a database has in another way than a snapshot.
type TableChange struct {
	Table     string
	Kind      Kind // Added, Removed or Modified
	Rows, Now int64
}

// Stored is a database of a snapshot, which knows its rows by number and digest.
type Stored interface {
	database.Source
	StoredRows(table string) (rows int64, digest database.Digest, ok bool)
}

// CompareDatabase tells which tables differ from those of a snapshot: by the digest of all their
// rows, which are read of the living database alone.
func CompareDatabase(ctx context.Context, was Stored, now database.Source, each func(TableChange) error) error {
	before, err := was.Schema(ctx)
	if err != nil {
		return fmt.Errorf("read the snapshot's schema: %w", err)
	}
	after, err := now.Schema(ctx)
	if err != nil {
		return fmt.Errorf("read the schema as it is now: %w", err)
	}
	for _, t := range before.Tables {
		c, err := compareTable(ctx, was, now, t, after.FindAlike(before, t))
		if err == nil && c != nil {
			err = each(*c)
		}
		if err != nil {
			return fmt.Errorf("compare table %s: %w", t.ID(), err)
		}
	}
	for _, t := range after.Tables {
		if before.FindAlike(after, t) != nil {
			continue
		}
		sum, err := sumRows(ctx, now, t)
		if err != nil {
			return fmt.Errorf("read table %s: %w", t.ID(), err)
		}
		if err := each(TableChange{Table: t.ID(), Kind: Added, Now: sum.Rows()}); err != nil {
			return err
		}
	}
	return nil
}

// compareTable gives nil where nothing differs.
func compareTable(ctx context.Context, was Stored, now database.Source, t, living *database.Table) (*TableChange, error) {
	rows, digest, ok := was.StoredRows(t.ID())
	if !ok {
		return nil, fmt.Errorf("the snapshot does not say how many rows it has")
	}
	if living == nil {
		return &TableChange{Table: t.ID(), Kind: Removed, Rows: rows}, nil
	}
	sum, err := sumRows(ctx, now, living)
	if err != nil {
		return nil, err
	}
	if sum.Digest() == digest && sum.Rows() == rows && slices.EqualFunc(t.Columns, living.Columns, sameColumn) {
		return nil, nil
	}
	return &TableChange{Table: t.ID(), Kind: Modified, Rows: rows, Now: sum.Rows()}, nil
}

func sameColumn(a, b *database.Column) bool {
	return a.Name == b.Name && a.Type.Native == b.Type.Native
}

func sumRows(ctx context.Context, src database.Source, t *database.Table) (sum database.Summer, err error) {
	err = src.Rows(ctx, t, func(b *database.Batch) error {
		defer b.Release()
		return sum.Add(b)
	})
	return sum, err
}

// Database opens the rows of a database in a snapshot. It need not be closed.
func (b *Browser) Database(ctx context.Context, s *catalog.Snapshot, source *catalog.SourceState, o database.SourceOptions) (Stored, error) {
	t, err := b.Tree(s, source)
	if err != nil {
		return nil, err
	}
	fetcher, err := b.Fetcher(s)
	if err != nil {
		return nil, err
	}
	src, err := rows.Open(fetcher.Files(ctx, t), o)
	if err != nil {
		return nil, err
	}
	return src.(Stored), nil
}
