package sqlserver

import (
	"cmp"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// other is a kind of object that is listed in the report and not copied.
type other struct {
	kind   string // what people call it
	schema string // expression of its schema; empty: it is in none
	name   string // expression of its name
	from   string // the rest of the query
	lost   string // why it is not copied; empty: the usual words
	major  int    // the first release that has such views; 0: every one
}

const (
	usualLoss = "objects of this kind are not copied"
	planLost  = "it is copied as a plain table"
	keyLost   = "keys and certificates are not copied"
	queueLost = "the service broker is not copied"
)

// others are all kinds beside tables and their parts, types, synonyms, code and
// sequences. Objects of a database only: logins, jobs and linked servers are the
// server's.
var others = []other{
	{kind: "hidden object", name: "N'*'", from: "sys.schemas s WHERE s.name = N'dbo' AND HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DEFINITION') = 0",
		lost: "without the right VIEW DEFINITION the server tells neither of all objects nor of policies that hide rows"},
	{kind: "security policy", schema: "s.name", name: "p.name", from: "sys.security_policies p JOIN sys.schemas s ON s.schema_id = p.schema_id"},
	{kind: "database trigger", name: "r.name", from: "sys.triggers r WHERE r.parent_class = 0 AND r.is_ms_shipped = 0"},
	{kind: "default", schema: "s.name", name: "o.name", from: "sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.type = 'D' AND o.parent_object_id = 0 AND o.is_ms_shipped = 0"},
	{kind: "edge constraint", schema: "s.name", name: "o.name", from: "sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.type = 'EC'"},
	{kind: "xml schema collection", schema: "s.name", name: "x.name", from: "sys.xml_schema_collections x JOIN sys.schemas s ON s.schema_id = x.schema_id WHERE s.name <> N'sys'"},
	{kind: "assembly", name: "a.name", from: "sys.assemblies a WHERE a.is_user_defined = 1"},

	{kind: "partition function", name: "f.name", from: "sys.partition_functions f"},
	{kind: "partition scheme", name: "h.name", from: "sys.partition_schemes h"},
	{kind: "partitioning", schema: "s.name", name: "t.name", lost: "it is copied without partitions",
		from: "sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id WHERE t.is_ms_shipped = 0 AND EXISTS (SELECT 1 FROM sys.indexes i JOIN sys.partition_schemes h ON h.data_space_id = i.data_space_id WHERE i.object_id = t.object_id)"},
	{kind: "view index", schema: "s.name", name: "v.name + N'.' + i.name", lost: "the view is copied without its indexes",
		from: "sys.indexes i JOIN sys.views v ON v.object_id = i.object_id JOIN sys.schemas s ON s.schema_id = v.schema_id WHERE v.is_ms_shipped = 0 AND i.type <> 0"},
	{kind: "statistics", schema: "s.name", name: "t.name + N'.' + x.name", lost: "a copy gathers its own",
		from: "sys.stats x JOIN sys.tables t ON t.object_id = x.object_id JOIN sys.schemas s ON s.schema_id = t.schema_id WHERE x.user_created = 1 AND t.is_ms_shipped = 0"},
	{kind: "change tracking", schema: "s.name", name: "t.name", from: "sys.change_tracking_tables c JOIN sys.tables t ON t.object_id = c.object_id JOIN sys.schemas s ON s.schema_id = t.schema_id"},
	{kind: "change data capture", schema: "s.name", name: "t.name", from: "sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id WHERE t.is_tracked_by_cdc = 1"},
	{kind: "graph table", schema: "s.name", name: "t.name", lost: planLost, major: 14,
		from: "sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id WHERE t.is_node = 1 OR t.is_edge = 1"},
	{kind: "ledger table", schema: "s.name", name: "t.name", lost: planLost, major: 16,
		from: "sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id WHERE t.ledger_type <> 0"},

	{kind: "full-text catalog", name: "f.name", from: "sys.fulltext_catalogs f"},
	{kind: "full-text index", schema: "s.name", name: "o.name", from: "sys.fulltext_indexes f JOIN sys.objects o ON o.object_id = f.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id"},
	{kind: "full-text stoplist", name: "f.name", from: "sys.fulltext_stoplists f"},
	{kind: "search property list", name: "f.name", from: "sys.registered_search_property_lists f"},
	{kind: "plan guide", name: "g.name", from: "sys.plan_guides g"},

	{kind: "external data source", name: "x.name", from: "sys.external_data_sources x"},
	{kind: "external file format", name: "x.name", from: "sys.external_file_formats x"},
	{kind: "credential", name: "x.name", lost: "it holds a secret", from: "sys.database_scoped_credentials x"},
	{kind: "certificate", name: "x.name", lost: keyLost, from: "sys.certificates x"},
	{kind: "asymmetric key", name: "x.name", lost: keyLost, from: "sys.asymmetric_keys x"},
	{kind: "symmetric key", name: "x.name", lost: keyLost, from: "sys.symmetric_keys x"},
	{kind: "column master key", name: "x.name", lost: keyLost, from: "sys.column_master_keys x"},
	{kind: "column encryption key", name: "x.name", lost: keyLost, from: "sys.column_encryption_keys x"},

	{kind: "service", name: "x.name", lost: queueLost, from: "sys.services x WHERE x.service_id > 65535"},
	{kind: "service contract", name: "x.name", lost: queueLost, from: "sys.service_contracts x WHERE x.service_contract_id > 65535"},
	{kind: "message type", name: "x.name", lost: queueLost, from: "sys.service_message_types x WHERE x.message_type_id > 65535"},
	{kind: "route", name: "x.name", lost: queueLost, from: "sys.routes x WHERE x.route_id > 65536"},
	{kind: "event notification", name: "x.name", lost: queueLost, from: "sys.event_notifications x"},

	{kind: "application role", name: "x.name", lost: "it holds a password", from: "sys.database_principals x WHERE x.type = 'A'"},
	{kind: "role", name: "x.name", from: "sys.database_principals x WHERE x.type = 'R' AND x.is_fixed_role = 0 AND x.principal_id > 4"},
	{kind: "user", name: "x.name", from: "sys.database_principals x WHERE x.type NOT IN ('R', 'A') AND x.principal_id > 4"},
	{kind: "grants", schema: "s.name", name: "o.name", lost: "grants are not copied",
		from: "sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.is_ms_shipped = 0 AND EXISTS (SELECT 1 FROM sys.database_permissions p WHERE p.class = 1 AND p.major_id = o.object_id)"},
	{kind: "grants", name: "x.name", lost: "grants are not copied", // every database gives CONNECT to its users
		from: "(SELECT DISTINCT N'of the class ' + LOWER(p.class_desc) AS name FROM sys.database_permissions p WHERE p.class <> 1 AND p.permission_name <> N'CONNECT' AND NOT (p.class = 0 AND p.grantee_principal_id IN (0, 1))) x"},
	{kind: "extended properties", name: "x.name", lost: "of these, only descriptions of tables and columns are copied",
		from: "(SELECT DISTINCT N'of the class ' + LOWER(e.class_desc) AS name FROM sys.extended_properties e WHERE NOT (e.class = 1 AND e.name = N'MS_Description' AND e.major_id IN (SELECT t.object_id FROM sys.tables t))) x"},
}

// anyObjectSQL lists kinds that nothing else does, by the server's own words.
const anyObjectSQL = `SELECT LOWER(REPLACE(o.type_desc, '_', ' ')), s.name, o.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.is_ms_shipped = 0 AND o.type NOT IN ('U', 'V', 'P', 'FN', 'IF', 'TF', 'TR', 'SO', 'SN', 'PK', 'UQ', 'F', 'C', 'D', 'S', 'IT', 'TT', 'SP', 'EC') ORDER BY 1, 2, 3`

// principal gives users and roles statements, which make nothing of their
// rights: a user is that of the login of the same name.
func principal(o *database.Object) {
	switch o.Kind {
	case "role":
		o.Lost, o.DDL = "", []string{"CREATE ROLE " + quote(o.Name)}
	case "user":
		o.Lost, o.DDL = "", []string{"CREATE USER " + quote(o.Name)}
	}
}

// listings are the queries for others that a server knows.
func listings(s server) []sqlengine.Listing {
	var out []sqlengine.Listing
	for _, o := range others {
		if s.major < o.major {
			continue
		}
		schema, lost := cmp.Or(o.schema, "N''"), cmp.Or(o.lost, usualLoss)
		out = append(out, sqlengine.Listing{Kind: o.kind, Lost: lost, SQL: "SELECT " + schema + ", " + o.name + " FROM " + o.from + " ORDER BY 1, 2"})
	}
	return out
}
