package postgres

import (
	"math"

	"github.com/packstone/packstone/pipeline/database"
)

// Rehearse implements database.Rehearser.
func (Driver) Rehearse(s *database.Schema) ([]database.Finding, error) {
	p, err := nativePlan(s, database.PlanOptions{}, ideal(s))
	if err != nil {
		return nil, err
	}
	out := database.LeftOutOf(p)
	for _, o := range s.Objects {
		if o.Lacks != "" && len(o.DDL) > 0 {
			out = append(out, database.Finding{
				Object: o.ObjectID, Status: database.Dropped, Code: database.CodeRefused,
				Reason: "it is made of " + o.Lacks + ", which is not kept: only a server that has it already can make it again",
			})
		}
	}
	return out, nil
}

// ideal is a server that has all roles of a schema, for a superuser.
func ideal(s *database.Schema) *standing {
	me := &database.Principal{Powers: []string{superuser}}
	at := &standing{me: me, version: math.MaxInt, roles: map[string]*database.Principal{"": me}, mine: map[string]bool{"": true}}
	for _, p := range s.Owners {
		at.roles[p.Name], at.mine[p.Name] = p, true
	}
	return at
}

// noteLacks marks what cannot be made without something that is not kept.
func noteLacks(items []*item, deps dependencies) {
	const visiting, known = 1, 2
	state, lacks := map[*item]int{}, map[*item]*item{}
	var visit func(it *item)
	visit = func(it *item) {
		state[it] = visiting
		for _, d := range deps[it] {
			if state[d] == 0 {
				visit(d)
			}
			switch {
			case lacks[it] != nil:
			case gone(d):
				lacks[it] = d
			default:
				lacks[it] = lacks[d]
			}
		}
		state[it] = known
	}
	for _, it := range items {
		if state[it] == 0 {
			visit(it)
		}
		if lacks[it] != nil && it.Class != 0 && !it.excluded {
			it.object.Lacks = lacks[it].object.ObjectID.String()
		}
	}
}

// gone says that an object is not kept, against anybody's wish.
func gone(it *item) bool {
	return !it.excluded && it.object.Lost != "" && it.object.Lost != database.LeftOut && it.object.Lost != database.PartOfTable
}
