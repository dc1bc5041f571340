package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Verify compares a source with a copy of it: tables, columns, keys, checks,
// defaults and indexes, as far as the copy's engine has them, row counts and
// digests, each value converted as it would be on import. Every difference is
// part of the error, which is an ErrMismatch; other errors mean that the
// comparison could not be made. What the plan or the copy itself (its
// Schema.Findings) says to be inexact is in the report and no difference.
func Verify(ctx context.Context, src Source, copied Target, opts Options) (*Report, error) {
	schema, err := src.Schema(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the source's schema: %w", err)
	}
	plan, report, err := planFor(ctx, schema, copied, Options{Plan: opts.Plan})
	if err != nil {
		return report, err
	}
	actual, err := copied.Schema(ctx)
	if err != nil {
		return report, fmt.Errorf("read the copy's schema: %w", err)
	}
	differences, present := compareSchemas(plan, actual)
	meter := newMeter(schema, opts.Progress)
	meter.stage(Verifying)
	for _, t := range present {
		result, err := verifyTable(ctx, src, copied, t, meter)
		report.Tables = append(report.Tables, result)
		if err != nil && !errors.Is(err, ErrMismatch) {
			return report, err
		}
		differences = append(differences, err)
	}
	if checker, ok := copied.(Checker); ok {
		differences = append(differences, checker.Check(ctx))
	}
	err = errors.Join(differences...)
	report.Verified = err == nil
	return report, err
}

func verifyTable(ctx context.Context, src Source, copied Target, t *PlannedTable, meter *meter) (TableResult, error) {
	conv := newConverter(t)
	err := src.Rows(ctx, t.Source, func(b *Batch) error {
		meter.add(t.Source.ID(), b)
		out, err := conv.convert(b)
		if err == nil {
			out.Release()
		}
		return err
	})
	if err != nil {
		return conv.result(), fmt.Errorf("read table %s: %w", t.Source.ID(), err)
	}
	result := conv.result()
	sum, err := sumRows(ctx, copied, t.Target, meter)
	if err != nil {
		return result, fmt.Errorf("read table %s of the copy: %w", t.Target.ID(), err)
	}
	return result, differ(t.Target.ID(), result.Rows, result.Written, sum)
}

// compareSchemas returns what differs and the tables that can be compared by
// their rows.
func compareSchemas(plan *Plan, actual *Schema) (differences []error, present []*PlannedTable) {
	for _, t := range plan.Tables {
		if t.Target.Role != Data {
			present = append(present, t)
			continue
		}
		found := actual.Find(t.Target.ID())
		if found == nil {
			differences = append(differences, fmt.Errorf("table %s: %w: it is missing", t.Target.ID(), ErrMismatch))
			continue
		}
		differences = append(differences, compareTables(t, found, plan.LooseActions)...)
		differences = append(differences, compareParts(plan, t, found, actual)...)
		if slices.Equal(columnNames(t.Target), columnNames(found)) {
			present = append(present, t)
		}
	}
	return differences, present
}

func compareTables(t *PlannedTable, got *Table, looseActions bool) []error {
	want := t.Target
	var out []error
	check := func(what string, of func(*Table) []string) {
		a, b := of(want), of(got)
		if !slices.Equal(a, b) {
			out = append(out, fmt.Errorf("table %s: %w: %s are %q, want %q", want.ID(), ErrMismatch, what, b, a))
		}
	}
	check("columns", columnNames)
	check("primary key columns", primaryColumns)
	check("columns that are not null", func(of *Table) []string { return slices.DeleteFunc(notNullColumns(of), t.isUnread) })
	check("unique keys", uniqueColumns)
	check("foreign keys", func(t *Table) []string { return foreignColumns(t, !looseActions) })
	return out
}

// isUnread says that nothing is known of a column's values, nulls included.
func (t *PlannedTable) isUnread(column string) bool {
	for i, c := range t.Target.Columns {
		if c.Name == column {
			return t.Source.Columns[i].Unread
		}
	}
	return false
}

func columnNames(t *Table) []string {
	var out []string
	for _, c := range t.Columns {
		out = append(out, c.Name)
	}
	return out
}

func primaryColumns(t *Table) []string {
	if t.PrimaryKey == nil {
		return nil
	}
	return t.PrimaryKey.Columns
}

func notNullColumns(t *Table) []string {
	var out []string
	for _, c := range t.Columns {
		if c.NotNull || contains(primaryColumns(t), c.Name) {
			out = append(out, c.Name)
		}
	}
	return out
}

func uniqueColumns(t *Table) []string {
	var out []string
	for _, k := range t.Uniques {
		out = append(out, strings.Join(k.Columns, ","))
	}
	for _, x := range t.Indexes {
		if columns := x.plainColumns(); x.Unique && columns != nil {
			out = append(out, strings.Join(columns, ","))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// plainColumns gives an index's columns if it covers whole columns of all rows.
func (x *Index) plainColumns() []string {
	var out []string
	for _, part := range x.Parts {
		if part.Expr != nil || part.Prefix > 0 || x.Where != nil {
			return nil
		}
		out = append(out, part.Column)
	}
	return out
}

func foreignColumns(t *Table, actions bool) []string {
	var out []string
	for _, k := range t.ForeignKeys {
		text := strings.Join(k.Columns, ",") + " to " + joinName(k.RefSchema, k.RefTable) + "(" + strings.Join(k.RefColumns, ",") + ")"
		if actions {
			text += onChange(" on delete ", k.OnDelete) + onChange(" on update ", k.OnUpdate)
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

// onChange words an action. Not all engines tell RESTRICT from NO ACTION.
func onChange(when string, a Action) string {
	if a == NoAction || a == Restrict {
		return ""
	}
	return when + string(a)
}
