package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog/collection"
	"github.com/packstone/packstone/crypto"
)

// PackSet is a set of packs.
type PackSet map[archive.Name]bool

// Add implements collection.Set. It adds to s itself, unless s is nil.
func (s PackSet) Add(other PackSet) PackSet {
	if s == nil {
		return maps.Clone(other)
	}
	maps.Copy(s, other)
	return s
}

// Minus implements collection.Set.
func (s PackSet) Minus(other PackSet) PackSet {
	left := PackSet{}
	for name := range s {
		if !other[name] {
			left[name] = true
		}
	}
	return left
}

// Empty implements collection.Set.
func (s PackSet) Empty() bool { return len(s) == 0 }

// round is one decision of a collector: packs that will be deleted (condemn), or that are deleted
// (sweep).
type round struct {
	Kind   string   `json:"kind"`
	Number uint64   `json:"number"`
	Packs  []string `json:"packs"`
	// Sighted are packs that no record has ever named. They are deleted if a later round finds them
	// again.
	Sighted []string `json:"sighted,omitempty"`
}

// The kinds of decisions.
const (
	condemn = "condemn"
	sweep   = "sweep"
)

func roundName(n uint64, kind string) string { return "gc/" + sequence(n) + "/" + kind }

// packs returns the packs of a decision.
func (d *round) packs() PackSet { return parsePacks(d.Packs) }

func parsePacks(texts []string) PackSet {
	set := PackSet{}
	for _, text := range texts {
		if name, err := archive.ParseName(text); err == nil {
			set[name] = true
		}
	}
	return set
}

// Avoid is the set of packs that nobody may rely on.
type Avoid struct {
	packs PackSet
	roll  *rolled // read after these were listed
}

// Has reports whether nobody may rely on a pack.
func (a *Avoid) Has(name archive.Name) bool { return a != nil && a.packs[name] }

// Len returns the number of packs to avoid.
func (a *Avoid) Len() int {
	if a == nil {
		return 0
	}
	return len(a.packs)
}

// readAvoid reads the collectors' rounds: it collects the packs of every sweep, and of every
// condemnation without a sweep. It skips objects that neither a collector nor the owner has signed.
func (r *Repository) readAvoid(ctx context.Context) (*Avoid, error) {
	rounds, err := r.ReadRounds(ctx)
	if err != nil {
		return nil, err
	}
	avoid := &Avoid{packs: PackSet{}, roll: rounds.roll}
	for _, round := range rounds.all {
		avoid.packs = collection.Avoid(avoid.packs, round)
	}
	return avoid, nil
}

// Rounds are all decisions of collectors.
type Rounds struct {
	Sighted PackSet // packs that a round has met and that no record had named

	all     map[uint64]collection.Round[PackSet]
	blocked map[uint64]bool // rounds in which something lies that nobody signed who may
	last    uint64
	roll    *rolled // the newest, without what it has in force
}

// Next returns the number of the next round: no object has that number.
func (r *Rounds) Next() uint64 { return r.last + 1 }

// Round returns the round with a number.
func (r *Rounds) Round(n uint64) collection.Round[PackSet] { return r.all[n] }

// Unfinished returns the rounds that have condemned but not swept, and that can be continued.
func (r *Rounds) Unfinished() (list []uint64) {
	for n, round := range r.all {
		if round.Condemn && !round.Sweep && !r.blocked[n] {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list
}

// Swept returns the packs of all sweeps.
func (r *Rounds) Swept() PackSet {
	swept := PackSet{}
	for _, round := range r.all {
		if round.Sweep {
			swept = swept.Add(round.Swept)
		}
	}
	return swept
}

// ReadRounds reads all decisions of collectors.
func (r *Repository) ReadRounds(ctx context.Context) (*Rounds, error) {
	rounds := &Rounds{all: map[uint64]collection.Round[PackSet]{}, blocked: map[uint64]bool{}, Sighted: PackSet{}}
	for info, err := range r.Store.List(ctx, "gc/", "") {
		if err != nil {
			return nil, fmt.Errorf("list collections: %w", err)
		}
		n, _, ok := parseRoundName(info.Name)
		if !ok {
			continue
		}
		rounds.last = max(rounds.last, n)
		decision, err := r.readRound(ctx, info.Name)
		if errors.Is(err, store.ErrNotExist) {
			continue // rolled up since it was listed
		}
		if err != nil {
			return nil, err
		}
		if decision == nil {
			rounds.blocked[n] = true
			continue
		}
		rounds.add(decision)
	}
	return rounds, r.addRolled(ctx, rounds)
}

// addRolled adds the sweeps of rolled-up rounds. It reads them after the other rounds were listed.
func (r *Repository) addRolled(ctx context.Context, rounds *Rounds) error {
	if !r.Config.requires(featureRollUp) {
		return nil
	}
	l, err := r.rollSince(ctx, nil)
	if l == nil || err != nil {
		return err
	}
	rounds.roll = l
	for n := range rounds.all {
		if n <= l.Rounds {
			delete(rounds.all, n)
		}
	}
	rounds.last = max(rounds.last, l.Rounds)
	swept, err := r.rolledSwept(ctx, l)
	if len(swept) > 0 {
		rounds.all[0] = collection.Round[PackSet]{Sweep: true, Swept: swept}
	}
	return err
}

// ReadRound reads the round with a number.
func (r *Repository) ReadRound(ctx context.Context, n uint64) (collection.Round[PackSet], error) {
	rounds := &Rounds{all: map[uint64]collection.Round[PackSet]{}, Sighted: PackSet{}}
	for _, kind := range []string{condemn, sweep} {
		decision, err := r.readRound(ctx, roundName(n, kind))
		if errors.Is(err, store.ErrNotExist) || err == nil && decision == nil {
			continue
		}
		if err != nil {
			return collection.Round[PackSet]{}, err
		}
		rounds.add(decision)
	}
	return rounds.Round(n), nil
}

func (r *Rounds) add(decision *round) {
	at := r.all[decision.Number]
	if decision.Kind == condemn {
		at.Condemn, at.Condemned = true, decision.packs()
	} else {
		at.Sweep, at.Swept = true, decision.packs()
	}
	r.all[decision.Number] = at
	r.Sighted = r.Sighted.Add(parsePacks(decision.Sighted))
}

// parseRoundName reads a name of the form gc/<number>/condemn or gc/<number>/sweep.
func parseRoundName(name string) (n uint64, kind string, ok bool) {
	number, kind, ok := strings.Cut(strings.TrimPrefix(name, "gc/"), "/")
	n, valid := parseSequence(number)
	return n, kind, ok && valid && (kind == condemn || kind == sweep)
}

// readRound reads a decision. It returns nil for an object that is not a signed decision.
func (r *Repository) readRound(ctx context.Context, name string) (*round, error) {
	n, kind, ok := parseRoundName(name)
	if !ok {
		return nil, nil
	}
	var body []byte
	var by crypto.Verifier
	_, err := r.Cache.object(ctx, r.Store, name, func(data []byte) (err error) {
		body, by, err = crypto.Verify(r.Format.Repository, name, data, r.deciders()...)
		return err
	})
	var bad *badObject
	if errors.As(err, &bad) || err == nil && r.wasRevoked(r.Config.Collectors, by.Name(), "gc", n) {
		r.warn("%s is not signed by a collector: ignored", name)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	decision := &round{}
	if err := json.Unmarshal(body, decision); err != nil || decision.Number != n || decision.Kind != kind {
		return nil, fmt.Errorf("read %s: it does not say what its name says: %w", name, ErrUntrusted)
	}
	return decision, nil
}

// deciders returns the keys of the owner and of collectors, including revoked ones.
func (r *Repository) deciders() []crypto.Verifier { return append(keys(r.Config.Collectors), r.owner) }

// PutCondemnation announces that packs will be deleted. It returns the round as it is then, which
// may be that of another collector.
func (r *Repository) PutCondemnation(ctx context.Context, by crypto.Signer, n uint64, packs, sighted PackSet) (collection.Round[PackSet], error) {
	return r.putRound(ctx, by, round{Kind: condemn, Number: n, Packs: packs.texts(), Sighted: sighted.texts()})
}

// PutSweep decides which packs are deleted. It returns the round as it is then, and whether this
// call has written it. What it returns is durable.
func (r *Repository) PutSweep(ctx context.Context, by crypto.Signer, n uint64, packs PackSet) (there collection.Round[PackSet], own bool, err error) {
	there, err = r.putRound(ctx, by, round{Kind: sweep, Number: n, Packs: packs.texts()})
	return there, err == nil && maps.Equal(there.Swept, packs), err
}

func (s PackSet) texts() []string {
	texts := []string{}
	for name := range s {
		texts = append(texts, name.String())
	}
	slices.Sort(texts)
	return texts
}

// putRound writes a decision, unless there is one, and reads its round.
func (r *Repository) putRound(ctx context.Context, by crypto.Signer, d round) (there collection.Round[PackSet], err error) {
	if err := r.mayDecide(by); err != nil {
		return there, err
	}
	body, err := encodeLine(d)
	if err != nil {
		return there, err
	}
	name := roundName(d.Number, d.Kind)
	data, err := by.Sign(r.Format.Repository, name, body)
	if err != nil {
		return there, err
	}
	if err := putOwn(ctx, r.Store, name, data); err != nil && !errors.Is(err, store.ErrExist) {
		return there, fmt.Errorf("write %s: %w", name, err)
	}
	if err := r.Store.Sync(ctx); err != nil {
		return there, fmt.Errorf("write %s: %w", name, err)
	}
	if there, err = r.ReadRound(ctx, d.Number); err != nil {
		return there, err
	}
	if l, err := r.rollSince(ctx, nil); err != nil {
		return there, err
	} else if l != nil && d.Number <= l.Rounds {
		return there, fmt.Errorf("round %d was over long before: another collector was quicker, run it again: %w", d.Number, ErrRestart)
	}
	if d.Kind == condemn && !there.Condemn || d.Kind == sweep && !there.Sweep {
		return there, fmt.Errorf("%s is not signed by anyone with the right to: the next collection starts again: %w", name, ErrUntrusted)
	}
	return there, nil
}
