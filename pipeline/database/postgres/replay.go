package postgres

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// replay plans the statements that came with a schema. Each is held to the forms of its kind first;
// what an object needs to be somebody's follows its statement at once, so that nothing is called
// before it has its owner and its grants.
type replay struct {
	schema *database.Schema
	opts   database.PlanOptions
	at     *standing
	plan   *database.Plan
	detail *plan

	owners map[string]string          // of relations, by ID
	whose  map[string]string          // owners of what grants can be about, by kind and name
	placed map[database.ObjectID]bool // grants that are made together with their functions
	own    map[string]bool            // functions and operators of the schema, with their schema
	known  map[string]bool            // all that grants can be about: kind and name
	grants map[string][]statement     // on functions, by schema and signature
	lost   map[string]int             // how many objects an owner that is not there had
	casts  bool                       // the schema defines casts by functions
	benign bool                       // what is not the schema's own is the system's or of a harmless extension
}

// nativePlan replays a PostgreSQL source's own statements.
func nativePlan(s *database.Schema, opts database.PlanOptions, at *standing) (*database.Plan, error) {
	r := &replay{
		schema: s, opts: opts, at: at, detail: &plan{}, plan: &database.Plan{Source: s, Native: true, Loaders: 1},
		owners: map[string]string{}, whose: map[string]string{}, placed: map[database.ObjectID]bool{}, own: map[string]bool{}, known: map[string]bool{"schema public": true},
		grants: map[string][]statement{}, lost: map[string]int{}, benign: true,
	}
	r.plan.Detail = r.detail
	r.survey()
	r.detail.path = cmp.Or(s.Settings["search_path"], r.usualPath())
	if !isSuperuser(at.me) || opts.TrustCode || r.allSuperusers() {
		r.detail.load = r.detail.path
	}
	accepted := r.accept()
	for _, t := range s.Tables {
		if t.Role == database.Data && !accepted[t.ObjectID()] {
			return nil, fmt.Errorf("%w: no statement makes table %s", database.ErrRefused, t.ID())
		}
		r.plan.Tables = append(r.plan.Tables, &database.PlannedTable{Source: t, Target: withoutGenerated(t)})
		r.computedAnew(t)
	}
	r.detail.made = accepted
	r.missingOwners()
	slices.SortStableFunc(r.detail.last, func(a, b statement) int { return a.rank - b.rank })
	r.believe()
	for _, list := range [][]statement{r.detail.create, r.detail.finish, r.detail.last} {
		for _, st := range list {
			r.plan.Statements = append(r.plan.Statements, st.sql)
		}
	}
	return r.plan, nil
}

// computedAnew names columns whose stored values may be others in the source.
func (r *replay) computedAnew(t *database.Table) {
	for _, c := range t.Columns {
		if c.Generated != nil && c.Generated.Changed {
			r.finding(t.Part("column", c.Name), database.Approximated, database.CodeComputedAnew,
				"its values are computed anew, and a function that computes them was changed after the column was made: rows from before may hold others in the source")
		}
	}
}

// usualPath is that of a new database, and the schemas of extensions, which are on the paths of
// those who use them.
func (r *replay) usualPath() string {
	path := []string{`"$user"`, "public"}
	for _, o := range r.schema.Objects {
		if o.Kind != "extension" || len(o.DDL) != 1 {
			continue
		}
		if st, err := sqltext.Postgres.Parse(o.DDL[0], false); err == nil {
			schema := quote(st.Tokens[len(st.Tokens)-1].Value)
			if schema != quote("public") && !isSystem(st.Tokens[len(st.Tokens)-1].Value) && !slices.Contains(path, schema) {
				path = append(path, schema)
			}
		}
	}
	return strings.Join(path, ", ")
}

// believe shows, before all statements, whom a file says that code may be trusted of.
func (r *replay) believe() {
	for _, p := range r.schema.Owners {
		if r.opts.HandedOver && !r.opts.TrustCode && isSuperuser(r.at.me) && isSuperuser(p) {
			r.plan.Statements = append(r.plan.Statements, fmt.Sprintf("-- by the word of the file, %q was a superuser: what was theirs may run with the rights of %q", p.Name, r.at.me.Name))
		}
	}
}

// allSuperusers says that nobody else can have put anything where a search path leads.
func (r *replay) allSuperusers() bool {
	return !slices.ContainsFunc(r.schema.Objects, func(o *database.Object) bool {
		return len(o.DDL) > 0 && !isSuperuser(r.schema.Principal(o.Owner)) && (o.Owner != "" || isCode(o.Kind)) && o.Owner != "pg_database_owner"
	})
}

// isCode says that objects of a kind have owners and can be called.
func isCode(kind string) bool {
	return kind == "function" || kind == "procedure" || kind == "aggregate" || kind == "operator"
}

// survey notes whose things are and what there is, before anything is judged by it.
func (r *replay) survey() {
	for _, o := range r.schema.Objects {
		name := database.JoinName(o.Schema, o.Name)
		switch o.Kind {
		case "table", "partition", "view", "materialized view", "foreign table":
			r.owners[name] = o.Owner
			r.know("table "+name, o.Owner)
		case "sequence":
			r.know("sequence "+name, o.Owner)
		case "type", "domain":
			r.know("type "+name, o.Owner)
		case "schema":
			r.know("schema "+o.Name, o.Owner)
		case "function", "procedure", "aggregate", "operator":
			bare := database.JoinName(o.Schema, o.Name[:strings.IndexByte(o.Name+"(", '(')])
			r.own[bare] = true
			r.know("function "+bare, "")
			r.whose["function "+name] = o.Owner
		case "cast":
			r.casts = r.casts || callsFunction(o)
		case "extension":
			r.benign = r.benign && benign[o.Name]
		}
	}
}

// know notes that grants may be about a thing.
func (r *replay) know(what, owner string) {
	r.known[what] = true
	r.whose[what] = owner
}

// accept plans all objects and says which there will be.
func (r *replay) accept() map[database.ObjectID]bool {
	accepted := map[database.ObjectID]bool{}
	for _, o := range r.schema.Objects { // they are looked up when functions are planned
		if o.Kind == "grant" && len(o.DDL) > 0 {
			r.earlyGrant(o)
		}
	}
	for _, o := range r.schema.Objects {
		if len(o.DDL) == 0 {
			continue
		}
		list, err := r.read(o)
		if err != nil {
			r.finding(o.ObjectID, database.Dropped, database.CodeNoForm, "its statement is left out: "+err.Error())
			continue
		}
		accepted[o.ObjectID] = true
		r.plan.Findings = append(r.plan.Findings, database.Finding{Object: o.ObjectID, Status: database.Exact})
		if len(list) > 0 && !r.placed[o.ObjectID] {
			r.take(o, list)
		}
	}
	return accepted
}

// finding says what becomes of an object; it may have been exact so far.
func (r *replay) finding(id database.ObjectID, status database.Status, code database.Code, reason string) {
	r.plan.Findings = slices.DeleteFunc(r.plan.Findings, func(f database.Finding) bool { return f.Object == id && f.Status == database.Exact })
	r.plan.Findings = append(r.plan.Findings, database.Finding{Object: id, Status: status, Code: code, Reason: reason})
}

// untrusted notes what would run with a superuser's rights.
func (r *replay) untrusted(o *database.Object, format string, args ...any) {
	id := o.ObjectID
	if !slices.ContainsFunc(r.plan.Untrusted, func(f database.Finding) bool { return f.Object == id }) {
		r.plan.Untrusted = append(r.plan.Untrusted, database.Finding{Object: id, Status: database.Untrusted, Code: database.CodeUntrusted, Reason: fmt.Sprintf(format, args...)})
	}
}

// ownerOf is whose an object was: its own, or that of what it hangs on.
func (r *replay) ownerOf(o *database.Object) string {
	if o.Owner == "" && o.Table != "" {
		return r.owners[o.Table]
	}
	if o.Kind == "contents of materialized view" {
		return r.owners[database.JoinName(o.Schema, o.Name)]
	}
	return o.Owner
}

// take puts an object's statements where they belong.
func (r *replay) take(o *database.Object, list []*read) {
	when, rank := r.when(o, list)
	about := o.ObjectID
	if o.Kind == "view query" { // which has no place unless the view was made
		about.Kind = "view"
	}
	put := func(st statement) {
		if st.rank = rank; st.object.Kind == "" {
			st.object = about
		}
		switch when {
		case atCreate:
			r.detail.create = append(r.detail.create, st)
		case atFinish:
			r.detail.finish = append(r.detail.finish, st)
		default:
			r.detail.last = append(r.detail.last, st)
		}
	}
	for i, one := range list {
		st := statement{sql: one.sql, vital: vital(o), strict: byImporter(o.Kind) && r.detail.load == ""}
		if o.Kind == "foreign key" { // whose checks may have been off when rows came
			schema, table := database.SplitName(o.Table)
			st.table, st.name = qualified(schema, table), o.Name
			st.loose = database.Finding{Status: database.Approximated, Code: database.CodeOrphans, Reason: "rows without a parent, as in the source"}
		}
		put(st)
		if i > 0 {
			continue
		}
		for _, st := range r.belong(o, one) {
			put(st)
		}
		for _, st := range r.grants[grantable(o)] {
			put(st)
		}
	}
}

// byImporter says that whoever imports evaluates expressions of an object.
func byImporter(kind string) bool {
	return kind == "check" || kind == "domain" || kind == "table" || kind == "partition"
}

// stage is a part of an import.
type stage int

const (
	atCreate stage = iota // before the rows
	atFinish              // before they are read back
	atLast                // after that
)

// Ranks of what comes last. What evaluates what people wrote comes after all that says who may do
// what.
const (
	rankOthers = iota
	rankPrivileges
	rankEvaluated
	rankAbout
	rankContents
	rankEvents
	rankAboutEvents
)

// when says in which stage an object is made. It never comes earlier than its kind allows, whatever
// the schema says.
func (r *replay) when(o *database.Object, list []*read) (stage, int) {
	switch o.Kind {
	case "extension", "extension rows", "schema", "collation", "type", "domain", "function", "procedure", "aggregate", "operator", "cast", "text search dictionary",
		"text search configuration", "sequence", "table", "partition", "default", "view", "view query", "materialized view", "domain check":
		if o.Phase == database.BeforeTables || o.Phase == database.Tables {
			return atCreate, 0
		}
	case "primary key", "unique", "foreign key", "not null":
	case "check", "index", "exclusion":
		if slices.ContainsFunc(list, func(one *read) bool { return one.late }) {
			return atLast, rankEvaluated
		}
	case "statistics":
		return atLast, rankEvaluated
	case "default privileges":
		return atLast, rankPrivileges
	case "comment", "tablespace": // of what may have been made just now
		if strings.HasPrefix(o.Name, "event trigger ") {
			return atLast, rankAboutEvents
		}
		return atLast, rankAbout
	case "contents of materialized view":
		return atLast, rankContents
	case "event trigger":
		return atLast, rankEvents
	default:
		return atLast, rankOthers
	}
	if o.Phase == database.AtEnd {
		return atLast, rankOthers
	}
	return atFinish, 0
}

// belong makes an object its heir's, and takes from it the rights that the heir has and its owner
// had not.
func (r *replay) belong(o *database.Object, one *read) (out []statement) {
	if one.alter == "" {
		return nil
	}
	h := r.heirOf(o.Owner)
	switch {
	case h.given && h.Name != r.at.me.Name:
		out = append(out, statement{sql: "ALTER " + one.alter + " OWNER TO " + quote(h.Name), owner: true})
	case h.given:
	case o.Owner != "" && !r.opts.NoOwner:
		r.lost[o.Owner]++
	}
	return append(out, r.restrain(o, one)...)
}

// restrain handles what runs with its owner's rights.
func (r *replay) restrain(o *database.Object, one *read) []statement {
	if !r.gains(o.Owner) {
		return nil
	}
	switch {
	case one.definer:
		r.finding(o.ObjectID, database.Approximated, database.CodeInvoker, "it is SECURITY INVOKER now, since "+r.why(o.Owner))
		return []statement{{sql: "ALTER " + one.alter + " SECURITY INVOKER", vital: true}}
	case isView(o) && r.at.version >= 150000:
		r.finding(o.ObjectID, database.Approximated, database.CodeInvoker, "it reads with the rights of whoever uses it now (security_invoker), since "+r.why(o.Owner))
		return []statement{{sql: "ALTER " + one.alter + " SET (security_invoker = true)", vital: true}}
	case isView(o) && r.commands(o.Owner):
		r.untrusted(o, "it would read with the rights of %s: %s", r.heirOf(o.Owner).Name, r.why(o.Owner))
	}
	return nil
}

func isView(o *database.Object) bool { return o.Kind == "view" || o.Kind == "view query" }

// missingOwners lists roles whose things stay with whoever imports.
func (r *replay) missingOwners() {
	for _, owner := range slices.Sorted(maps.Keys(r.lost)) {
		if owner == r.schema.Settings["owner"] && !isSuperuser(r.at.me) {
			continue // whoever imports stands for the database's owner
		}
		reason := "the role " + r.mapped(owner) + " is not there"
		if r.at.roles[r.mapped(owner)] != nil {
			reason = r.at.me.Name + " is no member of the role " + r.mapped(owner)
		}
		r.finding(database.ObjectID{Kind: "ownership", Name: owner}, database.Dropped, database.CodeOwner, fmt.Sprintf("%s: %d objects belong to %s", reason, r.lost[owner], r.at.me.Name))
	}
}

// read is a statement that is what it claims to be.
type read struct {
	sql       string
	alter     string // what ALTER calls the object; empty: it is nobody's
	definer   bool   // it runs with its owner's rights
	late      bool   // it evaluates an expression
	evaluated bool   // with the rights of whoever imports
}

// read holds an object's statements to the forms of its kind.
func (r *replay) read(o *database.Object) ([]*read, error) {
	if isSystem(o.Schema) {
		return nil, fmt.Errorf("the schema %s is the system's", o.Schema)
	}
	var out []*read
	for _, text := range o.DDL {
		for _, sql := range sqltext.Postgres.Split(text) {
			one, err := r.readOne(o, sql)
			if err != nil {
				return nil, err
			}
			if one.sql != "" {
				out = append(out, one)
			}
		}
	}
	return out, nil
}

func isSystem(schema string) bool {
	return strings.HasPrefix(schema, "pg_") || schema == "information_schema"
}

func (r *replay) readOne(o *database.Object, sql string) (*read, error) {
	st, err := sqltext.Postgres.Parse(sql, false)
	if err != nil {
		return nil, err
	}
	schema, table := database.SplitName(o.Table)
	for _, f := range forms[o.Kind] {
		bound, ok := st.Match(f.pattern, sqltext.Own{Schema: o.Schema, Name: o.Name, Table: []string{schema, table}})
		if !ok {
			continue
		}
		m := &matched{Statement: st, object: o, bound: bound, read: &read{sql: sql}}
		if f.alter != "" {
			m.read.alter = f.alter + " " + qualified(o.Schema, o.Name)
		}
		if f.check == nil {
			return m.read, nil
		}
		return m.read, f.check(r, m)
	}
	return nil, fmt.Errorf("it does not make %s", o.ObjectID)
}
