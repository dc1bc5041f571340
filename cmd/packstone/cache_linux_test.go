package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestACacheThatCannotBeWrittenStopsNoBackup(t *testing.T) {
	home, data := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "f"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"HOME=" + home, "PACKSTONE_REPOSITORY=" + t.TempDir()}
	if code, _, stderr := runWith(t, env, "init"); code != exitDone {
		t.Fatal(stderr)
	}
	full := t.TempDir()
	for name, c := range map[string]struct {
		options string
		fill    bool
	}{"full": {"size=64k", true}, "filled by the backup": {"size=24k", false}, "read only": {"ro", false}} {
		if err := unix.Mount("none", full, "tmpfs", 0, strings.TrimPrefix(c.options, "ro")); err != nil {
			t.Skipf("NOT TESTED here: mount: %v", err)
		}
		if c.fill {
			_ = os.WriteFile(full+"/filler", make([]byte, 1<<20), 0o600) // as much as there is room
		}
		if c.options == "ro" {
			if err := unix.Mount("none", full, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if code, stdout, stderr := runWith(t, env, "backup", "--cache-dir", full+"/cache", data); code != exitDone || !strings.Contains(stdout, "saved") {
				t.Errorf("%s: ended with %d and said %s%s", name, code, stdout, stderr)
			}
		}
		if err := unix.Unmount(full, unix.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, stderr := runWith(t, env, "backup", "--cache-dir", "/dev/null/cache", data); code != exitDone || !strings.Contains(stderr, "/dev/null") {
		t.Errorf("no directory: ended with %d and said %s", code, stderr)
	}
	if code, stdout, stderr := runWith(t, env, "check", "--read-data"); code != exitDone {
		t.Errorf("check: ended with %d and said %s%s", code, stdout, stderr)
	}
}
