package archive

import "sync"

// A group gathers small chunks of one kind of content until they fill a frame.
type group struct {
	kind  string
	raw   []byte
	slots []*Slot
	used  uint64
}

// groups holds the open groups of a writer, of which there are few and of bounded size. It is safe
// for concurrent use.
type groups struct {
	target int // bytes that fill a frame; no chunk has more than half of it
	mu     sync.Mutex
	open   map[string]*group
	clock  uint64
	free   []*group
}

const (
	maxGroups      = 12   // with frames of 512 KiB these are at most 9 MiB
	maxGroupChunks = 4096 // finding a chunk in a frame adds up the lengths before it
)

// add copies a chunk into the group of its kind, and returns the groups to write now: full if the
// chunk filled its group, evicted if a group had to make room.
func (g *groups) add(kind string, slot *Slot, data []byte) (full, evicted *group) {
	g.mu.Lock()
	defer g.mu.Unlock()
	member, found := g.open[kind]
	if !found {
		evicted = g.makeRoom()
		member = g.fresh(kind)
	}
	g.clock++
	member.used = g.clock
	member.raw = append(member.raw, data...)
	member.slots = append(member.slots, slot)
	if len(member.raw) < g.target && len(member.slots) < maxGroupChunks {
		return nil, evicted
	}
	delete(g.open, kind)
	return member, evicted
}

// makeRoom closes the least recently used group if there are too many.
func (g *groups) makeRoom() *group {
	if len(g.open) < maxGroups {
		return nil
	}
	var oldest *group
	for _, member := range g.open {
		if oldest == nil || member.used < oldest.used {
			oldest = member
		}
	}
	delete(g.open, oldest.kind)
	return oldest
}

func (g *groups) fresh(kind string) *group {
	var member *group
	if last := len(g.free) - 1; last >= 0 {
		member, g.free = g.free[last], g.free[:last]
	} else {
		member = &group{raw: make([]byte, 0, g.target+g.target/2)}
	}
	member.kind = kind
	if g.open == nil {
		g.open = make(map[string]*group)
	}
	g.open[kind] = member
	return member
}

// takeAll closes all groups.
func (g *groups) takeAll() []*group {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*group, 0, len(g.open))
	for _, member := range g.open {
		all = append(all, member)
	}
	clear(g.open)
	return all
}

// recycle reuses the memory of a group whose frame is written.
func (g *groups) recycle(member *group) {
	clear(member.slots)
	member.raw, member.slots = member.raw[:0], member.slots[:0]
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.free) < maxGroups {
		g.free = append(g.free, member)
	}
}
