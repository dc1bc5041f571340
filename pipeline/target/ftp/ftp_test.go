package ftp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp/ftptest"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/ftp"
)

func each(t *testing.T, run func(t *testing.T, server *ftptest.Server)) {
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) { run(t, d.start(t, ftptest.Options{})) })
	}
}

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
	each(t, func(t *testing.T, server *ftptest.Server) {
		for _, size := range []int{1000, 20 << 20} {
			for _, at := range []int{0, 2, 4, -1} {
				tg := open(t, server.Client(), ftp.Options{Path: server.Path})
				want := content(size)
				err := restore(tg, file("f", size), want, func(piece int) {
					if piece == at {
						server.Kill()
						server.Start(t)
					}
				})
				got, readErr := os.ReadFile(filepath.Join(server.Disk, "f"))
				if err != nil || readErr != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes, server restarted before piece %d: %v; the server has %d bytes, %v", size, at, err, len(got), readErr)
				}
				tg.Close(context.Background())
			}
		}
	})
}

func TestTimesComeBackInEveryDialect(t *testing.T) {
	each(t, func(t *testing.T, server *ftptest.Server) {
		tg := open(t, server.Client(), ftp.Options{Path: server.Path})
		defer tg.Close(context.Background())
		if err := restore(tg, file("f", 10), content(10), func(int) {}); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(filepath.Join(server.Disk, "f"))
		if err != nil || !st.ModTime().Equal(moment) {
			t.Errorf("got %v, %v, want %v", st.ModTime(), err, moment)
		}
	})
}

func TestLeftoversOfAKilledRunAreRemovedByTheNextWalk(t *testing.T) {
	each(t, func(t *testing.T, server *ftptest.Server) {
		killed := open(t, server.Client(), ftp.Options{Path: server.Path})
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
		walk := func(o ftp.Options) {
			next := open(t, server.Client(), o)
			defer next.Close(context.Background())
			err := next.Walk(context.Background(), nil, target.Entries(func(e *entry.Entry) error { return fmt.Errorf("visited %q", e.Path) }))
			if err != nil {
				t.Error(err)
			}
		}
		walk(ftp.Options{Path: server.Path, ReadOnly: true})
		if len(leftovers()) != 1 {
			t.Error("a target to read only has removed something")
		}
		server.Sessions() // the run is dead
		walk(ftp.Options{Path: server.Path})
		if len(leftovers()) != 0 {
			t.Errorf("there are still %q", leftovers())
		}
	})
}

func TestAFullDiskIsToldAndLeavesNothing(t *testing.T) {
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			server := d.start(t, ftptest.Options{Root: ftptest.SmallDisk(t, 4<<20)})
			tg := open(t, server.Client(), ftp.Options{Path: server.Path})
			defer tg.Close(context.Background())
			if err := restore(tg, file("big", 9<<20), content(9<<20), func(int) {}); !errors.Is(err, target.ErrFull) {
				t.Errorf("got %v, want ErrFull", err)
			}
			if all, _ := os.ReadDir(server.Disk); len(all) != 0 {
				t.Errorf("%q is left", all[0].Name())
			}
		})
	}
}

func TestARootThatIsAFileIsRefused(t *testing.T) {
	each(t, func(t *testing.T, server *ftptest.Server) {
		if err := os.WriteFile(filepath.Join(server.Disk, "file"), []byte("mine"), 0o666); err != nil {
			t.Fatal(err)
		}
		for _, root := range []string{"file", "file/below"} {
			tg := open(t, server.Client(), ftp.Options{Path: server.Path + "/" + root})
			defer tg.Close(context.Background())
			err := tg.Make(context.Background(), &entry.Entry{Type: entry.Directory, Mode: 0o755})
			if !errors.Is(err, target.ErrPath) || errors.Is(err, target.ErrUnreachable) {
				t.Errorf("%s: got %v, want ErrPath", root, err)
			}
		}
	})
}

func TestADirectoryThatCannotBeRemovedLeavesTheOneAboveAsItIs(t *testing.T) {
	each(t, func(t *testing.T, server *ftptest.Server) {
		above := filepath.Join(server.Disk, "above")
		if err := errors.Join(os.MkdirAll(filepath.Join(above, "full/x"), 0o777), os.Chmod(above, 0o777)); err != nil {
			t.Fatal(err)
		}
		tg := open(t, server.Client(), ftp.Options{Path: server.Path})
		defer tg.Close(context.Background())
		var failed error
		full := []*entry.Entry{{Path: "above/full", Type: entry.Directory}}
		err := tg.Remove(context.Background(), full, func(_ *entry.Entry, err error) { failed = err })
		if err != nil || !errors.Is(failed, target.ErrNotEmpty) {
			t.Errorf("got %v and %v, want ErrNotEmpty for the directory", err, failed)
		}
		if is, err := os.Stat(above); err != nil || is.Mode().Perm() != 0o777 {
			t.Errorf("the directory above has mode %v, %v", is.Mode(), err)
		}
	})
}

func TestAServerThatIsAwayIsUnreachable(t *testing.T) {
	server := ftptest.Proftpd(t, ftptest.Options{})
	server.Kill()
	err := open(t, server.Client(), ftp.Options{}).Walk(context.Background(), nil, target.Entries(func(*entry.Entry) error { return nil }))
	if !errors.Is(err, target.ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
}

func TestNamesThatCannotBeSentAreUnsupported(t *testing.T) {
	server := ftptest.Proftpd(t, ftptest.Options{})
	tg := open(t, server.Client(), ftp.Options{})
	defer tg.Close(context.Background())
	for _, name := range []string{"a\nDELE b", "a\rb", "a\xffb"} {
		if _, err := tg.Create(context.Background(), file(name, 0)); !errors.Is(err, target.ErrUnsupported) {
			t.Errorf("create %q: got %v, want ErrUnsupported", name, err)
		}
		if err := tg.Make(context.Background(), &entry.Entry{Path: name, Type: entry.Directory}); !errors.Is(err, target.ErrUnsupported) {
			t.Errorf("make %q: got %v, want ErrUnsupported", name, err)
		}
	}
}

func TestNothingLendsTheRightsOfTheWrongOwner(t *testing.T) {
	each(t, func(t *testing.T, server *ftptest.Server) {
		var warned []error
		tg := open(t, server.Client(), ftp.Options{Path: server.Path, Warn: func(_ string, err error) { warned = append(warned, err) }})
		defer tg.Close(context.Background())
		dir := &entry.Entry{Path: "d", Type: entry.Directory, Mode: 0o2755}
		err := errors.Join(tg.Make(t.Context(), dir), tg.Finish(t.Context(), dir))
		for _, name := range []string{"a", "b"} {
			e := file(name, 10)
			e.Mode = 0o6755
			err = errors.Join(err, restore(tg, e, content(10), func(int) {}))
			is := *e
			is.Mode = 0o755
			if !tg.Finished(&is, e) {
				t.Errorf("%s would be restored again", name)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "b", "d"} {
			info, err := os.Stat(filepath.Join(server.Disk, name))
			if err != nil || info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
		told := 0
		for _, err := range warned {
			if strings.Contains(err.Error(), "set-uid and set-gid bits are left off") {
				told++
			}
		}
		if told != 1 {
			t.Errorf("warned %v, want once of the bits", warned)
		}
	})
}
