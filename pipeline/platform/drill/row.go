package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// row changes one value of one row, or, where the schema lets none be changed, deletes a row.
func (damage) row(ctx context.Context, d *drill, p *scratchPlace) (table string, err error) {
	schema, err := d.schemaOf(ctx, p)
	if err != nil {
		return "", err
	}
	session, err := p.asker.OpenSession(ctx, p.at)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	var failed error
	for _, i := range rand.Perm(len(schema.Tables)) {
		t := schema.Tables[i]
		if t.Role != database.Data || p.differing[t.ID()] {
			continue
		}
		changed, err := damageTable(ctx, session, schema.Engine, t)
		if err := ctx.Err(); err != nil {
			return "", context.Cause(ctx)
		}
		if changed {
			return t.ID(), nil
		}
		failed = errors.Join(failed, err)
	}
	if failed != nil {
		return "", fmt.Errorf("damage a row: %w", failed)
	}
	return "", errNothing
}

// schemaOf is the schema of a scratch database as it is there.
func (d *drill) schemaOf(ctx context.Context, p *scratchPlace) (schema *database.Schema, err error) {
	copied, err := d.Databases.Target(ctx, p.at, database.TargetOptions{Aside: d.Aside})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, copied.Close()) }()
	return copied.Schema(ctx)
}

// damageTable changes one row of a table, if it has any. An error says why it could not.
func damageTable(ctx context.Context, session database.Session, engine string, t *database.Table) (changed bool, err error) {
	name := tableName(engine, t)
	if _, found, err := session.Ask(ctx, "SELECT 1 FROM "+name+" LIMIT 1"); !found || err != nil {
		return false, err
	}
	if database.Family(engine) == database.Postgres { // a trigger may put back what it was; who may not do that tries all the same
		_, _ = session.Exec(ctx, "ALTER TABLE "+name+" DISABLE TRIGGER USER")
	}
	where, limit := oneRow(engine, t)
	var failed []error
	for _, statement := range statements(engine, t, name) {
		n, err := session.Exec(ctx, statement+" WHERE "+where+limit)
		if err == nil && n > 0 {
			return true, nil
		}
		failed = append(failed, err)
	}
	return false, errors.Join(failed...)
}

func tableName(engine string, t *database.Table) string {
	if t.Schema == "" {
		return database.Quote(engine, t.Name)
	}
	return database.Quote(engine, t.Schema) + "." + database.Quote(engine, t.Name)
}

// statements are ways to damage a row, the mildest first.
func statements(engine string, t *database.Table, name string) (all []string) {
	key := t.KeyOrder()
	for _, mayBeKey := range []bool{false, true} {
		for _, c := range t.Columns {
			if value := otherValue(engine, c); value != "" && isIn(key, c.Name) == mayBeKey {
				all = append(all, "UPDATE "+name+" SET "+database.Quote(engine, c.Name)+" = "+value)
			}
		}
	}
	return append(all, "DELETE FROM "+name)
}

func isIn(names []string, name string) bool {
	for _, one := range names {
		if one == name {
			return true
		}
	}
	return false
}

// otherValue is, in SQL, a value of a column that it does not have; "" if nobody knows one.
func otherValue(engine string, c *database.Column) string {
	if c.Generated != nil || c.Unread {
		return ""
	}
	name := database.Quote(engine, c.Name)
	swap := func(one, other string) string {
		return fmt.Sprintf("CASE WHEN %s = %s THEN %s ELSE %s END", name, one, other, one)
	}
	switch c.Type.Kind {
	case database.Bool:
		if database.Family(engine) == database.Postgres {
			return swap("true", "false")
		}
		return swap("1", "0")
	case database.Int, database.Decimal, database.Year:
		return swap("1", "2")
	case database.Float:
		return swap("1.5", "2.5")
	case database.Text:
		return swap("'x'", "'y'")
	case database.Any: // of SQLite: of whatever class the value is
		return fmt.Sprintf("CASE typeof(%s) WHEN 'integer' THEN %s WHEN 'real' THEN %s ELSE %s END", name, swap("1", "2"), swap("1.5", "2.5"), swap("'x'", "'y'"))
	case database.UUID:
		return swap("'00000000-0000-4000-8000-000000000001'", "'00000000-0000-4000-8000-000000000002'")
	case database.Date:
		return swap("'2001-02-03'", "'2002-03-04'")
	case database.Timestamp:
		return swap("'2001-02-03 04:05:06'", "'2002-03-04 05:06:07'")
	}
	return ""
}

// oneRow is a condition that holds for one row of a table, and what else bounds a statement.
func oneRow(engine string, t *database.Table) (where, limit string) {
	name := tableName(engine, t)
	switch database.Family(engine) {
	case database.Postgres:
		return "(tableoid, ctid) = (SELECT tableoid, ctid FROM " + name + " LIMIT 1)", ""
	case database.MySQL:
		return "1 = 1", " LIMIT 1"
	}
	if t.PrimaryKey == nil {
		return "rowid = (SELECT min(rowid) FROM " + name + ")", ""
	}
	columns := make([]string, len(t.PrimaryKey.Columns))
	for i, column := range t.PrimaryKey.Columns {
		columns[i] = database.Quote(engine, column)
	}
	list := strings.Join(columns, ", ")
	return "(" + list + ") = (SELECT " + list + " FROM " + name + " LIMIT 1)", ""
}
