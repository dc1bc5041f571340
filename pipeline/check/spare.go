package check

import (
	"context"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
)

// findLost notes what is needed of packs that are gone, as far as the index tells what lay in them,
// and no other pack has it.
func (r *Rebuild) findLost(ctx context.Context, needed *archive.RefSet) error {
	c := r.check
	r.lost = map[archive.ID][]archive.Chunk{}
	for ref := range needed.All() {
		writers := c.users.of(packKey{ref.Kind, ref.Name})
		if c.present[packKey{ref.Kind, ref.Name}] != nil || !c.credit(writers, ref.Name) {
			continue
		}
		known, _, err := c.index.Pack(ctx, ref.Name)
		if err != nil {
			return err
		}
		for chunk := range known.Directory.All(known.Pack) {
			if !ref.Ordinals.Has(chunk.Place.Ordinal) {
				continue
			}
			places, err := c.index.Places(ctx, chunk.ID)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(places, func(at archive.Chunk) bool { return c.isGood(at.Place.Pack, writers) }) {
				r.lost[chunk.ID] = append(r.lost[chunk.ID], chunk)
			}
		}
	}
	return nil
}

// findSpares adds packs that only records of revoked writers name, and that have something that is
// lost. It reads the directories of such packs, but only where something is lost.
func (r *Rebuild) findSpares(ctx context.Context, avoid catalog.PackSet) error {
	if len(r.lost) == 0 {
		return nil
	}
	c := r.check
	var named archive.RefSet
	for _, rec := range c.log.Revoked() {
		set, err := c.refs.Load(ctx, rec.Refs)
		if away := store.Unavailable(ctx, err); away != nil {
			return away
		}
		if err == nil { // else whoever was revoked has spoilt it
			named.Union(set)
		}
	}
	for ref := range named.All() {
		listed := c.present[packKey{ref.Kind, ref.Name}]
		if listed == nil || avoid[ref.Name] || slices.Contains(r.packs, listed) {
			continue
		}
		pack, err := c.directoryOf(ctx, listed)
		if away := store.Unavailable(ctx, err); away != nil {
			return away
		}
		if err == nil && len(r.replaced([]archive.RunPack{pack})) > 0 {
			r.packs, r.Bytes = append(r.packs, listed), r.Bytes+uint64(listed.Size)
		}
	}
	return nil
}

// replaced returns where packs have what is lost, by the packs that have lost it.
func (r *Rebuild) replaced(packs []archive.RunPack) []archive.MovedPack {
	var copies []catalog.Copied
	done := map[archive.ID]bool{}
	for _, p := range packs {
		for chunk := range p.Directory.All(p.Pack) {
			for _, lost := range r.lost[chunk.ID] {
				if !done[chunk.ID] && lost.Length == chunk.Length {
					slot := archive.NewSlot(chunk.ID, int(chunk.Length))
					slot.Seal(chunk.Place)
					copies = append(copies, catalog.Copied{From: lost, To: slot})
				}
			}
			done[chunk.ID] = true
		}
	}
	return catalog.MovedPacks(copies)
}

// forgetLost removes what packs have from what is lost.
func (r *Rebuild) forgetLost(packs []archive.RunPack) {
	for _, p := range packs {
		for _, id := range p.Directory.IDs {
			delete(r.lost, id)
		}
	}
}
