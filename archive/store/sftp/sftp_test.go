package sftp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/sftp"
	"github.com/packstone/packstone/archive/store/storetest"
	remote "github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
)

// sessions connects to a server, as storage does.
func sessions(t testing.TB, o remote.Options) remote.Sessions {
	t.Helper()
	o.Connections, o.Patience = 4, time.Millisecond
	s, err := remote.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.Sessions()
}

// open opens a store in a directory of a server.
func open(t testing.TB, server *sftptest.Server, dir string) *sftp.Store {
	t.Helper()
	return sftp.New(sessions(t, server.Client()), sftp.Options{Directory: dir, Location: "sftp://host" + dir, Create: true})
}

func put(s store.Store, name string, data []byte) error {
	return s.Put(context.Background(), name, data, sha256.Sum256(data))
}

// temporary lists what is in the store's tmp, when all that is tidied is gone.
func temporary(t *testing.T, s store.Store, dir string) []string {
	t.Helper()
	if err := s.Sync(context.Background()); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "tmp", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func TestStoreHoldsTheContract(t *testing.T) {
	server := sftptest.Start(t, "")
	var n atomic.Int32
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, server, fmt.Sprintf("%s/repository-%d/deep", server.Disk, n.Add(1)))
	})
}

func TestAStoreBelowWhereALoginBegins(t *testing.T) {
	server := sftptest.Start(t, "")
	home, err := os.UserHomeDir()
	if err != nil {
		t.Skip(err)
	}
	below, err := filepath.Rel(home, server.Disk)
	if err != nil {
		t.Fatal(err)
	}
	s := sftp.New(sessions(t, server.Client()), sftp.Options{Directory: below + "/x", Location: "sftp://host/~/x", Create: true})
	if err := put(s, "packs/ab/c", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(server.Disk + "/x/packs/ab/c"); err != nil || string(got) != "x" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAStoreThatIsGoneNeitherLooksEmptyNorComesBack(t *testing.T) {
	server := sftptest.Start(t, "")
	s := sftp.New(sessions(t, server.Client()), sftp.Options{Directory: server.Disk + "/gone", Location: "sftp://host/gone"})
	for _, err := range s.List(context.Background(), "", "") {
		if !errors.Is(err, store.ErrNotExist) {
			t.Errorf("list: %v, want ErrNotExist", err)
		}
	}
	if err := put(s, "packs/ab/c", nil); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("put: %v, want ErrNotExist", err)
	}
	if _, err := os.Stat(server.Disk + "/gone"); err == nil {
		t.Error("it was made")
	}
}

// TestAPutWhoseAnswerIsLostIsDone breaks the session after each kind of request was done.
func TestAPutWhoseAnswerIsLostIsDone(t *testing.T) {
	server, rules := startRelayed(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for _, kind := range []string{"open", "write", "fsync", "hardlink", "mkdir"} {
		t.Run(kind, func(t *testing.T) {
			dir := server.Disk + "/" + kind
			s := open(t, server, dir)
			lost := rule(t, rules, "lose "+kind)
			if err := put(s, "packs/ab/c", data); err != nil {
				t.Errorf("put: %v", err)
			}
			if _, err := os.Stat(lost); err == nil {
				t.Error("nothing was lost")
			}
			if got, err := s.Get(context.Background(), "packs/ab/c", 0, -1, nil); err != nil || !bytes.Equal(got, data) {
				t.Errorf("get: %d bytes, %v", len(got), err)
			}
			if err := put(s, "packs/ab/c", data); !errors.Is(err, store.ErrExist) {
				t.Errorf("a second put of the same: %v, want ErrExist", err)
			}
			if left := temporary(t, s, dir); len(left) > 1 { // what a broken session has begun stays until it is old
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// TestALostAnswerDoesNotMakeAnothersObjectOurs has another writer take the name first, and the
// answer that says so get lost.
func TestALostAnswerDoesNotMakeAnothersObjectOurs(t *testing.T) {
	server, rules := startRelayed(t)
	s := open(t, server, server.Disk)
	for name, theirs := range map[string]string{"same-size": "theirs", "other-size": "another's"} {
		if err := put(s, name, []byte(theirs)); err != nil {
			t.Fatal(err)
		}
		rule(t, rules, "lose hardlink")
		if err := put(s, name, []byte("ours  ")); !errors.Is(err, store.ErrExist) {
			t.Errorf("%s: %v, want ErrExist", name, err)
		}
		if got, err := s.Get(context.Background(), name, 0, -1, nil); err != nil || string(got) != theirs {
			t.Errorf("%s: %q, %v, want %q", name, got, err, theirs)
		}
	}
}

func TestAServerThatCannotKeepTheContractIsRefused(t *testing.T) {
	for _, name := range []string{"hardlink@openssh.com", "fsync@openssh.com"} {
		server, rules := startRelayed(t)
		rule(t, rules, "hide "+name)
		s := open(t, server, server.Disk)
		if err := put(s, "a", []byte("x")); !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("put without %s: %v, want ErrInvalid that names it", name, err)
		}
		doubts, err := s.Promises(context.Background())
		if err != nil || len(doubts) != 1 || !strings.Contains(doubts[0], name) {
			t.Errorf("promises without %s: %q, %v", name, doubts, err)
		}
		if err := os.WriteFile(server.Disk+"/a", []byte("copied there"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(context.Background(), "a", 0, -1, nil); err != nil || string(got) != "copied there" {
			t.Errorf("reading from a server without %s: %q, %v", name, got, err)
		}
	}
	// One that has the extension, but whose file system knows no links.
	server, rules := startRelayed(t)
	rule(t, rules, "refuse hardlink")
	s := open(t, server, server.Disk)
	if err := put(s, "a", []byte("x")); !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), "no hard links") {
		t.Errorf("put without links: %v, want ErrInvalid that says so", err)
	}
	if left := temporary(t, s, server.Disk); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestProftpd has a server of others that knows OpenSSH's extensions, and is refused without them.
func TestProftpd(t *testing.T) {
	_, login := sftptest.Proftpd(t, "")
	var n atomic.Int32
	storetest.Run(t, func(t *testing.T) store.Store {
		dir := fmt.Sprintf("/repository-%d", n.Add(1))
		return sftp.New(sessions(t, login), sftp.Options{Directory: dir, Location: "sftp://host" + dir, Create: true})
	})
	for _, name := range []string{"hardlink@openssh.com", "fsync@openssh.com"} {
		_, login := sftptest.Proftpd(t, "SFTPExtensions -"+strings.TrimSuffix(name, "@openssh.com"))
		s := sftp.New(sessions(t, login), sftp.Options{Directory: "/", Location: "sftp://host/"})
		if err := put(s, "a", nil); !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("put without %s: %v, want ErrInvalid that names it", name, err)
		}
	}
}

func TestAServerThatDoesNotFlushIsNoStorage(t *testing.T) {
	server, rules := startRelayed(t)
	s := open(t, server, server.Disk)
	refused := rule(t, rules, "refuse fsync")
	if err := put(s, "a", []byte("x")); err == nil {
		t.Error("an object that the server did not flush counts as stored")
	}
	if _, err := s.Get(context.Background(), "a", 0, -1, nil); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("get: %v, want ErrNotExist", err)
	}
	if doubts, err := s.Promises(context.Background()); err != nil || len(doubts) != 1 || !strings.Contains(doubts[0], "flush directories") {
		t.Errorf("promises: %q, %v", doubts, err)
	}
	if err := os.Remove(refused); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(put(s, "a", []byte("x")), s.Sync(context.Background())); err != nil {
		t.Fatal(err)
	}
	// Once it has flushed a directory, a failure to do so is one, and stays.
	refused = rule(t, rules, "refuse fsync")
	if err := s.Delete(context.Background(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(context.Background()); err == nil {
		t.Error("sync: no error though the directory was not flushed")
	}
	if err := os.Remove(refused); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(context.Background()); err == nil {
		t.Error("a later sync: no error though an earlier one failed")
	}
}

func TestSyncGoesOnAfterABrokenSession(t *testing.T) {
	server, rules := startRelayed(t)
	s := open(t, server, server.Disk)
	if err := put(s, "packs/ab/c", []byte("x")); err != nil {
		t.Fatal(err)
	}
	lost := rule(t, rules, "lose fsync")
	if err := s.Sync(context.Background()); err != nil {
		t.Errorf("sync: %v", err)
	}
	if _, err := os.Stat(lost); err == nil {
		t.Error("nothing was lost, so no directory was flushed")
	}
}

// TestEndedContextEndsWhatIsHeld has the server hold a request that nobody waits for any more.
func TestEndedContextEndsWhatIsHeld(t *testing.T) {
	server, rules := startRelayed(t)
	s := open(t, server, server.Disk)
	data := make([]byte, 3<<20)
	if err := errors.Join(put(s, "there", data), put(s, "doomed", nil)); err != nil {
		t.Fatal(err)
	}
	for kind, act := range map[string]func(ctx context.Context) error{
		"hardlink": func(ctx context.Context) error { return s.Put(ctx, "a", nil, sha256.Sum256(nil)) },
		"read":     func(ctx context.Context) error { _, err := s.Get(ctx, "there", 0, -1, nil); return err },
		"opendir": func(ctx context.Context) error {
			for _, err := range s.List(ctx, "", "") {
				return err
			}
			return nil
		},
		"remove": func(ctx context.Context) error { return s.Delete(ctx, "doomed") },
	} {
		t.Run(kind, func(t *testing.T) {
			hold, held := rule(t, rules, "hold "+kind), filepath.Join(rules, "held "+kind)
			defer os.Remove(hold)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go func() {
				for !exists(held) {
					time.Sleep(time.Millisecond)
				}
				cancel()
			}()
			if err := act(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want context.Canceled", err)
			}
		})
	}
	if err := put(s, "after", data); err != nil {
		t.Errorf("put after all that: %v", err)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func TestWhatKilledPutsLeftIsRemovedWhenItIsOld(t *testing.T) {
	server := sftptest.Start(t, "")
	tmp := server.Disk + "/tmp"
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{"old": 25 * time.Hour, "young": 23 * time.Hour} {
		moment := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(tmp+"/"+name, nil, 0o600), os.Chtimes(tmp+"/"+name, moment, moment)); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, server, server.Disk)
	if err := put(s, "a", nil); err != nil {
		t.Fatal(err)
	}
	if left := temporary(t, s, server.Disk); len(left) != 1 || filepath.Base(left[0]) != "young" {
		t.Errorf("left: %q, want the young one", left)
	}
}

// TestAServerThatIsKilledAndStartedAgain is killed in the midst of 40 Puts and Gets.
func TestAServerThatIsKilledAndStartedAgain(t *testing.T) {
	server := sftptest.Start(t, "")
	failures := 0
	s := retry.New(open(t, server, server.Disk), retry.Options{
		First: 10 * time.Millisecond, Most: 50 * time.Millisecond,
		Retrying: func(retry.Event) {
			if failures++; failures == 3 { // a few tries meet no server at all
				server.Restart(t)
			}
		},
	})
	for i := range 20 {
		name, data := fmt.Sprintf("packs/ab/%d", i), bytes.Repeat([]byte{byte(i)}, 100_000*i)
		if i == 10 {
			server.Kill()
		}
		if err := put(s, name, data); err != nil && !errors.Is(err, store.ErrExist) {
			t.Fatal(err)
		}
		if got, err := s.Get(context.Background(), name, 0, -1, nil); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if failures < 3 {
		t.Errorf("%d failures, want some", failures)
	}
	if err := s.Sync(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestFailuresAreTranslated(t *testing.T) {
	server := sftptest.Start(t, "")
	for name, c := range map[string]struct {
		change func(*remote.Options)
		want   error
	}{
		"no server":   {func(o *remote.Options) { o.Port = 1 }, store.ErrUnreachable},
		"another key": {func(o *remote.Options) { o.KnownHosts = []string{"/dev/null"} }, store.ErrDenied},
		"no keys":     {func(o *remote.Options) { o.KnownHosts = []string{"/nothing/there"} }, store.ErrDenied},
		"no key file": {func(o *remote.Options) { o.Keys = []remote.Key{{File: "/nothing/there"}} }, store.ErrDenied},
		"nobody":      {func(o *remote.Options) { o.User = "nobody-at-all" }, store.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			o := server.Client()
			c.change(&o)
			s := sftp.New(sessions(t, o), sftp.Options{Directory: server.Disk, Location: "sftp://host"})
			storetest.RunFailing(t, s, c.want)
		})
	}
}

func TestSpaceAndPromises(t *testing.T) {
	server := sftptest.Start(t, "")
	s := open(t, server, server.Disk)
	free, total, err := s.Space(context.Background())
	if err != nil || free == 0 || total < free {
		t.Errorf("space: %d of %d, %v", free, total, err)
	}
	if doubts, err := s.Promises(context.Background()); err != nil || len(doubts) > 0 {
		t.Errorf("doubts about sshd: %q, %v", doubts, err)
	}
}

func benchmark(b *testing.B, run func(*testing.B, store.Store, int)) {
	server := sftptest.Start(b, "")
	run(b, open(b, server, server.Disk), 32<<20)
}

func BenchmarkPut(b *testing.B) { benchmark(b, storetest.BenchmarkPut) }
func BenchmarkGet(b *testing.B) { benchmark(b, storetest.BenchmarkGet) }
