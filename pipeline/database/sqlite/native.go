package sqlite

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// native plans a file from another SQLite file's own SQL. Each statement is held to the form of its
// kind.
func native(s *database.Schema) (*database.Plan, error) {
	l := &layout{native: true}
	p := &database.Plan{Source: s, Native: true, Loaders: 1, Detail: l}
	sql := map[string]string{}
	for _, o := range s.Objects {
		if len(o.DDL) == 0 {
			if o.Lost == database.PartOfTable {
				p.Findings = append(p.Findings, database.Finding{Object: o.ObjectID, Status: database.Exact})
			}
			continue
		}
		if err := fits(o); err != nil {
			p.Findings = append(p.Findings, database.Finding{Object: o.ObjectID, Status: database.Dropped, Code: database.CodeNoForm, Reason: "its statement is left out: " + err.Error()})
			continue
		}
		p.Findings = append(p.Findings, database.Finding{Object: o.ObjectID, Status: database.Exact})
		p.Statements = append(p.Statements, o.DDL[0])
		if o.Kind == "table" {
			sql[o.Name] = o.DDL[0]
			continue
		}
		l.late = append(l.late, lateObject{id: o.ObjectID, sql: o.DDL[0]})
	}
	for _, t := range s.Tables {
		if sql[t.Name] == "" {
			return nil, fmt.Errorf("%w: no statement makes table %s", database.ErrRefused, t.Name)
		}
		planned := &database.PlannedTable{Source: t, Target: t}
		p.Tables = append(p.Tables, planned)
		l.tables = append(l.tables, nativeTable(s, planned, sql[t.Name]))
	}
	return p, nil
}

// Rehearse implements database.Rehearser.
func (Driver) Rehearse(s *database.Schema) ([]database.Finding, error) {
	p, err := native(s)
	if err != nil {
		return nil, err
	}
	return database.LeftOutOf(p), nil
}

// forms are the statements that SQLite keeps for each kind.
var forms = map[string]string{
	"table":   "create table $name $group $rest:options",
	"index":   "create [ unique ] index $name on $table $group [ where $rest ]",
	"view":    "create view $name [ $group ] as $rest",
	"trigger": "create trigger $name $rest:body",
	// The numbers in a file's header.
	pragmaKind: "pragma application_id|user_version = $number",
}

// fits says why an object's statement is not one that makes it. That it is only one, SQLite says
// when it is prepared.
func fits(o *database.Object) error {
	if len(o.DDL) != 1 {
		return errors.New("it is more than one")
	}
	st, err := sqltext.SQLite.Parse(o.DDL[0], o.Kind == "trigger")
	if err != nil {
		return err
	}
	bound, ok := st.Match(forms[o.Kind], sqltext.Own{Name: o.Name, Table: []string{o.Table}})
	if !ok || forms[o.Kind] == "" {
		return fmt.Errorf("it does not make %s", o.ObjectID)
	}
	for _, t := range bound["options"] {
		if !t.Is("without") && !t.Is("rowid") && !t.Is("strict") && !t.Is(",") {
			return errors.New("its options are not understood")
		}
	}
	if o.Kind == "trigger" && !triggerOn(bound["body"], o.Table) {
		return errors.New("it is about another table")
	}
	return nil
}

// triggerOn finds the table in what follows a trigger's name: after the first ON.
func triggerOn(tokens []sqltext.Token, table string) bool {
	on := slices.IndexFunc(tokens, func(t sqltext.Token) bool { return t.Is("on") })
	return on >= 0 && on+1 < len(tokens) && strings.EqualFold(tokens[on+1].Value, table)
}

// autoincrementing is the type of a counter that never gives a number twice.
const autoincrementing = "autoincrement"

// nativeEncoding is how a file of SQLite's own keeps values of a type.
func nativeEncoding(t database.Type) encoding {
	if t.Kind == database.Float || t.Kind == database.Decimal {
		_, enc := declare(t)
		return enc
	}
	return plain
}

var withoutRowid = regexp.MustCompile(`(?is)\bWITHOUT\s+ROWID\b[^)]*$`)

func nativeTable(s *database.Schema, p *database.PlannedTable, create string) *tableLayout {
	out := &tableLayout{planned: p, name: p.Target.Name, create: create, rowid: !withoutRowid.MatchString(create), foreign: p.Source.ForeignKeys}
	for _, c := range p.Target.Columns {
		enc := nativeEncoding(c.Type)
		out.columns = append(out.columns, columnLayout{name: c.Name, enc: enc, generated: c.Generated != nil, long: c.Generated == nil && mayBeLong(c.Type, enc)})
		if c.Identity == nil {
			continue
		}
		if q := s.Sequence(c.Identity.Sequence); q != nil && q.Type == autoincrementing {
			out.counter = q
		}
	}
	return out
}
