package files

import (
	"maps"
	"sync/atomic"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
)

// devices holds the file systems that the walk has met, by device number.
type devices struct {
	known  atomic.Pointer[map[uint64]local.System]
	remote atomic.Bool // one of them is
}

func (d *devices) system(device uint64) (local.System, bool) {
	known := d.known.Load()
	if known == nil {
		return local.System{}, false
	}
	system, ok := (*known)[device]
	return system, ok
}

// remoteName returns the kind of a remote file system that was met, "" if there is none.
func (d *devices) remoteName() string {
	if known := d.known.Load(); known != nil {
		for _, system := range *known {
			if system.Remote {
				return system.Name
			}
		}
	}
	return ""
}

// learn finds out, once, on which file system the open directory fd is. If that fails, nothing is
// trusted.
func (d *devices) learn(device uint64, fd int) {
	if _, ok := d.system(device); ok {
		return
	}
	system, err := local.SystemOf(fd)
	if err != nil {
		system = local.System{Name: "unknown", Remote: true}
	}
	if system.Remote {
		d.remote.Store(true)
	}
	for {
		before := d.known.Load()
		next := map[uint64]local.System{device: system}
		if before != nil {
			maps.Copy(next, *before)
		}
		if d.known.CompareAndSwap(before, &next) {
			return
		}
	}
}

// describe sets the fields of e from what the system returned. It drops inode numbers that cannot
// be trusted, since they would look like changes.
func (s *Source) describe(st *local.Stat, e *entry.Entry) {
	local.Describe(st, e)
	if !s.options.IgnoreInode && !s.isRemote(e.Device) {
		return
	}
	if e.Links <= 1 {
		e.Device, e.Inode = 0, 0
		return
	}
	// Within one walk they still show which names belong to one file. The device is not compared
	// with that of the last walk.
	e.Device, e.Inode = e.Device*mix+e.Inode, 1
}

// mix keeps the inode numbers of one file system apart from those of another.
const mix = 0x9e3779b97f4a7c15

func (s *Source) isRemote(device uint64) bool {
	if !s.devices.remote.Load() {
		return false
	}
	system, known := s.devices.system(device)
	return known && system.Remote
}
