package mount

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/fetch"
)

// system is the name of the type of file system, as in fuse.packstone.
const system = "packstone"

// kept is how long the kernel may cache what it was told: a snapshot never changes. Each node sets
// this for attributes itself, since the size of a database is not known at first.
const kept = 24 * time.Hour

// pagesHeld is how many bytes of pages of trees are cached as they were loaded, besides decoded
// ones.
const pagesHeld = 4 << 20

// mounted is one mount.
type mounted struct {
	Options
	ctx       context.Context
	databases *databases
	pages     fetch.RecentPages
	cache     tree.Cache
	reading   reading

	mu     sync.Mutex
	stores map[uint64]*contents // by domain
	told   map[string]bool      // problems
}

// Serve mounts snapshots at an empty directory and serves them until ctx ends or somebody unmounts
// them. If the mount is in use when ctx ends, Serve says by whom, detaches the mount so that nobody
// else can enter it, and serves the remaining users until they have finished.
func Serve(ctx context.Context, dir string, o Options) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("mount at %s: %w", dir, err)
	}
	if err := takeAway(dir, o.Note); err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	m := &mounted{Options: o, ctx: serving, stores: map[uint64]*contents{}, told: map[string]bool{}}
	m.pages.Most = pagesHeld
	m.databases = &databases{folder: o.Folder, room: cmp.Or(o.DatabaseRoom, defaultRoom), made: map[string]*made{}}
	defer m.databases.remove()
	defer m.wait()
	defer stop()
	server, err := fs.Mount(dir, m.root(), m.fuseOptions())
	if err != nil {
		return fmt.Errorf("mount at %s: %w%s", dir, err, cureOf(err))
	}
	gone := make(chan struct{})
	go func() {
		server.Wait()
		close(gone)
	}()
	o.Ready()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
	}
	return m.unmount(dir, server, gone)
}

// unmount detaches the mount, and returns when nobody uses it any more.
func (m *mounted) unmount(dir string, server *fuse.Server, gone <-chan struct{}) error {
	err := server.Unmount()
	if err == nil {
		<-gone
		return nil
	}
	holders := holdersOf(dir)
	if len(holders) == 0 {
		holders = []string{"a process that this one may not look at"}
	}
	m.Note(fmt.Sprintf("%s is in use by %s: it is unmounted for all others, and served until they let go", dir, strings.Join(holders, ", ")))
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s, which is in use by %s: %w", dir, strings.Join(holders, ", "), err)
	}
	<-gone
	return nil
}

func (m *mounted) fuseOptions() *fs.Options {
	long := kept
	o := &fs.Options{EntryTimeout: &long, NegativeTimeout: &long, NullPermissions: true}
	o.MountOptions = fuse.MountOptions{
		FsName: system, Name: system, AllowOther: m.AllowOther, Options: []string{"ro"}, MaxWrite: 1 << 20, MaxReadAhead: 1 << 20,
		DirectMount: true, DirectMountFlags: syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_RDONLY, DisableSplice: true,
	}
	if m.AllowOther {
		o.MountOptions.Options = append(o.MountOptions.Options, "default_permissions")
	}
	return o
}

// takeAway removes a mount whose process was killed.
func takeAway(dir string, note func(string)) error {
	if _, err := os.ReadDir(dir); !errors.Is(err, syscall.ENOTCONN) { // os.Stat may be answered by the kernel alone
		return Check(dir)
	}
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("mount at %s: a mount lies there whose process was killed (%w): remove it with fusermount3 -u, or umount as root", dir, err)
	}
	note(fmt.Sprintf("a mount at %s whose process was killed was taken away", dir))
	return Check(dir)
}

// Check returns nil for an empty directory, and for a mount whose process was killed. Otherwise it
// fails with catalog.ErrRefused or catalog.ErrMisuse.
func Check(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("mount at %s: %w", dir, err)
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, syscall.ENOTCONN):
		return nil
	case errors.Is(err, os.ErrNotExist):
		return catalog.Misuse("mount at %s: there is no such directory: make one, and name it", dir)
	case errors.Is(err, syscall.ENOTDIR):
		return catalog.Misuse("mount at %s: it is not a directory", dir)
	case err != nil:
		return fmt.Errorf("mount at %s: %w", dir, err)
	case isMounted(dir):
		return catalog.Refuse("mount at %s: snapshots are mounted there already, by %s", dir, strings.Join(serversOf(), ", "))
	case len(entries) > 0:
		return catalog.Refuse("mount at %s: the directory is not empty, and what is in it would be hidden: name an empty one", dir)
	}
	return nil
}

func cureOf(err error) string {
	switch {
	case strings.Contains(err.Error(), "fusermount"):
		return ": install fuse3, or run it as root"
	case errors.Is(err, os.ErrNotExist):
		return ": /dev/fuse is missing; in a container, start it with --device /dev/fuse --cap-add SYS_ADMIN"
	case errors.Is(err, os.ErrPermission):
		return ": not permitted here; in a container, start it with --device /dev/fuse --cap-add SYS_ADMIN"
	}
	return ""
}

// wait waits until no content is being fetched.
func (m *mounted) wait() {
	for _, c := range m.stores {
		c.wait()
	}
}

// store returns the cache of chunks of a domain.
func (m *mounted) store(domain uint64) (*contents, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.stores[domain]; c != nil {
		return c, nil
	}
	f, err := fetch.New(m.Repo, domain, m.Fetch)
	if err != nil {
		return nil, err
	}
	m.stores[domain] = newContents(m.ctx, f, cmp.Or(m.Memory, defaultMemory))
	return m.stores[domain], nil
}

// open opens a source of a snapshot.
func (m *mounted) open(s *catalog.Snapshot, state *catalog.SourceState) (*source, error) {
	store, err := m.store(s.Domain)
	if err != nil {
		return nil, err
	}
	t := tree.Open(state.Root, m.pages.Load(store.fetcher.Pages()), tree.OpenOptions{Cache: &m.cache})
	key := "by-time/" + snapshotName(s)
	if state.Name != catalog.AdHoc {
		key += "/" + state.Name
	}
	return &source{key: key, moment: entry.TimeOf(state.Moment), tree: t, store: store}, nil
}

// failed reports, once, what could not be read, and returns the error for the reader.
func (m *mounted) failed(path string, err error) syscall.Errno {
	if errors.Is(err, os.ErrNotExist) {
		return syscall.ENOENT
	}
	if errors.Is(err, context.Canceled) {
		return syscall.EINTR
	}
	text := path + ": " + err.Error()
	m.mu.Lock()
	first := !m.told[text]
	m.told[text] = true
	m.mu.Unlock()
	if first {
		m.Problem(path, err)
	}
	return syscall.EIO
}
