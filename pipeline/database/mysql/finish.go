package mysql

import (
	"context"
	"errors"
	"fmt"
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
	return append(lost, t.replay(ctx, p.Source, d)...), nil
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
	return []database.Finding{{Object: a.object, Status: database.SidecarOnly, Code: database.CodeRefused, Reason: err.Error()}}, nil
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
			lost = append(lost, database.Finding{Object: r.object, Status: database.SidecarOnly, Code: database.CodeRefused, Reason: err.Error()})
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
	allowed := r.key.NotValid || r.loose.Code != ""
	columns := quoteAll(r.key.Columns)
	if allowed {
		columns = "COUNT(*)"
	}
	row, err := t.admin.orphan(ctx, columns, r.table, r.key)
	loose := database.Finding{Object: r.object, Status: database.Approximated, Code: database.CodeOrphans, Reason: "rows without a parent, as in the source"}
	if r.loose.Code != "" && !r.key.NotValid {
		loose = r.loose
	}
	if allowed && parentless(err) {
		loose.Reason = "what it refers to is not there, as in the source"
		return []database.Finding{loose}, nil
	}
	if err == errNoRow {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", r.object, translate(err))
	}
	if !allowed {
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
		name := p.Detail.(*plan).sequences[q.ID()]
		if name == "" {
			return ""
		}
		called := 0
		if q.Called {
			called = 1
		}
		return fmt.Sprintf("SELECT SETVAL(%s, %d, %d)", name, q.Last, called)
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

// replay makes objects that may need each other, in as many rounds as bring
// anything; the last round's errors are reported.
func (t *target) replay(ctx context.Context, s *database.Schema, d *plan) (lost []database.Finding) {
	me, err := t.admin.value(ctx, "SELECT CURRENT_USER()")
	r := &replay{target: t, schema: s, opts: d.opts, me: me, accounts: map[string]*database.Principal{}, absent: map[string]bool{}}
	if err == nil {
		err = r.meet(ctx, d.end)
	}
	for objects := d.end; ; {
		var failed []*statements
		var reasons, notes []database.Finding
		for _, o := range objects {
			f, ok := r.one(ctx, o)
			switch {
			case err != nil:
				failed, reasons = append(failed, o), append(reasons, sidecarOf(o, err))
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

// replay makes code: what runs with the rights of its definer.
type replay struct {
	target   *target
	schema   *database.Schema
	opts     database.PlanOptions
	me       string                         // user@host
	accounts map[string]*database.Principal // those that the server tells of
	absent   map[string]bool
}

func sidecarOf(o *statements, err error) database.Finding {
	return database.Finding{Object: o.object.ObjectID, Status: database.SidecarOnly, Code: database.CodeRefused, Reason: err.Error()}
}

// one makes an object with its definer, or without where that is not allowed.
func (r *replay) one(ctx context.Context, o *statements) (database.Finding, bool) {
	definer := r.mapped(o.code.definer)
	gains := !o.code.invoker && r.gains(o.code.definer, definer)
	if definer != "" && !r.opts.NoOwner && !gains {
		sql := o.main
		if definer != o.code.definer {
			sql = o.main[:o.code.clause[0]] + "DEFINER=" + account(definer) + o.main[o.code.clause[1]:]
		}
		err := r.target.run(ctx, o.setting, sql)
		switch {
		case err == nil && r.orphan(o.code.definer, definer):
			return database.Finding{Object: o.object.ObjectID, Status: database.Approximated, Code: database.CodeDefiner, Reason: "it does not run: there is no account " + definer}, true
		case err == nil:
			return database.Finding{}, true
		case !denied(err):
			return sidecarOf(o, err), false
		}
	}
	return r.disown(ctx, o, definer, gains)
}

// mapped is who takes the place of an account: by its whole name, or by the user's alone.
func (r *replay) mapped(definer string) string {
	if other, ok := r.opts.Roles[definer]; ok {
		return other
	}
	at := strings.LastIndexByte(definer, '@')
	if at < 0 {
		return definer
	}
	if other, ok := r.opts.Roles[definer[:at]]; ok {
		return other + definer[at:]
	}
	return definer
}

// account quotes user@host, or a role.
func account(name string) string {
	at := strings.LastIndexByte(name, '@')
	if at < 0 {
		return quote(name)
	}
	return quote(name[:at]) + "@" + quote(name[at+1:])
}

// disown makes an object the importing user's, who may do more than its definer could: so it runs
// with the rights of whoever uses it. What always runs with its definer's rights is left out.
func (r *replay) disown(ctx context.Context, o *statements, definer string, gains bool) (database.Finding, bool) {
	kind, who := o.object.Kind, definer
	switch {
	case who == "":
		who = "nobody that its statement names"
	case gains:
		who += ", who may do more here than the source says of them"
	}
	f := database.Finding{Object: o.object.ObjectID, Status: database.Approximated, Code: database.CodeDefiner, Reason: "it belongs to " + r.me + ", and not to " + who}
	bare := o.main
	if o.code.clause[1] > 0 {
		bare = o.main[:o.code.clause[0]] + o.main[o.code.clause[1]:]
	}
	list := []string{o.setting, bare}
	switch {
	case definer == r.me && !gains, r.opts.TrustCode, o.code.invoker:
	case kind == "view":
		list[1] = o.invoking(bare)
		f.Reason += ", so that it is SQL SECURITY INVOKER now"
	case kind == "procedure" || kind == "function":
		list = append(list, "ALTER "+strings.ToUpper(kind)+" "+quote(o.object.Name)+" SQL SECURITY INVOKER")
		f.Reason += ", so that it is SQL SECURITY INVOKER now"
	default:
		f.Status, f.Code = database.Dropped, database.CodeDefinerLost
		f.Reason = "it would act with the rights of " + r.me + ", and belongs to " + who
		return f, true
	}
	if err := r.target.run(ctx, list...); err != nil {
		if len(list) > 2 { // it must not stay as it is
			err = errors.Join(err, r.target.run(ctx, "DROP "+strings.ToUpper(kind)+" IF EXISTS "+quote(o.object.Name)))
		}
		return sidecarOf(o, err), false
	}
	return f, true
}

// invoking is a view's statement, from which the definer was cut, with SQL SECURITY INVOKER.
func (o *statements) invoking(bare string) string {
	cut := o.code.clause[1] - o.code.clause[0]
	if o.code.security[1] > 0 {
		return bare[:o.code.security[0]-cut] + "SQL SECURITY INVOKER" + bare[o.code.security[1]-cut:]
	}
	view := o.code.before("view").At - cut
	return bare[:view] + "SQL SECURITY INVOKER " + bare[view:]
}

// run runs statements, the empty ones excepted, and makes the session what it was.
func (t *target) run(ctx context.Context, statements ...string) (err error) {
	for _, sql := range statements {
		if sql == "" {
			continue
		}
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
