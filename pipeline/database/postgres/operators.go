package postgres

import (
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// operators lists operators, which other objects' expressions may use. What an operator says of
// others that come after it makes PostgreSQL keep their places.
func (l *lister) operators() {
	l.query(3, `SELECT o.oid, n.nspname::text, format('%s(%s, %s)', o.oprname, CASE WHEN o.oprleft = 0 THEN 'NONE' ELSE pg_catalog.format_type(o.oprleft, NULL) END, pg_catalog.format_type(o.oprright, NULL)),
		format('CREATE OPERATOR %I.%s (FUNCTION = %s', n.nspname, o.oprname, o.oprcode)
		|| CASE WHEN o.oprleft <> 0 THEN ', LEFTARG = ' || pg_catalog.format_type(o.oprleft, NULL) ELSE '' END || ', RIGHTARG = ' || pg_catalog.format_type(o.oprright, NULL)
		|| coalesce((SELECT format(', COMMUTATOR = OPERATOR(%I.%s)', xn.nspname, x.oprname) FROM pg_catalog.pg_operator x JOIN pg_catalog.pg_namespace xn ON xn.oid = x.oprnamespace WHERE x.oid = o.oprcom), '')
		|| coalesce((SELECT format(', NEGATOR = OPERATOR(%I.%s)', xn.nspname, x.oprname) FROM pg_catalog.pg_operator x JOIN pg_catalog.pg_namespace xn ON xn.oid = x.oprnamespace WHERE x.oid = o.oprnegate), '')
		|| CASE WHEN o.oprrest <> 0 THEN ', RESTRICT = ' || o.oprrest ELSE '' END || CASE WHEN o.oprjoin <> 0 THEN ', JOIN = ' || o.oprjoin ELSE '' END
		|| CASE WHEN o.oprcanmerge THEN ', MERGES' ELSE '' END || CASE WHEN o.oprcanhash THEN ', HASHES' ELSE '' END || ')'
		FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
		WHERE o.oprcode <> 0 AND `+userNamespace+` AND `+notMember("pg_operator", "o.oid")+` ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			l.add(classOperator, oid, rankFunction, database.BeforeTables, named("operator", t[0], t[1]), t[2])
		})
}

func (l *lister) casts() {
	l.query(2, `SELECT c.oid, format('(%s AS %s)', pg_catalog.format_type(c.castsource, NULL), pg_catalog.format_type(c.casttarget, NULL)),
		format('CREATE CAST (%s AS %s) ', pg_catalog.format_type(c.castsource, NULL), pg_catalog.format_type(c.casttarget, NULL))
		|| CASE c.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || c.castfunc::pg_catalog.regprocedure WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END
		|| CASE c.castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT' ELSE '' END
		FROM pg_catalog.pg_cast c WHERE c.oid >= 16384 AND NOT `+l.catalog.since(14, "EXISTS (SELECT FROM pg_catalog.pg_range r WHERE r.rngtypid = c.castsource AND c.casttarget = r.rngmultitypid)", "false")+` AND `+notMember("pg_cast", "c.oid")+` ORDER BY 2`,
		func(oid uint32, t []string) {
			l.add(classCast, oid, rankFunction, database.BeforeTables, named("cast", "", t[0]), t[1])
		})
}

// textSearch lists dictionaries and configurations. Templates and parsers are written in C.
func (l *lister) textSearch() {
	l.query(3, `SELECT d.oid, n.nspname::text, d.dictname::text,
		format('CREATE TEXT SEARCH DICTIONARY %I.%I (TEMPLATE = %I.%I', n.nspname, d.dictname, tn.nspname, t.tmplname) || coalesce(', ' || d.dictinitoption, '') || ')'
		FROM pg_catalog.pg_ts_dict d JOIN pg_catalog.pg_namespace n ON n.oid = d.dictnamespace JOIN pg_catalog.pg_ts_template t ON t.oid = d.dicttemplate JOIN pg_catalog.pg_namespace tn ON tn.oid = t.tmplnamespace
		WHERE `+userNamespace+` AND `+notMember("pg_ts_dict", "d.oid")+` ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			l.add(classDictionary, oid, rankFunction, database.BeforeTables, named("text search dictionary", t[0], t[1]), t[2])
		})
	l.query(3, `SELECT c.oid, n.nspname::text, c.cfgname::text,
		format('CREATE TEXT SEARCH CONFIGURATION %I.%I (PARSER = %I.%I)', n.nspname, c.cfgname, pn.nspname, p.prsname)
		|| coalesce((SELECT string_agg(format('; ALTER TEXT SEARCH CONFIGURATION %I.%I ADD MAPPING FOR %s WITH %s', n.nspname, c.cfgname,
		     (SELECT quote_ident(alias) FROM pg_catalog.ts_token_type(c.cfgparser) WHERE tokid = m.maptokentype), m.dictionaries), '' ORDER BY m.maptokentype)
		   FROM (SELECT maptokentype, string_agg(mapdict::pg_catalog.regdictionary::text, ', ' ORDER BY mapseqno) AS dictionaries FROM pg_catalog.pg_ts_config_map WHERE mapcfg = c.oid GROUP BY maptokentype) m), '')
		FROM pg_catalog.pg_ts_config c JOIN pg_catalog.pg_namespace n ON n.oid = c.cfgnamespace JOIN pg_catalog.pg_ts_parser p ON p.oid = c.cfgparser JOIN pg_catalog.pg_namespace pn ON pn.oid = p.prsnamespace
		WHERE `+userNamespace+` AND `+notMember("pg_ts_config", "c.oid")+` ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			l.add(classTextConfig, oid, rankFunction, database.BeforeTables, named("text search configuration", t[0], t[1]), sqltext.Postgres.Split(t[2])...)
		})
}
