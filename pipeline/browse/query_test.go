package browse

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

func TestADateIsItsBeginningAsTheFirstAndItsEndAsTheLast(t *testing.T) {
	var q Query
	if err := q.Limit([]string{"f", "dir"}, "2026-11-20", "2026-11-20"); err != nil {
		t.Fatal(err)
	}
	if len(q.Types) != 2 || q.Types[0] != entry.File || q.Types[1] != entry.Directory {
		t.Errorf("types %v", q.Types)
	}
	if d := q.To.Sub(q.From); d < 23*time.Hour || d > 25*time.Hour {
		t.Errorf("from %s to %s", q.From, q.To)
	}
	for flag, err := range map[string]error{
		"--type":   new(Query).Limit([]string{"x"}, "", ""),
		"--oldest": new(Query).Limit(nil, "soon", ""),
		"--newest": new(Query).Limit(nil, "", "soon"),
	} {
		if !errors.Is(err, catalog.ErrMisuse) || !strings.HasPrefix(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
