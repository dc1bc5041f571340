package convert

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
)

func TestALongRowIsSummedAndConvertedLikeAWholeOne(t *testing.T) {
	long, err := database.ReadLong(t.TempDir(), strings.NewReader("a long text"), 11)
	if err != nil {
		t.Fatal(err)
	}
	b := database.NewBatch()
	b.Int(7)
	b.Long(database.ClassText, long)
	b.Float(0.5)
	b.EndRow()
	whole := database.NewBatch()
	whole.Int(7)
	whole.String("a long text")
	whole.Float(0.5)
	whole.EndRow()
	table := &database.Table{Name: "t", Columns: []*database.Column{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
	upper := &database.Conversion{
		Keeps: func(_ database.Class, piece []byte) bool { return bytes.Equal(piece, bytes.ToUpper(piece)) },
		Cell: func(c database.Cell) (database.Cell, bool, error) {
			return database.Cell{Class: database.ClassText, Bytes: bytes.ToUpper(c.Bytes)}, true, nil
		},
	}
	conv := newConverter(&database.PlannedTable{Source: table, Target: table, Convert: []*database.Conversion{nil, upper, nil}})
	out, err := conv.convert(b)
	if err != nil {
		t.Fatal(err)
	}
	result := conv.result()
	if want := sha256.Sum256(whole.Row(0)); result.Digest != database.Digest(want) || result.Rows != 1 || result.Bytes != int64(whole.Size()) {
		t.Errorf("the source sums up to %+v, want digest %x", result, want)
	}
	cells := make([]database.Cell, 3)
	if err := out.Cells(cells, 0); err != nil || string(cells[1].Bytes) != "A LONG TEXT" || cells[2].Float != 0.5 {
		t.Errorf("converted to %v, %v", cells, err)
	}
}

func TestAForeignKeyToATableThatWasLeftOutIsLeftOutByChoice(t *testing.T) {
	s := &database.Schema{Tables: []*database.Table{{Name: "a"}, {Name: "b", ForeignKeys: []*database.ForeignKey{{Name: "to_a", RefTable: "a"}, {Name: "to_b", RefTable: "b"}}}}}
	database.ApplyFilter(s, database.Filter{Tables: []string{"b"}})
	if len(s.Tables) != 1 || len(s.Tables[0].ForeignKeys) != 1 {
		t.Fatalf("%d tables, the first with %d foreign keys", len(s.Tables), len(s.Tables[0].ForeignKeys))
	}
	r := database.Report{Findings: complete(s, nil)}
	if r.Chosen() != 1 || len(r.Inexact()) != 0 {
		t.Errorf("findings %v", r.Findings)
	}
}

func TestWhatATargetFindsWhileItCreatesDoesNotTakeThePlaceOfWhatThePlanLeavesOut(t *testing.T) {
	s := &database.Schema{Objects: []*database.Object{{ObjectID: database.ObjectID{Kind: "view", Name: "v"}}}}
	planned := make([]database.Finding, 0, 4)
	report := complete(s, planned)
	planned = append(planned, database.Finding{Object: database.ObjectID{Kind: "extension", Name: "e"}, Code: database.CodeRefused})
	if len(planned) != 1 || len(report) != 1 || report[0].Code != database.CodeDropped {
		t.Errorf("the report is %v", report)
	}
}
