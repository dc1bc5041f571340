package directory

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
	"golang.org/x/sys/unix"
)

// object is something whose metadata are set: by its descriptor if it has one, else by its name,
// without following a link.
type object struct {
	dir  *local.Dir
	name string
	fd   int // -1: none
	path string
	has  []entry.Attribute // that need not be set once more
}

const (
	accessACL  = "system.posix_acl_access"
	aclPrefix  = "system.posix_acl_"
	userPrefix = "user."
	setIDs     = unix.S_ISUID | unix.S_ISGID
)

// file returns the final path of o, for messages.
func (o *object) file() string {
	_, name := local.Split(o.path)
	return o.dir.Join(name)
}

func (o *object) failed(op string, err error) error {
	return &fs.PathError{Op: op, Path: o.file(), Err: err}
}

func (o *object) stat(st *local.Stat) error {
	if o.fd >= 0 {
		return local.Fstat(o.fd, st)
	}
	return o.dir.Stat(o.name, false, st)
}

// dress sets the metadata of e on o, in an order in which no call undoes another: a change of owner
// clears the set-id bits and capabilities, a mode without write permission prevents attributes, a
// mode changes an ACL, and times come last.
func (t *Target) dress(o *object, e *entry.Entry) error {
	var st local.Stat
	if err := o.stat(&st); err != nil {
		return o.failed("stat", err)
	}
	mode := t.options.Chmod.Of(e)
	acl := mode == e.Mode
	owned, changed := t.own(o, e, &st)
	if changed {
		o.has = nil
	}
	if !owned {
		mode &^= setIDs // they would lend the rights of the wrong owner
	}
	if len(e.Xattrs) > 0 && st.Mode&0o200 == 0 && e.Type != entry.Symlink && !t.options.NoXattrs {
		if o.chmod(uint32(st.Mode)&0o777|0o200) == nil { // attributes need it
			st.Mode |= 0o200
		}
	}
	t.setXattrs(o, e, false)
	if e.Type != entry.Symlink && (uint32(st.Mode)&0o7777 != mode || changed && mode&setIDs != 0) {
		o.has = nil
		if err := o.chmod(mode); err != nil {
			t.options.Warn(e.Path, o.failed("chmod", err))
		}
	}
	if acl {
		t.setXattrs(o, e, true)
	}
	t.dropACL(o, e)
	if modified, _ := local.Times(&st); !e.HasModTime() || e.ModTime == modified { // to set it would make the file look changed to the next backup
		return nil
	}
	if err := o.setTime(e.ModTime); err != nil {
		t.options.Warn(e.Path, o.failed("set time of", err))
	}
	return nil
}

// asItIs is the number with which chown(2) leaves an owner or a group as it is. Nobody has it.
const asItIs = math.MaxUint32

var errNobody = errors.New("nobody has that number")

// own sets the owner of e. It reports whether o has that owner now, and whether that is a change.
func (t *Target) own(o *object, e *entry.Entry, st *local.Stat) (owned, changed bool) {
	if t.options.NoOwner {
		return st.Uid == e.UID && st.Gid == e.GID, false
	}
	uid, gid := t.owner(e)
	if st.Uid == uid && st.Gid == gid {
		return true, false
	}
	err := errNobody
	if uid != asItIs && gid != asItIs {
		err = o.chown(int(uid), int(gid))
	}
	if err == nil {
		return true, true
	}
	if st.Gid != gid && gid != asItIs && o.chown(-1, int(gid)) == nil { // to one of the groups that the process is in
		changed = true
		if st.Uid == uid {
			return true, true
		}
	}
	t.options.Warn(e.Path, o.failed(fmt.Sprintf("chown to %d:%d", uid, gid), err))
	return false, changed
}

// setXattrs sets the ACLs of e, or all its other attributes.
func (t *Target) setXattrs(o *object, e *entry.Entry, acls bool) {
	if t.options.NoXattrs {
		return
	}
	for _, x := range e.Xattrs {
		if strings.HasPrefix(x.Name, aclPrefix) != acls || o.hasAlready(x) {
			continue
		}
		if err := o.setXattr(x.Name, x.Value); err != nil {
			t.options.Warn(e.Path, o.failed("set attribute "+x.Name+" of", err))
		}
	}
}

// dropACL removes the ACL that o has inherited from its directory, if e has none.
func (t *Target) dropACL(o *object, e *entry.Entry) {
	if o.dir.Note&defaultACL == 0 || e.Type == entry.Symlink || hasXattr(e, accessACL) {
		return
	}
	_ = o.removeXattr(accessACL)
	if err := o.chmod(t.options.Chmod.Of(e)); err != nil {
		t.options.Warn(e.Path, o.failed("chmod", err))
	}
}

// dropXattrs removes attributes that e does not have, except for labels that the system sets
// itself.
func (t *Target) dropXattrs(o *object, e *entry.Entry) {
	if t.options.NoXattrs {
		return
	}
	there, err := o.dir.Xattrs(o.name)
	if err != nil {
		t.options.Warn(e.Path, err)
	}
	o.has = there
	for _, x := range there {
		if !removable(x.Name) || hasXattr(e, x.Name) {
			continue
		}
		if err := o.dir.RemoveXattr(o.name, x.Name); err != nil {
			t.options.Warn(e.Path, o.failed("remove attribute "+x.Name+" of", err))
		}
	}
}

// removable reports whether an attribute is set by users, unlike labels, which the system sets
// itself.
func removable(name string) bool {
	return strings.HasPrefix(name, userPrefix) || strings.HasPrefix(name, aclPrefix) || name == capability
}

// capability gives a program rights. It must not stay on a file that had none.
const capability = "security.capability"

func (o *object) hasAlready(x entry.Attribute) bool {
	for _, there := range o.has {
		if there.Name == x.Name {
			return bytes.Equal(there.Value, x.Value)
		}
	}
	return false
}

func hasXattr(e *entry.Entry, name string) bool {
	for i := range e.Xattrs {
		if e.Xattrs[i].Name == name {
			return true
		}
	}
	return false
}

func (o *object) chown(uid, gid int) error {
	if o.fd >= 0 {
		return unix.Fchown(o.fd, uid, gid)
	}
	return unix.Fchownat(o.dir.FD, o.name, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
}

func (o *object) chmod(mode uint32) error {
	if o.fd >= 0 {
		return unix.Fchmod(o.fd, mode)
	}
	return o.dir.Chmod(o.name, mode)
}

func (o *object) setXattr(name string, value []byte) error {
	if o.fd >= 0 {
		return unix.Fsetxattr(o.fd, name, value, 0)
	}
	return o.dir.SetXattr(o.name, name, value)
}

func (o *object) removeXattr(name string) error {
	if o.fd >= 0 {
		return unix.Fremovexattr(o.fd, name)
	}
	return o.dir.RemoveXattr(o.name, name)
}

// setTime sets the modification time, and keeps the access time. It fails if the file system has
// stored another time: for an unusual one it uses the nearest that it supports, without an error.
func (o *object) setTime(modified entry.Time) error {
	times := [2]unix.Timespec{local.KeepTime, {Sec: modified.Seconds, Nsec: int64(modified.Nanos)}}
	set := func() error { return o.dir.SetTimes(o.name, &times) }
	if o.fd >= 0 && local.HasFutimens {
		set = func() error { return local.Futimens(o.fd, &times) }
	}
	if err := set(); err != nil || modified.Seconds == int64(int32(modified.Seconds)) {
		return err
	}
	var st local.Stat
	if err := o.stat(&st); err != nil {
		return err
	}
	if is, _ := local.Times(&st); is.Seconds != modified.Seconds {
		return fmt.Errorf("the file system has no %s, it took %s", modified.Time().Format(time.RFC3339), is.Time().Format(time.RFC3339))
	}
	return nil
}

// owner returns the owner that e gets.
func (t *Target) owner(e *entry.Entry) (uid, gid uint32) {
	uid, gid = e.UID, e.GID
	if !t.options.NumericIDs {
		if id, ok := t.owners.UserID(e.User); ok && e.User != "" {
			uid = id
		}
		if id, ok := t.owners.GroupID(e.Group); ok && e.Group != "" {
			gid = id
		}
	}
	return t.options.Owner.Apply(uid, gid)
}
