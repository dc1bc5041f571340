//go:build soak

package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// manyFiles is how many lie on a server: 20,000, or fewer with a stride.
var manyFiles = max(1_000, 20_000/soakStride)

// TestSoakServersWithManyFiles backs up many files over each kind of server, again,
// after a day's change, and while the server is killed, and restores them to another one.
// PACKSTONE_SOAK_FILES names a directory with other files to take.
func TestSoakServersWithManyFiles(t *testing.T) {
	eachServer(t, func(t *testing.T, from, to *fileServer) {
		platformFiles(t, from.disk, manyFiles)
		if given := os.Getenv("PACKSTONE_SOAK_FILES"); given != "" {
			if out, err := exec.Command("cp", "-a", given, from.disk+"/given").CombinedOutput(); err != nil {
				t.Fatalf("copy: %v: %s", err, out)
			}
		}
		from.own(t)
		s := newStation(t, from)
		begun := time.Now()
		s.twoDays(from, countFiles(t, from.disk)-1)
		t.Logf("three backups of %d MiB: %v", bytesIn(t, from.disk)>>20, time.Since(begun).Round(time.Second/10))
		if to == nil {
			return
		}
		begun = time.Now()
		s.toAnother(from, to)
		t.Logf("three restores: %v", time.Since(begun).Round(time.Second/10))
	})
}

func TestSoakServersKilledWithManyFiles(t *testing.T) {
	eachServer(t, func(t *testing.T, from, to *fileServer) {
		platformFiles(t, from.disk, manyFiles)
		from.own(t)
		newStation(t, from).outlive(from, to, int64(manyFiles))
	})
}

func bytesIn(t testing.TB, dir string) (total int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}

func countFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	for _, is := range describeTree(t, dir, false) {
		if strings.HasPrefix(is, "---") {
			n++
		}
	}
	return n
}

// TestSoakMemoryWithManyFilesOnAServer lists ten times as many files and holds the heap against a limit.
func TestSoakMemoryWithManyFilesOnAServer(t *testing.T) {
	for _, kind := range serverKinds[:1] {
		from := kind.start(t)
		for i := range 10 * manyFiles {
			if i%1000 == 0 {
				mustMkdir(t, folderOf(from.disk, i))
			}
			putFile(t, folderOf(from.disk, i)+"/"+string(rune('a'+i%26))+strings.Repeat("x", i%5)+time.Duration(i).String(), []byte{byte(i), byte(i >> 8), byte(i >> 16)}, i%1000)
		}
		from.own(t)
		s := newStation(t, from)
		s.run(0, nil, "backup", "all")
		runtime.GC()
		var most uint64
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse+m.StackInuse)
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		}()
		begun := time.Now()
		s.run(0, nil, "backup", "all")
		close(stop)
		<-done
		t.Logf("%s: %d files listed and found unchanged in %v; heap at most %d MiB", kind.name, 10*manyFiles, time.Since(begun).Round(time.Second/10), most>>20)
		if most > 300<<20 {
			t.Errorf("%s: the heap grew to %d MiB", kind.name, most>>20)
		}
	}
}

func folderOf(disk string, i int) string { return disk + "/d" + time.Duration(i/1000).String() }
