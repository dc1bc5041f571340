package local

import (
	"os/user"
	"strconv"
	"sync"
)

// Owners looks up names and numbers of users and groups and remembers them. Its zero value is
// ready; it is safe for concurrent use.
type Owners struct {
	users, groups     lookup[uint32, string]
	userIDs, groupIDs lookup[string, id]
}

type id struct {
	number uint32
	known  bool
}

// User returns the name of a user, or "".
func (o *Owners) User(uid uint32) string {
	return o.users.get(uid, func(uid uint32) string {
		u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
		if err != nil {
			return ""
		}
		return u.Username
	})
}

// Group returns the name of a group, or "".
func (o *Owners) Group(gid uint32) string {
	return o.groups.get(gid, func(gid uint32) string {
		g, err := user.LookupGroupId(strconv.FormatUint(uint64(gid), 10))
		if err != nil {
			return ""
		}
		return g.Name
	})
}

// UserID returns the number of a user; false if there is none of that name here.
func (o *Owners) UserID(name string) (uint32, bool) {
	found := o.userIDs.get(name, func(name string) id {
		u, err := user.Lookup(name)
		if err != nil {
			return id{}
		}
		return parseID(u.Uid)
	})
	return found.number, found.known
}

// GroupID returns the number of a group; false if there is none of that name here.
func (o *Owners) GroupID(name string) (uint32, bool) {
	found := o.groupIDs.get(name, func(name string) id {
		g, err := user.LookupGroup(name)
		if err != nil {
			return id{}
		}
		return parseID(g.Gid)
	})
	return found.number, found.known
}

func parseID(s string) id {
	n, err := strconv.ParseUint(s, 10, 32)
	return id{uint32(n), err == nil}
}

// lookup remembers what find returned.
type lookup[K comparable, V any] struct {
	mu    sync.RWMutex
	known map[K]V
}

const maxKnown = 1 << 16

func (l *lookup[K, V]) get(key K, find func(K) V) V {
	l.mu.RLock()
	value, ok := l.known[key]
	l.mu.RUnlock()
	if ok {
		return value
	}
	value = find(key)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil || len(l.known) >= maxKnown {
		l.known = make(map[K]V)
	}
	l.known[key] = value
	return value
}
