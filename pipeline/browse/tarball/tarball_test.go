package tarball

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/catalog/entry"
)

func TestATarHoldsWhatAnEntrySays(t *testing.T) {
	long := strings.Repeat("long/", 60) + "name\xff"
	entries := []entry.Entry{
		{Path: "", Type: entry.Directory, Mode: 0o755},
		{Path: "a", Type: entry.File, Mode: 0o4755, Size: 3, UID: 1 << 30, GID: 7, User: "ünal", Group: "staff", ModTime: entry.NanoTime(1_700_000_000_123456789),
			Links: 2, Inode: 5, Xattrs: []entry.Attribute{{Name: "user.binary", Value: []byte("a\x00\n=b")}}},
		{Path: "b", Type: entry.File, Mode: 0o4755, Size: 3, Links: 2, Inode: 5},
		{Path: "c", Type: entry.Symlink, Mode: 0o777, Target: "../" + long},
		{Path: "d", Type: entry.CharDevice, NodeDevice: unix.Mkdev(5, 300)},
		{Path: "e", Type: entry.Fifo},
		{Path: long, Type: entry.File},
	}
	var buffer bytes.Buffer
	w := New(&buffer)
	for i := range entries {
		if err := w.Begin("root", &entries[i]); err != nil {
			t.Fatal(err)
		}
		if entries[i].Path == "a" {
			if _, err := w.Write([]byte("abc")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	r := tar.NewReader(&buffer)
	next := func(name string, kind byte) *tar.Header {
		t.Helper()
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != name || h.Typeflag != kind {
			t.Fatalf("got %q of type %c, want %q of type %c", h.Name, h.Typeflag, name, kind)
		}
		return h
	}
	next("root/", tar.TypeDir)
	a := next("root/a", tar.TypeReg)
	if content, err := io.ReadAll(r); string(content) != "abc" || err != nil {
		t.Errorf("content of a: got %q, %v", content, err)
	}
	if a.Mode != 0o4755 || a.Uid != 1<<30 || a.Gid != 7 || a.Uname != "ünal" || a.Gname != "staff" || entry.TimeOf(a.ModTime) != entries[1].ModTime {
		t.Errorf("a: got %+v, want %+v", a, entries[1])
	}
	if got := a.PAXRecords["SCHILY.xattr.user.binary"]; got != "a\x00\n=b" {
		t.Errorf("attribute of a: got %q", got)
	}
	if b := next("root/b", tar.TypeLink); b.Linkname != "root/a" {
		t.Errorf("b is a link to %q, want root/a", b.Linkname)
	}
	if c := next("root/c", tar.TypeSymlink); c.Linkname != "../"+long {
		t.Errorf("c points to %q, want %q", c.Linkname, "../"+long)
	}
	if d := next("root/d", tar.TypeChar); d.Devmajor != 5 || d.Devminor != 300 {
		t.Errorf("d: got %d, %d, want 5, 300", d.Devmajor, d.Devminor)
	}
	next("root/e", tar.TypeFifo)
	next("root/"+long, tar.TypeReg)
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("after the last entry: %v, want the end", err)
	}
}

func TestACLsAndLabelsBearTheNamesThatTarKnows(t *testing.T) {
	acl := []byte("\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x05\x00\xd2\x04\x00\x00" + "\x04\x00\x04\x00\xff\xff\xff\xff" +
		"\x08\x00\x01\x00\x63\x00\x00\x00" + "\x10\x00\x07\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff")
	text := "user::rw-\nuser:1234:r-x\ngroup::r--\ngroup:99:--x\nmask::rwx\nother::---\n"
	for _, c := range []struct{ name, value, record, want string }{
		{"system.posix_acl_access", string(acl), "SCHILY.acl.access", text},
		{"system.posix_acl_default", string(acl), "SCHILY.acl.default", text},
		{"system.posix_acl_access", "what is this", "SCHILY.xattr.system.posix_acl_access", "what is this"},
		{"system.posix_acl_access", string(acl[:len(acl)-1]), "SCHILY.xattr.system.posix_acl_access", string(acl[:len(acl)-1])},
		{"system.posix_acl_access", "\x02\x00\x00\x00\x03\x00\x06\x00\xff\xff\xff\xff", "SCHILY.xattr.system.posix_acl_access", "\x02\x00\x00\x00\x03\x00\x06\x00\xff\xff\xff\xff"},
		{"security.selinux", "system_u:object_r:etc_t:s0\x00", "RHT.security.selinux", "system_u:object_r:etc_t:s0"},
		{"security.capability", "\x01\x00", "SCHILY.xattr.security.capability", "\x01\x00"},
	} {
		e := entry.Entry{Path: "f", Type: entry.File, Xattrs: []entry.Attribute{{Name: c.name, Value: []byte(c.value)}}}
		var buffer bytes.Buffer
		w := New(&buffer)
		if err := errors.Join(w.Begin("", &e), w.Close()); err != nil {
			t.Fatal(err)
		}
		h, err := tar.NewReader(&buffer).Next()
		if err != nil || h.PAXRecords[c.record] != c.want {
			t.Errorf("%s: got the records %q, %v, want %s=%q", c.name, h.PAXRecords, err, c.record, c.want)
		}
	}
}

func TestWhatATarCannotHoldIsTold(t *testing.T) {
	w := New(io.Discard)
	if err := w.Begin("", &entry.Entry{Path: "s", Type: entry.Socket}); !errors.Is(err, ErrUnfit) {
		t.Errorf("a socket: got %v, want ErrUnfit", err)
	}
	e := entry.Entry{Path: "f", Type: entry.File, Xattrs: []entry.Attribute{{Name: "user.a=b"}, {Name: "user.c"}}}
	if err := w.Begin("", &e); err != nil {
		t.Errorf("a file with an attribute that has no place: %v", err)
	}
	if got := Unfit(&e); len(got) != 1 || got[0] != "user.a=b" {
		t.Errorf("Unfit: got %q, want user.a=b", got)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestAFileThatIsTooShortDoesNotPass(t *testing.T) {
	w := New(io.Discard)
	if err := w.Begin("", &entry.Entry{Path: "f", Type: entry.File, Size: 5}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err == nil {
		t.Error("a tar ends well that lacks content")
	}
}

// FuzzEntries writes any entry, and reads it again: the tar says what the entry says, or there is
// none.
func FuzzEntries(f *testing.F) {
	f.Add("a/b", byte(1), uint32(0o4755), int64(3), int64(1_700_000_000), uint32(5), "", "user", "user.a", []byte("v"))
	f.Add("long/\xff\n", byte(3), uint32(0o777), int64(0), int64(-1), uint32(1<<31), "../x\x00", "\x00", "system.posix_acl_access", []byte("\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff"))
	f.Add("d", byte(5), uint32(0), int64(-5), int64(1)<<60, uint32(0), "x", "", "a=b", []byte(nil))
	f.Fuzz(func(t *testing.T, path string, kind byte, mode uint32, size, seconds int64, id uint32, target, user, attribute string, value []byte) {
		e := &entry.Entry{Path: path, Type: entry.Type(kind), Mode: mode, Size: size % 1000, UID: id, GID: id, User: user, ModTime: entry.Time{Seconds: seconds}, Target: target,
			Xattrs: []entry.Attribute{{Name: attribute, Value: value}}, NodeDevice: uint64(id)}
		var buffer bytes.Buffer
		w := New(&buffer)
		if err := w.Begin("root", e); err != nil {
			return
		}
		if e.Type == entry.File {
			if _, err := w.Write(make([]byte, e.Size)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		h, err := tar.NewReader(&buffer).Next()
		if err != nil {
			t.Fatalf("%+v cannot be read again: %v", e, err)
		}
		name := strings.TrimSuffix(h.Name, "/")
		if want := strings.Trim("root/"+path, "/"); name != want || uint32(h.Uid) != id || h.ModTime.Unix() != seconds || e.Type == entry.Symlink && h.Linkname != target {
			t.Errorf("%+v is read as %+v", e, h)
		}
	})
}
