package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
)

// standing is who imports and into what: what a plan of native statements depends on. Nothing is
// changed to find out.
type standing struct {
	me        *database.Principal
	database  string
	version   int // 150004
	roles     map[string]*database.Principal
	mine      map[string]bool // roles to which I may give things, and use them all the same
	harmless  map[string]bool // functions of the system that do nothing but compute
	languages map[string]bool // in which anybody may write
	trusted   map[string]bool // extensions that anybody may make
	settings  map[string]bool // that anybody may set
}

// stand finds out, for the roles of a schema and those that take their place.
func stand(ctx context.Context, conn *pgx.Conn, s *database.Schema, opts database.PlanOptions) (*standing, error) {
	st := &standing{roles: map[string]*database.Principal{}, mine: map[string]bool{}}
	var me, version string
	row := conn.QueryRow(ctx, "SELECT current_user::text, pg_catalog.current_database()::text, pg_catalog.current_setting('server_version_num')")
	if err := row.Scan(&me, &st.database, &version); err != nil {
		return nil, translate(err)
	}
	st.version, _ = strconv.Atoi(version) // 0 is older than any
	names := map[string]bool{me: true}
	for _, p := range s.Owners {
		names[p.Name] = true
	}
	for _, name := range opts.Roles {
		names[name] = true
	}
	if err := st.readRoles(ctx, conn, slices.Sorted(maps.Keys(names))); err != nil {
		return nil, err
	}
	st.me = st.roles[me]
	for _, list := range []struct {
		to  *map[string]bool
		sql string
	}{
		{&st.harmless, harmlessSQL}, {&st.languages, "SELECT lanname::text FROM pg_catalog.pg_language WHERE lanpltrusted"},
		{&st.trusted, "SELECT name::text FROM pg_catalog.pg_available_extension_versions GROUP BY name HAVING bool_and(trusted)"},
		{&st.settings, "SELECT lower(name) FROM pg_catalog.pg_settings WHERE context = 'user'"},
	} {
		if err := readSet(ctx, conn, list.sql, list.to); err != nil {
			return nil, translate(err)
		}
	}
	return st, nil
}

func readSet(ctx context.Context, conn *pgx.Conn, sql string, to *map[string]bool) error {
	*to = map[string]bool{}
	var name string
	return each(ctx, conn, sql, []any{&name}, func() error {
		(*to)[name] = true
		return nil
	})
}

func (st *standing) readRoles(ctx context.Context, conn *pgx.Conn, names []string) error {
	found, err := readPrincipals(ctx, conn, names)
	if err != nil {
		return err
	}
	for _, p := range found {
		st.roles[p.Name] = p
	}
	may := "pg_catalog.pg_has_role(oid, 'USAGE')"
	if st.version >= 160000 {
		may += " AND pg_catalog.pg_has_role(oid, 'SET')"
	}
	return readSet(ctx, conn, fmt.Sprintf("SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname IN (%s) AND %s", literals(names), may), &st.mine)
}

// harmlessSQL lists functions of the system all of whose forms anybody may call and that change,
// run and read nothing that is stored. Of those that are volatile it takes a few that make values.
const harmlessSQL = `SELECT proname::text FROM pg_catalog.pg_proc WHERE pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND oid < 16384
	GROUP BY proname HAVING bool_and(proacl IS NULL AND proname !~ '_to_xml|_to_xmlschema|_xml_and_xmlschema|^ts_rewrite$|^ts_stat$'
		AND (provolatile <> 'v' OR proname IN ('random', 'clock_timestamp', 'timeofday', 'gen_random_uuid', 'uuidv4', 'uuidv7')))`

// benign are extensions whose functions only compute.
var benign = map[string]bool{
	"btree_gin": true, "btree_gist": true, "citext": true, "cube": true, "earthdistance": true, "fuzzystrmatch": true, "hstore": true,
	"intarray": true, "isn": true, "ltree": true, "pg_trgm": true, "plpgsql": true, "seg": true, "unaccent": true, "uuid-ossp": true, "vector": true,
}

// heir is who owns here what belonged to a role of the source.
type heir struct {
	*database.Principal
	given bool // it is made the role's; else it stays with whoever imports
}

// heirOf finds the heir of a role.
func (r *replay) heirOf(owner string) heir {
	if owner == "" || r.opts.NoOwner {
		return heir{Principal: r.at.me}
	}
	name := r.mapped(owner)
	if p := r.at.roles[name]; p != nil && r.at.mine[name] {
		return heir{p, true}
	}
	return heir{Principal: r.at.me}
}

// mapped is who takes the place of a role.
func (r *replay) mapped(role string) string {
	if other, ok := r.opts.Roles[role]; ok {
		return other
	}
	return role
}

// gains says that an heir may do what the owner in the source could not. Whoever imports stands for
// the owner of the database: that is who has all of it. A source that does not say whose a thing
// was makes everybody a stranger to a superuser.
func (r *replay) gains(owner string) bool {
	h := r.heirOf(owner)
	was := r.schema.Principal(owner)
	switch {
	case owner == "" || was == nil:
		return isSuperuser(h.Principal)
	case isSuperuser(was):
		return false
	case h.given || owner == r.schema.Settings["owner"]:
		return len(surplus(h.Principal, was)) > 0
	}
	return true
}

// commands says that code which a role of the source wrote would run with a superuser's rights when
// an heir's do.
func (r *replay) commands(owner string) bool {
	return r.gains(owner) && isSuperuser(r.heirOf(owner).Principal)
}

// foreign says that whoever imports is a superuser and the owner in the source was none.
func (r *replay) foreign(owner string) bool {
	return isSuperuser(r.at.me) && !isSuperuser(r.schema.Principal(owner))
}

// why says in a finding how it comes that an heir may do more.
func (r *replay) why(owner string) string {
	h := r.heirOf(owner)
	more := surplus(h.Principal, r.schema.Principal(owner))
	if owner == "" {
		owner = "a role that is not known"
	}
	text := fmt.Sprintf("it belonged to %s, and %s may do more", strings.TrimSpace(owner), h.Name)
	if len(more) > 0 {
		text += " (" + strings.Join(more, ", ") + ")"
	}
	return text
}
