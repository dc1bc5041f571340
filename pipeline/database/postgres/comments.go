package postgres

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// comments turns an object's identity into the words of COMMENT ON.
func (l *lister) comments() {
	l.query(3, `SELECT d.objoid, i.type, i.identity, d.description
		FROM pg_catalog.pg_description d, pg_catalog.pg_identify_object(d.classoid, d.objoid, d.objsubid) i
		WHERE (d.objoid >= `+fmt.Sprint(firstUser)+` AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e')
		       OR d.classoid = 'pg_catalog.pg_namespace'::regclass AND i.identity = 'public' AND d.description <> 'standard public schema'
		       OR d.classoid = 'pg_catalog.pg_largeobject'::regclass) ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			if on, ok := commentTarget(t[0], t[1]); ok {
				it := l.add(0, oid, rankComment, database.AtEnd, named("comment", "", t[0]+" "+t[1]), "COMMENT ON "+on+" IS "+literal(t[2]))
				it.excluded = l.aboutExcluded(oid) || t[0] == "large object" && !l.filter.Empty()
			}
		})
	// An extension that is made has the comment of its files, which somebody may have taken away.
	l.query(1, `SELECT x.oid, quote_ident(x.extname) FROM pg_catalog.pg_extension x JOIN pg_catalog.pg_available_extensions a ON a.name = x.extname
		WHERE a.comment IS NOT NULL AND x.extname <> 'plpgsql' AND pg_catalog.obj_description(x.oid, 'pg_extension') IS NULL ORDER BY 2`,
		func(oid uint32, t []string) {
			l.add(0, oid, rankComment, database.AtEnd, named("comment", "", "extension "+t[0]), "COMMENT ON EXTENSION "+t[0]+" IS NULL")
		})
}

// extensionDependents lists what is dropped together with an extension, by its user's wish.
func (l *lister) extensionDependents() {
	l.query(3, `SELECT d.objid, i.identity, x.extname::text, upper(i.type) FROM pg_catalog.pg_depend d
		JOIN pg_catalog.pg_extension x ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND x.oid = d.refobjid,
		pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) i WHERE d.deptype = 'x' ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			it := l.add(0, oid, rankGrant, database.AtEnd, named("dependence", "", t[0]+" on extension "+t[1]), "ALTER "+t[2]+" "+t[0]+" DEPENDS ON EXTENSION "+quote(t[1]))
			it.excluded = !l.filter.Empty()
		})
}

func (l *lister) aboutExcluded(oid uint32) bool {
	r := l.catalog.relations[oid]
	return r != nil && r.isData() && !l.takes(r)
}

func commentTarget(kind, identity string) (string, bool) {
	switch {
	case strings.HasSuffix(kind, " column"):
		return "COLUMN " + identity, true
	case kind == "table constraint":
		return "CONSTRAINT " + identity, true
	case kind == "domain constraint":
		name, domain, ok := strings.Cut(identity, " on ")
		return "CONSTRAINT " + name + " ON DOMAIN " + domain, ok
	case kind == "composite type":
		return "TYPE " + identity, true
	case kind == "default value":
		return "", false
	case kind == "statistics object":
		return "STATISTICS " + identity, true
	}
	return strings.ToUpper(kind) + " " + identity, true
}
