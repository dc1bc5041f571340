package directory_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/pipeline/target/directory"
)

// TestASmallFileIsNeverThereInPart looks at files from the moment at which their names are there.
func TestASmallFileIsNeverThereInPart(t *testing.T) {
	root := t.TempDir()
	tg := open(t, root, directory.Options{})
	const files, content = 2000, "all of it"
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range files {
			e := file(fmt.Sprint("f", n), content)
			e.Mode = 0o604
			if err := write(tg, e, content); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for n := range files {
		name := filepath.Join(root, fmt.Sprint("f", n))
		info, err := os.Lstat(name)
		for err != nil {
			select {
			case <-done:
				if info, err = os.Lstat(name); err != nil {
					t.Fatal(err)
				}
			default:
				info, err = os.Lstat(name)
			}
		}
		if info.Size() != int64(len(content)) || info.Mode() != 0o604 || info.ModTime().UnixNano() != 1e18 {
			t.Fatalf("%s is there with %d bytes, %v, %v before it is whole", name, info.Size(), info.Mode(), info.ModTime())
		}
	}
	<-done
}
