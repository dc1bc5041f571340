package browse

import (
	"context"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
)

// Sizes returns the number of files in snapshots, and the bytes that a restore of all of them
// writes.
func Sizes(snapshots []*catalog.Snapshot) (files, bytes uint64) {
	for _, s := range snapshots {
		for i := range s.Sources {
			files += s.Sources[i].Coverage.Files
			bytes += s.Sources[i].Coverage.Bytes
		}
	}
	return files, bytes
}

// Weight is what snapshots take in a repository together. What several of them need counts once.
type Weight struct {
	Chunks    uint64         // different ones, those of trees included
	Raw, Data uint64         // their bytes before compression; those of content alone
	Stored    uint64         // their bytes in the repository, without what packs add to them
	Trees     uint64         // how many of these are pages of trees
	Unnamed   []archive.Name // packs that are needed and that no index names
}

// Weigh returns the weight of snapshots. It reads what they need, but no content.
func Weigh(ctx context.Context, repo *catalog.Repository, snapshots []*catalog.Snapshot) (w Weight, err error) {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return w, err
	}
	index := repo.NewIndex()
	defer index.Close()
	if _, err := repo.LoadIndex(ctx, log, index, nil); err != nil {
		return w, err
	}
	needed, err := allRefs(ctx, repo, log, snapshots)
	if err != nil {
		return w, err
	}
	for ref := range needed.All() {
		pack, ok, err := index.Pack(ctx, ref.Name)
		if err != nil {
			return w, err
		}
		if !ok {
			w.Unnamed = append(w.Unnamed, ref.Name)
			continue
		}
		raw, stored := weigh(pack.Directory, ref.Ordinals)
		w.Chunks += uint64(ref.Ordinals.Count())
		w.Raw += raw
		w.Stored += stored
		if ref.Kind == archive.Trees {
			w.Trees += stored
		} else {
			w.Data += raw
		}
	}
	return w, nil
}

// allRefs returns what the snapshots need together.
func allRefs(ctx context.Context, repo *catalog.Repository, log *catalog.Log, snapshots []*catalog.Snapshot) (*archive.RefSet, error) {
	var records []*catalog.Record
	for _, s := range snapshots {
		if rec := log.Find(s.ID); rec != nil { // else it is gone since the snapshots were read
			records = append(records, rec)
		}
	}
	needed := &archive.RefSet{}
	err := repo.EachRefs(ctx, log, records, func(_ []*catalog.Record, refs *archive.RefSet) error {
		needed.Union(refs)
		return nil
	})
	return needed, err
}

// weigh returns the size of some of a pack's chunks, before compression and stored. A chunk's share
// of its frame is proportional to its length.
func weigh(d *archive.Directory, chunks archive.Bitmap) (raw, stored uint64) {
	ordinal := uint32(0)
	for _, frame := range d.Frames {
		var all, used uint64
		for range frame.Chunks {
			length := uint64(d.Lengths[ordinal])
			all += length
			if chunks.Has(ordinal) {
				used += length
			}
			ordinal++
		}
		raw += used
		if all > 0 {
			stored += uint64(frame.Stored) * used / all
		}
	}
	return raw, stored
}
