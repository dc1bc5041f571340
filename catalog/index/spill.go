package index

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/index/tables"
)

// spillChunks is how many chunks an index without a cache holds in memory, at 50 to 60 bytes each,
// before it moves to a temporary directory.
const spillChunks = 1 << 20

// outgrown reports whether too much is in memory, and there is no cache to which the next
// checkpoint would move it.
func (x *Index) outgrown() bool {
	if x.o.TempDir == "" {
		return false
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.hot.Len() > x.most
}

// spill moves everything in memory to private tables of this index. The caller must hold the lock
// for loading. If there is no room, everything stays in memory.
func (x *Index) spill(ctx context.Context) {
	if x.o.Dir != "" && !x.inMemoryOnly {
		return
	}
	if x.private == "" {
		dir, err := os.MkdirTemp(x.o.TempDir, "packstone-index-")
		if err != nil {
			x.o.TempDir = ""
			return
		}
		x.private = dir
	}
	var name archive.Name
	rand.Read(name[:])
	var packs []archive.RunPack
	x.mu.RLock()
	for p := range x.hot.Packs() {
		packs = append(packs, p)
	}
	x.mu.RUnlock()
	x.runs[name], x.named[name], x.offered[name] = true, true, packs
	if err := x.extend(ctx, x.private, false); err != nil {
		delete(x.runs, name)
		delete(x.offered, name)
		x.o.TempDir = ""
		return
	}
	if len(x.missing()) > 0 { // of tables that are left to another process
		x.stale.Store(true)
	}
}

// lost turns damage of private tables into an error, since they cannot be rebuilt. If ctx ends first,
// its error says so.
func (x *Index) lost(ctx context.Context, damaged *tables.Set, err error) error {
	if err := x.loading.wait(ctx); err != nil {
		return err
	}
	defer x.loading.Unlock()
	if x.private == "" || x.disk != damaged || !errors.Is(err, tables.ErrDamaged) {
		return err
	}
	return fmt.Errorf("temporary files in %s: %w", x.private, errLost)
}

// errLost: the content of temporary files can no longer be read.
var errLost = errors.New("what was kept there is damaged")
