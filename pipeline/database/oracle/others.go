package oracle

import (
	"context"
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// other is a kind of object that ALL_OBJECTS does not tell, or not by a name of
// its own. Where lost is empty, the server is asked for its DDL.
type other struct{ kind, name, from, lost string }

// others take the schema as :1. Objects of the database (directories, contexts,
// users, profiles) are no part of a schema.
var others = []other{
	{kind: "external table", name: "x.table_name", from: "all_external_tables x WHERE x.owner = :1"},
	{kind: "object table", name: "b.table_name", from: "all_object_tables b WHERE b.owner = :1 AND b.dropped = 'NO'"},
	{kind: "queue table", name: "q.queue_table", from: "all_queue_tables q WHERE q.owner = :1"},
	{kind: "materialized view log", name: "l.log_table", from: "all_mview_logs l WHERE l.log_owner = :1"},
	{kind: "cluster index", name: "i.index_name", from: "all_indexes i WHERE i.owner = :1 AND i.index_type = 'CLUSTER'"},
	{kind: "index", name: "i.owner || '.' || i.index_name", from: "all_indexes i WHERE i.table_owner = :1 AND i.owner <> i.table_owner", lost: "it belongs to another schema"},
	{kind: "trigger", name: "t.owner || '.' || t.trigger_name", from: "all_triggers t WHERE t.table_owner = :1 AND t.owner <> t.table_owner", lost: "it belongs to another schema"},
	{kind: "view constraint", name: "c.table_name || '.' || c.constraint_name", lost: "constraints of views are not copied",
		from: "all_constraints c JOIN all_views v ON v.owner = c.owner AND v.view_name = c.table_name WHERE c.owner = :1 AND c.constraint_type IN ('P', 'U', 'R')"},
	{kind: "public synonym", name: "s.synonym_name", from: "all_synonyms s WHERE s.owner = 'PUBLIC' AND s.table_owner = :1", lost: "it belongs to the whole database"},
	{kind: "column encryption", name: "e.table_name || '.' || e.column_name", from: "all_encrypted_columns e WHERE e.owner = :1", lost: "a copy is not encrypted"},
	{kind: "row policy", name: "p.object_name || '.' || p.policy_name", from: "all_policies p WHERE p.object_owner = :1", lost: "policies are not copied"},
	{kind: "log group", name: "g.table_name || '.' || g.log_group_name", from: "all_log_groups g WHERE g.owner = :1", lost: "supplemental logging is not copied"},
	{kind: "statistics extension", name: "e.table_name || '.' || e.extension_name", from: "all_stat_extensions e WHERE e.owner = :1 AND e.creator = 'USER'", lost: "a copy gathers its own"},
	{kind: "batch job", name: "TO_CHAR(j.job)", from: "user_jobs j WHERE j.schema_user = :1", lost: "jobs of DBMS_JOB are not copied"},
	{kind: "grants", name: "g.name", lost: "grants are not copied", from: "(SELECT DISTINCT p.table_name AS name FROM all_tab_privs p WHERE p.table_schema = :1) g"},
	{kind: "column grants", name: "g.name", lost: "grants are not copied", from: "(SELECT DISTINCT p.table_name AS name FROM all_col_privs p WHERE p.table_schema = :1) g"},
}

// hidden are what a user who is not the schema's does not see in the views
// ALL_…; to ask takes SELECT ANY DICTIONARY.
var hidden = other{kind: "hidden object", name: "LOWER(o.object_type) || ' ' || o.object_name", lost: "the user has no right on it; export as the schema's own user",
	from: `dba_objects o WHERE o.owner = :1 AND o.generated = 'N' AND o.secondary = 'N' AND NOT EXISTS
(SELECT 1 FROM all_objects a WHERE a.owner = o.owner AND a.object_type = o.object_type AND a.object_name = o.object_name)`}

// listings are the queries for others.
func listings(s server) []sqlengine.Listing {
	list := others
	if s.user != s.owner {
		list = append(list[:len(list):len(list)], hidden)
	}
	out := make([]sqlengine.Listing, len(list))
	for i, o := range list {
		out[i] = sqlengine.Listing{Kind: o.kind, Lost: o.lost, Args: []any{s.owner}, SQL: "SELECT NULL, " + o.name + " FROM " + o.from + " ORDER BY 2"}
	}
	return out
}

// namedSQL lists kinds that nothing else does, by the server's own words.
const namedSQL = `SELECT o.object_type, o.object_name FROM all_objects o WHERE o.owner = :1 AND o.generated = 'N' AND o.secondary = 'N' AND o.object_type NOT IN
('TABLE', 'TABLE PARTITION', 'TABLE SUBPARTITION', 'INDEX', 'INDEX PARTITION', 'INDEX SUBPARTITION', 'LOB', 'LOB PARTITION', 'LOB SUBPARTITION', 'SEQUENCE', 'VIEW', 'TYPE', 'TYPE BODY', 'FUNCTION', 'PROCEDURE', 'PACKAGE', 'PACKAGE BODY', 'TRIGGER') ORDER BY 1, 2`

// readOthers lists what has neither rows nor code that we copy.
func readOthers(ctx context.Context, q sqlengine.Queryer, s server) ([]*database.Object, error) {
	var out []*database.Object
	err := wire.Ask(ctx, q, sqlengine.Question{What: "other objects", SQL: namedSQL, Args: []any{s.owner}, Row: func(row []string) error {
		out = append(out, object(strings.ToLower(row[0]), "", row[1], database.AtEnd))
		return nil
	}})
	if err != nil {
		return nil, err
	}
	listed, err := wire.List(ctx, q, listings(s))
	if err != nil {
		return nil, fmt.Errorf("list the objects that are not copied: %w", err)
	}
	return append(out, listed...), nil
}

// metadataType is what DBMS_METADATA calls a kind of object.
func metadataType(kind string) string {
	switch kind {
	case "partitioning", "temporary table", "external table", "object table":
		return "TABLE"
	case "cluster index":
		return "INDEX"
	case "job", "program", "schedule", "chain", "rule", "rule set", "evaluation context":
		return "PROCOBJ"
	case "queue":
		return "AQ_QUEUE"
	case "queue table":
		return "AQ_QUEUE_TABLE"
	case "xml schema":
		return "XMLSCHEMA"
	}
	return strings.ReplaceAll(strings.ToUpper(kind), " ", "_")
}

// sidecarOnly says that an object's DDL is for people: replaying it would make
// a table anew or needs rights that an import does not have.
func sidecarOnly(o *database.Object) bool {
	switch o.Kind {
	case "partitioning", "external table", "object table", "materialized view log", "queue", "queue table", "cluster index",
		"job", "program", "schedule", "chain", "rule", "rule set", "evaluation context",
		"directory", "database link", "java source", "java class", "java resource", "cluster":
		return true
	}
	return false
}

// rowless are kinds of objects that hold rows, and what becomes of these.
var rowless = map[string]string{
	"object table":   "its rows are not copied",
	"external table": "its rows are elsewhere",
	"queue table":    "its messages are copied as rows of a plain table",
}

// findingsOf says what becomes of rows where only the DDL is kept.
func findingsOf(objects []*database.Object) []database.Finding {
	var out []database.Finding
	for _, o := range objects {
		if reason := rowless[o.Kind]; reason != "" && len(o.DDL) > 0 {
			out = append(out, database.Finding{Object: o.ObjectID, Status: database.SidecarOnly, Code: database.CodeSidecar, Reason: "kept as native DDL; " + reason})
		}
	}
	return out
}
