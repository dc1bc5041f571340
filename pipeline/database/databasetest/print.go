package databasetest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packstone/packstone/pipeline/database"
)

// Golden fails where got is not what a file holds; update writes the file.
func Golden(t testing.TB, path, got string, update bool) {
	t.Helper()
	if update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// Describe prints a schema's objects and findings; end follows a statement.
func Describe(s *database.Schema, end string) string {
	var b strings.Builder
	for _, o := range s.Objects {
		fmt.Fprintf(&b, "-- %s (%s)\n", o.ObjectID, o.Phase)
		for _, sql := range o.DDL {
			fmt.Fprintf(&b, "%s%s\n", sql, end)
		}
		if o.Lost != "" {
			fmt.Fprintf(&b, "-- lost: %s\n", o.Lost)
		}
	}
	for _, f := range s.Findings {
		fmt.Fprintf(&b, "-- %s\n", f)
	}
	return b.String()
}

// Rows reads a table and prints each row, its cells parted by bars.
func Rows(ctx context.Context, r database.Reader, table *database.Table) ([]string, error) {
	var out []string
	cells := make([]database.Cell, len(table.Columns))
	err := r.Rows(ctx, table, func(b *database.Batch) error {
		defer b.Release()
		for i := range b.Len() {
			if err := database.DecodeRow(cells, b.Row(i)); err != nil {
				return err
			}
			parts := make([]string, len(cells))
			for i, c := range cells {
				parts[i] = Show(c)
			}
			out = append(out, strings.Join(parts, "|"))
		}
		return nil
	})
	return out, err
}

// Show prints a cell so that its class can be told.
func Show(c database.Cell) string {
	switch c.Class {
	case database.ClassInt:
		return fmt.Sprint(c.Int)
	case database.ClassFloat:
		return fmt.Sprintf("f%v", c.Float)
	case database.ClassText:
		return "'" + string(c.Bytes) + "'"
	case database.ClassBlob:
		return fmt.Sprintf("x%x", c.Bytes)
	}
	return "null"
}

// WantFindings fails for each object, by its name in print, whose status in the
// report is another.
func WantFindings(t testing.TB, r *database.Report, want map[string]database.Status) {
	t.Helper()
	got := map[string]database.Status{}
	for _, f := range r.Findings {
		got[f.Object.String()] = f.Status
	}
	for object, status := range want {
		if got[object] != status {
			t.Errorf("%s is %q, want %q", object, got[object], status)
		}
	}
}
