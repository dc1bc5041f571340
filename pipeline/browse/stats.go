package browse

import (
	"context"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
)

// Sizes are the files of snapshots, and the bytes that a restore of all of them writes.
func Sizes(snapshots []*catalog.Snapshot) (files, bytes uint64) {
	for _, s := range snapshots {
		for i := range s.Sources {
			files += s.Sources[i].Coverage.Files
			bytes += s.Sources[i].Coverage.Bytes
		}
	}
	return files, bytes
}

// Weight is what snapshots take in a repository, together: what several of them need counts once.
type Weight struct {
	Chunks    uint64         // different ones, those of trees included
	Raw, Data uint64         // their bytes before compression; those of content alone
	Stored    uint64         // their bytes in the repository, without what packs add to them
	Trees     uint64         // how many of these are pages of trees
	Unnamed   []archive.Name // packs that are needed and that no index names
}

// Weigh reads what snapshots need, and no content.
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

// allRefs is what any of the snapshots needs.
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

// weigh counts the bytes of some of a pack's chunks. Of a frame with several, each is stored in
// proportion.
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
