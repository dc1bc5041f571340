package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
)

// Vital is the set of objects that a restore needs. It does not change, and is safe for concurrent
// use.
type Vital struct {
	objects map[string]bool // but packs
	packs   PackSet
	// Doubt says why the packs in need could not be told, nil if they could. Then all that are not
	// swept count as needed.
	Doubt error
}

// Has reports whether a restore needs the object of this name.
func (v *Vital) Has(name string) bool {
	if v.objects[name] {
		return true
	}
	pack, ok := parsePack(name)
	return ok && v.packs[pack] == (v.Doubt == nil)
}

// IsPack reports whether an object is a pack of contents or of tree pages, by its name.
func (v *Vital) IsPack(name string) bool {
	_, ok := parsePack(name)
	return ok
}

func parsePack(name string) (archive.Name, bool) {
	kind, _, _ := strings.Cut(name, "/")
	if kind != string(archive.Data) && kind != string(archive.Trees) {
		return archive.Name{}, false
	}
	pack, err := archive.ParseName(name[strings.LastIndexByte(name, '/')+1:])
	return pack, err == nil && archive.Kind(kind).Object(pack) == name
}

// Vital returns what a restore needs of the objects that exist now: the format, configs, domains,
// headers, rolls and their history, records, and what records in force name. It leaves out what was
// swept, what is void, what revoked members have signed, and what was forgotten: that is kept for
// the grace in other ways.
func (r *Repository) Vital(ctx context.Context, log *Log, now time.Time) (*Vital, error) {
	v := &Vital{objects: map[string]bool{archive.FormatObject: true}}
	for n := range r.Config.Number + 1 {
		v.objects[configName(n)] = true
	}
	for _, name := range r.Config.named() {
		v.objects[name] = true
	}
	if err := r.addRolls(ctx, v, log.rolled); err != nil {
		return nil, err
	}
	v.addRecords(log, now)
	for name := range r.Config.Void {
		delete(v.objects, name)
	}
	return v, r.addPacks(ctx, v, log, now)
}

// addRolls adds the rolls up to the newest, and what they name.
func (r *Repository) addRolls(ctx context.Context, v *Vital, newest *rolled) error {
	if newest == nil {
		return nil
	}
	for _, name := range slices.Concat(newest.Force, newest.Swept) {
		v.objects[historyName(name)] = true
	}
	for n := newest.Number; n > 0; n-- {
		l, err := r.readRollBody(ctx, n)
		if errors.Is(err, store.ErrNotExist) || err == nil && l == nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("find what a restore needs: %w", err)
		}
		v.objects[rollName(n)] = true
		for _, name := range l.History {
			v.objects[historyName(name)] = true
		}
	}
	return nil
}

// counting returns the term by which nothing that was forgotten is needed, though the clock that
// told now may be behind the one that dated what forgot it.
func counting(now time.Time) Term { return Term{Now: now, Grace: -24 * time.Hour} }

// addRecords adds all records, which are links of chains, and the index runs and refs of those that
// count.
func (v *Vital) addRecords(log *Log, now time.Time) {
	needed := map[*Record]bool{}
	for _, rec := range log.Needed(counting(now)) {
		needed[rec] = true
	}
	for _, rec := range log.Records {
		if rec.rolled == nil {
			v.objects[rec.Name()] = true
		}
		names := rec.refs()
		if (rec.Kind == Commit || rec.Kind == Checkpoint) && !needed[rec] {
			names = nil
		}
		for _, text := range names {
			if name, err := archive.ParseName(text); err == nil {
				v.objects[archive.Refs.Object(name)] = true
			}
		}
	}
	for _, name := range log.runNames(func(*Record) bool { return true }) {
		v.objects[archive.Runs.Object(name)] = true
	}
}

// addPacks adds the needed packs. If refs can't be read, which a writer can bring about, it counts
// all packs but those that were swept as needed.
func (r *Repository) addPacks(ctx context.Context, v *Vital, log *Log, now time.Time) error {
	packs, err := r.NeededPacks(ctx, log, counting(now))
	if away := store.Unavailable(ctx, err); away != nil {
		return away
	}
	if err == nil || errors.Is(err, ErrNoIdentity) {
		v.packs = packs
		return err
	}
	v.Doubt = err
	rounds, err := r.ReadRounds(ctx)
	if err != nil {
		return err
	}
	v.packs = rounds.Swept()
	return nil
}

// Packs returns how many packs a restore needs; 0 if that is in doubt, or v is nil.
func (v *Vital) Packs() int {
	if v == nil || v.Doubt != nil {
		return 0
	}
	return len(v.packs)
}
