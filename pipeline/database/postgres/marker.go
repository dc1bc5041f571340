package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
)

// An import by several connections commits more than once. Its marker, a schema that nobody else
// may use, is committed together with all that has a name of its own, and lists it by OID; indexes,
// keys and rows hang on that. The transaction that makes the rest drops the marker.
const (
	markerSchema = "_packstone_import"
	markerTable  = markerSchema + ".made"
)

// madeHere is the condition that a row o of the catalog was made by this transaction or a part of
// it: whatever else is visible was committed. Snapshots do not tell, since they never hold the
// transaction's own number, and it counts as seen once a later one has ended.
const madeHere = `CASE WHEN pg_catalog.age(o.xmin) <= 0 THEN pg_catalog.txid_status(pg_catalog.txid_current() - pg_catalog.age(o.xmin)) = 'in progress' ELSE false END`

// makeMarker lists what this transaction has made. What was there before is not the import's, even
// where it was changed.
func makeMarker(ctx context.Context, conn *pgx.Conn, before []string) error {
	for _, sql := range []string{
		"CREATE SCHEMA " + markerSchema,
		"CREATE TABLE " + markerTable + " (class pg_catalog.oid NOT NULL, object pg_catalog.oid NOT NULL, name pg_catalog.text, PRIMARY KEY (class, object))",
		"COMMENT ON SCHEMA " + markerSchema + " IS 'An import fills this database and has not ended. The table made lists what it makes.'",
		"CREATE TABLE " + markerSchema + ".rights (schema pg_catalog.text NOT NULL, owner pg_catalog.text NOT NULL, grantee pg_catalog.text, privilege pg_catalog.text, grantable pg_catalog.bool)",
		"INSERT INTO " + markerTable + ` SELECT x.class, x.object, i.type || ' ' || i.identity
			FROM (` + objectsThere(madeHere) + `) x,
			LATERAL pg_catalog.pg_identify_object(x.class, x.object, 0) i WHERE NOT x.class || ' ' || x.object = ANY(ARRAY[` + strings.Join(before, ", ") + `]::pg_catalog.text[])`,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// catalogs are the system's tables of what has a name of its own, and which of their rows count.
var catalogs = []struct{ name, where string }{
	{"pg_class", "o.relkind IN ('r','p','v','m','S','f') AND o.relpersistence <> 't' AND o.relnamespace::pg_catalog.regnamespace::pg_catalog.text <> '" + markerSchema + "'"},
	{"pg_type", "(o.typtype IN ('e','d','r') OR o.typtype = 'c' AND EXISTS (SELECT FROM pg_catalog.pg_class r WHERE r.oid = o.typrelid AND r.relkind = 'c'))"},
	{"pg_proc", ""}, {"pg_operator", ""}, {"pg_opfamily", ""}, {"pg_opclass", ""}, {"pg_collation", ""}, {"pg_conversion", ""}, {"pg_ts_config", ""}, {"pg_ts_dict", ""},
	{"pg_cast", ""}, {"pg_extension", ""}, {"pg_namespace", "o.nspname !~ '^pg_' AND o.nspname <> '" + markerSchema + "'"},
}

// objectsThere gives class and OID of what people made in this database, extensions' own and parts
// of others left out.
func objectsThere(where string) string {
	var all []string
	for _, c := range catalogs {
		sql := fmt.Sprintf(`SELECT 'pg_catalog.%[1]s'::pg_catalog.regclass::pg_catalog.oid AS class, o.oid AS object FROM pg_catalog.%[1]s o WHERE o.oid >= %[2]d
			AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.%[1]s'::pg_catalog.regclass AND d.objid = o.oid AND d.objsubid = 0 AND (d.deptype = 'e' OR d.deptype = 'i' AND '%[1]s' <> 'pg_class'))`, c.name, firstUser)
		for _, and := range []string{c.where, where} {
			if and != "" {
				sql += " AND " + and
			}
		}
		all = append(all, sql)
	}
	return strings.Join(all, " UNION ALL ")
}

// listThere gives them as SQL literals, for makeMarker.
func listThere(ctx context.Context, conn *pgx.Conn) (out []string, err error) {
	var one string
	err = each(ctx, conn, "SELECT class || ' ' || object FROM ("+objectsThere("")+") x", []any{&one}, func() error { out = append(out, literal(one)); return nil })
	return out, err
}

// markLarge lists the large objects that this transaction has made; there were none before.
func markLarge(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "INSERT INTO "+markerTable+" SELECT 'pg_catalog.pg_largeobject'::pg_catalog.regclass, oid, 'large object ' || oid FROM pg_catalog.pg_largeobject_metadata")
	return err
}

// isMarked says that a marker stands in a database, and whose it is.
func isMarked(ctx context.Context, conn *pgx.Conn) (marked, ours bool, owner string, err error) {
	err = conn.QueryRow(ctx, "SELECT pg_catalog.pg_get_userbyid(nspowner)::text, pg_catalog.pg_get_userbyid(nspowner) = current_user FROM pg_catalog.pg_namespace WHERE nspname = '"+markerSchema+"'").Scan(&owner, &ours)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, false, "", nil
	}
	return err == nil, ours, owner, err
}

// errLeftover is what is said where a marker stands.
func errLeftover() error {
	return fmt.Errorf("%w: %w (its table %s lists it)", database.ErrNotEmpty, database.ErrLeftover, markerTable)
}

// emptyAtOnce is how many objects are dropped in a transaction.
const emptyAtOnce = 200

// empty drops what the marker lists, gives schemas their rights back, and drops the marker. It
// begins in a transaction and ends in one. Where there is anything else it changes nothing.
func empty(ctx context.Context, conn *pgx.Conn) error {
	_, ours, owner, err := isMarked(ctx, conn)
	switch {
	case err != nil:
		return err
	case !ours:
		return fmt.Errorf("%w: it was made as %s, who alone can empty it", errLeftover(), owner)
	}
	if err := refuseStrangers(ctx, conn); err != nil {
		return err
	}
	for {
		drops, err := dropsLeft(ctx, conn)
		if err != nil {
			return err
		}
		for _, sql := range drops {
			if _, err := conn.Exec(ctx, sql); err != nil {
				return fmt.Errorf("drop what a failed import made: %s: %w", sql, err)
			}
		}
		if len(drops) < emptyAtOnce {
			break
		}
		if err := again(ctx, conn); err != nil {
			return err
		}
	}
	return unmark(ctx, conn)
}

// again commits, and begins anew with the lock of imports.
func again(ctx context.Context, conn *pgx.Conn) error {
	for _, sql := range []string{"COMMIT", "BEGIN"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return lockImports(ctx, conn)
}

// refuseStrangers refuses where there is something that is not on the list: what hangs on the
// import's objects goes with them.
func refuseStrangers(ctx context.Context, conn *pgx.Conn) error {
	var name string
	var names []string
	err := each(ctx, conn, "SELECT x.name FROM ("+somethingThere+") x WHERE NOT EXISTS (SELECT FROM "+markerTable+" m WHERE m.class = x.class AND m.object = x.object) LIMIT 3",
		[]any{&name}, func() error { names = append(names, name); return nil })
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("%w: beside what an import left behind it holds %s, which that import did not make", database.ErrNotEmpty, strings.Join(names, ", "))
	}
	return err
}

// dropsLeft gives statements for the next of what is listed and still there, schemas at the end.
func dropsLeft(ctx context.Context, conn *pgx.Conn) (out []string, err error) {
	var kind, identity string
	sql := fmt.Sprintf(`SELECT i.type, i.identity FROM (%s) x JOIN %s m USING (class, object), LATERAL pg_catalog.pg_identify_object(x.class, x.object, 0) i
		WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = x.class AND d.objid = x.object AND d.objsubid = 0 AND d.deptype = 'i') -- a column's own sequence goes with it
		ORDER BY x.class = 'pg_catalog.pg_namespace'::pg_catalog.regclass, x.class <> 'pg_catalog.pg_class'::pg_catalog.regclass, x.object LIMIT %d`, objectsThere(""), markerTable, emptyAtOnce)
	if err := each(ctx, conn, sql, []any{&kind, &identity}, func() error { out = append(out, dropStatement(kind, identity)); return nil }); err != nil {
		return nil, err
	}
	var large uint32
	err = each(ctx, conn, "SELECT l.oid FROM pg_catalog.pg_largeobject_metadata l JOIN "+markerTable+" m ON m.object = l.oid AND m.class = 'pg_catalog.pg_largeobject'::pg_catalog.regclass LIMIT 200",
		[]any{&large}, func() error { out = append(out, fmt.Sprintf("SELECT pg_catalog.lo_unlink(%d)", large)); return nil })
	return out, err
}

func dropStatement(kind, identity string) string {
	if kind == "schema" { // it is empty by now
		return "DROP SCHEMA IF EXISTS " + identity
	}
	return "DROP " + strings.ToUpper(kind) + " IF EXISTS " + identity + " CASCADE" // it may have gone with another
}

// unmark gives schemas their rights back, as far as they are there, and drops the marker.
func unmark(ctx context.Context, conn *pgx.Conn) error {
	all, err := readRights(ctx, conn)
	if err != nil {
		return err
	}
	if err := openSchemas(ctx, conn, all); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "DROP SCHEMA "+markerSchema+" CASCADE")
	return err
}
