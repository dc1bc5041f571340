package daemon

import (
	"context"
	"errors"
	"slices"
	"testing"
)

func TestARepositoryThatFailsKeepsNoOtherFromItsTurn(t *testing.T) {
	bad := errors.New("bad")
	ctx, cancel := context.WithCancel(t.Context())
	var done []string
	err := Each(ctx, []string{"", "a", "b", "c"}, func(name string) error {
		done = append(done, name)
		switch name {
		case "a":
			return bad
		case "b":
			cancel()
		}
		return nil
	})
	if !slices.Equal(done, []string{"", "a", "b"}) || !errors.Is(err, bad) || err.Error() != "repository a: bad" {
		t.Errorf("did %q, %v", done, err)
	}
	if err := Each(t.Context(), []string{""}, func(string) error { return bad }); err.Error() != "bad" {
		t.Errorf("the only repository: %v", err)
	}
}
