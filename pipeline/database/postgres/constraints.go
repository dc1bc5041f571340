package postgres

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// constraintKinds are our words for pg_constraint.contype.
var constraintKinds = map[string]string{"p": "primary key", "u": "unique", "f": "foreign key", "c": "check", "x": "exclusion"}

func (l *lister) constraints() {
	parents := map[uint32]uint32{} // index of a partition's key → index of the parent's
	for _, x := range l.catalog.indexes {
		parents[x.OID] = x.Parent
	}
	for _, k := range l.catalog.constraints {
		r := l.catalog.relations[k.Relation]
		if r == nil || k.Relation == 0 || !k.Local && k.Type == "c" || k.Parent != 0 && k.Type == "f" {
			continue
		}
		rank, only := rankConstraint, "ONLY "
		if k.Type == "f" {
			rank = rankForeign
		}
		if r.Kind == "p" && k.Type == "f" || k.Type == "c" {
			only = ""
		}
		ddl := []string{"ALTER TABLE " + only + r.sql() + " ADD CONSTRAINT " + quote(k.Name) + " " + k.Definition}
		if parent := l.catalog.index(parents[k.Index]); parent != nil && k.Index != 0 && k.Type != "f" {
			ddl = append(ddl, "ALTER INDEX "+qualified(parent.Schema, parent.Name)+" ATTACH PARTITION "+qualified(r.Schema, k.Name))
		}
		if x := l.catalog.index(k.Index); x != nil && k.Type != "f" {
			ddl = append(ddl, indexFlags(r, x)...)
		}
		id := database.ObjectID{Kind: constraintKinds[k.Type], Table: r.id(), Name: k.Name}
		it := l.add(classConstraint, k.OID, rank, database.AfterData, id, ddl...)
		it.excluded = !l.takes(r) || k.Foreign != 0 && l.catalog.relations[k.Foreign] != nil && !l.takes(l.catalog.relations[k.Foreign])
	}
}

func (c *catalog) index(oid uint32) *index {
	for _, x := range c.indexes {
		if x.OID == oid && oid != 0 {
			return x
		}
	}
	return nil
}

// indexFlags sets what the definitions of an index and of a constraint have no clause for.
func indexFlags(r *relation, x *index) []string {
	var out []string
	for _, s := range x.Statistics {
		out = append(out, "ALTER INDEX "+qualified(x.Schema, x.Name)+" ALTER COLUMN "+s)
	}
	if x.Constraint != 0 && len(x.Options) > 0 {
		out = append(out, "ALTER INDEX "+qualified(x.Schema, x.Name)+" SET"+strings.TrimPrefix(withOptions(x.Options), " WITH"))
	}
	if x.Clustered {
		out = append(out, "ALTER TABLE "+r.sql()+" CLUSTER ON "+quote(x.Name))
	}
	if x.ReplIdent {
		out = append(out, "ALTER TABLE ONLY "+r.sql()+" REPLICA IDENTITY USING INDEX "+quote(x.Name))
	}
	return out
}

func (l *lister) indexes() {
	for _, x := range l.catalog.indexes {
		r := l.catalog.relations[x.Relation]
		if r == nil || x.Constraint != 0 {
			continue
		}
		ddl := []string{x.Definition}
		if parent := l.catalog.index(x.Parent); parent != nil {
			ddl = append(ddl, "ALTER INDEX "+qualified(parent.Schema, parent.Name)+" ATTACH PARTITION "+qualified(x.Schema, x.Name))
		}
		it := l.add(classRelation, x.OID, rankIndex, database.AfterData, database.ObjectID{Kind: "index", Table: r.id(), Name: x.Name}, append(ddl, indexFlags(r, x)...)...)
		it.excluded = !l.takes(r)
	}
}

// onTable lists objects that hang on a relation: OID, schema, relation, name, DDL.
func (l *lister) onTable(class uint32, kind, sql string) {
	l.query(4, sql, func(oid uint32, t []string) {
		it := l.add(class, oid, rankEnd, database.AtEnd, database.ObjectID{Kind: kind, Table: database.JoinName(t[0], t[1]), Name: t[2]}, sqltext.Postgres.Split(t[3])...)
		it.excluded = !l.filter.Takes("public", t[0], t[1])
	})
}

const onRelation = ` JOIN pg_catalog.pg_class c ON c.oid = %s JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE ` + userNamespace + ` `

func (l *lister) statistics() {
	l.onTable(classStatistics, "statistics", `SELECT s.oid, n.nspname::text, c.relname::text, s.stxname::text, pg_catalog.pg_get_statisticsobjdef(s.oid)
		|| CASE WHEN `+l.catalog.since(13, "s.stxstattarget", "-1")+` >= 0 THEN format('; ALTER STATISTICS %s SET STATISTICS %s', i.identity, `+l.catalog.since(13, "s.stxstattarget", "-1")+`) ELSE '' END
		FROM pg_catalog.pg_statistic_ext s CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid, 0) i`+
		fmt.Sprintf(onRelation, "s.stxrelid")+`ORDER BY 2, 3, 4`)
}
