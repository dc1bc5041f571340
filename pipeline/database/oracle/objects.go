package oracle

import (
	"context"
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

const (
	viewsSQL = `SELECT v.view_name, v.text FROM all_views v WHERE v.owner = :1 ORDER BY 1`

	viewColumnsSQL = `SELECT c.table_name, c.column_name FROM all_tab_cols c JOIN all_views v ON v.owner = c.owner AND v.view_name = c.table_name WHERE c.owner = :1 AND c.hidden_column = 'NO' ORDER BY c.table_name, c.column_id`

	codeSQL = `SELECT s.type, s.name, s.text FROM all_source s WHERE s.owner = :1 AND s.type IN ('TYPE', 'TYPE BODY', 'FUNCTION', 'PROCEDURE', 'PACKAGE', 'PACKAGE BODY', 'TRIGGER')
ORDER BY DECODE(s.type, 'TYPE', 1, 'PACKAGE', 2, 'FUNCTION', 3, 'PROCEDURE', 4, 'TYPE BODY', 5, 'PACKAGE BODY', 6, 7), s.name, s.line`

	triggersSQL = `SELECT t.trigger_name, t.base_object_type, t.table_owner, t.table_name, t.status FROM all_triggers t WHERE t.owner = :1 ORDER BY 1`

	othersSQL = `SELECT o.object_type, o.object_name FROM all_objects o WHERE o.owner = :1 AND o.generated = 'N' AND o.secondary = 'N' AND o.object_type NOT IN
('TABLE', 'TABLE PARTITION', 'TABLE SUBPARTITION', 'INDEX', 'INDEX PARTITION', 'INDEX SUBPARTITION', 'LOB', 'LOB PARTITION', 'LOB SUBPARTITION', 'SEQUENCE', 'VIEW', 'TYPE', 'TYPE BODY', 'FUNCTION', 'PROCEDURE', 'PACKAGE', 'PACKAGE BODY', 'TRIGGER')
UNION ALL SELECT 'EXTERNAL TABLE', x.table_name FROM all_external_tables x WHERE x.owner = :2
UNION ALL SELECT 'OBJECT TABLE', b.table_name FROM all_object_tables b WHERE b.owner = :3 AND b.dropped = 'NO'
UNION ALL SELECT 'MATERIALIZED VIEW LOG', l.log_table FROM all_mview_logs l WHERE l.log_owner = :4
UNION ALL SELECT DISTINCT 'GRANTS', p.table_name FROM all_tab_privs p WHERE p.table_schema = :5 ORDER BY 1, 2`

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
		return nil, fmt.Errorf("read the catalog's views: %w", translate(err))
	}
	others, err := readOthers(ctx, q, c.server.owner)
	if err != nil {
		return nil, fmt.Errorf("read the catalog's other objects: %w", translate(err))
	}
	out = append(append(append(append(out, types...), views...), late...), others...)
	return out, sidecars(ctx, q, c.server.owner, append(out, s.Objects...))
}

// readViews makes views that may refer to what comes later: FORCE.
func readViews(ctx context.Context, q sqlengine.Queryer, owner string) ([]*database.Object, error) {
	columns := map[string][]string{}
	err := sqlengine.Each(ctx, q, viewColumnsSQL, func(row []string) error {
		columns[row[0]] = append(columns[row[0]], quote(row[1]))
		return nil
	}, owner)
	if err != nil {
		return nil, err
	}
	var out []*database.Object
	err = sqlengine.Each(ctx, q, viewsSQL, func(row []string) error {
		list := ""
		if len(columns[row[0]]) > 0 {
			list = " (" + strings.Join(columns[row[0]], ", ") + ")"
		}
		out = append(out, object("view", "", row[0], database.AtEnd, "CREATE FORCE VIEW "+quote(row[0])+list+" AS "+strings.TrimSpace(row[1])))
		return nil
	}, owner)
	return out, err
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

func readOthers(ctx context.Context, q sqlengine.Queryer, owner string) ([]*database.Object, error) {
	var out []*database.Object
	err := sqlengine.Each(ctx, q, othersSQL, func(row []string) error {
		out = append(out, object(strings.ToLower(row[0]), "", row[1], database.AtEnd))
		return nil
	}, owner, owner, owner, owner, owner)
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
		switch o.Kind {
		case "database link":
			o.Lost = "its definition would hold a password"
			continue
		case "grants":
			o.Lost = "grants are not copied"
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

// metadataType is what DBMS_METADATA calls a kind of object.
func metadataType(kind string) string {
	switch kind {
	case "partitioning", "temporary table", "external table", "object table":
		return "TABLE"
	case "job":
		return "PROCOBJ"
	}
	return strings.ReplaceAll(strings.ToUpper(kind), " ", "_")
}

// sidecarOnly says that an object's DDL is for people: replaying it would make
// a table anew or needs rights that an import does not have.
func sidecarOnly(o *database.Object) bool {
	switch o.Kind {
	case "partitioning", "external table", "object table", "materialized view log", "job", "directory", "database link", "java source", "java class", "java resource", "cluster":
		return true
	}
	return false
}
