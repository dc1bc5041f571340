package command_test

import (
	"testing"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/target/command"
)

func BenchmarkHandOver(b *testing.B) {
	tg, err := command.New(command.Options{Command: []string{"sh", "-c", "cat >/dev/null"}})
	if err != nil {
		b.Fatal(err)
	}
	const pieces = 256
	piece := make([]byte, 1<<20)
	b.SetBytes(pieces << 20)
	b.ReportAllocs()
	for b.Loop() {
		f, err := tg.Create(ctx, &entry.Entry{Path: "dump", Type: entry.File, Size: pieces << 20})
		if err != nil {
			b.Fatal(err)
		}
		for i := range int64(pieces) {
			if _, err := f.WriteAt(piece, i<<20); err != nil {
				b.Fatal(err)
			}
		}
		if err := f.Commit(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
