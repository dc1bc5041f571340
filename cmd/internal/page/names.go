package page

import (
	"context"
	"sync"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/browse"
)

// namesMemory bounds what is held of the names in all snapshots, for searches: some 600,000 paths.
// Snapshots with more are read when they are searched.
const namesMemory = 64 << 20

// series is a set of a host.
type series struct{ set, host string }

// heldNames are the names in the snapshots of a repository. They are safe for concurrent use.
type heldNames struct {
	following sync.Mutex // held by who adds names

	mu sync.Mutex
	of map[series]noted
}

// noted are the names of a series.
type noted struct {
	names *browse.Names // nil: they could not be noted
	again time.Time     // when that is tried again
}

// get returns the names of a series, if they are known and are those of all these snapshots.
func (h *heldNames) get(of series, in []*catalog.Snapshot) *browse.Names {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.of[of].names; n != nil && n.Holds(in) {
		return n
	}
	return nil
}

// follow begins to add the names in snapshots that are new, unless somebody does so already.
func (h *heldNames) follow(k *known, b *browse.Browser, in *browse.Room) {
	if !h.following.TryLock() {
		return
	}
	go func() {
		defer h.following.Unlock()
		for _, of := range k.series() {
			h.followOne(k, b, of, in)
		}
	}()
}

func (h *heldNames) followOne(k *known, b *browse.Browser, of series, in *browse.Room) {
	h.mu.Lock()
	was, all := h.of[of], k.of(of.set, of.host)
	h.mu.Unlock()
	if k.at.Before(was.again) {
		return
	}
	names, next, ok := was.names, all, false
	if names != nil {
		next, ok = names.Next(all)
	}
	if !ok {
		names, next = browse.NewNames(in), all
	}
	for _, s := range next {
		if err := names.Add(context.Background(), b, s); err != nil { // a search reads the trees then, and tells
			h.put(of, noted{again: k.at.Add(stale)})
			return
		}
	}
	h.put(of, noted{names: names})
}

func (h *heldNames) put(of series, names noted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil {
		h.of = map[series]noted{}
	}
	h.of[of] = names
}

// series are those of the snapshots, in the order in which they began.
func (k *known) series() (all []series) {
	seen := map[series]bool{}
	for _, s := range k.snapshots {
		if of := (series{s.Set, s.Host}); !seen[of] {
			seen[of] = true
			all = append(all, of)
		}
	}
	return all
}
