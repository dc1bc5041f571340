package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// This file holds the forms of what is said about a database from outside of it.

var databaseSettings = []form{
	{pattern: "alter database $id:database set $id:setting to $rest:value", check: settingForm},
	{pattern: "alter role $id:roles in database $id:database set $id:setting to $rest:value", check: settingForm},
	{pattern: "do $text:block", check: oldSettingForm},
}

// settingForm puts the database that is filled in the place of the source's.
func settingForm(r *replay, m *matched) error {
	for _, t := range m.bound["value"] {
		if t.Kind == sqltext.Symbol && !t.Is(",") && !t.Is("-") && !t.Is(".") {
			return errors.New("its value is not understood")
		}
	}
	setting, role := m.name("setting"), m.name("roles")
	for _, who := range []string{"all roles", "role " + role} {
		if m.object.Name != setting+" for "+who {
			continue
		}
		if err := r.mayBeSet(m, setting); err != nil {
			return err
		}
		alter := "ALTER DATABASE "
		if role != "" {
			alter = "ALTER ROLE " + quote(r.mapped(role)) + " IN DATABASE "
		}
		m.read.sql = alter + quote(r.at.database) + " SET " + quote(setting) + " TO " + m.text("value")
		return nil
	}
	return errors.New("it sets something else")
}

// mayBeSet doubts settings of a file that anybody may not set.
func (r *replay) mayBeSet(m *matched, setting string) error {
	if r.opts.HandedOver && isSuperuser(r.at.me) && !r.at.settings[strings.ToLower(setting)] {
		r.untrusted(m.object, "only a superuser may set it")
	}
	return nil
}

// oldSettingForm reads the block that snapshots of earlier versions hold.
func oldSettingForm(r *replay, m *matched) error {
	const head, tail = "BEGIN EXECUTE pg_catalog.format(", ", pg_catalog.current_database()); END"
	block := m.bound["block"][0].Value
	inner, begins := strings.CutPrefix(block, head)
	inner, ends := strings.CutSuffix(inner, tail)
	tokens, err := sqltext.Postgres.Tokens(inner)
	if !begins || !ends || err != nil || len(tokens) != 1 || tokens[0].Kind != sqltext.Text {
		return errors.New("it does not set anything")
	}
	sql := strings.ReplaceAll(strings.Replace(tokens[0].Value, "%I", quote(r.at.database), 1), "%%", "%")
	one, err := r.readOne(m.object, sql)
	if err != nil {
		return err
	}
	*m.read = *one
	return nil
}

var defaultPrivileges = []form{
	{pattern: "alter default privileges for role $id:owner [ in schema $id ] grant $id on $id to $id:roles [ with grant option ]", check: defaultsForm},
	{pattern: "alter default privileges for role $id:owner [ in schema $id ] revoke $id on $id from $id:roles", check: defaultsForm},
}

func defaultsForm(r *replay, m *matched) error {
	m.bound["roles"] = slices.Concat(m.bound["owner"], m.bound["roles"])
	return rolesForm(r, m)
}

// Snapshots of earlier versions list what each role owns.
var ownerships = []form{
	{pattern: "alter table|view|sequence|type|domain|schema|function|procedure|aggregate $called:what [ $group ] owner to $id:roles", check: ownershipForm},
	{pattern: "alter materialized view $called:what owner to $id:roles", check: ownershipForm},
}

func ownershipForm(r *replay, m *matched) error {
	what := m.name("what")
	for _, kind := range []string{"table ", "sequence ", "type ", "schema ", "function "} {
		if r.known[kind+what] {
			if r.opts.NoOwner {
				m.read.sql = ""
				return nil
			}
			return rolesForm(r, m)
		}
	}
	return fmt.Errorf("it is about %s, which is not the schema's", what)
}
