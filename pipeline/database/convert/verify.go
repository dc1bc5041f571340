package convert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// Verify compares a source with a copy of it: tables, columns, keys, checks,
// defaults and indexes, as far as the copy's engine has them, row counts and
// digests, each value converted as it would be on import. Every difference is
// part of the error, which is an ErrMismatch; other errors mean that the
// comparison could not be made. What the plan or the copy itself (its
// Schema.Findings) says to be inexact is in the report and no difference.
func Verify(ctx context.Context, src database.Source, copied database.Target, opts Options) (*database.Report, error) {
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
		if err != nil && !errors.Is(err, database.ErrMismatch) {
			return report, err
		}
		differences = append(differences, err)
	}
	if checker, ok := copied.(database.Checker); ok {
		differences = append(differences, checker.Check(ctx))
	}
	err = errors.Join(differences...)
	report.Verified = err == nil
	return report, err
}

func verifyTable(ctx context.Context, src database.Source, copied database.Target, t *database.PlannedTable, meter *meter) (database.TableResult, error) {
	conv := newConverter(t)
	err := src.Rows(ctx, t.Source, func(b *database.Batch) error {
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
	echo, err := echoRows(ctx, copied, t.Target, meter)
	if err != nil {
		return result, fmt.Errorf("read table %s of the copy: %w", t.Target.ID(), err)
	}
	return result, echo.Differs(t.Target.ID(), result.Echo)
}

// compareSchemas returns what differs and the tables that can be compared by
// their rows.
func compareSchemas(plan *database.Plan, actual *database.Schema) (differences []error, present []*database.PlannedTable) {
	for _, t := range plan.Tables {
		if t.Target.Role != database.Data {
			present = append(present, t)
			continue
		}
		found := actual.Find(t.Target.ID())
		if found == nil {
			differences = append(differences, fmt.Errorf("table %s: %w: it is missing", t.Target.ID(), database.ErrMismatch))
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

func compareTables(t *database.PlannedTable, got *database.Table, looseActions bool) []error {
	want := t.Target
	var out []error
	check := func(what string, of func(*database.Table) []string) {
		a, b := of(want), of(got)
		if !slices.Equal(a, b) {
			out = append(out, fmt.Errorf("table %s: %w: %s are %q, want %q", want.ID(), database.ErrMismatch, what, b, a))
		}
	}
	check("columns", columnNames)
	check("primary key columns", primaryColumns)
	check("columns that are not null", func(of *database.Table) []string {
		return slices.DeleteFunc(notNullColumns(of), func(name string) bool { return isUnread(t, name) })
	})
	check("unique keys", uniqueColumns)
	check("foreign keys", func(t *database.Table) []string { return foreignColumns(t, !looseActions) })
	return out
}

// isUnread says that nothing is known of a column's values, nulls included.
func isUnread(t *database.PlannedTable, column string) bool {
	for i, c := range t.Target.Columns {
		if c.Name == column {
			return t.Source.Columns[i].Unread
		}
	}
	return false
}

func columnNames(t *database.Table) []string {
	var out []string
	for _, c := range t.Columns {
		out = append(out, c.Name)
	}
	return out
}

func primaryColumns(t *database.Table) []string {
	if t.PrimaryKey == nil {
		return nil
	}
	return t.PrimaryKey.Columns
}

func notNullColumns(t *database.Table) []string {
	var out []string
	for _, c := range t.Columns {
		if c.NotNull || slices.Contains(primaryColumns(t), c.Name) {
			out = append(out, c.Name)
		}
	}
	return out
}

func uniqueColumns(t *database.Table) []string {
	var out []string
	for _, k := range t.Uniques {
		out = append(out, strings.Join(k.Columns, ","))
	}
	for _, x := range t.Indexes {
		if columns := plainColumns(x); x.Unique && columns != nil {
			out = append(out, strings.Join(columns, ","))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// plainColumns gives an index's columns if it covers whole columns of all rows.
func plainColumns(x *database.Index) []string {
	var out []string
	for _, part := range x.Parts {
		if part.Expr != nil || part.Prefix > 0 || x.Where != nil {
			return nil
		}
		out = append(out, part.Column)
	}
	return out
}

func foreignColumns(t *database.Table, actions bool) []string {
	var out []string
	for _, k := range t.ForeignKeys {
		text := strings.Join(k.Columns, ",") + " to " + (&database.Table{Schema: k.RefSchema, Name: k.RefTable}).ID() + "(" + strings.Join(k.RefColumns, ",") + ")"
		if actions {
			text += onChange(" on delete ", k.OnDelete) + onChange(" on update ", k.OnUpdate)
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

// onChange words an action. Not all engines tell RESTRICT from NO ACTION.
func onChange(when string, a database.Action) string {
	if a == database.NoAction || a == database.Restrict {
		return ""
	}
	return when + string(a)
}
