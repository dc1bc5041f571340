package meter

import (
	"reflect"
	"testing"

	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database/convert"
)

func TestRowsAreCountedInWords(t *testing.T) {
	var m Rows
	m.Take(convert.Progress{Stage: convert.Copying, Table: "orders", Rows: 2, Bytes: 10, TotalBytes: -1})
	want := output.Counts{BytesDone: 10, Current: []string{string(convert.Copying) + " 2 rows of orders"}}
	if got := m.Counts(); !reflect.DeepEqual(got, want) {
		t.Errorf("the counts are %+v, want %+v", got, want)
	}
}

func TestWithoutTotalsWhatIsDoneStays(t *testing.T) {
	counts := func() output.Counts { return output.Counts{FilesDone: 1, TotalFiles: 2, BytesDone: 3, TotalBytes: 4} }
	if got, want := WithoutTotals(counts)(), (output.Counts{FilesDone: 1, BytesDone: 3}); !reflect.DeepEqual(got, want) {
		t.Errorf("the counts are %+v, want %+v", got, want)
	}
}
