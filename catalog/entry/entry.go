// Package entry describes one thing in a source without its content: its path, type, size and
// metadata. Sources produce entries, trees store them with a list of chunks, and targets restore
// them. The package imports no other package of the module, so that sources, targets and the
// catalog can share it.
package entry

import (
	"cmp"
	"strings"
)

// Type is the kind of an entry. The values are part of the tree format.
type Type uint8

// The types of entries.
const (
	File Type = iota + 1
	Directory
	Symlink
	Fifo
	CharDevice
	BlockDevice
	Socket
)

// Facts is a set of fields of an entry that are known although they are zero.
type Facts uint8

// The facts with a meaningful zero: mode 0, owner root, the first moment of 1970.
const (
	KnowsMode Facts = 1 << iota
	KnowsOwner
	KnowsModTime
)

// Reason is why the snapshot does not know what was at a path, or below it.
type Reason uint8

// The reasons. The values are part of the tree format; a reader takes any other for Unreadable.
const (
	Captured        Reason = iota // it is in the snapshot
	Unreadable                    // it could not be read
	Excluded                      // a marker file, its size or another rule left it out
	OtherFileSystem               // it lay on another file system, and one was asked for
)

// Entry is one file, directory, link or node. Zero means unknown for every field except Type and
// those in Known. A source leaves out what it cannot trust, such as inode numbers of some network
// file systems, so that it is not compared.
type Entry struct {
	Path string // below the source's root, slash-separated raw bytes, no leading slash; "" is the root itself
	Type Type
	Mode uint32 // permission, setuid, setgid and sticky bits: 0o7777
	Size int64  // bytes of content; 0 for what has none

	UID, GID    uint32
	User, Group string // names of UID and GID where they were backed up, empty if unknown

	ModTime    Time
	ChangeTime Time // ctime; zero where there is none

	Device, Inode uint64
	Links         uint32 // number of hard links; entries of one source with equal Device and Inode and Links > 1 are one file
	NodeDevice    uint64 // major and minor number of a device node, as in st_rdev

	Target  string      // of a symbolic link
	Xattrs  []Attribute // sorted by name; POSIX ACLs and security labels are among them
	Extents []Extent    // where a sparse file has data, ascending; nil: all of it is data, empty non-nil: none

	// Identity is what a remote server tells about a version of the content: ETag and versionId, or
	// an FTP server's facts. Equal non-empty identities with equal sizes mean equal content.
	Identity string
	// Remote holds metadata of remote objects: user metadata, content type, tags. Sorted by name.
	Remote []Attribute

	// Fuzzy marks content that changed while it was read: the stored content mixes several moments.
	Fuzzy bool

	// Known lists the fields that are known although they are zero.
	Known Facts
	// Unknown, of a directory, says that the snapshot does not know everything below it. Any other
	// entry with a reason is a mark: it existed, and is not in the snapshot. Nobody may conclude
	// that something unknown did not exist.
	Unknown Reason
}

// IsMark reports whether e only says that something existed.
func (e *Entry) IsMark() bool { return e.Unknown != Captured && e.Type != Directory }

// HasModTime reports whether the modification time is known.
func (e *Entry) HasModTime() bool { return !e.ModTime.IsZero() || e.Known&KnowsModTime != 0 }

// Attribute is a named value: an extended attribute, or a piece of a remote object's metadata.
type Attribute struct {
	Name  string
	Value []byte
}

// Extent is a range of a file that holds data, in bytes.
type Extent struct{ Offset, Length int64 }

// ComparePaths compares paths in the order of a tree: component by component, bytewise, so that the
// content of a directory directly follows it. It is the bytewise order with '/' before every other
// byte.
func ComparePaths(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x == '/' {
			return -1
		}
		if y == '/' {
			return 1
		}
		return cmp.Compare(x, y)
	}
	return cmp.Compare(len(a), len(b))
}

// Unchanged reports whether, as far as both entries are known, now is the same thing with the same
// content as before, so that nothing must be read again. It compares times, size, inode and the
// remote identity, but not the device, whose number changes between boots.
func Unchanged(before, now *Entry) bool {
	return before.Type == now.Type &&
		!before.Fuzzy &&
		before.Unknown == now.Unknown &&
		before.Size == now.Size &&
		before.ModTime == now.ModTime &&
		before.Mode == now.Mode &&
		before.UID == now.UID &&
		before.GID == now.GID &&
		before.Links == now.Links &&
		before.NodeDevice == now.NodeDevice &&
		(before.ChangeTime == now.ChangeTime || before.ChangeTime.IsZero() || now.ChangeTime.IsZero()) &&
		sameIfKnown(before.Inode, now.Inode) &&
		before.Identity == now.Identity
}

func sameIfKnown(a, b uint64) bool { return a == b || a == 0 || b == 0 }

// Within reports whether path is dir or lies below it. All paths lie below "".
func Within(path, dir string) bool {
	return dir == "" || path == dir || strings.HasPrefix(path, dir) && path[len(dir)] == '/'
}

// Word returns the word that restic uses for the type.
func (t Type) Word() string {
	return map[Type]string{File: "file", Directory: "dir", Symlink: "symlink", Fifo: "fifo", CharDevice: "chardev", BlockDevice: "dev", Socket: "socket"}[t]
}
