package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// On a disk without any room left forget and prune go on: they have kept what they need, and what
// they delete makes room for backups.
func TestAFullDiskIsPruned(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, 0) })
	project := t.TempDir()
	env := []string{"HOME=" + t.TempDir(), "PACKSTONE_REPOSITORY=" + filepath.Join(disk, "repository"), "PACKSTONE_HOST=here"}
	must := func(want int, args ...string) string {
		t.Helper()
		code, stdout, stderr := runWith(t, env, args...)
		if code != want {
			t.Fatalf("%v ends with %d, want %d\n%s%s", args, code, want, stdout, stderr)
		}
		return stdout + stderr
	}
	backup := func(want int, version byte) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(project, "file"), noise(3<<20, version), 0o600); err != nil {
			t.Fatal(err)
		}
		return must(want, "backup", project)
	}
	must(0, "init")
	for version := range byte(4) {
		backup(0, version)
	}
	fill(t, filepath.Join(disk, "filler"))
	if out := backup(1, 9); !strings.Contains(out, "no space left") {
		t.Errorf("a backup to a full disk says %s", out)
	}
	fill(t, filepath.Join(disk, "more")) // what the backup gave back when it failed
	if out := must(0, "forget", "--keep-last", "1", "--prune", "--grace", "0", "--yes"); strings.Contains(out, "deleted 0 packs") || !strings.Contains(out, "deleted ") {
		t.Errorf("on a full disk: %s", out)
	}
	must(0, "check", "--read-data")
	backup(0, 9)
	fill(t, filepath.Join(disk, "again")) // the room is kept again
	must(0, "forget", "--keep-last", "1", "--prune", "--grace", "0", "--yes")
	must(0, "check", "--read-data")
}

// noise does not compress.
func noise(n int, seed byte) []byte {
	out := make([]byte, n)
	x := uint64(seed) + 88172645463325252
	for i := range out {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		out[i] = byte(x)
	}
	return out
}

// fill writes to a file until there is no room for a byte more.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil && errors.Is(err, syscall.ENOSPC) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, zeros{}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
