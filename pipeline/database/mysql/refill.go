package mysql

import (
	"context"
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

var _ database.Refiller = (*target)(nil)

// Stage makes a temporary table. The living one must be of an engine that can take rows back.
func (t *target) Stage(ctx context.Context, living *database.Table, columns []*database.Column) (*database.Staged, error) {
	engine, err := t.admin.value(ctx, "SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = "+quoteText(living.Name))
	switch {
	case err != nil:
		return nil, translate(err)
	case engine != "InnoDB":
		return nil, fmt.Errorf("%w: table %s is of the engine %s, which has no transactions: restore it under another name with --as", database.ErrRefused, living.ID(), engine)
	}
	if err := t.admin.exec(ctx, "SET SESSION foreign_key_checks = 1, SESSION unique_checks = 1"); err != nil {
		return nil, translate(err)
	}
	t.staged++
	s := &database.Staged{Living: living, Columns: columns, Name: fmt.Sprintf("packstone_staged_%d", t.staged)}
	err = t.admin.exec(ctx, "CREATE TEMPORARY TABLE "+quote(s.Name)+" ENGINE=InnoDB AS SELECT "+quoteAll(s.Names())+" FROM "+quote(living.Name)+" WHERE 1 = 0")
	return s, translate(err)
}

// Fill loads the temporary table, which the session alone sees.
func (t *target) Fill(ctx context.Context, s *database.Staged, next func() (*database.Batch, error)) error {
	return loadBy(ctx, t.admin, s.Table(""), next)
}

// StagedRows reads the temporary table.
func (t *target) StagedRows(ctx context.Context, s *database.Staged, send func(*database.Batch) error) error {
	return readRows(ctx, t.admin, s.Table(""), "", send)
}

// Missing counts rows whose key the living table lacks.
func (t *target) Missing(ctx context.Context, s *database.Staged) (int64, error) {
	return t.count(ctx, "SELECT COUNT(*) FROM "+lacking(s))
}

func (t *target) count(ctx context.Context, sql string) (int64, error) {
	text, err := t.admin.value(ctx, sql)
	if err != nil {
		return 0, translate(err)
	}
	return integer(text), nil
}

// lacking is the temporary table s without the rows whose key the living table l has.
func lacking(s *database.Staged) string {
	return quote(s.Name) + " s WHERE NOT EXISTS (SELECT 1 FROM " + quote(s.Living.Name) + " l WHERE " + alike("=", s.Key()) + ")"
}

// PutBack inserts what is missing. The first one begins the transaction: making a temporary table
// of a query is nothing for one. The server checks foreign keys, and triggers fire.
func (t *target) PutBack(ctx context.Context, s *database.Staged, _ bool) (put, altered int64, err error) {
	absent := quote(s.Name + "_absent")
	if err := t.admin.exec(ctx, "CREATE TEMPORARY TABLE "+absent+" ENGINE=InnoDB AS SELECT s.* FROM "+lacking(s)); err != nil {
		return 0, 0, translate(err)
	}
	if !t.refilling {
		if err := t.admin.exec(ctx, "START TRANSACTION"); err != nil {
			return 0, 0, translate(err)
		}
		t.refilling = true
	}
	if err := t.insertAbsent(ctx, s, absent); err != nil {
		return 0, 0, translate(err)
	}
	if put, err = t.count(ctx, "SELECT COUNT(*) FROM "+absent); err != nil {
		return 0, 0, err
	}
	altered, err = t.count(ctx, "SELECT COUNT(*) FROM "+absent+" s LEFT JOIN "+quote(s.Living.Name)+" l ON "+alike("=", s.Key())+
		" WHERE NOT ("+alike("<=>", s.Names())+")")
	return put, altered, err
}

// insertAbsent inserts the rows of a temporary table. A table that refers to
// itself takes them in rounds, each with the rows whose parents are there: the server looks for the
// parent of every row at once.
func (t *target) insertAbsent(ctx context.Context, s *database.Staged, absent string) error {
	living, columns := quote(s.Living.Name), quoteAll(s.Names())
	insert := "INSERT INTO " + living + " (" + columns + ") SELECT " + columns + " FROM " + absent + " s WHERE NOT EXISTS (SELECT 1 FROM " + living + " l WHERE " + alike("=", s.Key()) + ")"
	var parents string
	for _, k := range s.Living.ForeignKeys {
		if k.RefTable == s.Living.Name {
			parents += parentIsThere(living, k)
		}
	}
	for parents != "" {
		n, err := t.admin.affect(ctx, insert+parents)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	return t.admin.exec(ctx, insert)
}

// parentIsThere is a condition that a row s refers to nothing, to itself or to a row of its table.
func parentIsThere(living string, k *database.ForeignKey) string {
	var null, own, found []string
	for i, name := range k.Columns {
		null = append(null, "s."+quote(name)+" IS NULL")
		own = append(own, "s."+quote(name)+" = s."+quote(k.RefColumns[i]))
		found = append(found, "p."+quote(k.RefColumns[i])+" = s."+quote(name))
	}
	return " AND (" + strings.Join(null, " OR ") + " OR " + strings.Join(own, " AND ") + " OR EXISTS (SELECT 1 FROM " + living + " p WHERE " + strings.Join(found, " AND ") + "))"
}

// alike compares columns of the living table l with those of the temporary one s.
func alike(operator string, names []string) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = "l." + quote(name) + " " + operator + " s." + quote(name)
	}
	return strings.Join(out, " AND ")
}
