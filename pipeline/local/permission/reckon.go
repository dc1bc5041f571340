package permission

import (
	"encoding/binary"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// reckoner finds permissions by modes and ACLs.
type reckoner struct {
	user User
	ways map[string]bool // directories above files, and whether the user gets through them
}

func newReckoner(u User) *reckoner { return &reckoner{user: u, ways: map[string]bool{}} }

func (r *reckoner) may(file string, permission uint32) (bool, error) {
	through, err := r.through(filepath.Dir(file))
	if err != nil || !through {
		return false, err
	}
	return r.has(file, permission)
}

// maxWays bounds what is remembered of directories.
const maxWays = 1 << 16

// through tells whether the user may search a directory and all above it.
func (r *reckoner) through(dir string) (bool, error) {
	if ok, known := r.ways[dir]; known {
		return ok, nil
	}
	ok := true
	var err error
	if dir != "/" {
		ok, err = r.through(filepath.Dir(dir))
	}
	if err == nil && ok {
		ok, err = r.has(dir, unix.X_OK)
	}
	if len(r.ways) >= maxWays {
		clear(r.ways)
	}
	r.ways[dir] = ok
	return ok, err
}

func (r *reckoner) has(file string, permission uint32) (bool, error) {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return outcome(err)
	}
	acl := aclOf(uint32(st.Mode))
	if st.Mode&0o070 != 0 { // the mask of an ACL. Linux does not look at one whose mask is empty
		if own := readACL(file); own != nil {
			acl = own
		}
	}
	return acl.grants(&r.user, st.Uid, st.Gid, permission, uint32(st.Mode)), nil
}

// acl is a list of permissions, in the order of the system: the owner's, named users', the group's,
// named groups', the mask, all others'.
type acl []aclEntry

type aclEntry struct {
	tag, permissions uint16
	id               uint32
}

const (
	aclOwner      = 1
	aclUser       = 2
	aclGroup      = 4
	aclNamedGroup = 8
	aclMask       = 16
	aclOther      = 32
)

func aclOf(mode uint32) acl {
	return acl{{aclOwner, uint16(mode >> 6 & 7), 0}, {aclGroup, uint16(mode >> 3 & 7), 0}, {aclOther, uint16(mode & 7), 0}}
}

const aclAttribute = "system.posix_acl_access"

// readACL returns nil where there is none.
func readACL(file string) acl {
	raw := make([]byte, 4<<10)
	n, err := unix.Getxattr(file, aclAttribute, raw)
	if err != nil {
		return nil
	}
	return parseACL(raw[:n])
}

// parseACL reads an ACL as Linux stores it: a version, and eight bytes for each entry.
func parseACL(raw []byte) acl {
	const version = 2
	if len(raw) < 4 || len(raw)%8 != 4 || binary.LittleEndian.Uint32(raw) != version {
		return nil
	}
	var list acl
	for raw = raw[4:]; len(raw) > 0; raw = raw[8:] {
		list = append(list, aclEntry{binary.LittleEndian.Uint16(raw), binary.LittleEndian.Uint16(raw[2:]), binary.LittleEndian.Uint32(raw[4:])})
	}
	return list
}

// grants follows acl(5): the first class that is the user's decides, among groups any that grants.
func (a acl) grants(u *User, uid, gid, permission, mode uint32) bool {
	if u.UID == 0 {
		return permission != unix.X_OK || mode&unix.S_IFMT == unix.S_IFDIR || mode&0o111 != 0
	}
	mask := uint16(7)
	if i := slices.IndexFunc(a, func(e aclEntry) bool { return e.tag == aclMask }); i >= 0 {
		mask = a[i].permissions
	}
	want := uint16(permission)
	inGroup := false
	for _, e := range a {
		switch {
		case e.tag == aclOwner && u.UID == uid:
			return e.permissions&want != 0
		case e.tag == aclUser && u.UID == e.id:
			return e.permissions&mask&want != 0
		case e.tag == aclGroup && slices.Contains(u.Groups, gid), e.tag == aclNamedGroup && slices.Contains(u.Groups, e.id):
			if e.permissions&mask&want != 0 {
				return true
			}
			inGroup = true
		case e.tag == aclOther:
			return !inGroup && e.permissions&want != 0
		}
	}
	return false
}
