package backup

import (
	"context"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tripwire"
)

// kindOf says which rules of the tripwire make sense for a source of a type.
func kindOf(sourceType string) tripwire.Kind {
	switch sourceType {
	case "database":
		return tripwire.Database
	case "command":
		return tripwire.Dump
	}
	return tripwire.Tree
}

// weigh counts, for the tripwire, what has become of a file. The caller holds mu.
func (c *capture) weigh(it *item) {
	size := uint64(it.node.Size)
	if it.read {
		c.seen.Read += size
		if it.dense {
			c.seen.ReadDense += size
		}
	}
	if it.keep {
		return
	}
	if old := it.step.Old; old != nil && !old.IsMark() {
		all, fresh := it.beside(old.Chunks)
		c.seen.Changed += all
		c.seen.ChangedFresh += fresh
		return
	}
	_, fresh := it.beside(nil)
	c.seen.NewFiles++
	c.seen.NewBytes += size
	c.seen.NewFresh += fresh
	if fresh == 0 {
		c.seen.NewKnown++
	}
}

// beside are the bytes of a file that are in none of these chunks, and those of them that the
// repository did not have.
func (it *item) beside(chunks []archive.Chunk) (bytes, fresh uint64) {
	old := make(map[archive.ID]struct{}, len(chunks))
	for i := range chunks {
		old[chunks[i].ID] = struct{}{}
	}
	for i := range it.node.Chunks {
		id, length := it.node.Chunks[i].ID, it.node.Chunks[i].Length
		isFresh := i < len(it.pending) && it.pending[i] != nil
		switch {
		case isFresh:
			id, length = it.pending[i].ID(), it.pending[i].Length()
		case it.node.Chunks[i].IsHole():
			continue
		}
		if _, there := old[id]; there {
			continue
		}
		bytes += uint64(length)
		if isFresh {
			fresh += uint64(length)
		}
	}
	return bytes, fresh
}

// judge marks a snapshot that looks like a loss, and says what later ones are compared with.
func (b *backup) judge(ctx context.Context, s *catalog.Snapshot, captures []*capture) *tripwire.Memory {
	normal := b.session.Normal(b.o.thing())
	if b.o.Original != nil {
		return normal // a copy is marked as what it is a copy of
	}
	if normal == nil && b.o.Tripwire != (tripwire.Limits{}) {
		normal = b.normalOfSnapshots(ctx)
	}
	seen := make([]tripwire.Seen, len(captures))
	for i, c := range captures {
		seen[i] = c.seen
		seen[i].Files, seen[i].Bytes, seen[i].Rows = c.state.Coverage.Files, c.state.Coverage.Bytes, c.state.Coverage.Rows
	}
	s.Tripwire = tripwire.Judge(normal, seen, b.o.Tripwire)
	return normal.Next(seen, s.Complete(), s.Marked())
}

// normalOfSnapshots is what this host would remember, as the newest complete snapshot of its set
// says; nil if there is none, or it cannot be read here.
func (b *backup) normalOfSnapshots(ctx context.Context) *tripwire.Memory {
	if !b.repo.CanRead() || b.session.Log == nil {
		return nil
	}
	all, err := b.repo.Snapshots(ctx, b.session.Log)
	if err != nil {
		return nil // whoever lists them is told why
	}
	for i := len(all) - 1; i >= 0; i-- {
		if s := all[i]; s.Set == b.o.Set && s.Host == b.o.Host && s.Complete() && !s.LooksLost() {
			return normalOf(s)
		}
	}
	return nil
}

func normalOf(s *catalog.Snapshot) *tripwire.Memory {
	m := &tripwire.Memory{Complete: true}
	for i := range s.Sources {
		source, c := &s.Sources[i], &s.Sources[i].Coverage
		count := tripwire.Count{Files: c.Files, Bytes: c.Bytes, Rows: c.Rows, Dense: c.Bytes} // how it compresses no snapshot says
		m.Sources = append(m.Sources, tripwire.Source{Name: source.Name, Location: source.Location, Normal: count, Last: count})
	}
	return m
}
