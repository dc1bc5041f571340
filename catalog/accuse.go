package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/archive/store"
)

// Accusation is a record, or a config, that others claim to have seen and that does not exist: the
// storage was rolled back, or the claim is false. An Accusation alone is reported, but stops no
// operation.
type Accusation struct {
	Lane     string // "": it is a config
	Sequence uint64
	By       []string // who claims it, sorted
	Grave    bool     // the owner or a collector does

	hash string
}

// String describes the claim.
func (a Accusation) String() string {
	if a.Lane == "" {
		return fmt.Sprintf("config %d is missing, although %s has seen it: the storage was rolled back, or the claim is false",
			a.Sequence, strings.Join(a.By, ", "))
	}
	return fmt.Sprintf("record %d of lane %s is missing, although %s has seen it: the storage was rolled back, or the claim is false",
		a.Sequence, a.Lane, strings.Join(a.By, ", "))
}

// claimsAsked is the largest number of claims that are looked into: any writer can invent some.
const claimsAsked = 64

// Accusations lists the heads of lanes that records name and that do not exist, grave ones first.
// Of the claims of one lane about another, only the last counts.
func (r *Repository) Accusations(ctx context.Context, log *Log) ([]Accusation, error) {
	list := append(r.missedConfigs(log), log.accusations()...)
	list = slices.DeleteFunc(list, func(a Accusation) bool { return a.hash != "" && r.Config.Void[a.object()] == a.hash })
	asked, borneOut := 0, map[string]bool{}
	for _, a := range list {
		if asked++; asked > claimsAsked {
			break
		}
		there, err := r.hasRecord(ctx, a)
		if err != nil {
			return nil, err
		}
		borneOut[a.Lane+" "+a.hash] = there
	}
	return slices.DeleteFunc(list, func(a Accusation) bool { return borneOut[a.Lane+" "+a.hash] }), nil
}

// missedConfigs returns the newest config under which records were written and that does not exist.
func (r *Repository) missedConfigs(log *Log) []Accusation {
	var newest Accusation
	for _, rec := range log.Records {
		if r.Config.knows(rec.Config, rec.ConfigHash) {
			continue
		}
		newest.Sequence, newest.Grave = max(newest.Sequence, rec.Config), newest.Grave || rec.ofOwner
		if !slices.Contains(newest.By, rec.Lane.Writer) {
			newest.By = append(newest.By, rec.Lane.Writer)
		}
	}
	if len(newest.By) == 0 {
		return nil
	}
	slices.Sort(newest.By)
	return []Accusation{newest}
}

// object returns the name of the missing object.
func (a Accusation) object() string { return "log/" + a.Lane + "/" + sequence(a.Sequence) }

// MayHold reports whether a lane may contain snapshots of host; "" means any host.
func (r *Repository) MayHold(lane, host string) bool {
	l, _, ok := parseRecordName("log/" + lane + "/" + sequence(1))
	m, _, known := member(r.Config.Writers, l.Writer)
	return ok && known && (host == "" || m.MaySpeakFor(host))
}

// hasRecord asks the store for a record, which may have been written after the log was listed.
func (r *Repository) hasRecord(ctx context.Context, a Accusation) (bool, error) {
	name := a.object()
	if _, _, ok := parseRecordName(name); !ok {
		return false, nil
	}
	data, err := r.Store.Get(ctx, name, 0, -1, nil)
	if errors.Is(err, store.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for record %s: %w", name, err)
	}
	return hash(data) == a.hash, nil
}

// accusations returns the claims that the log contradicts.
func (l *Log) accusations() (list []Accusation) {
	type claim struct {
		by   Lane
		lane string
	}
	last := map[claim]Accusation{}
	for _, rec := range l.Records {
		for lane, head := range rec.Heads {
			last[claim{rec.Lane, lane}] = Accusation{lane, head.Sequence, []string{rec.Lane.Writer}, rec.ofOwner, head.Hash}
		}
	}
	for _, a := range last {
		if !l.has(a.hash) && !l.rolled.vouches(a.Lane, a.hash, a.Sequence) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b Accusation) int {
		return cmp.Or(cmp.Compare(a.Lane, b.Lane), cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.hash, b.hash), cmp.Compare(a.By[0], b.By[0]))
	})
	list = together(list)
	slices.SortStableFunc(list, func(a, b Accusation) int {
		switch {
		case a.Grave == b.Grave:
			return 0
		case a.Grave:
			return -1
		}
		return 1
	})
	return list
}

// together joins adjacent accusations of the same.
func together(list []Accusation) (joined []Accusation) {
	for _, a := range list {
		n := len(joined)
		if n == 0 || joined[n-1].Lane != a.Lane || joined[n-1].hash != a.hash {
			joined = append(joined, a)
			continue
		}
		last := &joined[n-1]
		last.Grave = last.Grave || a.Grave
		if !slices.Contains(last.By, a.By[0]) {
			last.By = append(last.By, a.By[0])
		}
	}
	return joined
}

// Defects describes what is missing or damaged in the log.
func (r *Repository) Defects(log *Log) (texts []string) {
	if err := r.Config.Broken(); err != nil {
		texts = append(texts, err.Error())
	}
	for _, problem := range log.Problems {
		texts = append(texts, problem.Error())
	}
	if lost := log.RolledBack(); len(lost) > 0 {
		texts = append(texts, fmt.Sprintf("%v: of %s; snapshots may be missing", ErrRolledBack, strings.Join(lost, ", ")))
	}
	return texts
}
