package message

import (
	"testing"
	"time"

	"github.com/packstone/packstone/cmd/internal/output"
)

func TestEntriesAreSortedByWhatIsAskedFor(t *testing.T) {
	at := func(s int64) output.Moment { return output.Moment(time.Unix(s, 0)) }
	rows := []Entry{{Name: "b.txt", Size: 1, ModTime: at(2)}, {Name: "a.zip", Size: 3, ModTime: at(1)}, {Name: "c.txt", Size: 2, ModTime: at(3)}}
	for _, test := range []struct {
		by      string
		reverse bool
		want    string
	}{
		{"", false, "b.txt a.zip c.txt "},
		{"", true, "c.txt a.zip b.txt "},
		{"name", false, "a.zip b.txt c.txt "},
		{"size", false, "a.zip c.txt b.txt "},
		{"time", false, "c.txt b.txt a.zip "},
		{"extension", false, "b.txt c.txt a.zip "},
		{"extension", true, "a.zip c.txt b.txt "},
	} {
		sorted, got := append([]Entry(nil), rows...), ""
		SortEntries(sorted, test.by, test.reverse)
		for _, row := range sorted {
			got += string(row.Name) + " "
		}
		if got != test.want || CanSort(test.by) != (test.by != "") {
			t.Errorf("by %q, reversed %v: got %s, want %s", test.by, test.reverse, got, test.want)
		}
	}
}
