package mysql

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// missing stands for the powers of an account that is named and not there.
const missing = "does not exist"

// readOwners tells what the definers of code and views may do, as far as the server
// tells this user: an import compares.
func readOwners(ctx context.Context, one *session, s *database.Schema) error {
	names := map[string]bool{}
	r := &reader{server: one.server, name: s.Namespace}
	for _, o := range s.Objects {
		if !isCode(o.Kind) || len(o.DDL) == 0 {
			continue
		}
		if st, err := r.read(o); err == nil && st.code != nil && st.code.definer != "" {
			names[st.code.definer] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		p, absent, err := one.principal(ctx, name)
		if err != nil {
			return err
		}
		if absent {
			p = &database.Principal{Name: name, Powers: []string{missing}}
		}
		if p != nil {
			s.Owners = append(s.Owners, p)
		}
	}
	return nil
}

// principal tells what an account or role may do; nil where the server does not tell, or
// where there is none.
func (s *session) principal(ctx context.Context, name string) (p *database.Principal, absent bool, err error) {
	p = &database.Principal{Name: name}
	err = s.texts(ctx, "SHOW GRANTS FOR "+account(name), func(row []string, _ []bool) error {
		p.Powers = append(p.Powers, powersIn(row[0])...)
		return nil
	})
	switch {
	case err == nil:
		slices.Sort(p.Powers)
		return p, false, nil
	case number(err) == errNoGrant:
		return nil, true, nil
	case number(err) == 0:
		return nil, false, translate(err)
	}
	return nil, false, nil
}

// powersIn are what a line of SHOW GRANTS allows: globally a bare privilege, else with its place.
func powersIn(line string) []string {
	if rest, ok := strings.CutPrefix(line, "GRANT `"); ok {
		role, _ := cutName("`" + rest)
		return []string{"role " + role}
	}
	g, ok := parseGrant(line)
	if !ok || slices.Equal(g.privileges, []string{"USAGE"}) {
		return nil
	}
	if strings.HasSuffix(line, " WITH GRANT OPTION") {
		g.privileges = append(g.privileges, "GRANT OPTION")
	}
	place := ""
	switch {
	case g.table != "*":
		place = " on " + g.database + "." + g.table
	case g.database != "*":
		place = " on " + g.database
	}
	out := make([]string, len(g.privileges))
	for i, p := range g.privileges {
		out[i] = p + place
	}
	return out
}

// isSuperuser says that an account may do anything.
func isSuperuser(p *database.Principal) bool {
	return p != nil && (slices.Contains(p.Powers, "ALL PRIVILEGES") || slices.Contains(p.Powers, "SUPER"))
}

// installed are accounts that a server has from the beginning; nobody else can have made them.
func installed(name string) bool {
	switch name {
	case "root@localhost", "root@127.0.0.1", "root@::1", "root@%", "mysql@localhost", "mariadb.sys@localhost", "mysql.sys@localhost":
		return true
	}
	return false
}

// gains says that what an account defined would run with more rights than it had: rights in the
// database itself do not count, nor does what a file says of accounts.
func (r *replay) gains(was, now string) bool {
	before, after := r.schema.Principal(was), r.accounts[now]
	if r.opts.HandedOver {
		before = nil
	}
	switch {
	case r.opts.TrustCode, isSuperuser(before), before == nil && installed(was), r.absent[now]:
		return false
	case after == nil:
		return true // the server does not tell
	case before == nil:
		before = &database.Principal{}
	}
	return slices.ContainsFunc(after.Powers, func(power string) bool {
		_, place, _ := strings.Cut(power, " on ")
		place = strings.ReplaceAll(place, `\`, "")
		for _, own := range []string{r.target.config.DBName, r.schema.Namespace} {
			if own != "" && (place == own || strings.HasPrefix(place, own+".")) {
				return false
			}
		}
		return !slices.Contains(before.Powers, power)
	})
}

// orphan says that code has lost its definer on the way; what had none in the source does not run
// there either.
func (r *replay) orphan(was, now string) bool {
	p := r.schema.Principal(was)
	return r.absent[now] && (p == nil || !slices.Contains(p.Powers, missing))
}

// meet asks what the definers that code will have may do here.
func (r *replay) meet(ctx context.Context, objects []*statements) error {
	for _, o := range objects {
		name := r.mapped(o.code.definer)
		if name == "" || r.accounts[name] != nil || r.absent[name] {
			continue
		}
		p, absent, err := r.target.admin.principal(ctx, name)
		if err != nil {
			return err
		}
		r.accounts[name], r.absent[name] = p, absent
	}
	return nil
}
