package postgres

import (
	"github.com/packstone/packstone/pipeline/database"
)

// grantedNamespace is where privileges count as a database's own, as for pg_dump.
const grantedNamespace = `(n.nspname = 'pg_catalog' OR ` + userNamespace + `)`

// withPrivileges gives all that has privileges: class, oid, column, what it is called, acl, owner,
// and its kind for acldefault.
const withPrivileges = `
	SELECT 'pg_class'::regclass AS class, c.oid, 0 AS sub, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END || format(' %I.%I', n.nspname, c.relname) AS what, '' AS col,
	       c.relacl AS acl, c.relowner AS owner, (CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char" AS kind
	  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','v','m','S','f') AND c.relacl IS NOT NULL AND ` + grantedNamespace + `
	UNION ALL SELECT 'pg_class'::regclass, c.oid, t.attnum, format('TABLE %I.%I', n.nspname, c.relname), format(' (%I)', t.attname), t.attacl, c.relowner, 'c'
	  FROM pg_catalog.pg_attribute t JOIN pg_catalog.pg_class c ON c.oid = t.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE t.attacl IS NOT NULL AND NOT t.attisdropped AND ` + grantedNamespace + `
	UNION ALL SELECT 'pg_proc'::regclass, p.oid, 0, CASE p.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)), '',
	       p.proacl, p.proowner, 'f' FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE p.proacl IS NOT NULL AND ` + grantedNamespace + `
	UNION ALL SELECT 'pg_type'::regclass, t.oid, 0, format('TYPE %I.%I', n.nspname, t.typname), '', t.typacl, t.typowner, 'T'
	  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typacl IS NOT NULL AND ` + grantedNamespace + `
	UNION ALL SELECT 'pg_namespace'::regclass, n.oid, 0, format('SCHEMA %I', n.nspname), '', n.nspacl, n.nspowner, 'n' FROM pg_catalog.pg_namespace n WHERE n.nspacl IS NOT NULL AND ` + grantedNamespace + `
	UNION ALL SELECT 'pg_language'::regclass, l.oid, 0, format('LANGUAGE %I', l.lanname), '', l.lanacl, l.lanowner, 'l' FROM pg_catalog.pg_language l WHERE l.lanacl IS NOT NULL`

// grants lists privileges that differ from what a new object has; of the server's own things and
// those of extensions, from what these had.
func (l *lister) grants() {
	l.query(2, `WITH a AS (`+withPrivileges+`),
		b AS (SELECT a.*, coalesce((SELECT i.initprivs FROM pg_catalog.pg_init_privs i WHERE i.objoid = a.oid AND i.objsubid = a.sub AND i.classoid = a.class), pg_catalog.acldefault(kind, owner)) AS base FROM a),
		g AS (SELECT oid, what, col, owner, x.grantee, x.privilege_type, x.is_grantable FROM b, pg_catalog.aclexplode(acl) x
		      EXCEPT SELECT oid, what, col, owner, x.grantee, x.privilege_type, x.is_grantable FROM b, pg_catalog.aclexplode(base) x),
		r AS (SELECT oid, what, col, owner, x.grantee, x.privilege_type FROM b, pg_catalog.aclexplode(base) x
		      EXCEPT SELECT oid, what, col, owner, x.grantee, x.privilege_type FROM b, pg_catalog.aclexplode(acl) x)
		SELECT oid, what || col, format('REVOKE %s%s ON %s FROM %s', privilege_type, col, what, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(grantee)) END) FROM r
		UNION ALL SELECT oid, what || col, format('GRANT %s%s ON %s TO %s%s', privilege_type, col, what, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(grantee)) END, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) FROM g
		ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			it := l.add(0, oid, rankGrant, database.AtEnd, named("grant", "", t[1]), t[1])
			it.excluded = l.aboutExcluded(oid)
		})
}
