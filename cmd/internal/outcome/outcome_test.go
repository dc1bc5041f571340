package outcome_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/outcome"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/collect"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/target"
)

func TestExitCodesFollowFromSentinels(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		err  error
		want int
	}{
		{"nothing", t.Context(), nil, 0},
		{"anything", t.Context(), errors.New("x"), 1},
		{"usage", t.Context(), exitcode.With(exitcode.Usage, "x"), 2},
		{"wrapped code", t.Context(), fmt.Errorf("y: %w", exitcode.With(4, "x")), 4},
		{"no repository", t.Context(), fmt.Errorf("y: %w", catalog.ErrNoRepository), 10},
		{"identity", t.Context(), fmt.Errorf("y: %w", crypto.ErrWrongIdentity), 12},
		{"damaged", t.Context(), fmt.Errorf("y: %w", crypto.ErrDamaged), 5},
		{"unreachable", t.Context(), fmt.Errorf("y: %w", store.ErrUnreachable), 8},
		{"a source is away", t.Context(), fmt.Errorf("y: %w", source.ErrUnreachable), 8},
		{"a target is away", t.Context(), fmt.Errorf("y: %w", target.ErrUnreachable), 8},
		{"a database is away", t.Context(), fmt.Errorf("y: %w", database.ErrUnreachable), 8},
		{"the time is up while storage is away", t.Context(), fmt.Errorf("%w: %w", store.ErrUnreachable, collect.ErrTimeUp), 3},
		{"denied", t.Context(), fmt.Errorf("y: %w", store.ErrDenied), 1},
		{"the code before the sentinel", t.Context(), exitcode.With(9, "%w", store.ErrUnreachable), 9},
		{"interrupted", cancelled, store.ErrUnreachable, 130},
		{"done in spite of an interruption", cancelled, nil, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := outcome.Code(test.ctx, test.err); got != test.want {
				t.Errorf("%v ends with %d, want %d", test.err, got, test.want)
			}
		})
	}
}
