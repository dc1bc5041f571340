package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
)

// superuser is the power that has all others.
const superuser = "superuser"

// principalsSQL tells what roles may do beyond what they own. Whoever is a member of a role may
// become it.
const principalsSQL = `SELECT r.rolname::text, pg_catalog.array_remove(ARRAY[
		CASE WHEN r.rolsuper THEN '` + superuser + `' WHEN EXISTS (SELECT FROM pg_catalog.pg_roles s WHERE s.rolsuper AND pg_catalog.pg_has_role(r.oid, s.oid, 'MEMBER')) THEN 'member of a superuser' END,
		CASE WHEN r.rolcreaterole THEN 'makes roles' END, CASE WHEN r.rolcreatedb THEN 'makes databases' END,
		CASE WHEN r.rolreplication THEN 'replicates' END, CASE WHEN r.rolbypassrls THEN 'passes by row security' END], NULL)
	|| CASE WHEN r.rolsuper THEN '{}' ELSE ARRAY(SELECT 'member of ' || m.rolname FROM pg_catalog.pg_roles m
		WHERE m.oid <> r.oid AND m.rolname <> 'pg_database_owner' AND pg_catalog.pg_has_role(r.oid, m.oid, 'MEMBER') ORDER BY m.rolname) END
	FROM pg_catalog.pg_roles r WHERE r.rolname IN (`

// readPrincipals reads the roles that are there of those that are named.
func readPrincipals(ctx context.Context, conn *pgx.Conn, names []string) ([]*database.Principal, error) {
	if len(names) == 0 {
		return nil, nil
	}
	var out []*database.Principal
	var p database.Principal
	err := each(ctx, conn, principalsSQL+literals(names)+") ORDER BY r.rolname", []any{&p.Name, &p.Powers}, func() error {
		out = append(out, &database.Principal{Name: p.Name, Powers: slices.Clone(p.Powers)})
		return nil
	})
	return out, translate(err)
}

// isSuperuser says that a role may do anything; what is not known is none.
func isSuperuser(p *database.Principal) bool {
	return p != nil && slices.Contains(p.Powers, superuser)
}

// surplus is what one role may do that another could not; of one that is not known, all.
func surplus(one, other *database.Principal) (powers []string) {
	switch {
	case isSuperuser(other):
		return nil
	case isSuperuser(one):
		return []string{superuser}
	case other == nil:
		return one.Powers
	}
	for _, power := range one.Powers {
		if !slices.Contains(other.Powers, power) && power != "member of "+other.Name {
			powers = append(powers, power)
		}
	}
	return powers
}
