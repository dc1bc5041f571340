package oracle

import (
	"context"
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

const (
	// viewsSQL tells of a view whether its text is not all of it. A LONG comes last.
	viewsSQL = `SELECT v.view_name, CASE WHEN v.view_type IS NOT NULL OR v.editioning_view = 'Y' THEN 'Y' END, v.text FROM all_views v WHERE v.owner = :1 ORDER BY 1`

	viewCommentsSQL = `SELECT t.table_name, NULL, t.comments FROM all_tab_comments t WHERE t.owner = :1 AND t.table_type = 'VIEW' AND t.comments IS NOT NULL
UNION ALL SELECT c.table_name, c.column_name, c.comments FROM all_col_comments c JOIN all_views v ON v.owner = c.owner AND v.view_name = c.table_name WHERE c.owner = :2 AND c.comments IS NOT NULL ORDER BY 1, 2 NULLS FIRST`

	viewColumnsSQL = `SELECT c.table_name, c.column_name FROM all_tab_cols c JOIN all_views v ON v.owner = c.owner AND v.view_name = c.table_name WHERE c.owner = :1 AND c.hidden_column = 'NO' ORDER BY c.table_name, c.column_id`

	codeSQL = `SELECT s.type, s.name, s.text FROM all_source s WHERE s.owner = :1 AND s.type IN ('TYPE', 'TYPE BODY', 'FUNCTION', 'PROCEDURE', 'PACKAGE', 'PACKAGE BODY', 'TRIGGER')
ORDER BY DECODE(s.type, 'TYPE', 1, 'PACKAGE', 2, 'FUNCTION', 3, 'PROCEDURE', 4, 'TYPE BODY', 5, 'PACKAGE BODY', 6, 7), s.name, s.line`

	triggersSQL = `SELECT t.trigger_name, t.base_object_type, t.table_owner, t.table_name, t.status FROM all_triggers t WHERE t.owner = :1 ORDER BY 1`

	ddlSQL = `SELECT DBMS_METADATA.GET_DDL(:1, :2, :3) FROM DUAL`

	// transformSQL makes DBMS_METADATA leave out owners and places; a release that
	// does not know one of the parameters keeps the rest.
	transformSQL = `BEGIN
  FOR p IN (SELECT column_value AS name FROM TABLE(SYS.ODCIVARCHAR2LIST('SEGMENT_ATTRIBUTES', 'STORAGE', 'TABLESPACE', 'EMIT_SCHEMA', 'SQLTERMINATOR'))) LOOP
    BEGIN
      DBMS_METADATA.SET_TRANSFORM_PARAM(DBMS_METADATA.SESSION_TRANSFORM, p.name, FALSE);
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
END;`
)

// querier runs queries and statements on one connection.
type querier interface {
	sqlengine.Queryer
	sqlengine.Execer
}

// readObjects lists what is no table or part of one: views, code and, as
// sidecars, all the rest.
func readObjects(ctx context.Context, q querier, c *catalog, s *database.Schema) ([]*database.Object, error) {
	var out []*database.Object
	types, late, err := readCode(ctx, q, c, s)
	if err != nil {
		return nil, fmt.Errorf("read the catalog's code: %w", translate(err))
	}
	views, err := readViews(ctx, q, c.server.owner)
	if err != nil {
		return nil, err
	}
	others, err := readOthers(ctx, q, c.server)
	if err != nil {
		return nil, err
	}
	out = append(append(append(append(out, types...), views...), late...), others...)
	return out, sidecars(ctx, q, c.server.owner, append(out, s.Objects...))
}

// readViews makes views that may refer to what comes later: FORCE. Their
// comments wait for all of them. Of views of objects and of editions the server
// tells the DDL; see sidecars.
func readViews(ctx context.Context, q sqlengine.Queryer, owner string) ([]*database.Object, error) {
	columns := map[string][]string{}
	var out, comments []*database.Object
	err := wire.Ask(ctx, q,
		sqlengine.Question{What: "columns of views", SQL: viewColumnsSQL, Args: []any{owner}, Row: func(row []string) error {
			columns[row[0]] = append(columns[row[0]], quote(row[1]))
			return nil
		}},
		sqlengine.Question{What: "comments of views", SQL: viewCommentsSQL, Args: []any{owner, owner}, Row: func(row []string) error {
			if n := len(comments); n == 0 || comments[n-1].Table != row[0] {
				comments = append(comments, object("comments", row[0], row[0], database.AtEnd))
			}
			last := comments[len(comments)-1]
			last.DDL = append(last.DDL, comment("", row[0], row[1], row[2]))
			return nil
		}},
		sqlengine.Question{What: "views", SQL: viewsSQL, Args: []any{owner}, Row: func(row []string) error {
			o := object("view", "", row[0], database.AtEnd)
			if row[1] != "Y" {
				o.DDL = []string{viewDDL(row[0], columns[row[0]], row[2])}
			}
			out = append(out, o)
			return nil
		}},
	)
	return append(out, comments...), err
}

func viewDDL(name string, columns []string, text string) string {
	list := ""
	if len(columns) > 0 {
		list = " (" + strings.Join(columns, ", ") + ")"
	}
	return "CREATE FORCE VIEW " + quote(name) + list + " AS " + strings.TrimSpace(text)
}

// readCode joins the lines of ALL_SOURCE. Types and what needs nothing come
// first, bodies and triggers last.
func readCode(ctx context.Context, q sqlengine.Queryer, c *catalog, s *database.Schema) (first, late []*database.Object, err error) {
	triggers, err := readTriggers(ctx, q, c, s)
	if err != nil {
		return nil, nil, err
	}
	var open *database.Object
	err = sqlengine.Each(ctx, q, codeSQL, func(row []string) error {
		kind := strings.ToLower(row[0])
		if open == nil || open.Kind != kind || open.Name != row[1] {
			open = object(kind, "", row[1], database.AtEnd, "CREATE OR REPLACE ")
			switch kind {
			case "trigger":
				if t := triggers[row[1]]; t != nil {
					open.Table = t.table
				}
				late = append(late, open)
			case "type body", "package body":
				late = append(late, open)
			default:
				first = append(first, open)
			}
		}
		open.DDL[0] += row[2]
		return nil
	}, c.server.owner)
	for _, o := range late {
		if t := triggers[o.Name]; o.Kind == "trigger" && t != nil {
			if t.foreign {
				o.DDL, o.Lost = nil, "it belongs to a table of another schema or to none"
			} else if t.disabled {
				o.DDL = append(o.DDL, "ALTER TRIGGER "+quote(o.Name)+" DISABLE")
			}
		}
	}
	return first, late, err
}

type trigger struct {
	table             string
	disabled, foreign bool
}

func readTriggers(ctx context.Context, q sqlengine.Queryer, c *catalog, s *database.Schema) (map[string]*trigger, error) {
	out := map[string]*trigger{}
	err := sqlengine.Each(ctx, q, triggersSQL, func(row []string) error {
		t := &trigger{disabled: row[4] == "DISABLED"}
		switch {
		case strings.TrimSpace(row[1]) == "VIEW":
		case row[2] == c.server.owner && s.Find(row[3]) != nil:
			t.table = row[3]
		default:
			t.foreign = true
		}
		out[row[0]] = t
		return nil
	}, c.server.owner)
	return out, err
}

// sidecars asks DBMS_METADATA for the DDL of objects that we have none for. What
// it cannot give is said.
func sidecars(ctx context.Context, q querier, owner string, objects []*database.Object) error {
	prepared := false
	for _, o := range objects {
		if len(o.DDL) > 0 || o.Lost != "" {
			continue
		}
		if o.Kind == "database link" || o.Kind == "credential" {
			o.Lost = "its definition would hold a password"
			continue
		}
		if !prepared {
			if _, err := q.ExecContext(ctx, transformSQL); lost(err) {
				return translate(err)
			}
			prepared = true
		}
		if err := sidecar(ctx, q, owner, o); err != nil {
			return err
		}
	}
	return nil
}

func sidecar(ctx context.Context, q sqlengine.Queryer, owner string, o *database.Object) error {
	err := sqlengine.Each(ctx, q, ddlSQL, func(row []string) error {
		if text := strings.TrimSpace(row[0]); text != "" {
			o.DDL = []string{text}
		}
		return nil
	}, metadataType(o.Kind), o.Name, owner)
	switch {
	case lost(err):
		return translate(err)
	case err != nil:
		o.DDL, o.Lost = nil, "its definition cannot be read: "+err.Error()
	case len(o.DDL) == 0:
		o.Lost = "its definition is empty"
	}
	return nil
}
