package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Between the transactions of an import its objects are there for all to see, some without what
// guards them. So its schemas are whoever imports' and nobody else may use them until the last
// transaction gives them back: a name that cannot be looked up cannot be used, whoever owns what it
// names.

// rights are whose a schema is to be, and who may do what with it.
type rights struct {
	schema, owner string
	mine          bool // it is whoever imports' anyway
	grants        []schemaGrant
}

type schemaGrant struct {
	grantee   string // empty: everybody
	privilege string
	grantable bool
}

func (g schemaGrant) to() string {
	if g.grantee == "" {
		return "PUBLIC"
	}
	return quote(g.grantee)
}

// errShared says that nobody can be kept out of a schema for a while, or that it could not be given
// back as it was.
var errShared = errors.New("others have rights that this user cannot take back for a while")

// closeSchemas takes all rights on schemas from others, and notes in the marker what they were. It
// gives errShared, or the server's error, where that cannot be; the caller then rolls back.
func closeSchemas(ctx context.Context, conn *pgx.Conn) ([]*rights, error) {
	all, err := findRights(ctx, conn)
	if err != nil {
		return nil, err
	}
	if err := refuseReaders(ctx, conn); err != nil {
		return nil, err
	}
	for _, r := range all {
		if err := r.note(ctx, conn); err != nil {
			return nil, err
		}
	}
	// They must come back as they were.
	for _, take := range []func(context.Context, *pgx.Conn, []*rights) error{shutSchemas, openSchemas, shutSchemas} {
		if err := take(ctx, conn, all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// findRights reads the rights on all schemas that are no extension's.
func findRights(ctx context.Context, conn *pgx.Conn) (out []*rights, err error) {
	var schema, owner string
	var grantee, privilege *string
	var grantable *bool
	var mine, fine bool
	err = each(ctx, conn, `SELECT n.nspname::text, o.rolname::text, o.rolname = current_user, coalesce(g.rolname::text, ''), a.privilege_type, a.is_grantable,
			a.grantor IS NULL OR a.grantor = n.nspowner AND (o.rolname = current_user OR g.rolname IS DISTINCT FROM current_user)
		FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles o ON o.oid = n.nspowner LEFT JOIN LATERAL pg_catalog.aclexplode(n.nspacl) a ON true LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
		WHERE `+userNamespace+` AND n.nspname <> '`+markerSchema+`' AND `+notMember("pg_namespace", "n.oid")+` ORDER BY n.oid`,
		[]any{&schema, &owner, &mine, &grantee, &privilege, &grantable, &fine}, func() error {
			if !fine {
				return errShared
			}
			if len(out) == 0 || out[len(out)-1].schema != schema {
				out = append(out, &rights{schema: schema, owner: owner, mine: mine})
			}
			if last := out[len(out)-1]; privilege != nil && *grantee != owner {
				last.grants = append(last.grants, schemaGrant{*grantee, *privilege, *grantable})
			}
			return nil
		})
	return out, err
}

// refuseReaders gives errShared where somebody who owns what was made may use all schemas anyhow.
func refuseReaders(ctx context.Context, conn *pgx.Conn) error {
	var shared bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_roles r, pg_catalog.pg_roles p, pg_catalog.pg_shdepend d
		WHERE NOT r.rolsuper AND r.rolname <> current_user AND p.rolname IN ('pg_read_all_data', 'pg_write_all_data') AND pg_catalog.pg_has_role(r.oid, p.oid, 'USAGE')
			AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AND d.deptype = 'o' AND d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
			AND pg_catalog.pg_has_role(r.oid, d.refobjid, 'MEMBER'))`).Scan(&shared)
	if err == nil && shared {
		err = errShared
	}
	return err
}

// shutSchemas keeps everybody else out.
func shutSchemas(ctx context.Context, conn *pgx.Conn, all []*rights) error {
	for _, r := range all {
		var list []string
		if !r.mine {
			list = append(list, "ALTER SCHEMA "+quote(r.schema)+" OWNER TO current_user")
		}
		for _, g := range r.grants {
			list = append(list, "REVOKE ALL ON SCHEMA "+quote(r.schema)+" FROM "+g.to())
		}
		if err := execAll(ctx, conn, list); err != nil {
			return err
		}
	}
	return nil
}

// openSchemas gives everybody back what they had.
func openSchemas(ctx context.Context, conn *pgx.Conn, all []*rights) error {
	for _, r := range all {
		var there bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)", r.schema).Scan(&there); err != nil {
			return err
		}
		if !there {
			continue
		}
		var list []string
		if !r.mine {
			list = append(list, "ALTER SCHEMA "+quote(r.schema)+" OWNER TO "+quote(r.owner))
		}
		for _, g := range r.grants {
			sql := "GRANT " + g.privilege + " ON SCHEMA " + quote(r.schema) + " TO " + g.to()
			if g.grantable {
				sql += " WITH GRANT OPTION"
			}
			list = append(list, sql)
		}
		if err := execAll(ctx, conn, list); err != nil {
			return err
		}
	}
	return nil
}

func execAll(ctx context.Context, conn *pgx.Conn, list []string) error {
	for _, sql := range list {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// note writes the rights into the marker.
func (r *rights) note(ctx context.Context, conn *pgx.Conn) error {
	const insert = "INSERT INTO " + markerSchema + ".rights VALUES ($1, $2, $3, $4, $5)"
	if _, err := conn.Exec(ctx, insert, r.schema, r.owner, nil, nil, nil); err != nil {
		return err
	}
	for _, g := range r.grants {
		if _, err := conn.Exec(ctx, insert, r.schema, r.owner, g.grantee, g.privilege, g.grantable); err != nil {
			return err
		}
	}
	return nil
}

// readRights reads what the marker noted.
func readRights(ctx context.Context, conn *pgx.Conn) (out []*rights, err error) {
	var schema, owner string
	var grantee, privilege *string
	var grantable *bool
	var mine bool
	err = each(ctx, conn, "SELECT schema, owner, owner = current_user, grantee, privilege, grantable FROM "+markerSchema+".rights ORDER BY schema, grantee IS NOT NULL",
		[]any{&schema, &owner, &mine, &grantee, &privilege, &grantable}, func() error {
			if privilege == nil {
				out = append(out, &rights{schema: schema, owner: owner, mine: mine})
				return nil
			}
			if !schemaPrivilege[*privilege] {
				return fmt.Errorf("the marker %s names the privilege %q, which schemas do not have", markerSchema, *privilege)
			}
			last := out[len(out)-1]
			last.grants = append(last.grants, schemaGrant{*grantee, *privilege, *grantable})
			return nil
		})
	return out, err
}

var schemaPrivilege = map[string]bool{"USAGE": true, "CREATE": true}
