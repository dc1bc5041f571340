package command_test

import (
	"context"
	"io"
	"testing"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/source/command"
)

func BenchmarkReadOutput(b *testing.B) {
	s, err := command.New(command.Options{Name: "dump", Command: []string{"head", "-c", "268435456", "/dev/zero"}})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(256 << 20)
	b.ReportAllocs()
	buffer := make([]byte, 1<<20)
	for b.Loop() {
		e := &entry.Entry{Path: "dump", Type: entry.File}
		f, err := s.Open(context.Background(), e)
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = f.Read(buffer)
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		if err := f.Finish(e); err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}
