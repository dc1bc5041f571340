package sqlite_test

import (
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// BenchmarkConvert writes a portable file, reads it back and checks it.
func BenchmarkConvert(b *testing.B) {
	table := &database.Table{
		Name: "t", Order: []string{"id"}, PrimaryKey: &database.Key{Columns: []string{"id"}},
		Columns: []*database.Column{
			{Name: "id", NotNull: true, Type: database.Type{Kind: database.Int, Bits: 64}},
			{Name: "name", Type: database.Type{Kind: database.Text}},
			{Name: "price", Type: database.Type{Kind: database.Decimal, Precision: 10, Scale: 2}},
			{Name: "at", Type: database.Type{Kind: database.Timestamp}},
		},
	}
	src := &databasetest.Source{Model: &database.Schema{Engine: "memory", Tables: []*database.Table{table}}, Data: map[string][][]database.Cell{}}
	for i := range 20000 {
		src.Data["t"] = append(src.Data["t"], []database.Cell{
			databasetest.Int(int64(i)), databasetest.Text("a name of a thing"), databasetest.Text("12.50"), databasetest.Text("2026-11-22 01:02:03"),
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		report, err := databasetest.Into(b, sqlite.Driver{}, newFile(b), src, convert.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(report.Tables[0].Bytes)
	}
}
