package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/crypto"
)

// round is one decision of a collector: packs that are about to go (condemn) or that are gone (sweep).
type round struct {
	Kind   string   `json:"kind"`
	Number uint64   `json:"number"`
	Packs  []string `json:"packs"`
}

// Avoid are the packs that must not be relied on.
type Avoid struct {
	packs map[archive.Name]bool
	round uint64 // the highest round that was seen
}

// Has tells whether a pack must not be relied on.
func (a *Avoid) Has(name archive.Name) bool { return a != nil && a.packs[name] }

// Len is the number of packs to avoid.
func (a *Avoid) Len() int {
	if a == nil {
		return 0
	}
	return len(a.packs)
}

// readAvoid lists the collector's rounds: packs of every sweep, and of every condemnation that no sweep has decided yet. Objects
// that no collector has signed are passed over.
func (r *Repository) readAvoid(ctx context.Context) (*Avoid, error) {
	avoid := &Avoid{packs: map[archive.Name]bool{}}
	condemned := map[uint64]*round{}
	for info, err := range r.Store.List(ctx, "gc/", "") {
		if err != nil {
			return nil, fmt.Errorf("list collections: %w", err)
		}
		decision, err := r.readRound(ctx, info.Name)
		if err != nil {
			return nil, err
		}
		if decision == nil {
			continue
		}
		avoid.round = max(avoid.round, decision.Number)
		if decision.Kind == "condemn" {
			condemned[decision.Number] = decision
			continue
		}
		delete(condemned, decision.Number)
		avoid.add(decision)
	}
	for _, decision := range condemned {
		avoid.add(decision)
	}
	return avoid, nil
}

func (a *Avoid) add(decision *round) {
	for _, text := range decision.Packs {
		if name, err := archive.ParseName(text); err == nil {
			a.packs[name] = true
		}
	}
}

// readRound returns nil for an object that is no signed decision. A name has the form gc/<number>/condemn or gc/<number>/sweep.
func (r *Repository) readRound(ctx context.Context, name string) (*round, error) {
	number, kind, ok := strings.Cut(strings.TrimPrefix(name, "gc/"), "/")
	n, valid := parseSequence(number)
	if !ok || !valid || kind != "condemn" && kind != "sweep" {
		return nil, nil
	}
	var body []byte
	var by crypto.Verifier
	_, err := r.Cache.object(ctx, r.Store, name, func(data []byte) (err error) {
		body, by, err = crypto.Verify(r.Format.Repository, name, data, keys(r.Config.Collectors)...)
		return err
	})
	var bad *badObject
	if errors.As(err, &bad) || err == nil && r.wasRevoked(r.Config.Collectors, by.Name(), "gc", n) {
		r.warn("%s is not signed by a collector and is passed over", name)
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
