package target

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/packstone/packstone/pipeline/local"
)

// Owner is a user and a group by number. nil keeps that of an entry.
type Owner struct{ UID, GID *uint32 }

// ParseOwner parses USER:GROUP, USER or :GROUP, each a name on this machine or a number.
func ParseOwner(s string) (Owner, error) {
	var names local.Owners
	user, group, _ := strings.Cut(s, ":")
	if user == "" && group == "" {
		return Owner{}, fmt.Errorf("owner %q: want USER:GROUP, USER or :GROUP", s)
	}
	var o Owner
	var err error
	if o.UID, err = parseID("user", user, names.UserID); err != nil {
		return Owner{}, err
	}
	o.GID, err = parseID("group", group, names.GroupID)
	return o, err
}

func parseID(kind, s string, find func(string) (uint32, bool)) (*uint32, error) {
	if s == "" {
		return nil, nil
	}
	if number, ok := find(s); ok {
		return &number, nil
	}
	number, err := strconv.ParseUint(s, 10, 32)
	if err != nil || number == 1<<32-1 { // -1 means "as it is" to the system
		return nil, fmt.Errorf("owner: there is no %s %q here", kind, s)
	}
	id := uint32(number)
	return &id, nil
}

// Named reports whether a user or a group is set.
func (o Owner) Named() bool { return o.UID != nil || o.GID != nil }

// Apply returns the numbers, replaced by those that are set.
func (o Owner) Apply(uid, gid uint32) (uint32, uint32) {
	if o.UID != nil {
		uid = *o.UID
	}
	if o.GID != nil {
		gid = *o.GID
	}
	return uid, gid
}
