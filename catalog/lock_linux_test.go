package catalog

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A cache that can't be written to locks nothing, as none does, and stops nobody.
func TestALaneIsTakenWithoutACacheThatCannotBeWritten(t *testing.T) {
	lane := Lane{Writer: "host"}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{"below a file": filepath.Join(file, "cache")}
	readOnly := t.TempDir()
	if err := unix.Mount("none", readOnly, "tmpfs", unix.MS_RDONLY, ""); err == nil {
		t.Cleanup(func() { _ = unix.Unmount(readOnly, unix.MNT_DETACH) })
		dirs["read-only"] = readOnly
	}
	for name, dir := range dirs {
		for range 2 { // which would wait for each other
			lock, err := lockLane(OpenCache(dir), lane)
			if err != nil || lock == nil {
				t.Fatalf("%s: got %v, %v", name, lock, err)
			}
			if err := lock.keep("nonce"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
