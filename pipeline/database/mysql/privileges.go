package mysql

import (
	"context"
	"fmt"
	"strings"
)

// hidden is a kind of object that the user is not shown: whether there are any
// is not known.
type hidden struct{ kind, reason string }

// readHidden finds out which objects the server leaves out of its lists without
// a word, since the user lacks a privilege.
func (c *catalog) readHidden(ctx context.Context, s *session) error {
	var grants []grant
	err := s.texts(ctx, "SHOW GRANTS", func(row []string, _ []bool) error {
		if g, ok := parseGrant(row[0]); ok {
			grants = append(grants, g)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, one := range []struct {
		kind       string
		sees       []string
		privileges string
	}{
		{"triggers", []string{"TRIGGER"}, "TRIGGER"},
		{"routines", []string{"EXECUTE", "CREATE ROUTINE", "ALTER ROUTINE", "SHOW_ROUTINE", "SHOW CREATE ROUTINE"}, "EXECUTE"},
		{"events", []string{"EVENT"}, "EVENT"},
	} {
		if !allowed(grants, c.name, one.sees) && !(one.kind == "routines" && readsRoutines(grants)) {
			c.hidden = append(c.hidden, hidden{one.kind, fmt.Sprintf(
				"the user lacks the privilege %s on the database, without which the server does not say whether there are any", one.privileges)})
		}
	}
	if !allowed(grants, c.name, []string{"SELECT"}) {
		c.hidden = append(c.hidden, hidden{hiddenTables, "the user lacks the privilege SELECT on the database, without which tables that they may not read are unknown"})
	}
	return nil
}

// hiddenTables is the kind that stands for tables which the server does not list.
const hiddenTables = "tables"

// grant is what a user may do with the databases and tables of a pattern.
type grant struct {
	privileges      []string
	database, table string // * for all
}

// parseGrant reads a line of SHOW GRANTS; ok is false for roles and the like.
func parseGrant(line string) (g grant, ok bool) {
	rest, ok := strings.CutPrefix(line, "GRANT ")
	privileges, rest, on := strings.Cut(rest, " ON ")
	if !ok || !on {
		return g, false
	}
	for _, p := range strings.Split(privileges, ",") {
		g.privileges = append(g.privileges, strings.TrimSpace(p))
	}
	level := func() string {
		if after, all := strings.CutPrefix(rest, "*"); all {
			rest = after
			return "*"
		}
		var name string
		name, rest = cutName(rest)
		return name
	}
	g.database = level()
	if rest, ok = strings.CutPrefix(rest, "."); !ok {
		return g, false
	}
	g.table = level()
	return g, g.database != "" && g.table != ""
}

// allowed says that one of the privileges is granted for a whole database.
func allowed(grants []grant, name string, privileges []string) bool {
	for _, g := range grants {
		if g.table != "*" || g.database != "*" && !like(g.database, name) {
			continue
		}
		for _, p := range g.privileges {
			if p == "ALL PRIVILEGES" || p == "ALL" || contains(privileges, p) {
				return true
			}
		}
	}
	return false
}

// readsRoutines says that the user may read the table that holds all routines.
func readsRoutines(grants []grant) bool {
	if allowed(grants, "mysql", []string{"SELECT"}) {
		return true
	}
	for _, g := range grants {
		if g.database == "mysql" && g.table == "proc" && contains(g.privileges, "SELECT") {
			return true
		}
	}
	return false
}

// like matches a name with a pattern, in which % stands for anything, _ for one
// character, and a backslash takes that meaning away.
func like(pattern, name string) bool {
	for len(pattern) > 0 {
		switch c := pattern[0]; {
		case c == '%':
			for i := range len(name) + 1 {
				if like(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		case name == "":
			return false
		case c == '\\' && len(pattern) > 1:
			pattern = pattern[1:]
			fallthrough
		default:
			if pattern[0] != name[0] && c != '_' {
				return false
			}
		}
		pattern, name = pattern[1:], name[1:]
	}
	return name == ""
}
