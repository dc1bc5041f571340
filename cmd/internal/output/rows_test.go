package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestRowsAreLinesOrOneArray(t *testing.T) {
	type row struct {
		Name Name `json:"name"`
	}
	for _, test := range []struct {
		options Options
		rows    []string
		want    string
	}{
		{Options{Quiet: true}, []string{"a", "b"}, "head\na\nb\n"},
		{Options{}, nil, "head\n"},
		{Options{JSON: true}, nil, "[]\n"},
		{Options{JSON: true}, []string{"a", "b\n"}, `[{"name":"a"},{"name":"\"b\\n\""}]` + "\n"},
	} {
		p, stdout, _ := capture(test.options)
		rows := p.Rows()
		if err := rows.Text("head"); err != nil {
			t.Fatal(err)
		}
		for _, name := range test.rows {
			if err := rows.Add(row{Name(name)}, name); err != nil {
				t.Fatal(err)
			}
		}
		if err := rows.Close(); err != nil || stdout.String() != test.want {
			t.Errorf("%+v, %q: got %q, %v, want %q", test.options, test.rows, stdout, err, test.want)
		}
	}
}

func TestALongListIsWrittenAsItGrows(t *testing.T) {
	p, stdout, _ := capture(Options{JSON: true})
	rows := p.Rows()
	for i := range 10000 {
		if err := rows.Add(i, ""); err != nil {
			t.Fatal(err)
		}
	}
	if stdout.Len() == 0 {
		t.Error("nothing is written before the list ends")
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	var numbers []int
	if err := json.Unmarshal(stdout.Bytes(), &numbers); err != nil || len(numbers) != 10000 {
		t.Errorf("got %d rows, %v, want 10000", len(numbers), err)
	}
}

func TestAListThatCannotBeWrittenEndsSoon(t *testing.T) {
	rows := New(Options{Stdout: fullDisk{}, Stderr: new(bytes.Buffer)}).Rows()
	var err error
	for i := 0; i < 10000 && err == nil; i++ {
		err = rows.Add(nil, fmt.Sprint("row ", i))
	}
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("got %v, want that there is no space left", err)
	}
}
