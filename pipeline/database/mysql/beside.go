package mysql

import (
	"context"
	"strings"

	"github.com/packstone/packstone/pipeline/database/ddl"
)

// around lists what is there, beside which tables are made.
func (t *target) around(ctx context.Context) (*ddl.Around, error) {
	schema, err := t.Schema(ctx)
	if err != nil {
		return nil, err
	}
	out := &ddl.Around{Schema: schema}
	err = t.admin.texts(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()", func(row []string, _ []bool) error {
		out.Tables = append(out.Tables, ddl.Taken{Name: row[0]})
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = t.admin.texts(ctx, "SELECT CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() AND CONSTRAINT_TYPE IN ('FOREIGN KEY', 'CHECK')", func(row []string, _ []bool) error {
		out.Constraints = append(out.Constraints, ddl.Taken{Name: row[0]})
		return nil
	})
	return out, err
}

// disown takes tables off the marker's list that this import did not come to make: one of them is
// another's, which is not to be dropped.
func (t *target) disown(ctx context.Context, statements []statement) error {
	for _, s := range statements {
		rest, ok := strings.CutPrefix(s.sql, "CREATE TABLE ")
		if !ok {
			continue
		}
		name, _ := cutName(rest)
		if err := t.admin.exec(ctx, "DELETE FROM "+quote(markerTable)+" WHERE name = "+quoteText(name)); err != nil {
			return translate(err)
		}
	}
	return nil
}
