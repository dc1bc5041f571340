package sqlite

import (
	"regexp"

	"github.com/packstone/packstone/pipeline/database"
)

// native plans a file from another SQLite file's own SQL.
func native(s *database.Schema) *database.Plan {
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
		p.Findings = append(p.Findings, database.Finding{Object: o.ObjectID, Status: database.Exact})
		if o.Kind == "table" {
			sql[o.Name] = o.DDL[0]
			continue
		}
		l.late = append(l.late, lateObject{id: o.ObjectID, sql: o.DDL[0]})
	}
	for _, t := range s.Tables {
		planned := &database.PlannedTable{Source: t, Target: t}
		p.Tables = append(p.Tables, planned)
		l.tables = append(l.tables, nativeTable(s, planned, sql[t.Name]))
	}
	return p
}

var withoutRowid = regexp.MustCompile(`(?is)\bWITHOUT\s+ROWID\b[^)]*$`)

func nativeTable(s *database.Schema, p *database.PlannedTable, create string) *tableLayout {
	out := &tableLayout{planned: p, name: p.Target.Name, create: create, rowid: !withoutRowid.MatchString(create)}
	for _, c := range p.Target.Columns {
		enc := plain
		if c.Type.Kind == database.Float || c.Type.Kind == database.Decimal {
			_, enc = declare(c.Type)
		}
		out.columns = append(out.columns, columnLayout{name: c.Name, enc: enc, generated: c.Generated != nil, long: c.Generated == nil && mayBeLong(c.Type, enc)})
		if c.Identity == nil {
			continue
		}
		if q := s.Sequence(c.Identity.Sequence); q != nil && q.Type == "autoincrement" {
			out.counter = q
		}
	}
	return out
}
