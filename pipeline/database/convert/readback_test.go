package convert_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// altering is a target that gives back other rows than it was given.
type altering struct {
	database.Driver
	alter func(b *database.Batch) *database.Batch
}

func (a altering) OpenTarget(ctx context.Context, at database.Location, opts database.TargetOptions) (database.Target, error) {
	to, err := a.Driver.OpenTarget(ctx, at, opts)
	return &alteringTarget{to, a.alter}, err
}

type alteringTarget struct {
	database.Target
	alter func(b *database.Batch) *database.Batch
}

func (a *alteringTarget) Rows(ctx context.Context, t *database.Table, send func(*database.Batch) error) error {
	return a.Target.Rows(ctx, t, func(b *database.Batch) error { return send(a.alter(b)) })
}

func TestACopyThatReadsBackOtherwiseIsRefused(t *testing.T) {
	table := &database.Table{Name: "t", Columns: []*database.Column{{Name: "n", Type: database.Type{Kind: database.Int, Bits: 64}}}}
	src := &databasetest.Source{
		Model: &database.Schema{Engine: "memory", Tables: []*database.Table{table}},
		Data:  map[string][][]database.Cell{"t": {{databasetest.Int(1)}, {databasetest.Int(2)}}},
	}
	for what, alter := range map[string]func(b *database.Batch) *database.Batch{
		"all is lost": func(b *database.Batch) *database.Batch { b.Release(); return database.NewBatch() },
		"a row is another one": func(b *database.Batch) *database.Batch {
			b.Release()
			other := database.NewBatch()
			for _, n := range []int64{1, 3} {
				other.Int(n)
				other.EndRow()
			}
			return other
		},
	} {
		file := "sqlite:" + filepath.Join(t.TempDir(), "copy.sqlite")
		report, err := databasetest.Into(t, altering{sqlite.Driver{}, alter}, file, src, convert.Options{})
		if !errors.Is(err, database.ErrMismatch) {
			t.Errorf("%s: got %v, %+v, want ErrMismatch", what, err, report)
		}
	}
}
