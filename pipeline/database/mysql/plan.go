package mysql

import (
	"errors"
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
)

// plan is what a target does besides loading rows.
type plan struct {
	create    []statement // before the rows
	alter     []addition  // keys and indexes, after the rows
	foreign   []reference // foreign keys, after all other keys
	end       []*statements
	made      []made // everything by name, for the marker
	collation string // the database's default, where the source's is to be kept
	opts      database.PlanOptions
	sequences map[string]string // what free sequences have become, quoted, by their IDs in the source
}

type statement struct {
	object database.ObjectID
	sql    string
}

// addition is ALTER TABLE table ADD what; those of a table are made in one go.
type addition struct {
	object      database.ObjectID
	table, what string
}

// reference is a foreign key and what it promises.
type reference struct {
	addition
	key *database.ForeignKey
	// loose is what to say where rows break it though the source does not say so; if anything.
	loose database.Finding
}

type made struct{ kind, name string }

// nativePlan replays the DDL of a server of the same kind.
func nativePlan(s *database.Schema, server server, opts database.PlanOptions) (*database.Plan, error) {
	d := &plan{opts: opts, sequences: map[string]string{}}
	if plainWord.MatchString(s.Settings["collation"]) {
		d.collation = s.Settings["collation"]
	}
	p := &database.Plan{Source: s, Native: true, Detail: d}
	reader := &reader{server: server, name: s.Namespace, handed: opts.HandedOver}
	tables := map[string]bool{}
	for _, o := range s.Objects {
		if len(o.DDL) == 0 {
			continue
		}
		if inside(o) {
			p.Findings = append(p.Findings, database.Finding{Object: o.ObjectID, Status: database.Exact})
			continue
		}
		if reader.take(p, d, o) && o.Kind == "table" {
			tables[o.Name] = true
		}
	}
	for _, t := range s.Tables {
		if !tables[t.Name] {
			return nil, fmt.Errorf("%w: no statement makes table %s", database.ErrRefused, t.ID())
		}
		p.Tables = append(p.Tables, &database.PlannedTable{Source: t, Target: asStored(t, server.lowerCase)})
	}
	return p, nil
}

// Rehearse implements database.Rehearser.
func (Driver) Rehearse(s *database.Schema) ([]database.Finding, error) {
	p, err := nativePlan(s, parseVersion(s.Version), database.PlanOptions{})
	if err != nil {
		return nil, err
	}
	return database.LeftOutOf(p), nil
}

// inside says that an object is made by its table's statement; its own is for people.
func inside(o *database.Object) bool { return o.Phase == database.Tables && o.Kind != "table" }

// take plans an object's statement if it is one that makes it, and says so.
func (r *reader) take(p *database.Plan, d *plan, o *database.Object) bool {
	one, err := r.read(o)
	if err == nil {
		err = d.replay(p.Source, one)
	}
	if err != nil {
		p.Findings = append(p.Findings, database.Finding{Object: o.ObjectID, Status: database.Dropped, Code: database.CodeNoForm, Reason: "its statement is left out: " + err.Error()})
		return false
	}
	p.Findings = append(p.Findings, database.Finding{Object: o.ObjectID, Status: database.Exact})
	if one.setting != "" {
		p.Statements = append(p.Statements, one.setting)
	}
	p.Statements = append(p.Statements, one.main)
	if why := r.reaches(one.main); r.handed && o.Kind == "table" && why != "" {
		p.Untrusted = append(p.Untrusted, database.Finding{Object: o.ObjectID, Status: database.Untrusted, Code: database.CodeUntrusted, Reason: why + " leads out of the database"})
	}
	return true
}

// asStored is the table as a server shows it that folds names of tables.
func asStored(t *database.Table, lower bool) *database.Table {
	if !lower {
		return t
	}
	out := *t
	out.Name = strings.ToLower(t.Name)
	out.ForeignKeys = nil
	for _, k := range t.ForeignKeys {
		folded := *k
		folded.RefTable = strings.ToLower(k.RefTable)
		out.ForeignKeys = append(out.ForeignKeys, &folded)
	}
	return &out
}

// replay puts a statement where it belongs.
func (d *plan) replay(s *database.Schema, one *statements) error {
	o := one.object
	switch {
	case o.Kind == "table" || o.Kind == "sequence":
		d.made = append(d.made, made{o.Kind, o.Name})
		d.create = append(d.create, statement{o.ObjectID, one.main})
		if o.Kind == "sequence" {
			q := database.Sequence{Schema: o.Schema, Name: o.Name}
			d.sequences[q.ID()] = quote(o.Name)
		}
	case isCode(o.Kind):
		d.made = append(d.made, made{o.Kind, o.Name})
		d.end = append(d.end, one)
	case s.Find(o.Table) == nil:
		return errors.New("there is no such table")
	case o.Kind == "foreign key":
		for _, k := range s.Find(o.Table).ForeignKeys {
			if k.Name == o.Name {
				loose := ddl.Unproven(s)
				loose.Object = o.ObjectID
				d.foreign = append(d.foreign, reference{additionOf(o), k, loose})
				return nil
			}
		}
		return errors.New("the table has no such key")
	default:
		d.alter = append(d.alter, additionOf(o))
	}
	return nil
}

func additionOf(o *database.Object) addition {
	what := strings.TrimPrefix(o.DDL[0], "ALTER TABLE "+quote(o.Table)+" ADD ")
	return addition{object: o.ObjectID, table: o.Table, what: what}
}
