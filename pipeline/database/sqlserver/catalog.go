package sqlserver

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// catalog is what the catalog views say of one database.
type catalog struct {
	server    server
	schemas   []string
	tables    []*table
	byID      map[string]*table
	sequences []*sequence
	foreignBy map[string]*foreignKey
	apart     bool // tables in memory are read beside the snapshot
}

type table struct {
	schema, name string
	temporal     int // 1: a history table, 2: system-versioned
	memory       bool
	external     string // why it cannot be read
	rows         int64
	comment      string
	columns      []*column
	unreadable   []*column
	indexes      []*index
	byIndex      map[string]*index
	checks       []*check
	foreign      []*foreignKey
}

func (t *table) column(name string) *column {
	for _, c := range t.columns {
		if c.name == name {
			return c
		}
	}
	return nil
}

type index struct {
	name       string
	kind       int // 1 clustered, 2 nonclustered, 3 XML, 4 spatial, 5 and 6 columnstore, 7 hash
	words      string
	unique     bool
	primary    bool
	constraint bool // UNIQUE
	disabled   bool
	filter     string
	hidden     bool // its filter
	parts      []database.IndexPart
	include    []string
}

type check struct {
	name, definition    string
	untrusted, disabled bool
}

type foreignKey struct {
	name, refSchema, refTable string
	onDelete, onUpdate        database.Action
	untrusted, disabled       bool
	columns, refColumns       []string
}

type sequence struct {
	schema, name, kind         string
	start, increment, min, max int64
	cycle                      bool
	cache, current             int64
	used                       bool
}

// Queries of the catalog views.
const (
	hiddenSQL = `SELECT s.name + N'.' + p.name FROM sys.security_policies p JOIN sys.schemas s ON s.schema_id = p.schema_id WHERE p.is_enabled = 1 AND EXISTS (SELECT 1 FROM sys.security_predicates d WHERE d.object_id = p.object_id AND d.predicate_type = 0)
UNION ALL SELECT N'the mask of ' + s.name + N'.' + t.name + N'.' + c.name FROM sys.masked_columns c JOIN sys.tables t ON t.object_id = c.object_id JOIN sys.schemas s ON s.schema_id = t.schema_id WHERE HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UNMASK') = 0`

	schemasSQL = `SELECT s.name FROM sys.schemas s WHERE s.schema_id < 16384 AND s.name NOT IN (N'sys', N'INFORMATION_SCHEMA', N'guest', N'dbo') ORDER BY s.name`

	tablesSQL = `SELECT t.object_id, s.name, t.name, t.temporal_type, t.is_memory_optimized, t.is_external, t.is_filetable, (SELECT SUM(p.rows) FROM sys.partitions p WHERE p.object_id = t.object_id AND p.index_id IN (0, 1)), CONVERT(nvarchar(max), e.value)
FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id LEFT JOIN sys.extended_properties e ON e.class = 1 AND e.major_id = t.object_id AND e.minor_id = 0 AND e.name = N'MS_Description'
WHERE t.is_ms_shipped = 0 ORDER BY s.name, t.name`

	columnsSQL = `SELECT c.object_id, c.name, CASE WHEN c.system_type_id = 240 THEN y.name ELSE TYPE_NAME(c.system_type_id) END, CASE WHEN y.is_user_defined = 1 THEN SCHEMA_NAME(y.schema_id) + N'.' + y.name END, c.max_length, c.precision, c.scale, c.is_nullable, c.collation_name,
c.is_identity, CONVERT(nvarchar(40), i.seed_value), CONVERT(nvarchar(40), i.increment_value), CONVERT(nvarchar(40), i.last_value), p.definition, p.is_persisted, d.definition, c.generated_always_type, CONVERT(nvarchar(max), e.value), c.encryption_type, c.is_computed, c.default_object_id
FROM sys.columns c JOIN sys.tables t ON t.object_id = c.object_id JOIN sys.types y ON y.user_type_id = c.user_type_id
LEFT JOIN sys.identity_columns i ON i.object_id = c.object_id AND i.column_id = c.column_id LEFT JOIN sys.computed_columns p ON p.object_id = c.object_id AND p.column_id = c.column_id
LEFT JOIN sys.default_constraints d ON d.object_id = c.default_object_id LEFT JOIN sys.extended_properties e ON e.class = 1 AND e.major_id = c.object_id AND e.minor_id = c.column_id AND e.name = N'MS_Description'
WHERE t.is_ms_shipped = 0 ORDER BY c.object_id, c.column_id`

	indexesSQL = `SELECT i.object_id, i.index_id, i.name, i.type, i.type_desc, i.is_unique, i.is_primary_key, i.is_unique_constraint, i.is_disabled, i.filter_definition, i.has_filter
FROM sys.indexes i JOIN sys.tables t ON t.object_id = i.object_id WHERE t.is_ms_shipped = 0 AND i.type <> 0 AND i.is_hypothetical = 0 ORDER BY i.object_id, i.index_id`

	indexColumnsSQL = `SELECT k.object_id, k.index_id, c.name, k.is_descending_key, k.is_included_column
FROM sys.index_columns k JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id JOIN sys.tables t ON t.object_id = k.object_id
WHERE t.is_ms_shipped = 0 AND (k.key_ordinal > 0 OR k.is_included_column = 1) ORDER BY k.object_id, k.index_id, k.is_included_column, k.key_ordinal, k.index_column_id`

	checksSQL = `SELECT k.parent_object_id, k.name, k.definition, k.is_not_trusted, k.is_disabled FROM sys.check_constraints k WHERE k.is_ms_shipped = 0 ORDER BY k.parent_object_id, k.name`

	foreignSQL = `SELECT f.parent_object_id, f.object_id, f.name, s.name, r.name, f.delete_referential_action, f.update_referential_action, f.is_not_trusted, f.is_disabled
FROM sys.foreign_keys f JOIN sys.tables r ON r.object_id = f.referenced_object_id JOIN sys.schemas s ON s.schema_id = r.schema_id WHERE f.is_ms_shipped = 0 ORDER BY f.parent_object_id, f.name`

	foreignColumnsSQL = `SELECT k.constraint_object_id, c.name, r.name FROM sys.foreign_key_columns k JOIN sys.columns c ON c.object_id = k.parent_object_id AND c.column_id = k.parent_column_id
JOIN sys.columns r ON r.object_id = k.referenced_object_id AND r.column_id = k.referenced_column_id ORDER BY k.constraint_object_id, k.constraint_column_id`

	// sequencesSQL takes the column that tells whether a value was given out.
	sequencesSQL = `SELECT s.name, q.name, TYPE_NAME(q.system_type_id), CONVERT(nvarchar(40), q.start_value), CONVERT(nvarchar(40), q.increment), CONVERT(nvarchar(40), q.minimum_value), CONVERT(nvarchar(40), q.maximum_value), q.is_cycling, CASE WHEN q.is_cached = 1 THEN ISNULL(q.cache_size, 50) ELSE 1 END, CONVERT(nvarchar(40), q.current_value), CONVERT(nvarchar(40), %s)
FROM sys.sequences q JOIN sys.schemas s ON s.schema_id = q.schema_id WHERE q.is_ms_shipped = 0 ORDER BY s.name, q.name`

	countersSQL = `SELECT i.object_id, i.name, CONVERT(nvarchar(40), i.last_value) FROM sys.identity_columns i JOIN sys.tables t ON t.object_id = i.object_id WHERE t.is_ms_shipped = 0 ORDER BY i.object_id`
)

// sequencesOf is the query for sequences; before 2017 a sequence does not tell
// whether it was used.
func sequencesOf(s server) string {
	if s.major >= 14 {
		return fmt.Sprintf(sequencesSQL, "q.last_used_value")
	}
	return fmt.Sprintf(sequencesSQL, "q.current_value")
}

// readCatalog reads the tables and what hangs on them.
func readCatalog(ctx context.Context, q sqlengine.Queryer, s server) (*catalog, error) {
	c := &catalog{server: s, byID: map[string]*table{}, foreignBy: map[string]*foreignKey{}}
	err := wire.Ask(ctx, q,
		sqlengine.Question{What: "schemas", SQL: schemasSQL, Row: c.addSchema},
		sqlengine.Question{What: "tables", SQL: tablesSQL, Row: c.addTable},
		sqlengine.Question{What: "columns", SQL: columnsSQL, Row: c.addColumn},
		sqlengine.Question{What: "indexes", SQL: indexesSQL, Row: c.addIndex},
		sqlengine.Question{What: "columns of indexes", SQL: indexColumnsSQL, Row: c.addIndexColumn},
		sqlengine.Question{What: "checks", SQL: checksSQL, Row: c.addCheck},
		sqlengine.Question{What: "foreign keys", SQL: foreignSQL, Row: c.addForeign},
		sqlengine.Question{What: "columns of foreign keys", SQL: foreignColumnsSQL, Row: c.addForeignColumn},
	)
	if err != nil {
		return nil, err
	}
	return c, c.readSequences(ctx, q)
}

func (c *catalog) readSequences(ctx context.Context, q sqlengine.Queryer) error {
	c.sequences = nil
	return wire.Ask(ctx, q, sqlengine.Question{What: "sequences", SQL: sequencesOf(c.server), Row: c.addSequence})
}

// readCounters reads how far identity columns are by now.
func (c *catalog) readCounters(ctx context.Context, q sqlengine.Queryer) error {
	return wire.Ask(ctx, q, sqlengine.Question{What: "identity columns", SQL: countersSQL, Row: func(row []string) error {
		if t := c.byID[row[0]]; t != nil {
			if col := t.column(row[1]); col != nil {
				col.last = optional(row[2])
			}
		}
		return nil
	}})
}

func (c *catalog) find(schema, name string) *table {
	for _, t := range c.tables {
		if t.schema == schema && t.name == name {
			return t
		}
	}
	return nil
}

func (c *catalog) addSchema(row []string) error {
	c.schemas = append(c.schemas, row[0])
	return nil
}

func truth(text string) bool { return text == "1" }

func (c *catalog) addTable(row []string) error {
	t := &table{schema: row[1], name: row[2], memory: truth(row[4]), comment: row[8], byIndex: map[string]*index{}}
	t.temporal, _ = strconv.Atoi(row[3])
	t.rows, _ = strconv.ParseInt(row[7], 10, 64)
	switch {
	case truth(row[5]):
		t.external = "an external table holds its rows elsewhere"
	case truth(row[6]):
		t.external = "a FileTable holds its rows in a file system"
	}
	c.tables = append(c.tables, t)
	c.byID[row[0]] = t
	return nil
}

func (c *catalog) addColumn(row []string) error {
	t := c.byID[row[0]]
	if t == nil {
		return nil
	}
	col := &column{
		name: row[1], base: strings.ToLower(row[2]), alias: row[3], nullable: truth(row[7]), collation: row[8], identity: truth(row[9]),
		seed: sqlengine.Clamp(row[10]), step: sqlengine.Clamp(row[11]), last: optional(row[12]), computed: row[13], persisted: truth(row[14]),
		value: row[15], period: row[16] != "0" && row[16] != "", comment: row[17], encrypted: row[18] != "",
	}
	switch {
	case truth(row[19]) && col.computed == "":
		col.hidden = "how it is computed"
	case row[20] != "0" && row[20] != "" && col.value == "":
		col.hidden = "its default"
	}
	col.length, _ = strconv.Atoi(row[4])
	col.precision, _ = strconv.Atoi(row[5])
	col.scale, _ = strconv.Atoi(row[6])
	if !col.readable() {
		t.unreadable = append(t.unreadable, col)
		return nil
	}
	t.columns = append(t.columns, col)
	return nil
}

func optional(text string) *int64 {
	if text == "" {
		return nil
	}
	n := sqlengine.Clamp(text)
	return &n
}

func (c *catalog) addIndex(row []string) error {
	t := c.byID[row[0]]
	if t == nil {
		return nil
	}
	x := &index{
		name: row[2], words: row[4], unique: truth(row[5]), primary: truth(row[6]), constraint: truth(row[7]),
		disabled: truth(row[8]), filter: row[9], hidden: truth(row[10]) && row[9] == "",
	}
	x.kind, _ = strconv.Atoi(row[3])
	t.indexes = append(t.indexes, x)
	t.byIndex[row[1]] = x
	return nil
}

func (c *catalog) addIndexColumn(row []string) error {
	t := c.byID[row[0]]
	if t == nil || t.byIndex[row[1]] == nil {
		return nil
	}
	x := t.byIndex[row[1]]
	if truth(row[4]) {
		x.include = append(x.include, row[2])
	} else {
		x.parts = append(x.parts, database.IndexPart{Column: row[2], Desc: truth(row[3])})
	}
	return nil
}

func (c *catalog) addCheck(row []string) error {
	if t := c.byID[row[0]]; t != nil {
		t.checks = append(t.checks, &check{name: row[1], definition: row[2], untrusted: truth(row[3]), disabled: truth(row[4])})
	}
	return nil
}

var referential = map[string]database.Action{"1": database.Cascade, "2": database.SetNull, "3": database.SetDefault}

func (c *catalog) addForeign(row []string) error {
	if t := c.byID[row[0]]; t != nil {
		f := &foreignKey{
			name: row[2], refSchema: row[3], refTable: row[4], onDelete: referential[row[5]], onUpdate: referential[row[6]],
			untrusted: truth(row[7]), disabled: truth(row[8]),
		}
		t.foreign = append(t.foreign, f)
		c.foreignBy[row[1]] = f
	}
	return nil
}

func (c *catalog) addForeignColumn(row []string) error {
	if f := c.foreignBy[row[0]]; f != nil {
		f.columns, f.refColumns = append(f.columns, row[1]), append(f.refColumns, row[2])
	}
	return nil
}

func (c *catalog) addSequence(row []string) error {
	c.sequences = append(c.sequences, &sequence{
		schema: row[0], name: row[1], kind: row[2], start: sqlengine.Clamp(row[3]), increment: sqlengine.Clamp(row[4]), min: sqlengine.Clamp(row[5]), max: sqlengine.Clamp(row[6]),
		cycle: truth(row[7]), cache: sqlengine.Clamp(row[8]), current: sqlengine.Clamp(row[9]), used: row[10] != "",
	})
	return nil
}

// refuseHidden refuses when a policy or a mask may hide what we read.
func refuseHidden(ctx context.Context, q sqlengine.Queryer) error {
	var found []string
	err := sqlengine.Each(ctx, q, hiddenSQL, func(row []string) error { found = append(found, row[0]); return nil })
	if err != nil {
		return fmt.Errorf("look for row-level security: %w", translate(err))
	}
	if len(found) > 0 {
		return fmt.Errorf("%w by %s; switch the policy off for the export, or grant UNMASK", database.ErrHiddenRows, strings.Join(found, ", "))
	}
	return nil
}
