package rowdiff_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/rowdiff"
)

// state is a database of one table.
func state(keyed bool, rows ...[]any) *databasetest.Source {
	t := &database.Table{Name: "t", Columns: []*database.Column{
		{Name: "id", Type: database.Type{Kind: database.Int, Native: "bigint"}, NotNull: true}, {Name: "text", Type: database.Type{Kind: database.Text, Native: "text"}},
	}}
	if keyed {
		t.PrimaryKey = &database.Key{Columns: []string{"id"}}
		t.Order = []string{"id"}
	}
	s := &databasetest.Source{Model: &database.Schema{Engine: database.Postgres, Tables: []*database.Table{t}}, Data: map[string][][]database.Cell{}}
	for _, row := range rows {
		cells := []database.Cell{databasetest.Int(int64(row[0].(int))), databasetest.Null}
		if text, ok := row[1].(string); ok {
			cells[1] = databasetest.Text(text)
		}
		s.Data["t"] = append(s.Data["t"], cells)
	}
	return s
}

func compare(t *testing.T, before, after database.Source, o rowdiff.Options) (rowdiff.Result, []string) {
	t.Helper()
	var told []string
	results, err := rowdiff.Compare(context.Background(), before, after, o, func(table *rowdiff.Table, c *rowdiff.Change) error {
		cells := c.Before
		if cells == nil {
			cells = c.After
		}
		told = append(told, fmt.Sprintf("%s%d x%d", c.Kind, cells[0].Int, c.Count))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return results[0], told
}

func TestRowsAreComparedByTheirKeyWhateverTheirOrder(t *testing.T) {
	before := state(true, []any{1, "a"}, []any{2, "b"}, []any{3, "c"}, []any{4, nil})
	after := state(true, []any{5, "e"}, []any{4, nil}, []any{3, "C"}, []any{1, "a"})
	result, told := compare(t, before, after, rowdiff.Options{})
	slices.Sort(told)
	if want := []string{"+5 x1", "-2 x1", "M3 x1"}; !slices.Equal(told, want) {
		t.Errorf("got %q, want %q", told, want)
	}
	if result.Added != 1 || result.Removed != 1 || result.Changed != 1 {
		t.Errorf("got %+v, want one of each", result)
	}
}

func TestRowsWithoutAKeyAreCounted(t *testing.T) {
	before := state(false, []any{1, "a"}, []any{1, "a"}, []any{1, "a"}, []any{2, "b"})
	after := state(false, []any{2, "c"}, []any{1, "a"})
	_, told := compare(t, before, after, rowdiff.Options{})
	slices.Sort(told)
	if want := []string{"+2 x1", "-1 x2", "-2 x1"}; !slices.Equal(told, want) {
		t.Errorf("got %q, want %q", told, want)
	}
}

func TestWhatDoesNotFitIntoMemoryIsComparedAllTheSame(t *testing.T) {
	const n = 5000
	var first, second [][]any
	for i := range n {
		first = append(first, []any{i, strings.Repeat("x", i%50)})
		switch {
		case i%7 == 0: // removed
		case i%11 == 0:
			second = append(second, []any{i, "changed"})
		default:
			second = append(second, []any{i, strings.Repeat("x", i%50)})
		}
	}
	slices.Reverse(second)
	small, _ := compare(t, state(true, first...), state(true, second...), rowdiff.Options{Memory: 10 << 10, Aside: t.TempDir()})
	large, _ := compare(t, state(true, first...), state(true, second...), rowdiff.Options{})
	if small.Removed != large.Removed || small.Changed != large.Changed || small.Added != 0 || large.Removed != (n+6)/7 {
		t.Errorf("got %+v with little memory, %+v with much", small, large)
	}
}

func TestAScriptPutsBackWhatIsMissingInOneTransaction(t *testing.T) {
	before := state(true, []any{1, "it's \\ a\nline"}, []any{2, "b"}, []any{3, nil})
	after := state(true, []any{2, "changed"})
	for _, c := range []struct{ engine, want string }{
		{database.Postgres, "INSERT INTO \"t\" (\"id\", \"text\") OVERRIDING SYSTEM VALUE VALUES\n  (1, 'it''s \\ a\nline'),\n  (3, NULL);\nUPDATE \"t\" SET \"text\" = 'b' WHERE \"id\" = 2;\nCOMMIT;\n"},
		{database.MariaDB, "INSERT INTO `t` (`id`, `text`) VALUES\n  (1, CONVERT(x'69742773205c20610a6c696e65' USING utf8mb4)),\n  (3, NULL);\nUPDATE `t` SET `text` = 'b' WHERE `id` = 2;\nCOMMIT;\n"},
		{database.SQLite, "INSERT INTO \"t\" (\"id\", \"text\") VALUES\n  (1, 'it''s \\ a\nline'),\n  (3, NULL);\nUPDATE \"t\" SET \"text\" = 'b' WHERE \"id\" = 2;\nCOMMIT;\n"},
	} {
		var out bytes.Buffer
		schema, _ := before.Schema(t.Context())
		script, err := rowdiff.NewScript(&out, c.engine, schema, true, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rowdiff.Compare(t.Context(), before, after, rowdiff.Options{}, script.Take); err != nil {
			t.Fatal(err)
		}
		if err := script.End(); err != nil {
			t.Fatal(err)
		}
		if err := script.Close(); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.HasSuffix(got, c.want) || !strings.Contains(got, "BEGIN") && !strings.Contains(got, "START TRANSACTION") {
			t.Errorf("%s: got\n%s\nwant it to end in\n%s", c.engine, got, c.want)
		}
		if script.Inserts != 2 || script.Updates != 1 {
			t.Errorf("%s: got %d inserts and %d updates, want 2 and 1", c.engine, script.Inserts, script.Updates)
		}
	}
}

func TestAValueThatHasNoPlaceInAScriptIsAnError(t *testing.T) {
	before := state(true, []any{1, "nul\x00"})
	schema, _ := before.Schema(t.Context())
	script, err := rowdiff.NewScript(&bytes.Buffer{}, database.Postgres, schema, false, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer script.Close()
	_, err = rowdiff.Compare(t.Context(), before, state(true), rowdiff.Options{}, script.Take)
	if !errors.Is(err, database.ErrValue) || !strings.Contains(err.Error(), "column text, row (id=1)") {
		t.Errorf("got %v, want an ErrValue that names the value", err)
	}
}

func TestAListingHoldsTheFirstRowsOfATable(t *testing.T) {
	before, after := state(true, []any{1, "a"}), state(true, []any{1, "A"}, []any{2, "b"}, []any{3, "c"}, []any{4, "d"}, []any{5, "e"}, []any{6, "f"})
	var l rowdiff.Listing
	results, err := rowdiff.Compare(context.Background(), before, after, rowdiff.Options{}, func(table *rowdiff.Table, c *rowdiff.Change) error {
		l.Note(table, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := l.Lines("t")
	if len(lines) != 5 || !slices.Contains(lines, "M (id=1)") {
		t.Errorf("the listing is %q, want five lines, one of them M (id=1)", lines)
	}
	if left := l.Left(results[0]); left != 1 {
		t.Errorf("%d rows have no line, want 1", left)
	}
}

func TestAScriptFileIsReplacedAsAWholeOrStaysAsItWas(t *testing.T) {
	before, after := state(true, []any{1, "a"}, []any{2, "b"}), state(true, []any{1, "a"})
	file := rowdiff.ScriptFile{Path: filepath.Join(t.TempDir(), "put-back.sql")}
	compare := func(take func(*rowdiff.Table, *rowdiff.Change) error) error {
		_, err := rowdiff.Compare(context.Background(), before, after, rowdiff.Options{}, take)
		return err
	}
	if err := file.Write(context.Background(), before, compare); err != nil || file.Inserts != 1 {
		t.Fatalf("the script inserts %d rows, %v; want 1", file.Inserts, err)
	}
	was, err := os.ReadFile(file.Path)
	if err != nil || !strings.Contains(string(was), "INSERT INTO") {
		t.Fatalf("the script is %q, %v", was, err)
	}
	broken := errors.New("broken")
	err = file.Write(context.Background(), before, func(take func(*rowdiff.Table, *rowdiff.Change) error) error {
		return errors.Join(compare(take), broken)
	})
	if now, _ := os.ReadFile(file.Path); !errors.Is(err, broken) || !bytes.Equal(now, was) {
		t.Errorf("after %v the script is %q, want it as it was", err, now)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file.Path), ".packstone-*")); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}
