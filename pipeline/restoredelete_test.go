package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/fetch"
	remoteftp "github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/remote/ftp/ftptest"
	"github.com/packstone/packstone/pipeline/remote/s3"
	"github.com/packstone/packstone/pipeline/remote/s3/s3test"
	remotesftp "github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/directory"
	"github.com/packstone/packstone/pipeline/target/ftp"
	"github.com/packstone/packstone/pipeline/target/lake"
	"github.com/packstone/packstone/pipeline/target/sftp"
)

// places opens each kind of target, always on the same place.
func places(t *testing.T) map[string]func() target.Target {
	root, overSFTP, overFTP, inMemory := t.TempDir(), sftptest.Start(t, ""), ftptest.Proftpd(t, ftptest.Options{}), s3test.Start(t)
	opened := func(to target.Target, err error) target.Target {
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	return map[string]func() target.Target{
		"directory": func() target.Target { return opened(directory.New(root, directory.Options{NoOwner: true})) },
		"sftp": func() target.Target {
			server, err := remotesftp.NewServer(overSFTP.Client())
			if err != nil {
				t.Fatal(err)
			}
			return opened(sftp.New(server, sftp.Options{Path: filepath.Join(overSFTP.Disk, "place"), NoOwner: true}))
		},
		"ftp": func() target.Target {
			server, err := remoteftp.NewServer(overFTP.Client())
			if err != nil {
				t.Fatal(err)
			}
			return opened(ftp.New(server, ftp.Options{Path: remoteftp.Join(overFTP.Path, "place")}))
		},
		"bucket": func() target.Target {
			at, err := bucket.Parse(inMemory.Address() + "/place")
			if err != nil {
				t.Fatal(err)
			}
			client, err := bucket.Open(t.Context(), at, bucket.Options{AccessKey: s3test.AccessKey, SecretKey: s3test.SecretKey})
			if err != nil {
				t.Fatal(err)
			}
			return lake.New(s3.New(client, s3.Options{}), lake.Options{Times: true})
		},
	}
}

// puts writes files, with the directories above them.
func puts(t *testing.T, to target.Target, files map[string]string) {
	t.Helper()
	ctx, made := t.Context(), map[string]bool{}
	for path, content := range files {
		for i := range len(path) {
			if dir := path[:i]; (i == 0 || path[i] == '/') && !made[dir] {
				made[dir] = true
				if err := to.Make(ctx, &entry.Entry{Path: dir, Type: entry.Directory, Mode: 0o755}); err != nil {
					t.Fatalf("make %q: %v", dir, err)
				}
			}
		}
		f, err := to.Create(ctx, &entry.Entry{Path: path, Type: entry.File, Mode: 0o644, Size: int64(len(content)), ModTime: entry.NanoTime(1e18)})
		if err != nil {
			t.Fatalf("create %q: %v", path, err)
		}
		if _, err := f.WriteAt([]byte(content), 0); err != nil {
			t.Fatalf("write %q: %v", path, err)
		}
		if err := f.Commit(ctx); err != nil {
			t.Fatalf("commit %q: %v", path, err)
		}
	}
}

// filesIn lists the files of a target.
func filesIn(t *testing.T, to target.Target) (paths []string) {
	t.Helper()
	err := to.Walk(t.Context(), nil, target.Entries(func(e *entry.Entry) error {
		if e.Type != entry.Directory {
			paths = append(paths, e.Path)
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// pathsSource is a backup of home/docs and home/one in which some things are unknown.
func pathsSource() *fakeSource {
	s := newSource()
	for _, dir := range []string{"", "home", "home/docs", "home/docs/closed", "home/docs/sub"} {
		s.add(dir, nil).Type = entry.Directory
		s.files[dir].Mode = 0o755
	}
	s.add("home/docs/keep", []byte("keep"))
	s.add("home/docs/sub/f", []byte("f"))
	s.add("home/one", []byte("one"))
	s.left = map[string]entry.Reason{
		"home/docs/closed": entry.Unreadable, "home/docs/excluded": entry.Excluded, "home/docs/sub/lost": entry.Unreadable, "home/docs/zz": entry.Excluded,
	}
	return s
}

var pathRoots = []string{"home/docs", "home/one"}

// known opens a snapshot's source for a restore with Delete.
func (w *world) known(s *catalog.Snapshot) (*tree.Tree, *fetch.Fetcher) {
	w.t.Helper()
	fetcher, err := fetch.New(w.reader(), s.Domain, fetch.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	return tree.Open(s.Sources[0].Root, fetcher.Pages(), tree.OpenOptions{Marks: true}), fetcher
}

func TestDeleteRemovesWhatWasAbsentAndNothingElse(t *testing.T) {
	w := newWorld(t)
	snapshot := w.mustBackup(pathsSource())
	format, err := w.store.Get(t.Context(), archive.FormatObject, 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	gone := []string{"home/docs/extra", "home/docs/extradir/deep/x", "home/docs/sub/g", "home/docs/subX"}
	stays := []string{
		"etc/x", "home/foreign", "home/other/x", "home/oneX", "home/docsX", "top", // beside the way
		"home/docs/closed/secret", "home/docs/closed/deep/secret", "home/docs/excluded", "home/docs/sub/lost", "home/docs/zz/in", // unknown
		"home/docs/repo/aaa", "home/docs/repo/config/1", "home/docs/repo/packs/aa/x", "home/docs/repo/zzz", // beside a repository's first file
		"home/docs/sub/extra/repo/zzz",
		"home/was", // backed up by its own name, and not there then
	}
	for name, open := range places(t) {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"home/docs/repo/" + archive.FormatObject: string(format), "home/docs/sub/extra/repo/" + archive.FormatObject: string(format)}
			for _, path := range slices.Concat(gone, stays) {
				files[path] = path
			}
			to := open()
			defer to.Close(context.Background())
			puts(t, to, files)
			all, fetcher := w.known(snapshot)
			var problems []string
			o := restore.Options{
				Delete: true, Roots: append(slices.Clone(pathRoots), "home/was"), Overwrite: restore.OverwriteIfChanged,
				Problem: func(path string, err error) { problems = append(problems, fmt.Sprintf("%s: %v", path, err)) },
			}
			o.DryRun = true
			planned, err := restore.New(all, fetcher, to, o).Run(t.Context())
			if got := len(filesIn(t, to)); err != nil || got != len(files) {
				t.Errorf("a dry run left %d of %d files: %v", got, len(files), err)
			}
			o.DryRun = false
			restored := restore.New(all, fetcher, to, o)
			surplus, err := restored.Survey(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			result, err := restored.Run(t.Context())
			if err != nil || len(problems) > 0 || planned.Deleted != result.Deleted || surplus.Entries != result.Deleted {
				t.Errorf("got %v, problems %q, %d deleted, planned were %d, and asked about %d", err, problems, result.Deleted, planned.Deleted, surplus.Entries)
			}
			want := slices.Concat(stays, []string{"home/docs/keep", "home/docs/sub/f", "home/one", "home/docs/repo/" + archive.FormatObject, "home/docs/sub/extra/repo/" + archive.FormatObject})
			slices.SortFunc(want, entry.ComparePaths)
			if got := filesIn(t, to); !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
			again, err := restore.New(all, fetcher, to, o).Run(t.Context())
			if err != nil || again.Deleted+again.Restored+again.Failed > 0 {
				t.Errorf("a second time: %+v, %v", again, err)
			}
		})
	}
	w.check()
}

func TestADirectoryIsReplacedOnlyWhereNothingInItStays(t *testing.T) {
	w := newWorld(t)
	s := newSource()
	s.add("", nil).Type = entry.Directory
	s.files[""].Mode = 0o755
	s.add("file", []byte("file"))
	snapshot := w.mustBackup(s)
	for name, open := range places(t) {
		if name == "bucket" {
			continue // which has no directories
		}
		t.Run(name, func(t *testing.T) {
			to := open()
			defer to.Close(context.Background())
			puts(t, to, map[string]string{"file/mine": "mine", "file/deep/mine": "mine"})
			var problem error
			o := restore.Options{Problem: func(path string, err error) { problem = err }}
			for _, overwrite := range []restore.Overwrite{restore.OverwriteAlways, restore.OverwriteIfChanged, restore.OverwriteNever, restore.OverwriteIfNewer} {
				for _, dry := range []bool{true, false} {
					problem, o.Overwrite, o.DryRun = nil, overwrite, dry
					all, fetcher := w.known(snapshot)
					result, err := restore.New(all, fetcher, to, o).Run(t.Context())
					kept := overwrite == restore.OverwriteNever || overwrite == restore.OverwriteIfNewer // it is newer
					if err != nil || !kept && !errors.Is(problem, target.ErrNotEmpty) || kept && (problem != nil || result.Kept == 0) {
						t.Errorf("overwrite %d, dry %v: got %+v, %v, %v", overwrite, dry, result, err, problem)
					}
				}
			}
			if got := filesIn(t, to); !slices.Equal(got, []string{"file/deep/mine", "file/mine"}) {
				t.Errorf("got %q", got)
			}
			problem, o.Overwrite, o.Delete, o.Unknown = nil, restore.OverwriteAlways, true, []string{"file/deep"}
			all, fetcher := w.known(snapshot)
			if _, err := restore.New(all, fetcher, to, o).Run(t.Context()); err != nil || !errors.Is(problem, target.ErrNotEmpty) {
				t.Errorf("where something in it stays: got %v, %v", err, problem)
			}
			problem, o.Unknown = nil, nil
			all, fetcher = w.known(snapshot)
			if _, err := restore.New(all, fetcher, to, o).Run(t.Context()); err != nil || problem != nil {
				t.Errorf("got %v, %v", err, problem)
			}
			if got := filesIn(t, to); !slices.Equal(got, []string{"file"}) {
				t.Errorf("got %q, want the file", got)
			}
		})
	}
	w.check()
}

func TestMoreRemovalsThanAreRememberedAreFoundOnceMore(t *testing.T) {
	w := newWorld(t)
	s := newSource()
	s.add("", nil).Type = entry.Directory
	s.add("keep", []byte("keep"))
	snapshot := w.mustBackup(s)
	to := newTarget()
	for i := range 40_000 {
		path := fmt.Sprintf("d/%05d", i)
		to.files[path] = &fakeFile{Entry: entry.Entry{Path: path, Type: entry.File}}
	}
	all, fetcher := w.known(snapshot)
	restored := restore.New(all, fetcher, to, restore.Options{Delete: true})
	surplus, err := restored.Survey(t.Context())
	if err != nil || surplus.Entries != 40_000 || surplus.Of != 40_000 || surplus.Doubt() == "" {
		t.Errorf("surveyed %+v, %v, want 40000 of 40000", surplus, err)
	}
	if len(to.files) != 40_000 {
		t.Error("a survey has removed something")
	}
	result, err := restored.Run(t.Context())
	if err != nil || result.Deleted != 40_000 || len(to.files) != 1 || to.files["keep"] == nil {
		t.Errorf("got %+v, %v, and %d files are left", result, err, len(to.files))
	}
	w.check()
}

func TestDoubt(t *testing.T) {
	for _, c := range []struct {
		surplus restore.Surplus
		want    bool
	}{
		{restore.Surplus{}, false},
		{restore.Surplus{Entries: 100, Of: 100}, false},
		{restore.Surplus{Entries: 101, Of: 202}, false},
		{restore.Surplus{Entries: 101, Of: 201}, true},
		{restore.Surplus{Entries: 102, Of: 203}, true},
		{restore.Surplus{Entries: 1, Of: 1000, Mounts: []string{"m"}}, true},
	} {
		if got := c.surplus.Doubt() != ""; got != c.want {
			t.Errorf("%+v: asks %v, want %v", c.surplus, got, c.want)
		}
	}
}

// mountedWorld is a snapshot, and a directory in which it came back.
func mountedWorld(t *testing.T) (w *world, snapshot *catalog.Snapshot, root string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount")
	}
	w, root = newWorld(t), t.TempDir()
	s := newSource()
	for _, dir := range []string{"", "d", "d/sub"} {
		s.add(dir, nil).Type = entry.Directory
		s.files[dir].Mode, s.files[dir].Device, s.files[dir].Inode = 0o755, 7, 6
	}
	s.add("d/sub/f", []byte("f"))
	snapshot = w.mustBackup(s)
	return w, snapshot, root
}

// mountAt mounts a file system on a directory until the test ends.
func mountAt(t *testing.T, at, from string) {
	t.Helper()
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	kind, flags := "tmpfs", uintptr(0)
	if from != "" {
		kind, flags = "", unix.MS_BIND
	} else {
		from = "none"
	}
	if err := unix.Mount(from, at, kind, flags, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsMountedIsAskedAboutAndAMountPointStays(t *testing.T) {
	for _, c := range []struct {
		name, at string
		bind     bool
		known    bool // the snapshot has seen a mount there
		mounts   []string
	}{
		{"where the snapshot has nothing", "d/disk", false, false, []string{"d/disk"}},
		{"bound where the snapshot has nothing", "d/disk", true, false, []string{"d/disk"}},
		{"where the snapshot has a directory", "d/sub", false, false, []string{"d/sub"}},
		{"bound where the snapshot has a directory", "d/sub", true, false, []string{"d/sub"}},
		{"where the snapshot has a mount", "d/sub", false, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, snapshot, root := mountedWorld(t)
			if c.known {
				s := newSource()
				for dir, device := range map[string]uint64{"": 7, "d": 7, "d/sub": 8} {
					s.add(dir, nil).Type = entry.Directory
					s.files[dir].Mode, s.files[dir].Device, s.files[dir].Inode = 0o755, device, 5
				}
				s.add("d/sub/f", []byte("f"))
				snapshot = w.mustBackup(s)
			}
			from := ""
			if c.bind {
				from = t.TempDir()
			}
			mountAt(t, filepath.Join(root, c.at), from)
			for _, name := range []string{"mine", "deep/mine"} {
				name = filepath.Join(root, c.at, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, nil, 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			to, err := directory.New(root, directory.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer to.Close(context.Background())
			var problems []string
			all, fetcher := w.known(snapshot)
			restored := restore.New(all, fetcher, to, restore.Options{
				Delete: true, Problem: func(path string, err error) { problems = append(problems, fmt.Sprintf("%s: %v", path, err)) },
			})
			surplus, err := restored.Survey(t.Context())
			if err != nil || !slices.Equal(surplus.Mounts, c.mounts) {
				t.Errorf("surveyed %+v, %v, want the mounts %q", surplus, err, c.mounts)
			}
			result, err := restored.Run(t.Context())
			left, _ := filepath.Glob(filepath.Join(root, c.at, "*mine"))
			if err != nil || len(left) > 0 {
				t.Errorf("got %+v, %v, %q is left", result, err, left)
			}
			stays := c.at == "d/disk"
			if stays != (len(problems) == 1 && strings.Contains(problems[0], "d/disk: remove: a file system is mounted there")) || !stays && len(problems) > 0 {
				t.Errorf("problems %q, want that of a mount point: %v", problems, stays)
			}
			w.check()
		})
	}
}

func TestWhatIsMountedOnAFileStays(t *testing.T) {
	w, snapshot, root := mountedWorld(t)
	over := filepath.Join(t.TempDir(), "over")
	at := filepath.Join(root, "d/extra")
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, nil, 0o644), os.WriteFile(over, []byte("foreign"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(over, at, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(at, unix.MNT_DETACH)
	to, err := directory.New(root, directory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close(context.Background())
	all, fetcher := w.known(snapshot)
	restored := restore.New(all, fetcher, to, restore.Options{Delete: true})
	if surplus, err := restored.Survey(t.Context()); err != nil || !slices.Equal(surplus.Mounts, []string{"d/extra"}) {
		t.Errorf("surveyed %+v, %v, want the mount d/extra", surplus, err)
	}
	if result, err := restored.Run(t.Context()); err != nil || result.Failed != 1 {
		t.Errorf("got %+v, %v, want that one mount point stays", result, err)
	}
	if content, err := os.ReadFile(over); err != nil || string(content) != "foreign" {
		t.Errorf("what is mounted: got %q, %v", content, err)
	}
	w.check()
}

func TestOwnFilesAreNeitherChangedNorRemoved(t *testing.T) {
	w := newWorld(t)
	s := newSource()
	for _, dir := range []string{"", "d", "d/cache"} {
		s.add(dir, nil).Type = entry.Directory
		s.files[dir].Mode = 0o755
	}
	s.add("d/cache/row", []byte("theirs"))
	s.add("d/key", []byte("theirs"))
	snapshot := w.mustBackup(s)
	root := t.TempDir()
	for _, name := range []string{"d/cache/row", "d/cache/more", "d/key", "d/extra", "d/new/key"} {
		name = filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte("ours"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(root, root+"-link"); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(root + "-link")
	to, err := directory.New(root, directory.Options{Own: map[string]string{
		root + "-link/d/cache": "packstone's cache", root + "/d/key": "an identity", root + "/d/new/key": "an identity", root + "/none": "nothing",
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close(context.Background())
	problems := map[string]string{}
	all, fetcher := w.known(snapshot)
	_, err = restore.New(all, fetcher, to, restore.Options{
		Delete: true, Problem: func(path string, err error) { problems[path] = err.Error() },
	}).Run(t.Context())
	if err != nil || len(problems) != 2 || !strings.Contains(problems["d/cache"], "left as it is: it is packstone's cache") || !strings.Contains(problems["d/key"], "an identity") {
		t.Errorf("got %v, problems %q", err, problems)
	}
	for name, want := range map[string]bool{"d/cache/row": true, "d/cache/more": true, "d/key": true, "d/new/key": true, "d/extra": false} {
		content, err := os.ReadFile(filepath.Join(root, name))
		if got := err == nil && string(content) == "ours"; got != want {
			t.Errorf("%s is there as it was: %v, want %v", name, got, want)
		}
	}
	w.check()
}
