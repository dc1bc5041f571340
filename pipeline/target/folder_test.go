package target_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/remote/ftp/ftptest"
	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/directory"
	ftptarget "github.com/packstone/packstone/pipeline/target/ftp"
	sftptarget "github.com/packstone/packstone/pipeline/target/sftp"
	"github.com/packstone/packstone/pipeline/target/targettest"
)

func TestAFolderIsATarget(t *testing.T) {
	root := os.Geteuid() == 0
	var base string
	targettest.Run(t, func(t *testing.T, fresh bool) target.Target {
		if fresh {
			base = t.TempDir()
		}
		inner, err := directory.New(base, directory.Options{})
		if err != nil {
			t.Fatal(err)
		}
		to, err := target.In(t.Context(), "folder", inner)
		if err != nil {
			t.Fatal(err)
		}
		return to
	}, targettest.Keeps{Mode: root, Owner: root, ModTime: 1, Symlinks: true, HardLinks: true, Fifos: true, Devices: root, Directories: true, RawNames: true})
}

// disks opens targets of which the test sees the disk.
func disks(t *testing.T) map[string]func() (disk string, to target.Target, err error) {
	overSFTP, overFTP := sftptest.Start(t, ""), ftptest.Proftpd(t, ftptest.Options{})
	return map[string]func() (string, target.Target, error){
		"directory": func() (string, target.Target, error) {
			disk := t.TempDir()
			to, err := directory.New(disk, directory.Options{})
			return disk, to, err
		},
		"sftp": func() (string, target.Target, error) {
			server, err := sftp.NewServer(overSFTP.Client())
			if err != nil {
				return "", nil, err
			}
			to, err := sftptarget.New(server, sftptarget.Options{Path: overSFTP.Disk})
			return overSFTP.Disk, to, err
		},
		"ftp": func() (string, target.Target, error) {
			server, err := ftp.NewServer(overFTP.Client())
			if err != nil {
				return "", nil, err
			}
			to, err := ftptarget.New(server, ftptarget.Options{Path: overFTP.Path})
			return overFTP.Disk, to, err
		},
	}
}

// TestAFolderThatIsNoneIsRefused: its name comes from a snapshot, and whoever may write to the
// target could have put a link there.
func TestAFolderThatIsNoneIsRefused(t *testing.T) {
	ctx := context.Background()
	for name, open := range disks(t) {
		t.Run(name, func(t *testing.T) {
			disk, to, err := open()
			if err != nil {
				t.Fatal(err)
			}
			defer to.Close(ctx)
			for _, dir := range []string{"elsewhere", "real"} {
				if err := errors.Join(os.Mkdir(filepath.Join(disk, dir), 0o777), os.Chmod(filepath.Join(disk, dir), 0o777)); err != nil {
					t.Fatal(err)
				}
			}
			err = errors.Join(os.Symlink("elsewhere", filepath.Join(disk, "link")), os.Symlink("nowhere", filepath.Join(disk, "dangling")),
				os.WriteFile(filepath.Join(disk, "file"), []byte("mine"), 0o666))
			if err != nil {
				t.Fatal(err)
			}
			for _, folder := range []string{"link", "dangling", "file", "..", "../elsewhere", "real/..", "/elsewhere", "a//b", "a\x00"} {
				if in, err := target.In(ctx, folder, to); !errors.Is(err, target.ErrPath) {
					t.Errorf("%q: got %v, %v, want ErrPath", folder, in, err)
				}
			}
			for _, folder := range []string{"real", "new"} {
				in, err := target.In(ctx, folder, to)
				if err != nil {
					t.Fatalf("%s: %v", folder, err)
				}
				f, err := in.Create(ctx, &entry.Entry{Path: "f", Type: entry.File, Mode: 0o644, Size: 1})
				if err != nil {
					t.Fatalf("%s: %v", folder, err)
				}
				if _, err := f.WriteAt([]byte("x"), 0); err != nil {
					t.Error(err)
				}
				if err := f.Commit(ctx); err != nil {
					t.Error(err)
				}
				var got []string
				if err := in.Walk(ctx, nil, target.Entries(func(e *entry.Entry) error { got = append(got, e.Path); return nil })); err != nil || !slices.Equal(got, []string{"f"}) {
					t.Errorf("%s: walked %q, %v, want f", folder, got, err)
				}
				if info, err := os.Stat(filepath.Join(disk, folder)); err != nil || folder == "new" && info.Mode().Perm() != 0o755 {
					t.Errorf("%s: got %v, %v, want a directory of mode 755", folder, info.Mode(), err)
				}
				if text, err := os.ReadFile(filepath.Join(disk, folder, "f")); err != nil || string(text) != "x" {
					t.Errorf("%s: got %q, %v", folder, text, err)
				}
			}
			left, err := os.ReadDir(filepath.Join(disk, "elsewhere"))
			if err != nil || len(left) > 0 {
				t.Errorf("behind the link lie %v, %v", left, err)
			}
		})
	}
}

// TestAFolderThatBecomesALinkLeadsNowhere: it is put there after the look at it.
func TestAFolderThatBecomesALinkLeadsNowhere(t *testing.T) {
	ctx := context.Background()
	for name, open := range disks(t) {
		if name == "ftp" {
			continue // which has no way to see it
		}
		t.Run(name, func(t *testing.T) {
			disk, to, err := open()
			if err != nil {
				t.Fatal(err)
			}
			defer to.Close(ctx)
			in, err := target.In(ctx, "folder", to)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Mkdir(filepath.Join(disk, "elsewhere"), 0o777), os.Symlink("elsewhere", filepath.Join(disk, "folder"))); err != nil {
				t.Fatal(err)
			}
			_, createErr := in.Create(ctx, &entry.Entry{Path: "sub/f", Type: entry.File})
			removeErr := in.Remove(ctx, []*entry.Entry{{Path: "f", Type: entry.File}}, func(_ *entry.Entry, err error) { createErr = errors.Join(createErr, err) })
			if createErr == nil {
				t.Error("a file was created behind a link")
			}
			if removeErr != nil {
				t.Error(removeErr)
			}
			if left, err := os.ReadDir(filepath.Join(disk, "elsewhere")); err != nil || len(left) > 0 {
				t.Errorf("behind the link lie %v, %v", left, err)
			}
		})
	}
}
