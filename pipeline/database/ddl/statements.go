package ddl

import (
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// Statement makes one object, or part of it.
type Statement struct {
	Object database.ObjectID
	Phase  database.Phase
	SQL    string
	// Vital statements must succeed; another's failure is a finding.
	Vital bool
	// Instead is tried where a vital statement fails for a reason that the engine
	// knows to be its own limit; Lost says what is then missing.
	Instead, Lost string
	// Table and Adds are the parts of ALTER TABLE … ADD …, for an engine that
	// makes several at once.
	Table, Adds string
	// Key is the foreign key that it makes, in the target's names; Loose what to say
	// where rows break it, if they may.
	Key   *database.ForeignKey
	Loose database.Finding
}

// Steps are a plan's statements in the order in which a target runs them; they
// stand in database.Plan.Detail.
type Steps struct {
	Create []Statement // before the rows
	After  []Statement // keys and the like
	End    []Statement // after counters are set, since code may use them
	// Sequences names, qualified and quoted, what free sequences have become, by
	// their IDs in the source.
	Sequences map[string]string
}

// stepsOf parts statements by the time at which they run.
func stepsOf(statements []Statement, sequences map[string]string) *Steps {
	out := &Steps{Sequences: sequences}
	for _, s := range statements {
		switch s.Phase {
		case database.BeforeTables, database.Tables:
			out.Create = append(out.Create, s)
		case database.AtEnd:
			out.End = append(out.End, s)
		default:
			out.After = append(out.After, s)
		}
	}
	return out
}

// Objects gathers statements into objects, in their order.
func Objects(statements []Statement) []*database.Object {
	var out []*database.Object
	known := map[database.ObjectID]*database.Object{}
	for _, s := range statements {
		if o := known[s.Object]; o != nil {
			o.DDL = append(o.DDL, s.SQL)
			continue
		}
		o := &database.Object{ObjectID: s.Object, Phase: s.Phase, DDL: []string{s.SQL}}
		known[s.Object] = o
		out = append(out, o)
	}
	return out
}

// plainIndex says that a statement makes an index that guards nothing: without
// it, the rows are the same.
func plainIndex(id database.ObjectID, sql string) bool {
	return id.Kind == "index" && !strings.HasPrefix(sql, "CREATE UNIQUE ")
}

// Replay plans to run a schema's own statements, but for objects that skip names
// (nil: none). Those at the end, and plain indexes, may fail one by one. The
// plan's Detail is a *Steps.
func (d *Dialect) Replay(s *database.Schema, skip func(*database.Object) bool) *database.Plan {
	p := &database.Plan{Source: s, Loaders: 1, LooseActions: d.LooseActions, Native: true}
	var statements []Statement
	for _, o := range s.Objects {
		if len(o.DDL) == 0 || skip != nil && skip(o) {
			continue
		}
		p.Findings = append(p.Findings, database.Finding{Object: o.ObjectID, Status: database.Exact})
		for _, sql := range o.DDL {
			vital := o.Phase != database.AtEnd && !plainIndex(o.ObjectID, sql)
			statements = append(statements, Statement{Object: o.ObjectID, Phase: o.Phase, SQL: sql, Vital: vital})
			p.Statements = append(p.Statements, sql)
		}
	}
	for _, t := range s.Tables {
		p.Tables = append(p.Tables, &database.PlannedTable{Source: t, Target: t})
	}
	sequences := map[string]string{}
	for _, q := range s.Sequences {
		if q.OwnerTable == "" {
			sequences[q.ID()] = d.Qualified(q.Schema, q.Name)
		}
	}
	p.Detail = stepsOf(statements, sequences)
	return p
}
