package platform

import (
	"context"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
)

// named is a server that knows names alone.
type named struct {
	database.Swap
	holds     map[string]bool
	exchanged bool
}

func (n *named) Holds(_ context.Context, name string) (bool, error) { return n.holds[name], nil }
func (n *named) DropSQL(string) string                              { return "" }
func (n *named) Drop(context.Context, string) error                 { return nil }
func (n *named) Exchange(context.Context, string, string) error     { n.exchanged = true; return nil }

// TestAnUndoThatWasCutOffIsDoneOnlyWhenTheOldOneHasItsName is about a crash between the two names
// of a file: the restored one has its second name, and still the first.
func TestAnUndoThatWasCutOffIsDoneOnlyWhenTheOldOneHasItsName(t *testing.T) {
	const undone, before = "db_undone_01234567", "db_before_01234567"
	for _, c := range []struct {
		holds map[string]bool
		want  bool
	}{
		{map[string]bool{"db": true, before: true}, true},
		{map[string]bool{"db": true, before: true, undone: true}, true},
		{map[string]bool{"db": true, undone: true}, false},
		{map[string]bool{"db": true}, true},
		{map[string]bool{undone: true}, false},
	} {
		n := &named{holds: c.holds}
		r := &Restore{Options: Options{Tell: func(string, ...any) {}}, Report: &Report{ID: "01234567"}}
		err := r.exchangeBack(t.Context(), n, &Part{Database: &Swapped{Living: "db"}})
		if err != nil || n.exchanged != c.want {
			t.Errorf("with %v it was exchanged: %t, %v", c.holds, n.exchanged, err)
		}
	}
}
