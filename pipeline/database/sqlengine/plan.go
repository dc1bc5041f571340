package sqlengine

import (
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

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

// Plan replays a schema of the dialect's own engine, but for objects that skip
// names (nil: none); any other schema is mapped, and so is one that was handed
// over. Its Detail is a *Steps.
func (d *Dialect) Plan(s *database.Schema, opts database.PlanOptions, skip func(*database.Object) bool) *database.Plan {
	p := &database.Plan{Source: s, Loaders: 1, LooseActions: true}
	if s.Engine == d.Engine && !opts.NoNativeDDL && !opts.HandedOver {
		d.replay(p, skip)
		return p
	}
	b := &Builder{Dialect: d, Opts: opts}
	b.Build(s)
	p.Tables, p.Findings = b.Tables, b.Findings
	p.Detail = steps(b.Statements, b.Sequences)
	return p
}

func (d *Dialect) replay(p *database.Plan, skip func(*database.Object) bool) {
	p.Native = true
	statements, findings := replay(p.Source, skip)
	p.Findings = findings
	for _, s := range statements {
		p.Statements = append(p.Statements, s.SQL)
	}
	for _, t := range p.Source.Tables {
		p.Tables = append(p.Tables, &database.PlannedTable{Source: t, Target: t})
	}
	sequences := map[string]string{}
	for _, q := range p.Source.Sequences {
		if q.OwnerTable == "" {
			sequences[q.ID()] = d.Qualified(q.Schema, q.Name)
		}
	}
	p.Detail = steps(statements, sequences)
}

// steps parts statements by the time at which they run.
func steps(statements []Statement, sequences map[string]string) *Steps {
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

// replay makes statements of a schema's own objects. Those at the end, and plain
// indexes, may fail one by one.
func replay(s *database.Schema, skip func(*database.Object) bool) (statements []Statement, findings []database.Finding) {
	for _, o := range s.Objects {
		if len(o.DDL) == 0 || skip != nil && skip(o) {
			continue
		}
		findings = append(findings, database.Finding{Object: o.ObjectID, Status: database.Exact})
		for _, sql := range o.DDL {
			statements = append(statements, Statement{Object: o.ObjectID, Phase: o.Phase, SQL: sql, Vital: o.Phase != database.AtEnd && !plainIndex(o.ObjectID, sql)})
		}
	}
	return statements, findings
}
