package sftp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp/ftptest"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/sftp"
)

func content(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*29 + i>>10)
	}
	return b
}

var moment = time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)

func file(path string, size int) *entry.Entry {
	return &entry.Entry{Path: path, Type: entry.File, Mode: 0o644, Size: int64(size), ModTime: entry.TimeOf(moment)}
}

// restore writes a file in pieces and calls between before each of them.
func restore(tg target.Target, e *entry.Entry, data []byte, between func(piece int)) error {
	f, err := tg.Create(context.Background(), e)
	if err != nil {
		return err
	}
	defer f.Abort()
	const piece = 4 << 20
	for i := 0; i*piece < len(data); i++ {
		between(i)
		if _, err := f.WriteAt(data[i*piece:min(len(data), (i+1)*piece)], int64(i*piece)); err != nil {
			return err
		}
	}
	between(-1)
	return f.Commit(context.Background())
}

func TestARestoreOutlivesItsServer(t *testing.T) {
	server := sftptest.Start(t, "")
	for _, size := range []int{1000, 20 << 20} {
		for _, at := range []int{0, 2, 4, -1} {
			tg := open(t, server.Client(), sftp.Options{Path: server.Disk})
			want := content(size)
			err := restore(tg, file("f", size), want, func(piece int) {
				if piece == at {
					server.Kill()
					server.Restart(t)
				}
			})
			got, readErr := os.ReadFile(filepath.Join(server.Disk, "f"))
			if err != nil || readErr != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, server restarted before piece %d: %v; the server has %d bytes, %v", size, at, err, len(got), readErr)
			}
			tg.Close(context.Background())
		}
	}
}

func TestLeftoversOfAKilledRunAreRemovedByTheNextWalk(t *testing.T) {
	server := sftptest.Start(t, "")
	killed := open(t, server.Client(), sftp.Options{Path: server.Disk})
	f, err := killed.Create(context.Background(), file("f", 4<<20))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(content(3<<20), 0); err != nil {
		t.Fatal(err)
	}
	leftovers := func() []string { all, _ := filepath.Glob(filepath.Join(server.Disk, ".packstone-*")); return all }
	if len(leftovers()) != 1 {
		t.Fatalf("there are %q, want one temporary file", leftovers())
	}
	walk := func(o sftp.Options) {
		next := open(t, server.Client(), o)
		defer next.Close(context.Background())
		err := next.Walk(context.Background(), nil, target.Entries(func(e *entry.Entry) error { return fmt.Errorf("visited %q", e.Path) }))
		if err != nil {
			t.Error(err)
		}
	}
	walk(sftp.Options{Path: server.Disk, ReadOnly: true})
	if len(leftovers()) != 1 {
		t.Error("a target to read only has removed something")
	}
	server.Sessions() // the run is dead
	walk(sftp.Options{Path: server.Disk})
	if len(leftovers()) != 0 {
		t.Errorf("there are still %q", leftovers())
	}
}

func TestAFullDiskIsToldAndLeavesNothing(t *testing.T) {
	server := sftptest.Start(t, "")
	disk := ftptest.SmallDisk(t, 4<<20)
	tg := open(t, server.Client(), sftp.Options{Path: disk})
	defer tg.Close(context.Background())
	if err := restore(tg, file("big", 9<<20), content(9<<20), func(int) {}); !errors.Is(err, target.ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	if all, _ := os.ReadDir(disk); len(all) != 0 {
		t.Errorf("%q is left", all[0].Name())
	}
}

func TestTimesThatSFTPHasNoBitsForAreToldAndNotSetWrong(t *testing.T) {
	server := sftptest.Start(t, "")
	warned := map[string]string{}
	tg := open(t, server.Client(), sftp.Options{Path: server.Disk, Warn: func(path string, err error) { warned[path] = err.Error() }})
	before := time.Now().Add(-time.Minute)
	for name, seconds := range map[string]int64{"first": 0, "last": 1<<32 - 1, "before": -1, "after": 1 << 32} {
		e := file(name, 1)
		e.ModTime = entry.Time{Seconds: seconds}
		link := &entry.Entry{Path: name + " link", Type: entry.Symlink, Target: name, ModTime: e.ModTime, Known: entry.KnowsModTime}
		e.Known = entry.KnowsModTime
		err := errors.Join(restore(tg, e, content(1), func(int) {}), tg.Make(context.Background(), link))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{e.Path, link.Path} {
			info, err := os.Lstat(filepath.Join(server.Disk, path))
			if err != nil {
				t.Fatal(err)
			}
			fits := seconds >= 0 && seconds < 1<<32
			if told := warned[path] != ""; told == fits || fits && info.ModTime().Unix() != seconds || !fits && info.ModTime().Before(before) {
				t.Errorf("%s of %d: got time %v and the warning %q", path, seconds, info.ModTime(), warned[path])
			}
		}
	}
	if err := tg.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestARootThatIsAFileIsRefused(t *testing.T) {
	server := sftptest.Start(t, "")
	if err := os.WriteFile(filepath.Join(server.Disk, "file"), []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{"file", "file/below"} {
		tg := open(t, server.Client(), sftp.Options{Path: filepath.Join(server.Disk, root)})
		defer tg.Close(context.Background())
		err := tg.Make(context.Background(), &entry.Entry{Type: entry.Directory, Mode: 0o755})
		if !errors.Is(err, target.ErrPath) || errors.Is(err, target.ErrUnreachable) {
			t.Errorf("%s: got %v, want ErrPath", root, err)
		}
	}
}

func TestAServerThatIsAwayIsUnreachable(t *testing.T) {
	server := sftptest.Start(t, "")
	server.Kill()
	err := open(t, server.Client(), sftp.Options{}).Walk(context.Background(), nil, target.Entries(func(*entry.Entry) error { return nil }))
	if !errors.Is(err, target.ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
}

// TestOnlyWhatHasItsOwnerLendsItsRights restores set-uid and set-gid bits to what keeps the owner of
// the login, to what is given away, and to what may not be.
func TestOnlyWhatHasItsOwnerLendsItsRights(t *testing.T) {
	server := sftptest.Start(t, "")
	own := [2]uint32{uint32(os.Getuid()), uint32(os.Getgid())}
	other := [2]uint32{own[0] + 1234, own[1] + 1234}
	for name, test := range map[string]struct {
		owner   [2]uint32
		noOwner bool
		kept    bool
	}{
		"own":          {own, false, true},
		"own-anyway":   {own, true, true},
		"given-away":   {other, false, os.Getuid() == 0},
		"not-given":    {other, true, false},
		"half-of-them": {[2]uint32{own[0], other[1]}, true, false},
	} {
		var warned []error
		tg := open(t, server.Client(), sftp.Options{Path: server.Disk, NoOwner: test.noOwner, Warn: func(_ string, err error) { warned = append(warned, err) }})
		e := file(name, 10)
		e.Mode, e.UID, e.GID = 0o6755, test.owner[0], test.owner[1]
		dir := &entry.Entry{Path: name + "-dir", Type: entry.Directory, Mode: 0o2755, UID: e.UID, GID: e.GID}
		err := errors.Join(restore(tg, e, content(10), func(int) {}), tg.Make(t.Context(), dir), tg.Finish(t.Context(), dir))
		if err != nil {
			t.Fatal(err)
		}
		for path, bits := range map[string]os.FileMode{name: os.ModeSetuid | os.ModeSetgid, name + "-dir": os.ModeSetgid} {
			info, err := os.Stat(filepath.Join(server.Disk, path))
			if err != nil {
				t.Fatal(err)
			}
			want := os.FileMode(0o755)
			if test.kept {
				want |= bits
			}
			if got := info.Mode() &^ os.ModeDir; got != want {
				t.Errorf("%s: mode %v, want %v", path, got, want)
			}
		}
		if (len(warned) > 0) == test.kept {
			t.Errorf("%s: warned %v", name, warned)
		}
		there, err := os.Stat(filepath.Join(server.Disk, name))
		if err != nil {
			t.Fatal(err)
		}
		is := *e
		is.Mode, is.UID, is.GID = uint32(there.Mode().Perm()), own[0], own[1]
		if test.kept && test.owner == own {
			is.Mode = 0o6755
		}
		if (test.noOwner || test.owner == own) && !tg.Finished(&is, e) {
			t.Errorf("%s: it would be restored again", name)
		}
		tg.Close(context.Background())
	}
}
