package postgres

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// This file lists what is said about a database's objects from outside of them: whose they are,
// where they lie, and with which settings the database is used. What of it is replayed may fail,
// since roles and tablespaces belong to the cluster.

// owners notes whose each object is, and what these roles may do.
func (l *lister) owners() {
	owner := map[key]string{}
	l.query(2, `WITH o AS (
		SELECT 'pg_class' AS class, oid, relowner AS role FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'c')
		UNION ALL SELECT 'pg_proc', oid, proowner FROM pg_catalog.pg_proc
		UNION ALL SELECT 'pg_type', oid, typowner FROM pg_catalog.pg_type WHERE typtype IN ('e', 'd', 'r')
		UNION ALL SELECT 'pg_namespace', oid, nspowner FROM pg_catalog.pg_namespace
		UNION ALL SELECT 'pg_operator', oid, oprowner FROM pg_catalog.pg_operator
		UNION ALL SELECT 'pg_collation', oid, collowner FROM pg_catalog.pg_collation
		UNION ALL SELECT 'pg_ts_dict', oid, dictowner FROM pg_catalog.pg_ts_dict
		UNION ALL SELECT 'pg_ts_config', oid, cfgowner FROM pg_catalog.pg_ts_config
		UNION ALL SELECT 'pg_statistic_ext', oid, stxowner FROM pg_catalog.pg_statistic_ext
		UNION ALL SELECT 'pg_publication', oid, pubowner FROM pg_catalog.pg_publication
		UNION ALL SELECT 'pg_event_trigger', oid, evtowner FROM pg_catalog.pg_event_trigger
		UNION ALL SELECT 'pg_extension', oid, extowner FROM pg_catalog.pg_extension)
		SELECT oid, class, pg_catalog.pg_get_userbyid(role)::text FROM o WHERE oid >= `+fmt.Sprint(firstUser)+` OR class = 'pg_namespace'`,
		func(oid uint32, t []string) {
			owner[key{ownedClasses[t[0]], oid}] = t[1]
		})
	names := map[string]bool{}
	for _, it := range l.items {
		if name := owner[it.key]; name != "" && it.Class != 0 {
			it.object.Owner = name
			names[name] = true
		}
	}
	if l.err == nil {
		l.schema.Owners, l.err = readPrincipals(l.ctx, l.conn, slices.Sorted(maps.Keys(names)))
	}
}

// ownedClasses are the catalogs of what has owners.
var ownedClasses = map[string]uint32{
	"pg_class": classRelation, "pg_proc": classProcedure, "pg_type": classType, "pg_namespace": classNamespace, "pg_operator": classOperator,
	"pg_collation": classCollation, "pg_ts_dict": classDictionary, "pg_ts_config": classTextConfig, "pg_statistic_ext": classStatistics,
	"pg_publication": classPublication, "pg_event_trigger": classEventTrigger, "pg_extension": classExtension,
}

// tablespaces lists what lies outside of the database's own.
func (l *lister) tablespaces() {
	l.query(4, `SELECT c.oid, n.nspname::text, c.relname::text, s.spcname::text,
		format('ALTER %s %I.%I SET TABLESPACE %I', CASE c.relkind WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, n.nspname, c.relname, s.spcname)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
		WHERE c.relkind IN ('r', 'p', 'm', 'i', 'I') AND `+userNamespace+` AND `+notMember("pg_class", "c.oid")+` ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			l.add(0, 0, rankEnd, database.AtEnd, named("tablespace", "", database.JoinName(t[0], t[1])+" in "+t[2]), t[3]).excluded = l.aboutExcluded(oid)
		})
}

// listSettings hold lists that are stored as they are written.
var listSettings = map[string]bool{
	"search_path": true, "temp_tablespaces": true, "local_preload_libraries": true, "session_preload_libraries": true,
	"shared_preload_libraries": true, "unix_socket_directories": true,
}

// databaseSettings lists what ALTER DATABASE and ALTER ROLE IN DATABASE have set. When they are
// replayed, the name of the database that is filled takes the place of this one's.
func (l *lister) databaseSettings() {
	l.query(3, `SELECT s.setrole, CASE s.setrole WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(s.setrole)::text END, d.datname::text, u.setting
		FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase, pg_catalog.unnest(s.setconfig) WITH ORDINALITY u(setting, i) WHERE d.datname = pg_catalog.current_database() ORDER BY 2, u.i`,
		func(_ uint32, t []string) {
			name, value, _ := strings.Cut(t[2], "=")
			who, alter := "all roles", "ALTER DATABASE "+quote(t[1])
			if t[0] != "" {
				who, alter = "role "+t[0], "ALTER ROLE "+quote(t[0])+" IN DATABASE "+quote(t[1])
			}
			l.add(0, 0, rankEnd, database.AtEnd, named("database setting", "", name+" for "+who), alter+" SET "+settingSQL(name, value))
		})
}

// settingSQL is what follows SET.
func settingSQL(name, value string) string {
	switch {
	case value == "":
		value = "''"
	case !listSettings[strings.ToLower(name)]:
		value = strings.TrimSpace(literal(value))
	}
	return quote(name) + " TO " + value
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
			l.add(0, 0, rankEnd, database.AtEnd, named("default privileges", "", t[0]), sqltext.Postgres.Split(t[1])...)
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
}

// largeObjects lists those that are somebody's or that others may use.
func (l *lister) largeObjects() {
	l.query(2, `SELECT m.oid, pg_catalog.pg_get_userbyid(m.lomowner)::text, m.oid::text FROM pg_catalog.pg_largeobject_metadata m ORDER BY 2, m.oid`,
		func(_ uint32, t []string) {
			it := l.last("owner of large objects", t[0])
			it.object.DDL = append(it.object.DDL, "ALTER LARGE OBJECT "+t[1]+" OWNER TO "+quote(t[0]))
		})
	l.query(2, `SELECT m.oid, m.oid::text, format('GRANT %s ON LARGE OBJECT %s TO %s%s', x.privilege_type, m.oid, CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END, CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
		FROM pg_catalog.pg_largeobject_metadata m, pg_catalog.aclexplode(m.lomacl) x WHERE x.grantee <> m.lomowner ORDER BY m.oid, 3`,
		func(_ uint32, t []string) {
			it := l.last("grants on large object", t[0])
			it.object.DDL = append(it.object.DDL, t[1])
		})
}

// last is the item that was added last, if it has this name, or a new one.
func (l *lister) last(kind, name string) *item {
	id := named(kind, "", name)
	if n := len(l.items); n > 0 && l.items[n-1].object.ObjectID == id {
		return l.items[n-1]
	}
	it := l.add(0, 0, rankGrant, database.AtEnd, id)
	if !l.filter.Empty() { // large objects are left out too
		it.object.Lost = database.LeftOut
		it.excluded = true
	}
	return it
}
