package directory

import (
	"os"
	"testing"

	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/targettest"
)

func TestConformance(t *testing.T) {
	root := os.Geteuid() == 0
	var dir string
	targettest.Run(t, func(t *testing.T, fresh bool) target.Target {
		if fresh {
			dir = t.TempDir() + "/root"
		}
		tg, err := New(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return tg
	}, targettest.Keeps{Mode: root, Owner: root, ModTime: 1, Symlinks: true, HardLinks: true, Fifos: true, Devices: root, Directories: true, RawNames: true})
}
