package postgres

import (
	"github.com/packstone/packstone/pipeline/database"
)

func (l *lister) functions() {
	l.query(4, `SELECT p.oid, n.nspname::text, p.proname::text || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')',
		pg_catalog.pg_get_functiondef(p.oid), CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END
		FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
		WHERE p.prokind <> 'a' AND `+userNamespace+` AND `+notMember("pg_proc", "p.oid")+`
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend i WHERE i.classid = 'pg_catalog.pg_proc'::regclass AND i.objid = p.oid AND i.deptype = 'i') ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			l.add(classProcedure, oid, rankFunction, database.BeforeTables, named(t[3], t[0], t[1]), t[2])
		})
}

func (l *lister) aggregates() {
	l.query(3, `SELECT p.oid, n.nspname::text, p.proname::text || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')',
		format('CREATE AGGREGATE %I.%I(%s) (SFUNC = %s, STYPE = %s', n.nspname, p.proname, coalesce(nullif(pg_catalog.pg_get_function_arguments(p.oid), ''), '*'), a.aggtransfn, pg_catalog.format_type(a.aggtranstype, NULL))
		|| CASE WHEN a.aggtransspace <> 0 THEN ', SSPACE = ' || a.aggtransspace ELSE '' END
		|| CASE WHEN a.aggfinalfn <> 0 THEN ', FINALFUNC = ' || a.aggfinalfn || CASE WHEN a.aggfinalextra THEN ', FINALFUNC_EXTRA' ELSE '' END || ', FINALFUNC_MODIFY = ' || CASE a.aggfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END ELSE '' END
		|| CASE WHEN a.aggcombinefn <> 0 THEN ', COMBINEFUNC = ' || a.aggcombinefn ELSE '' END
		|| CASE WHEN a.aggserialfn <> 0 THEN ', SERIALFUNC = ' || a.aggserialfn || ', DESERIALFUNC = ' || a.aggdeserialfn ELSE '' END
		|| coalesce(', INITCOND = ' || quote_literal(a.agginitval), '')
		|| CASE WHEN a.aggmtransfn <> 0 THEN ', MSFUNC = ' || a.aggmtransfn || ', MINVFUNC = ' || a.aggminvtransfn || ', MSTYPE = ' || pg_catalog.format_type(a.aggmtranstype, NULL) || CASE WHEN a.aggmtransspace <> 0 THEN ', MSSPACE = ' || a.aggmtransspace ELSE '' END ELSE '' END
		|| CASE WHEN a.aggmfinalfn <> 0 THEN ', MFINALFUNC = ' || a.aggmfinalfn || CASE WHEN a.aggmfinalextra THEN ', MFINALFUNC_EXTRA' ELSE '' END || ', MFINALFUNC_MODIFY = ' || CASE a.aggmfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END ELSE '' END
		|| coalesce(', MINITCOND = ' || quote_literal(a.aggminitval), '')
		|| coalesce((SELECT format(', SORTOP = OPERATOR(%I.%s)', sn.nspname, so.oprname) FROM pg_catalog.pg_operator so JOIN pg_catalog.pg_namespace sn ON sn.oid = so.oprnamespace WHERE so.oid = a.aggsortop), '')
		|| CASE WHEN a.aggkind = 'h' THEN ', HYPOTHETICAL' ELSE '' END
		|| CASE p.proparallel WHEN 's' THEN ', PARALLEL = safe' WHEN 'r' THEN ', PARALLEL = restricted' ELSE '' END || ')'
		FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
		WHERE `+userNamespace+` AND `+notMember("pg_proc", "p.oid")+` ORDER BY 2, 3`,
		func(oid uint32, t []string) {
			l.add(classProcedure, oid, rankFunction, database.BeforeTables, named("aggregate", t[0], t[1]), t[2])
		})
}
