package mount

import (
	"context"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/packstone/packstone/catalog"
)

// folder is a directory that exists only in the mount. Its content is made when it is looked up.
type folder struct {
	fs.Inode
	time  time.Time
	names []string // in the order in which they are listed
	items map[string]item
}

// item is an entry of a folder.
type item struct {
	mode uint32 // S_IFDIR, S_IFREG or S_IFLNK
	make func() (fs.InodeEmbedder, syscall.Errno)
}

var (
	_ fs.NodeLookuper  = (*folder)(nil)
	_ fs.NodeReaddirer = (*folder)(nil)
	_ fs.NodeGetattrer = (*folder)(nil)
)

func (f *folder) add(name string, i item) {
	if f.items == nil {
		f.items = map[string]item{}
	}
	f.names = append(f.names, name)
	f.items[name] = i
}

func (f *folder) addFolder(name string, below *folder) {
	f.add(name, item{syscall.S_IFDIR, func() (fs.InodeEmbedder, syscall.Errno) { return below, 0 }})
}

func (f *folder) addLink(name, to string, at time.Time) {
	attr := fuse.Attr{Mode: 0o777, Nlink: 1}
	attr.SetTimes(&at, &at, &at)
	f.add(name, item{syscall.S_IFLNK, func() (fs.InodeEmbedder, syscall.Errno) {
		return &fs.MemSymlink{Data: []byte(to), Attr: attr}, 0
	}})
}

// Lookup implements fs.NodeLookuper.
func (f *folder) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	child := f.GetChild(name)
	if child == nil {
		i, ok := f.items[name]
		if !ok {
			return nil, syscall.ENOENT
		}
		made, errno := i.make()
		if errno != 0 {
			return nil, errno
		}
		child = f.NewInode(ctx, made, fs.StableAttr{Mode: i.mode})
	}
	return child, describe(ctx, child, out)
}

// describe fills in what the kernel gets to know of an inode together with its name.
func describe(ctx context.Context, child *fs.Inode, out *fuse.EntryOut) syscall.Errno {
	switch n := child.Operations().(type) {
	case *databaseNode:
		n.describe(out)
	case fs.NodeGetattrer:
		var attr fuse.AttrOut
		if errno := n.Getattr(ctx, nil, &attr); errno != 0 {
			return errno
		}
		out.Attr = attr.Attr
		out.SetAttrTimeout(kept)
	}
	return 0
}

// Readdir implements fs.NodeReaddirer.
func (f *folder) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	entries := make([]fuse.DirEntry, len(f.names))
	for i, name := range f.names {
		entries[i] = fuse.DirEntry{Name: name, Mode: f.items[name].mode}
	}
	return fs.NewListDirStream(entries), 0
}

// anyLinks is the link count of directories. With it, programs do not conclude how many directories
// are inside.
const anyLinks = 1

// Getattr implements fs.NodeGetattrer.
func (f *folder) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Nlink = syscall.S_IFDIR|0o755, anyLinks
	out.SetTimes(&f.time, &f.time, &f.time)
	out.SetTimeout(kept)
	return 0
}

// root returns the top of the mount.
func (m *mounted) root() *folder {
	var newest time.Time
	all := byTime(m.Snapshots)
	times := &folder{}
	for _, s := range all {
		times.add(snapshotName(s), item{syscall.S_IFDIR, func() (fs.InodeEmbedder, syscall.Errno) { return m.snapshot(s) }})
		newest = s.Time
	}
	sets, latest := m.groups(all, newest)
	root := &folder{time: newest}
	times.time = newest
	root.addFolder("by-time", times)
	root.addFolder("by-set", sets)
	root.addFolder("latest", latest)
	return root
}

// groups returns the folders by-set and latest.
func (m *mounted) groups(all []*catalog.Snapshot, newest time.Time) (sets, latest *folder) {
	sets, latest = &folder{time: newest}, &folder{time: newest}
	of := map[string]*folder{}
	names := groups(all)
	for _, s := range all {
		if s.Standing == catalog.Outside {
			continue
		}
		name := names[group{s.Set, s.Host}]
		if of[name] == nil {
			of[name] = &folder{}
		}
		of[name].time = s.Time
		of[name].addLink(snapshotName(s), "../../by-time/"+snapshotName(s), s.Time)
	}
	byName := map[string]group{}
	for g, name := range names {
		byName[name] = g
	}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		sets.addFolder(name, of[name])
		if s, err := m.Latest(byName[name].set, byName[name].host); err == nil {
			latest.addLink(name, "../by-time/"+snapshotName(s), s.Time)
		}
	}
	return sets, latest
}

// snapshot returns the folder of a snapshot: what was backed up by path is below that path, any
// other source in a folder of its name.
func (m *mounted) snapshot(s *catalog.Snapshot) (fs.InodeEmbedder, syscall.Errno) {
	if len(s.Sources) == 1 && s.Sources[0].Name == catalog.AdHoc {
		return m.top(s, &s.Sources[0])
	}
	f := &folder{time: s.Time}
	for i := range s.Sources {
		state := &s.Sources[i]
		if state.IsDatabase() {
			f.add(state.Name+".sqlite", item{syscall.S_IFREG, func() (fs.InodeEmbedder, syscall.Errno) { return m.database(s, state) }})
			continue
		}
		f.add(strings.Trim(state.Name, "/"), item{syscall.S_IFDIR, func() (fs.InodeEmbedder, syscall.Errno) { return m.top(s, state) }})
	}
	return f, 0
}

// top returns the root of a source's tree.
func (m *mounted) top(s *catalog.Snapshot, state *catalog.SourceState) (fs.InodeEmbedder, syscall.Errno) {
	src, err := m.open(s, state)
	if err != nil {
		return nil, m.failed(s.ShortID()+"/"+state.Name, err)
	}
	n, err := src.lookup(m.ctx, "")
	if err != nil {
		return nil, m.failed(src.key, err)
	}
	return newNode(m, src, n), 0
}
