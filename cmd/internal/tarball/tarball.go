// Package tarball writes entries of a snapshot as a POSIX (PAX) tar, which GNU tar, bsdtar and all libraries read: with owners by name
// and number, times to the nanosecond, hard links, devices and extended attributes. Sparse files are written as plain ones. What a tar
// can't hold (sockets) is told.
package tarball

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/catalog/entry"
)

// ErrUnfit is wrapped by errors about entries, or attributes, that a tar can't hold. Nothing of them is written.
var ErrUnfit = errors.New("a tar cannot hold it")

// Writer writes a tar. It is for one goroutine.
type Writer struct {
	tar   *tar.Writer
	links map[link]string // of files with several names: the first name
}

type link struct {
	root          string // inodes of different roots are different files
	device, inode uint64
}

// New makes a writer to w, which stays open.
func New(w io.Writer) *Writer {
	return &Writer{tar: tar.NewWriter(w), links: map[link]string{}}
}

// Begin writes the head of an entry, which is named by root and its path. The content of a file must follow, but a further name of a
// file that was written has none: entries of one root with equal Device and Inode and Links > 1.
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

// linkTo makes the head that of a hard link where the file was written under another name.
func (w *Writer) linkTo(h *tar.Header, root string, e *entry.Entry) {
	if e.Type == entry.Directory || e.Links < 2 || e.Inode == 0 {
		return
	}
	key := link{root, e.Device, e.Inode}
	first, ok := w.links[key]
	if !ok {
		w.links[key] = h.Name
		return
	}
	h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
}

// Write writes content of the entry that began last.
func (w *Writer) Write(data []byte) (int, error) { return w.tar.Write(data) }

// Close ends the tar. It fails where the content of the last entry is not all there.
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

// attributes are the records that GNU tar and bsdtar keep extended attributes in. A name that such a record can't have is left out: see
// Unfit.
func attributes(e *entry.Entry) map[string]string {
	records := map[string]string{}
	for _, x := range e.Xattrs {
		if fits(x.Name) {
			records["SCHILY.xattr."+x.Name] = string(x.Value)
		}
	}
	return records
}

func fits(name string) bool { return name != "" && !strings.ContainsAny(name, "=\x00") }

// Unfit names the extended attributes of e that a tar can't hold.
func Unfit(e *entry.Entry) []string {
	var names []string
	for _, x := range e.Xattrs {
		if !fits(x.Name) {
			names = append(names, x.Name)
		}
	}
	return names
}
