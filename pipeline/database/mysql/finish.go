package mysql

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// Finish makes keys, indexes and foreign keys, checks the latter, sets counters
// and replays views, routines, triggers and events.
func (t *target) Finish(ctx context.Context, p *database.Plan, _ *database.Report) ([]database.Finding, error) {
	d := p.Detail.(*plan)
	lost, err := t.addKeys(ctx, d.alter)
	if err != nil {
		return lost, err
	}
	more, err := t.addForeignKeys(ctx, d.foreign)
	lost = append(lost, more...)
	if err != nil {
		return lost, err
	}
	if err := t.setCounters(ctx, p); err != nil {
		return lost, err
	}
	return append(lost, t.replay(ctx, d.end)...), nil
}

// addKeys makes all keys of a table by one statement, so that the server reads
// the table once.
func (t *target) addKeys(ctx context.Context, list []addition) (lost []database.Finding, err error) {
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].table == list[0].table {
			n++
		}
		more, err := t.addTogether(ctx, list[:n])
		lost = append(lost, more...)
		if err != nil {
			return lost, err
		}
		list = list[n:]
	}
	return lost, nil
}

func (t *target) addTogether(ctx context.Context, list []addition) (lost []database.Finding, err error) {
	adds := make([]string, len(list))
	for i, a := range list {
		adds[i] = "ADD " + a.what
	}
	err = t.admin.exec(ctx, "ALTER TABLE "+quote(list[0].table)+" "+strings.Join(adds, ", "))
	if err == nil {
		return nil, nil
	}
	if number(err) == 0 {
		return nil, translate(err)
	}
	if len(list) == 1 {
		return t.refusedKey(list[0], err)
	}
	for _, a := range list { // one by one, to know which it is
		more, err := t.addTogether(ctx, []addition{a})
		lost = append(lost, more...)
		if err != nil {
			return lost, err
		}
	}
	return lost, nil
}

// refusedKey tells a broken promise, which is an error, from a key that the
// server cannot make.
func (t *target) refusedKey(a addition, err error) ([]database.Finding, error) {
	if number(err) == errDuplicate {
		return nil, fmt.Errorf("make %s: %w", a.object, translate(err))
	}
	return []database.Finding{{Object: a.object, Status: database.SidecarOnly, Code: "DB310", Reason: err.Error()}}, nil
}

// addForeignKeys makes foreign keys without the server's own slow check and then
// looks for rows that break them.
func (t *target) addForeignKeys(ctx context.Context, list []reference) (lost []database.Finding, err error) {
	for _, r := range list {
		err := t.admin.exec(ctx, "ALTER TABLE "+quote(r.table)+" ADD "+r.what)
		if err != nil && number(err) == 0 {
			return lost, translate(err)
		}
		if err != nil {
			lost = append(lost, database.Finding{Object: r.object, Status: database.SidecarOnly, Code: "DB311", Reason: err.Error()})
			continue
		}
		broken, err := t.checkReference(ctx, r)
		if err != nil {
			return lost, err
		}
		lost = append(lost, broken...)
	}
	return lost, nil
}

// checkReference finds a row that refers to nothing: an error, unless the source has such rows too.
func (t *target) checkReference(ctx context.Context, r reference) ([]database.Finding, error) {
	columns := quoteAll(r.key.Columns)
	if r.key.NotValid {
		columns = "COUNT(*)"
	}
	row, err := t.admin.orphan(ctx, columns, r.table, r.key)
	loose := database.Finding{Object: r.object, Status: database.Approximated, Code: "DB132", Reason: "rows without a parent, as in the source"}
	if r.key.NotValid && parentless(err) {
		loose.Reason = "what it refers to is not there, as in the source"
		return []database.Finding{loose}, nil
	}
	if err == errNoRow {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", r.object, translate(err))
	}
	if !r.key.NotValid {
		return nil, fmt.Errorf("check %s: %w: a row with (%s) = (%s) refers to no row of %s", r.object, database.ErrValue,
			strings.Join(r.key.Columns, ", "), strings.Join(row, ", "), r.key.RefTable)
	}
	if loose.Count = integer(row[0]); loose.Count == 0 {
		return nil, nil
	}
	return []database.Finding{loose}, nil
}

// orphan reads columns of a row that refers to nothing; errNoRow: there is none. What the key
// refers to is opened first, which fails where that is a view.
func (s *session) orphan(ctx context.Context, columns, table string, k *database.ForeignKey) ([]string, error) {
	if err := s.bind(ctx, []string{parentOf(k)}); err != nil {
		return nil, err
	}
	return s.row(ctx, "SELECT "+columns+dangling(table, k)+" LIMIT 1")
}

// dangling is the end of a query for the rows of a table that refer to nothing.
func dangling(table string, k *database.ForeignKey) string {
	var set, same []string
	for i, name := range k.Columns {
		set = append(set, "c."+quote(name)+" IS NOT NULL")
		same = append(same, "p."+quote(k.RefColumns[i])+" = c."+quote(name))
	}
	return " FROM " + quote(table) + " c WHERE " + strings.Join(set, " AND ") +
		" AND NOT EXISTS (SELECT 1 FROM " + parentOf(k) + " p WHERE " + strings.Join(same, " AND ") + ")"
}

// parentOf names the table to which a foreign key refers.
func parentOf(k *database.ForeignKey) string {
	if k.RefSchema != "" {
		return quote(k.RefSchema) + "." + quote(k.RefTable)
	}
	return quote(k.RefTable)
}

// setCounters carries AUTO_INCREMENT and sequences on where the source is.
func (t *target) setCounters(ctx context.Context, p *database.Plan) error {
	for _, q := range p.Source.Sequences {
		sql := counterSQL(p, q)
		if sql == "" {
			continue
		}
		if strings.HasPrefix(sql, "SELECT") {
			if _, err := t.admin.row(ctx, sql); err != nil {
				return fmt.Errorf("set the sequence %s: %w", q.Name, translate(err))
			}
		} else if err := t.admin.exec(ctx, sql); err != nil {
			return fmt.Errorf("set the counter of %s: %w", q.OwnerTable, translate(err))
		}
	}
	return nil
}

func counterSQL(p *database.Plan, q *database.Sequence) string {
	if q.OwnerTable == "" {
		name := sequenceName(p, q)
		if name == "" {
			return ""
		}
		called := 0
		if q.Called {
			called = 1
		}
		return fmt.Sprintf("SELECT SETVAL(%s, %d, %d)", quote(name), q.Last, called)
	}
	for _, t := range p.Tables {
		if t.Source.ID() != q.OwnerTable {
			continue
		}
		for _, c := range t.Target.Columns {
			if c.Identity != nil && q.Next() > 1 {
				return fmt.Sprintf("ALTER TABLE %s AUTO_INCREMENT = %d", quote(t.Target.Name), q.Next())
			}
		}
	}
	return ""
}

// sequenceName finds what a sequence is called here; empty: it was not made.
func sequenceName(p *database.Plan, q *database.Sequence) string {
	d := p.Detail.(*plan)
	want := database.ObjectID{Kind: "sequence", Schema: q.Schema, Name: q.Name}
	for _, s := range d.create {
		if s.object == want {
			name, _ := cutName(s.sql[strings.IndexByte(s.sql, '`'):])
			return name
		}
	}
	return ""
}

// replay makes objects that may need each other, in as many rounds as bring
// anything; the last round's errors are reported.
func (t *target) replay(ctx context.Context, objects []*database.Object) (lost []database.Finding) {
	for {
		var failed []*database.Object
		var reasons, notes []database.Finding
		for _, o := range objects {
			f, ok := t.replayOne(ctx, o)
			switch {
			case !ok:
				failed, reasons = append(failed, o), append(reasons, f)
			case f.Status != "":
				notes = append(notes, f)
			}
		}
		lost = append(lost, notes...)
		if len(failed) == 0 || len(failed) == len(objects) {
			return append(lost, reasons...)
		}
		objects = failed
	}
}

// definer is the clause that names an object's owner.
var definer = regexp.MustCompile("(?i)\\bDEFINER\\s*=\\s*(`(?:[^`]|``)*`@`(?:[^`]|``)*`|`(?:[^`]|``)*`|CURRENT_USER(?:\\(\\))?)\\s")

// replayOne runs an object's DDL, without its owner where that is not allowed.
func (t *target) replayOne(ctx context.Context, o *database.Object) (database.Finding, bool) {
	err := t.run(ctx, o.DDL)
	if err == nil {
		return database.Finding{}, true
	}
	finding := database.Finding{Object: o.ObjectID, Status: database.SidecarOnly, Code: "DB312", Reason: err.Error()}
	last := o.DDL[len(o.DDL)-1]
	at := definer.FindStringIndex(last)
	if !denied(err) || at == nil || at[0] > 80 {
		return finding, false
	}
	without := append(append([]string(nil), o.DDL[:len(o.DDL)-1]...), last[:at[0]]+last[at[1]:])
	if err := t.run(ctx, without); err != nil {
		finding.Reason = err.Error()
		return finding, false
	}
	finding.Status, finding.Code = database.Approximated, "DB313"
	finding.Reason = "it belongs to the importing user, who may not make it another's"
	return finding, true
}

func (t *target) run(ctx context.Context, statements []string) (err error) {
	for _, sql := range statements {
		if err = t.admin.exec(ctx, sql); err != nil {
			break
		}
	}
	if reset := t.admin.exec(ctx, "SET NAMES utf8mb4"); err == nil {
		err = reset
	}
	if reset := t.admin.resetModes(ctx); err == nil {
		err = reset
	}
	return err
}
