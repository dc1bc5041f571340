package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/archive/store/s3test"
)

// cacheVerbs are run one after the other, each with the cache that the last one has left.
var cacheVerbs = [][]string{
	{"backup", "DATA"}, {"snapshots"}, {"ls", "latest"}, {"backup", "DATA"}, {"check", "--read-data"}, {"copy", "--from", "REPO", "-r", "MIRROR"}, {"forget", "latest~1"},
	{"prune", "--grace", "0", "--yes", "--dead-after", "0s"}, {"restore", "latest", "--target", "OUT"}, {"find", "f1"}, {"stats"}, {"catalog", "query", "SELECT count(*) FROM snapshots"},
}

// A cache is not needed: with one that is read-only, or has no room, each verb does its work, but for
// one that is about a file in it, and says so.
func TestSoakACacheWithoutRoomOrThatIsReadOnlyStopsNoVerb(t *testing.T) {
	server := s3test.Start(t, s3test.Options{})
	home, small := t.TempDir(), t.TempDir()
	data := filepath.Join(home, "data")
	mustMkdir(t, data)
	for i := range 3 {
		if err := os.WriteFile(filepath.Join(data, fmt.Sprint("f", i)), noise(scarceMega<<20/6, byte(i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sizes := []string{"ro"}
	for kib := 4; kib <= scarceMega<<10; kib = kib*3/2 + 4 {
		sizes = append(sizes, fmt.Sprintf("size=%dk", kib))
	}
	runs := 0
	for n, size := range sizes {
		repository := "minio+" + server.Endpoint + "/" + server.Bucket(t) + "/p"
		words := strings.NewReplacer("DATA", data, "REPO", repository, "MIRROR", filepath.Join(home, fmt.Sprint("mirror", n)), "OUT", filepath.Join(home, fmt.Sprint("out", n)))
		env := []string{"HOME=" + filepath.Join(home, fmt.Sprint("home", n)), "PACKSTONE_REPOSITORY=" + repository, "PACKSTONE_HOST=host", "PACKSTONE_CACHE_DIR=" + small + "/cache",
			"PACKSTONE_S3_ACCESS_KEY=" + server.AccessKey, "PACKSTONE_S3_SECRET_KEY=" + server.SecretKey}
		mountCache(t, small, size)
		for _, verb := range slices.Concat([][]string{{"init"}, {"init", "-r", "MIRROR"}}, cacheVerbs) {
			args := slices.Clone(verb)
			for i := range args {
				args[i] = words.Replace(args[i])
			}
			runs++
			code, stdout, stderr := runWith(t, env, args...)
			if told := args[0] == "catalog" && code == exitFailed && strings.Contains(stderr, "--cache-dir"); code != exitDone && !told {
				t.Errorf("with a cache of %s %v ends with %d\n%s%s", size, args, code, stdout, tail(stderr))
			}
		}
		if got := differences(t, data, filepath.Join(home, fmt.Sprint("out", n))+data, false); len(got) > 0 {
			t.Errorf("with a cache of %s: %s", size, strings.Join(got, "\n"))
		}
		if err := unix.Unmount(small, unix.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("counted: caches of %d sizes, %d runs", len(sizes), runs)
}

// mountCache mounts a file system of a size, or one that is read-only.
func mountCache(t *testing.T, at, size string) {
	t.Helper()
	flags := uintptr(0)
	if size == "ro" {
		flags, size = unix.MS_RDONLY, ""
	}
	if err := unix.Mount("none", at, "tmpfs", flags, size); err != nil {
		t.Skipf("NOT TESTED here: a small file system cannot be mounted: %v", err)
	}
}
