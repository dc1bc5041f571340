package postgres

import (
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

func (l *lister) views() {
	l.query(4, `SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, pg_catalog.pg_get_viewdef(c.oid)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('v', 'm') AND `+userNamespace+` AND `+notMember("pg_class", "c.oid")+` ORDER BY 2, 3`,
		func(oid uint32, t []string) { l.view(oid, t[0], t[1], t[2], strings.TrimSuffix(t[3], ";")) })
	l.query(2, `SELECT c.oid, n.nspname::text, c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'm' AND c.relispopulated AND `+userNamespace+` AND `+notMember("pg_class", "c.oid")+` ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			l.add(0, oid, rankRefresh, database.AtEnd, named("contents of materialized view", t[0], t[1]), "REFRESH MATERIALIZED VIEW "+qualified(t[0], t[1]))
		})
}

func (l *lister) view(oid uint32, schema, name, kind, definition string) {
	r := l.catalog.relations[oid]
	if kind == "v" {
		l.add(classRelation, oid, rankView, database.Tables, named("view", schema, name),
			"CREATE VIEW "+r.sql()+withOptions(r.Options)+" AS\n"+definition)
		for _, c := range r.Columns {
			if c.Default != "" {
				l.add(classDefault, c.DefaultOID, rankEnd, database.AtEnd, database.ObjectID{Kind: "default", Table: r.id(), Name: c.Name},
					"ALTER TABLE ONLY "+r.sql()+" ALTER COLUMN "+quote(c.Name)+" SET DEFAULT "+c.Default)
			}
		}
		return
	}
	create := "CREATE MATERIALIZED VIEW " + r.sql() + withOptions(r.Options) + " AS\n" + definition + "\n  WITH NO DATA"
	l.add(classRelation, oid, rankView, database.Tables, named("materialized view", schema, name), append([]string{create}, alterColumns(r)...)...)
}
