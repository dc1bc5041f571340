package databasetest

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// longSource has a table in which blobs and texts are too large to be held, between and after
// others.
func longSource() *Source {
	text := bytes.Repeat([]byte("línea\tuno\n"), database.LongBytes/10)
	blob := bytes.Repeat([]byte("\x00\x01\\\xff\r"), database.LongBytes/4)
	long := &database.Table{
		Name: "long", Order: []string{"id"}, PrimaryKey: &database.Key{Columns: []string{"id"}},
		Columns: []*database.Column{
			{Name: "id", NotNull: true, Type: database.Type{Kind: database.Int, Bits: 32}},
			{Name: "before", Type: database.Type{Kind: database.Bytes}},
			{Name: "body", Type: database.Type{Kind: database.Text}},
			{Name: "name", Type: database.Type{Kind: database.Text, Length: 40}},
			{Name: "data", Type: database.Type{Kind: database.Bytes}},
		},
	}
	row := func(id int64, before, body, name, data database.Cell) []database.Cell {
		return []database.Cell{Int(id), before, body, name, data}
	}
	return &Source{
		Model: &database.Schema{Engine: "memory", Tables: []*database.Table{long}},
		Data: map[string][][]database.Cell{"long": {
			row(1, Null, Text("short"), Text("a"), Null),
			row(2, Blob(string(blob)), Null, Text("b"), Blob("short")),
			row(3, Blob("x"), Text(string(text)), Null, Blob(string(blob))),
			row(4, Null, Null, Null, Null),
		}},
	}
}

// testLong carries long values all the way in files and compares with what is read in memory.
func testLong(t *testing.T, e Engine) {
	url, _ := load(t, e, longSource())
	want := digestsOf(t, e, url)
	aside := database.SourceOptions{Aside: t.TempDir()}
	src := From(t, e.Driver, url, aside)
	if got := Digests(t, src); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read in pieces: %v, want %v", got, want)
	}
	files := WriteStreams(t, src)
	stored, err := rows.Open(files, aside)
	if err != nil {
		t.Fatal(err)
	}
	file := "sqlite:" + t.TempDir() + "/long.sqlite"
	if err := intoAside(t, sqlite.Driver{Portable: true}, file, stored); err != nil {
		t.Fatalf("into a file: %v", err)
	}
	back := e.New(t)
	if err := intoAside(t, e.Driver, back, From(t, sqlite.Driver{}, file, aside)); err != nil {
		t.Fatalf("back from the file: %v", err)
	}
	if got := digestsOf(t, e, back); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("through streams and a file: %v, want %v", got, want)
	}
}

func intoAside(t *testing.T, d database.Driver, url string, src database.Source) error {
	dst, err := d.OpenTarget(context.Background(), Locate(t, url), database.TargetOptions{Aside: t.TempDir()})
	if err != nil {
		return err
	}
	defer dst.Close()
	_, err = convert.Run(context.Background(), src, dst, convert.Options{})
	return err
}
