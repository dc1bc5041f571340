package output

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestAnAnswerIsATableOrAnArray(t *testing.T) {
	failed := errors.New("no such column")
	query := func(err error) func(head func([]string) error, row func([]any) error) error {
		return func(head func([]string) error, row func([]any) error) error {
			columns, values := []string{"name", "size"}, make([]any, 2)
			if err := head(columns); err != nil {
				return err
			}
			for i, name := range []string{"a\x1b", "b"} {
				values[0], values[1] = name, []any{int64(3), nil}[i] // which row may use again
				if err := row(values); err != nil {
					return err
				}
			}
			columns[0], values[0] = "other", "c"
			return err
		}
	}
	for _, test := range []struct {
		json bool
		want []string
	}{
		{false, []string{"name", "size", "b", "-", "2 rows"}},
		{true, []string{`[{"name":"`, `"size":3},{"name":"b","size":null}]`}},
	} {
		var out bytes.Buffer
		if err := Answer(New(Options{Stdout: &out, Stderr: &out, JSON: test.json}), query(nil)); err != nil {
			t.Fatal(err)
		}
		for _, part := range test.want {
			if !strings.Contains(out.String(), part) {
				t.Errorf("JSON %v: %q lacks %q", test.json, out.String(), part)
			}
		}
		if strings.Contains(out.String(), "other") || strings.Contains(out.String(), "\x1b") {
			t.Errorf("JSON %v: %q", test.json, out.String())
		}
		if err := Answer(New(Options{Stdout: &out, Stderr: &out, JSON: test.json}), query(failed)); !errors.Is(err, failed) {
			t.Errorf("JSON %v: a failure is %v", test.json, err)
		}
	}
}
