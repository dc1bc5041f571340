// Package tarball writes entries of a snapshot as a POSIX (PAX) tar, which GNU tar, bsdtar and all
// libraries read: with owners by name and number, times to the nanosecond, hard links, devices,
// extended attributes, ACLs and SELinux labels. It writes the holes of sparse files as zeros, and
// reports what a tar cannot hold, such as sockets.
package tarball

import (
	"archive/tar"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/catalog/entry"
)

// ErrUnfit is wrapped by errors about entries, or attributes, that a tar cannot hold, and of which
// nothing was written.
var ErrUnfit = errors.New("a tar cannot hold it")

// Writer writes a tar. It is not safe for concurrent use.
type Writer struct {
	tar   *tar.Writer
	links map[link]string // of files with several names: the first name
}

type link struct {
	root          string // inodes of different roots are different files
	device, inode uint64
	kind          entry.Type
}

// New returns a Writer to w. It does not close w.
func New(w io.Writer) *Writer {
	return &Writer{tar: tar.NewWriter(w), links: map[link]string{}}
}

// Begin writes the header of an entry, whose name is made of root and its path. The content of a
// file must follow, except for a further name of a file that was written: entries of one root with
// equal Device and Inode and Links > 1 are one file.
func (w *Writer) Begin(root string, e *entry.Entry) error {
	name := strings.Trim(root+"/"+e.Path, "/")
	if name == "" {
		return nil
	}
	h, err := header(name, e)
	if err != nil {
		return err
	}
	w.linkTo(h, root, e)
	if err := w.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("write %s to a tar: %w", name, err)
	}
	return nil
}

// linkTo changes the header to that of a hard link if the file was written under another name.
func (w *Writer) linkTo(h *tar.Header, root string, e *entry.Entry) {
	if e.Type == entry.Directory || e.Links < 2 || e.Inode == 0 {
		return
	}
	key := link{root, e.Device, e.Inode, e.Type}
	first, ok := w.links[key]
	if !ok {
		w.links[key] = h.Name
		return
	}
	h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
}

// Write writes content of the current entry.
func (w *Writer) Write(data []byte) (int, error) { return w.tar.Write(data) }

// Close ends the tar. It fails if content of the last entry is missing.
func (w *Writer) Close() error { return w.tar.Close() }

var kinds = map[entry.Type]byte{
	entry.File: tar.TypeReg, entry.Directory: tar.TypeDir, entry.Symlink: tar.TypeSymlink, entry.Fifo: tar.TypeFifo,
	entry.CharDevice: tar.TypeChar, entry.BlockDevice: tar.TypeBlock,
}

func header(name string, e *entry.Entry) (*tar.Header, error) {
	kind, ok := kinds[e.Type]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, ErrUnfit)
	}
	h := &tar.Header{
		Typeflag: kind, Name: name, Linkname: e.Target, Mode: int64(e.Mode), Uid: int(e.UID), Gid: int(e.GID), Uname: e.User, Gname: e.Group,
		ModTime: e.ModTime.Time(), Format: tar.FormatPAX,
	}
	switch e.Type {
	case entry.File:
		h.Size = e.Size
	case entry.Directory:
		h.Name += "/"
	case entry.CharDevice, entry.BlockDevice:
		h.Devmajor, h.Devminor = int64(unix.Major(e.NodeDevice)), int64(unix.Minor(e.NodeDevice))
	}
	h.PAXRecords = attributes(e)
	return h, nil
}

// attributes returns the PAX records in which GNU tar and bsdtar store extended attributes. It
// leaves out names that such a record cannot have: see Unfit.
func attributes(e *entry.Entry) map[string]string {
	records := map[string]string{}
	for _, x := range e.Xattrs {
		if name, value := record(x); fits(x.Name) {
			records[name] = value
		}
	}
	return records
}

// aclRecords are the records of attributes that have another name in the kernel.
var aclRecords = map[string]string{"system.posix_acl_access": "SCHILY.acl.access", "system.posix_acl_default": "SCHILY.acl.default"}

// record returns the name and the value of an attribute's PAX record.
func record(x entry.Attribute) (name, value string) {
	if acl := aclRecords[x.Name]; acl != "" {
		if text, ok := aclText(x.Value); ok {
			return acl, text
		}
	}
	if x.Name == "security.selinux" {
		return "RHT.security.selinux", strings.TrimRight(string(x.Value), "\x00")
	}
	return "SCHILY.xattr." + x.Name, string(x.Value)
}

// aclTags are the kinds of entries in an ACL, by the kernel's numbers.
var aclTags = map[uint16]string{1: "user:", 2: "user:", 4: "group:", 8: "group:", 16: "mask:", 32: "other:"}

// aclText returns an ACL in text form, with numeric ids; false if it is not a Linux ACL.
func aclText(b []byte) (string, bool) {
	if len(b) < 4 || len(b)%8 != 4 || binary.LittleEndian.Uint32(b) != 2 {
		return "", false
	}
	var lines []string
	for b = b[4:]; len(b) > 0; b = b[8:] {
		tag, permissions, id := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint32(b[4:])
		line, known := aclTags[tag]
		if !known {
			return "", false
		}
		if tag == 2 || tag == 8 {
			line += strconv.FormatUint(uint64(id), 10)
		}
		line += ":"
		for i, letter := range "rwx" {
			if permissions>>(2-i)&1 == 0 {
				letter = '-'
			}
			line += string(letter)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n") + "\n", true
}

func fits(name string) bool { return name != "" && !strings.ContainsAny(name, "=\x00") }

// Unfit returns the names of the extended attributes of e that a tar cannot hold.
func Unfit(e *entry.Entry) []string {
	var names []string
	for _, x := range e.Xattrs {
		if !fits(x.Name) {
			names = append(names, x.Name)
		}
	}
	return names
}
