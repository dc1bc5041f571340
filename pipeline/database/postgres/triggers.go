package postgres

import (
	"fmt"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// enabled says in which sessions a rule or a trigger acts, where it is not in all ordinary ones.
const enabled = `CASE %[1]s WHEN 'O' THEN '' ELSE format('; ALTER TABLE %%I.%%I %%s %[2]s %%I', n.nspname, c.relname, CASE %[1]s WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END, %[3]s) END`

func (l *lister) rules() {
	l.onTable(classRewrite, "rule", `SELECT r.oid, n.nspname::text, c.relname::text, r.rulename::text, pg_catalog.pg_get_ruledef(r.oid) || `+fmt.Sprintf(enabled, "r.ev_enabled", "RULE", "r.rulename")+` FROM pg_catalog.pg_rewrite r`+
		fmt.Sprintf(onRelation, "r.ev_class")+`AND r.rulename <> '_RETURN' AND `+notMember("pg_class", "c.oid")+` ORDER BY 2, 3, 4`)
}

func (l *lister) triggers() {
	l.onTable(classTrigger, "trigger", `SELECT t.oid, n.nspname::text, c.relname::text, t.tgname::text, pg_catalog.pg_get_triggerdef(t.oid)
		|| `+fmt.Sprintf(enabled, "t.tgenabled", "TRIGGER", "t.tgname")+`
		FROM pg_catalog.pg_trigger t`+fmt.Sprintf(onRelation, "t.tgrelid")+`AND NOT t.tgisinternal AND `+l.catalog.since(13, "t.tgparentid = 0", "true")+` ORDER BY 2, 3, 4`)
	if l.catalog.major() < 13 {
		return
	}
	// A partition's trigger comes with its parent's, and may be in another state.
	l.onTable(classTrigger, "trigger", `SELECT t.oid, n.nspname::text, c.relname::text, t.tgname::text,
		format('ALTER TABLE %I.%I %s TRIGGER %I', n.nspname, c.relname, CASE t.tgenabled WHEN 'O' THEN 'ENABLE' WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END, t.tgname)
		FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_trigger parent ON parent.oid = t.tgparentid`+fmt.Sprintf(onRelation, "t.tgrelid")+`AND t.tgenabled <> parent.tgenabled AND NOT parent.tgisinternal ORDER BY 2, 3, 4`)
}

func (l *lister) policies() {
	l.onTable(classPolicy, "policy", `SELECT p.oid, n.nspname::text, c.relname::text, p.polname::text,
		format('CREATE POLICY %I ON %I.%I AS %s FOR %s TO %s', p.polname, n.nspname, c.relname, CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
		       CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
		       (SELECT string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(r)) END, ', ') FROM unnest(p.polroles) r))
		|| coalesce(' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', '') || coalesce(' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
		FROM pg_catalog.pg_policy p`+fmt.Sprintf(onRelation, "p.polrelid")+`ORDER BY 2, 3, 4`)
}

func (l *lister) publications() {
	details, schemas := "", ""
	if l.catalog.major() >= 15 { // which columns and rows, and all tables of schemas
		details = `|| coalesce(' (' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)) || ')', '')
			|| coalesce(' WHERE (' || pg_catalog.pg_get_expr(r.prqual, r.prrelid) || ')', '')`
		schemas = ` UNION ALL SELECT 'TABLES IN SCHEMA ' || quote_ident(n.nspname) FROM pg_catalog.pg_publication_namespace s JOIN pg_catalog.pg_namespace n ON n.oid = s.pnnspid WHERE s.pnpubid = p.oid`
	}
	l.query(2, `SELECT p.oid, p.pubname::text,
		format('CREATE PUBLICATION %I%s WITH (publish = %L%s%s)', p.pubname,
		CASE WHEN p.puballtables THEN ' FOR ALL TABLES' ELSE coalesce(' FOR ' || (SELECT string_agg(x.what, ', ' ORDER BY x.what) FROM (
		   SELECT format('TABLE ONLY %I.%I', n.nspname, c.relname) `+details+` AS what
		   FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_class c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE r.prpubid = p.oid`+schemas+`) x), '') END,
		concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END),
		CASE WHEN `+l.catalog.since(13, "p.pubviaroot", "false")+` THEN ', publish_via_partition_root = true' ELSE '' END,
		CASE WHEN `+l.catalog.since(18, "p.pubgencols = 's'", "false")+` THEN ', publish_generated_columns = stored' ELSE '' END)
		FROM pg_catalog.pg_publication p ORDER BY 2`,
		func(oid uint32, t []string) {
			it := l.add(classPublication, oid, rankEnd, database.AtEnd, named("publication", "", t[0]), t[1])
			it.excluded = !l.filter.Empty() // it may name what is left out
		})
}

func (l *lister) eventTriggers() {
	l.query(2, `SELECT e.oid, e.evtname::text, format('CREATE EVENT TRIGGER %I ON %s%s EXECUTE FUNCTION %s()', e.evtname, e.evtevent,
		coalesce(' WHEN TAG IN (' || (SELECT string_agg(quote_literal(t), ', ') FROM unnest(e.evttags) t) || ')', ''), e.evtfoid::regproc)
		|| CASE e.evtenabled WHEN 'O' THEN '' ELSE format('; ALTER EVENT TRIGGER %I %s', e.evtname, CASE e.evtenabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END) END
		FROM pg_catalog.pg_event_trigger e WHERE `+notMember("pg_event_trigger", "e.oid")+` ORDER BY 2`,
		func(oid uint32, t []string) {
			l.add(classEventTrigger, oid, rankEnd, database.AtEnd, named("event trigger", "", t[0]), sqltext.Postgres.Split(t[1])...)
		})
}
