package source_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/files"
)

// reader reads each file that a walk finds.
type reader struct {
	ctx context.Context
	src source.Source
}

func (r reader) Visit(e *entry.Entry) error {
	if e.Type != entry.File {
		return nil
	}
	file, err := r.src.Open(r.ctx, e)
	if err != nil {
		return err
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", e.Path, content)
	return file.Finish(e)
}

func (r reader) Problem(path string, err error) { fmt.Println(path, err) }

// Walk tells a visitor each entry in order; Open gives the content of a file.
func ExampleSource() {
	root, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(root)
	for _, name := range []string{"b.txt", "a.txt"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte("I am "+name), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	src, err := files.New(files.Options{Roots: []string{root}})
	if err != nil {
		log.Fatal(err)
	}
	defer src.Close()
	if err := src.Walk(context.Background(), reader{context.Background(), src}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// a.txt: I am a.txt
	// b.txt: I am b.txt
}
