package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrPick: the tables that are named cannot be taken as it was asked.
var ErrPick = errors.New("cannot take tables")

// Pick says which tables of a source are wanted, as they are beside others.
type Pick struct {
	Filter Filter
	// As is another name for the one table, with or without a schema. Empty: it keeps its own.
	As string
	// ForeignKeys keeps foreign keys to tables that are not taken.
	ForeignKeys bool
}

// Of gives a source that has the tables alone, with their columns, keys, checks, indexes and
// counters. All else that hangs on them is listed as dropped.
func (p Pick) Of(ctx context.Context, src Source) (Source, error) {
	whole, err := src.Schema(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the source's schema: %w", err)
	}
	out := &picked{Source: src, origins: map[string]*Table{}, renamed: map[string]*Table{}}
	schema := *whole
	out.schema, schema.Tables = &schema, nil
	for _, t := range whole.Tables {
		if p.Filter.Takes(whole.Namespace, t.Schema, t.Name) {
			schema.Tables = append(schema.Tables, out.take(t, p.As))
		}
	}
	if p.As != "" && len(schema.Tables) != 1 {
		return nil, fmt.Errorf("%w: --as names one table, and %d match --tables", ErrPick, len(schema.Tables))
	}
	schema.Sequences = out.counters(whole.Sequences)
	schema.Objects = out.objects(whole.Objects)
	for _, t := range schema.Tables {
		out.refer(t, p.ForeignKeys)
	}
	return out, nil
}

// picked is some tables of a source.
type picked struct {
	Source
	schema  *Schema
	origins map[string]*Table // by the IDs that tables have now
	renamed map[string]*Table // by the IDs that they had
}

func (p *picked) take(t *Table, as string) *Table {
	out := *t
	if as != "" {
		schema, name := SplitName(as)
		if out.Name = name; schema != "" {
			out.Schema = schema
		}
	}
	p.origins[out.ID()], p.renamed[t.ID()] = t, &out
	return &out
}

// Schema gives the schema of what was taken.
func (p *picked) Schema(context.Context) (*Schema, error) { return p.schema, nil }

// Rows reads a table under the name that it has in the source.
func (p *picked) Rows(ctx context.Context, t *Table, send func(*Batch) error) error {
	origin := p.origins[t.ID()]
	if origin == nil {
		return fmt.Errorf("table %s was not taken", t.ID())
	}
	return p.Source.Rows(ctx, origin, send)
}

// Sequences gives the counters of what was taken.
func (p *picked) Sequences(ctx context.Context) ([]*Sequence, error) {
	all, err := p.Source.Sequences(ctx)
	return p.counters(all), err
}

// counters are those that columns of the tables own.
func (p *picked) counters(all []*Sequence) (out []*Sequence) {
	for _, q := range all {
		if t := p.renamed[q.OwnerTable]; t != nil {
			owned := *q
			owned.OwnerTable = t.ID()
			out = append(out, &owned)
		}
	}
	return out
}

// objects are the tables and what hangs on them, this without statements, which would name what is
// there by the same names.
func (p *picked) objects(all []*Object) (out []*Object) {
	for _, o := range all {
		t := p.renamed[o.Table]
		own := p.renamed[JoinName(o.Schema, o.Name)]
		if t == nil && (own == nil || o.Kind != "table") {
			continue
		}
		bare := *o
		bare.DDL, bare.Lost = nil, "a table that is restored beside others comes without it"
		if t != nil {
			bare.Table = t.ID()
		} else {
			bare.ObjectID, bare.DDL = own.ObjectID(), o.DDL // which says how the engine keeps it
		}
		out = append(out, &bare)
	}
	return out
}

// refer parts foreign keys that a table keeps from those that it comes without, which are listed.
func (p *picked) refer(t *Table, outside bool) {
	var kept []*ForeignKey
	for _, k := range t.ForeignKeys {
		parent := p.renamed[JoinName(k.RefSchema, k.RefTable)]
		switch {
		case parent != nil:
			own := *k
			own.RefSchema, own.RefTable = parent.Schema, parent.Name
			kept = append(kept, &own)
		case outside:
			kept = append(kept, k)
		default:
			p.lose(t.Part("foreign key", k.Name), "it refers to "+JoinName(k.RefSchema, k.RefTable)+", which is not restored with it: --foreign-keys adds it where that table is there")
		}
	}
	t.ForeignKeys = kept
}

func (p *picked) lose(id ObjectID, why string) {
	i := slices.IndexFunc(p.schema.Objects, func(o *Object) bool { return o.ObjectID == id })
	if i < 0 {
		p.schema.Objects = append(p.schema.Objects, &Object{ObjectID: id, Phase: AfterData, Lost: why})
		return
	}
	p.schema.Objects[i].Lost = why
}
