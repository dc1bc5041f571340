package postgres

import (
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// This file lists what is said about a database's objects from outside of them: whose they are, where they lie, and with
// which settings the database is used. All of it is replayed at the end and may fail, since roles and tablespaces belong
// to the cluster.

// owners lists, for each role that is not the database's owner, what it owns. Whoever imports owns the rest.
func (l *lister) owners() {
	l.query(2, `WITH o AS (
		SELECT c.relowner AS role, format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, n.nspname, c.relname) AS what
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'c') AND `+userNamespace+` AND `+notMember("pg_class", "c.oid")+`
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i'))
		UNION ALL SELECT p.proowner, CASE p.prokind WHEN 'p' THEN 'PROCEDURE ' WHEN 'a' THEN 'AGGREGATE ' ELSE 'FUNCTION ' END || format('%I.%I(%s)', n.nspname, p.proname,
			CASE WHEN p.prokind = 'a' THEN coalesce(nullif(pg_catalog.pg_get_function_identity_arguments(p.oid), ''), '*') ELSE pg_catalog.pg_get_function_identity_arguments(p.oid) END)
		FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE `+userNamespace+` AND `+notMember("pg_proc", "p.oid")+`
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'i')
		UNION ALL SELECT t.typowner, CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END || format(' %I.%I', n.nspname, t.typname)
		FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype IN ('e', 'd', 'r') AND `+userType+`
		UNION ALL SELECT n.nspowner, format('SCHEMA %I', n.nspname) FROM pg_catalog.pg_namespace n WHERE n.nspname <> 'public' AND `+userNamespace+` AND `+notMember("pg_namespace", "n.oid")+`)
		SELECT role, pg_catalog.pg_get_userbyid(role)::text, string_agg(format('ALTER %s OWNER TO %I', what, pg_catalog.pg_get_userbyid(role)), E';\n' ORDER BY what) FROM o
		WHERE role <> (SELECT datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) GROUP BY role ORDER BY 2`,
		func(_ uint32, t []string) {
			it := l.add(0, 0, rankGrant, database.AtEnd, named("ownership", "", t[0]), t[1])
			if !l.filter.Empty() {
				it.object.DDL, it.object.Lost = nil, database.LeftOut
			}
		})
}

// tablespaces lists what lies outside of the database's own.
func (l *lister) tablespaces() {
	l.query(3, `SELECT c.oid, n.nspname || '.' || c.relname, s.spcname::text,
		format('ALTER %s %I.%I SET TABLESPACE %I', CASE c.relkind WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, n.nspname, c.relname, s.spcname)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
		WHERE c.relkind IN ('r', 'p', 'm', 'i', 'I') AND `+userNamespace+` AND `+notMember("pg_class", "c.oid")+` ORDER BY 2`,
		func(oid uint32, t []string) {
			l.add(0, 0, rankEnd, database.AtEnd, named("tablespace", "", t[0]+" in "+t[1]), t[2]).excluded = l.aboutExcluded(oid)
		})
}

// listSettings hold lists that are stored as they are written.
var listSettings = map[string]bool{
	"search_path": true, "temp_tablespaces": true, "local_preload_libraries": true, "session_preload_libraries": true,
	"shared_preload_libraries": true, "unix_socket_directories": true,
}

// databaseSettings lists what ALTER DATABASE and ALTER ROLE IN DATABASE have set. The database's name is put in when
// they are replayed.
func (l *lister) databaseSettings() {
	l.query(2, `SELECT s.setrole, CASE s.setrole WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(s.setrole)::text END, u.setting
		FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase, pg_catalog.unnest(s.setconfig) WITH ORDINALITY u(setting, i) WHERE d.datname = pg_catalog.current_database() ORDER BY 2, u.i`,
		func(_ uint32, t []string) {
			name, value, _ := strings.Cut(t[1], "=")
			if !listSettings[strings.ToLower(name)] {
				value = literal(value)
			}
			if value == "" {
				value = "''"
			}
			who, alter := "all roles", "ALTER DATABASE %I SET "
			if t[0] != "" {
				who, alter = "role "+t[0], "ALTER ROLE "+quote(t[0])+" IN DATABASE %I SET "
			}
			set := strings.ReplaceAll(quote(name)+" TO "+value, "%", "%%")
			l.add(0, 0, rankEnd, database.AtEnd, named("database setting", "", name+" for "+who),
				"DO $packstone$BEGIN EXECUTE pg_catalog.format("+literal(alter+set)+", pg_catalog.current_database()); END$packstone$")
		})
}

// defaultPrivileges lists what ALTER DEFAULT PRIVILEGES has set.
func (l *lister) defaultPrivileges() {
	l.query(2, `WITH a AS (SELECT oid, defaclrole AS role, defaclacl AS acl,
			CASE WHEN defaclnamespace = 0 THEN pg_catalog.acldefault(CASE defaclobjtype WHEN 'S' THEN 's' ELSE defaclobjtype END, defaclrole) END AS base,
			CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END AS what,
			format('ALTER DEFAULT PRIVILEGES FOR ROLE %I', pg_catalog.pg_get_userbyid(defaclrole)) || coalesce((SELECT format(' IN SCHEMA %I', nspname) FROM pg_catalog.pg_namespace n WHERE n.oid = defaclnamespace), '') AS head
			FROM pg_catalog.pg_default_acl),
		g AS (SELECT oid, head, what, x.grantee, x.privilege_type, x.is_grantable FROM a, pg_catalog.aclexplode(acl) x EXCEPT SELECT oid, head, what, x.grantee, x.privilege_type, x.is_grantable FROM a, pg_catalog.aclexplode(base) x),
		r AS (SELECT oid, head, what, x.grantee, x.privilege_type FROM a, pg_catalog.aclexplode(base) x EXCEPT SELECT oid, head, what, x.grantee, x.privilege_type FROM a, pg_catalog.aclexplode(acl) x),
		s AS (SELECT oid, head, what, 1 AS step, format('%s REVOKE %s ON %s FROM %s', head, privilege_type, what, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(grantee)) END) AS sql FROM r
		UNION ALL SELECT oid, head, what, 2, format('%s GRANT %s ON %s TO %s%s', head, privilege_type, what, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(grantee)) END, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) FROM g)
		SELECT oid, replace(head, 'ALTER DEFAULT PRIVILEGES FOR ROLE', 'of') || ' on ' || lower(what), string_agg(sql, E';\n' ORDER BY step, sql) FROM s GROUP BY oid, head, what ORDER BY 2, 3`,
		func(_ uint32, t []string) {
			l.add(0, 0, rankEnd, database.AtEnd, named("default privileges", "", t[0]), t[1])
		})
}

// outside names what needs a secret or another cluster to work.
func (l *lister) outside() {
	l.query(1, `SELECT u.umid, format('%s for %s', u.srvname, u.usename) FROM pg_catalog.pg_user_mappings u ORDER BY 2`,
		func(_ uint32, t []string) {
			l.add(0, 0, rankEnd, database.AtEnd, named("user mapping", "", t[0])).object.Lost = "it holds a login to another server"
		})
	l.query(1, `SELECT s.oid, s.subname::text FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database() ORDER BY 2`,
		func(_ uint32, t []string) {
			l.add(0, 0, rankEnd, database.AtEnd, named("subscription", "", t[0])).object.Lost = "it holds a login to another server"
		})
	l.query(1, `SELECT s.objoid, format('%s on %s', s.provider, i.identity) FROM pg_catalog.pg_seclabel s, pg_catalog.pg_identify_object(s.classoid, s.objoid, s.objsubid) i ORDER BY 2`,
		func(_ uint32, t []string) {
			l.add(0, 0, rankEnd, database.AtEnd, named("security label", "", t[0])).object.Lost = "security labels are not carried"
		})
	l.query(1, `SELECT m.oid, m.oid::text FROM pg_catalog.pg_largeobject_metadata m WHERE m.lomacl IS NOT NULL ORDER BY m.oid`,
		func(_ uint32, t []string) {
			l.add(0, 0, rankEnd, database.AtEnd, named("grants on large object", "", t[0])).object.Lost = "grants on large objects are not carried"
		})
}
