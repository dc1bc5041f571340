package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/catalog/tripwire"
)

// Last is what a host remembers of its last backup of the same thing: a set, or paths. It is only
// used while the commit is in the log.
type Last struct {
	Commit  string       `json:"commit"`
	Domain  uint64       `json:"domain"`
	Refs    RefsList     `json:"refs"`
	Writers []string     `json:"writers"` // who was relied on, this writer among them
	Sources []LastSource `json:"sources"`
	Origin  *Origin      `json:"origin,omitempty"` // of what it was a copy, in whichever repository

	Tripwire *tripwire.Memory `json:"tripwire,omitempty"` // what later snapshots are compared with

	doubtful bool
}

// Doubtful reports whether the trees may name packs of writers that this one no longer relies on.
// The backup reads the content of such packs again.
func (l *Last) Doubtful() bool { return l != nil && l.doubtful }

// LastSource is the tree of one source.
type LastSource struct {
	Name     string `json:"name"`
	Location string `json:"location"` // a source that lies elsewhere by now has another last tree
	Root     []byte `json:"root"`
	Files    uint64 `json:"files,omitempty"` // in it, and their bytes
	Bytes    uint64 `json:"bytes,omitempty"`
}

func lastName(of string) string { return lastFolder + hash([]byte(of)) }

const (
	lastFolder = "last/"
	lastSuffix = ".json"
	// mostLast is how many things a host remembers the last backup of. If every day's backup is of
	// other paths, the oldest are useless.
	mostLast = 100
)

// LoadLast returns what is remembered of the last backup of a thing, nil if there is nothing
// reliable: the commit must be in the log of this session, and of the current domain, and the
// storage must not have been rolled back.
func (s *Session) LoadLast(of string) *Last {
	if len(s.RolledBack) > 0 {
		return nil
	}
	data, err := s.repo.Cache.Read(lastName(of) + lastSuffix)
	if err != nil {
		return nil
	}
	last := &Last{}
	if json.Unmarshal(data, last) != nil || last.Domain != uint64(s.writer.DomainNumber) {
		return nil
	}
	if rec := s.Log.findHex(last.Commit); rec == nil || rec.Kind != Commit || s.Log.rolled.isLeaving(rec) {
		return nil
	}
	last.doubtful = s.doubts(last.Writers)
	return last
}

// doubts reports whether this writer no longer relies on one of writers. Backups of earlier
// versions do not name writers; they may have relied on all.
func (s *Session) doubts(writers []string) bool {
	if writers == nil {
		for _, m := range s.repo.Config.Writers {
			writers = append(writers, m.Name())
		}
	}
	now := append(s.repo.shares(s.writer.Signer.Name()), s.repo.vouchers(s.repo.verifications(s.Log))...)
	return slices.ContainsFunc(writers, func(name string) bool { return !slices.Contains(now, name) })
}

// Root returns the tree of a source. It returns false if there is none, or the source had another
// location.
func (l *Last) Root(name, location string) (tree.Root, bool) {
	if l == nil {
		return tree.Root{}, false
	}
	for _, s := range l.Sources {
		var root tree.Root
		if s.Name == name && s.Location == location && root.UnmarshalCBOR(s.Root) == nil {
			return root, true
		}
	}
	return tree.Root{}, false
}

// Size returns how many files a source had in the last backup, and their bytes; 0 if there was
// none, or the source had another location.
func (l *Last) Size(name, location string) (files, bytes uint64) {
	if l == nil {
		return 0, 0
	}
	for _, s := range l.Sources {
		if s.Name == name && s.Location == location {
			return s.Files, s.Bytes
		}
	}
	return 0, 0
}

// Normal returns what is remembered of the sizes of a thing, nil if nothing. Unlike the tree, it
// stays valid whatever happens to the last snapshot.
func (s *Session) Normal(of string) *tripwire.Memory {
	data, err := s.repo.Cache.Read(lastName(of) + lastSuffix)
	if err != nil {
		return nil
	}
	var last struct {
		Tripwire *tripwire.Memory `json:"tripwire"`
	}
	if json.Unmarshal(data, &last) != nil {
		return nil
	}
	return last.Tripwire
}

// KeepLast remembers a snapshot that this session has committed as the last backup of a thing, and
// the sizes with which later snapshots are compared.
func (s *Session) KeepLast(of string, snapshot *Snapshot, refs RefsList, normal *tripwire.Memory) error {
	origin := snapshot.Origin
	if snapshot.Replaces != "" {
		origin = &Origin{Repository: s.repo.Format.Repository, Snapshot: snapshot.Replaces}
	}
	last := Last{
		Commit: snapshot.ID.String(), Domain: uint64(s.writer.DomainNumber), Refs: refs, Writers: s.relied, Origin: origin,
		Tripwire: normal,
	}
	for i := range snapshot.Sources {
		source := &snapshot.Sources[i]
		root, err := source.Root.MarshalCBOR()
		if err != nil {
			return fmt.Errorf("remember snapshot %s: %w", snapshot.ID, err)
		}
		last.Sources = append(last.Sources, LastSource{source.Name, source.Location, root, source.Coverage.Files, source.Coverage.Bytes})
	}
	data, err := json.Marshal(last)
	if err != nil {
		return fmt.Errorf("remember snapshot %s: %w", snapshot.ID, err)
	}
	if err := s.repo.Cache.Write(lastName(of)+lastSuffix, data); err != nil {
		return err
	}
	s.repo.Cache.forgetOldest()
	return nil
}

// forgetOldest deletes the oldest memories if there are more than mostLast.
func (c *Cache) forgetOldest() {
	all, err := os.ReadDir(c.Path(lastFolder))
	if err != nil {
		return
	}
	at := map[string]time.Time{}
	for _, e := range all {
		info, err := e.Info()
		if name, ok := strings.CutSuffix(e.Name(), lastSuffix); ok && err == nil {
			at[name] = info.ModTime()
		}
	}
	names := slices.SortedFunc(maps.Keys(at), func(a, b string) int { return at[a].Compare(at[b]) })
	for _, name := range names[:max(0, len(names)-mostLast)] {
		c.Remove(lastFolder + name + lastSuffix)
		c.Remove(lastFolder + name + pagesSuffix)
	}
}

const pagesSuffix = ".pages"

// OpenPages opens the cached pages of a thing's last trees.
func (s *Session) OpenPages(of string) (*Pages, error) {
	return OpenPages(s.repo.Cache, lastName(of)+pagesSuffix, s.writer.Domain.TreeID())
}

// content returns a content object, from the cache or the store, after checking its hash.
func (r *Repository) content(ctx context.Context, kind archive.Kind, name archive.Name) ([]byte, error) {
	object := kind.Object(name)
	data, err := r.Cache.object(ctx, r.Store, object, hasHash(name.String()))
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", object, err)
	}
	return data, nil
}
