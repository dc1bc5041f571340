package oracle

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// catalog is what the dictionary says of one schema.
type catalog struct {
	server      server
	tables      []*table
	constraints []*constraint
	sequences   []*sequence
}

type table struct {
	name        string
	temporary   bool
	partitioned bool
	index       bool // organized as an index
	cluster     string
	rows, bytes int64
	comment     string
	columns     []*column
	indexes     []*index
	unreadable  []*column
	counters    []*counter
	regions     map[string]int64 // values with a named time zone, by column
}

func (t *table) column(name string) *column {
	for _, c := range t.columns {
		if c.name == name {
			return c
		}
	}
	return nil
}

type constraint struct {
	name, kind, table           string
	refOwner, refName, refTable string
	deleteRule                  string
	disabled                    bool
	deferral                    database.Deferral
	notValid                    bool
	index                       string
	condition                   string
	columns, refColumns         []string
}

type index struct {
	name, kind string
	unique     bool
	parts      []database.IndexPart
}

// counter is an identity column.
type counter struct {
	column, sequence string
	always           bool
}

type sequence struct {
	name                        string
	min, max, increment, cached int64
	cycle                       bool
	last                        int64
}

// redactionSQL asks for a view that not every user sees.
const redactionSQL = `SELECT r.object_name, r.column_name FROM redaction_columns r WHERE r.object_owner = :1 AND NOT EXISTS (SELECT 1 FROM session_privs WHERE privilege = 'EXEMPT REDACTION POLICY') ORDER BY 1, 2`

// Queries of the dictionary; each takes the schema as :1. A LONG comes last.
const (
	policiesSQL = `SELECT p.object_name, p.policy_name FROM all_policies p WHERE p.object_owner = :1 AND p.enable = 'YES' AND p.sel = 'YES' AND NOT EXISTS (SELECT 1 FROM session_privs WHERE privilege = 'EXEMPT ACCESS POLICY') ORDER BY 1, 2`

	tablesSQL = `SELECT t.table_name, t.temporary, t.partitioned, t.iot_type, t.cluster_name, TO_CHAR(t.num_rows), TO_CHAR(t.num_rows * t.avg_row_len), c.comments
FROM all_tables t LEFT JOIN all_tab_comments c ON c.owner = t.owner AND c.table_name = t.table_name AND c.table_type = 'TABLE'
WHERE t.owner = :1 AND t.nested = 'NO' AND t.secondary = 'N' AND t.dropped = 'NO' AND (t.iot_type IS NULL OR t.iot_type = 'IOT')
AND NOT EXISTS (SELECT 1 FROM all_mviews m WHERE m.owner = t.owner AND m.container_name = t.table_name)
AND NOT EXISTS (SELECT 1 FROM all_mview_logs l WHERE l.log_owner = t.owner AND l.log_table = t.table_name)
AND NOT EXISTS (SELECT 1 FROM all_external_tables x WHERE x.owner = t.owner AND x.table_name = t.table_name)
ORDER BY t.table_name`

	columnsSQL = `SELECT c.table_name, c.column_name, c.data_type, c.data_type_owner, TO_CHAR(c.data_length), TO_CHAR(c.data_precision), TO_CHAR(c.data_scale), TO_CHAR(c.char_length), c.char_used, c.nullable, c.virtual_column, c.identity_column, m.comments, c.hidden_column, c.default_on_null, c.data_default
FROM all_tab_cols c LEFT JOIN all_col_comments m ON m.owner = c.owner AND m.table_name = c.table_name AND m.column_name = c.column_name
WHERE c.owner = :1 AND c.user_generated = 'YES' ORDER BY c.table_name, c.column_id NULLS LAST, c.internal_column_id`

	countersSQL = `SELECT i.table_name, i.column_name, i.generation_type, i.sequence_name FROM all_tab_identity_cols i WHERE i.owner = :1 ORDER BY 1, 2`

	constraintsSQL = `SELECT c.constraint_name, c.constraint_type, c.table_name, c.r_owner, c.r_constraint_name, r.table_name, c.delete_rule, c.status, c.deferrable, c.deferred, c.validated, c.index_name, c.search_condition
FROM all_constraints c LEFT JOIN all_constraints r ON r.owner = c.r_owner AND r.constraint_name = c.r_constraint_name
WHERE c.owner = :1 AND c.constraint_type IN ('P', 'U', 'R', 'C') ORDER BY c.table_name, c.constraint_name`

	keyColumnsSQL = `SELECT k.owner, k.constraint_name, k.column_name FROM all_cons_columns k
WHERE k.owner = :1 OR (k.owner, k.constraint_name) IN (SELECT c.r_owner, c.r_constraint_name FROM all_constraints c WHERE c.owner = :2 AND c.constraint_type = 'R')
ORDER BY k.owner, k.constraint_name, k.position`

	indexesSQL = `SELECT i.table_name, i.index_name, i.index_type, i.uniqueness FROM all_indexes i
WHERE i.table_owner = :1 AND i.owner = i.table_owner AND i.index_type NOT IN ('LOB', 'IOT - TOP', 'CLUSTER') ORDER BY i.table_name, i.index_name`

	indexColumnsSQL = `SELECT i.index_name, TO_CHAR(i.column_position), i.column_name, i.descend FROM all_ind_columns i WHERE i.index_owner = :1 ORDER BY i.index_name, i.column_position`

	indexExpressionsSQL = `SELECT i.index_name, TO_CHAR(i.column_position), i.column_expression FROM all_ind_expressions i WHERE i.index_owner = :1 ORDER BY i.index_name, i.column_position`

	sequencesSQL = `SELECT s.sequence_name, TO_CHAR(s.min_value), TO_CHAR(s.max_value), TO_CHAR(s.increment_by), s.cycle_flag, TO_CHAR(s.cache_size), TO_CHAR(s.last_number) FROM all_sequences s WHERE s.sequence_owner = :1 ORDER BY 1`
)

// readCatalog reads the tables and what hangs on them.
func readCatalog(ctx context.Context, q sqlengine.Queryer, s server) (*catalog, error) {
	c := &catalog{server: s}
	owner := []any{s.owner}
	err := wire.Ask(ctx, q,
		sqlengine.Question{What: "tables", SQL: tablesSQL, Args: owner, Row: c.addTable},
		sqlengine.Question{What: "columns", SQL: columnsSQL, Args: owner, Row: c.addColumn},
		sqlengine.Question{What: "identity columns", SQL: countersSQL, Args: owner, Row: c.addCounter},
		sqlengine.Question{What: "constraints", SQL: constraintsSQL, Args: owner, Row: c.addConstraint},
		sqlengine.Question{What: "columns of constraints", SQL: keyColumnsSQL, Args: []any{s.owner, s.owner}, Row: c.addKeyColumn},
		sqlengine.Question{What: "indexes", SQL: indexesSQL, Args: owner, Row: c.addIndex},
		sqlengine.Question{What: "columns of indexes", SQL: indexColumnsSQL, Args: owner, Row: c.addIndexColumn},
		sqlengine.Question{What: "expressions of indexes", SQL: indexExpressionsSQL, Args: owner, Row: c.addIndexExpression},
	)
	if err != nil {
		return nil, err
	}
	c.dropImpliedIndexes()
	return c, c.readSequences(ctx, q)
}

func (c *catalog) readSequences(ctx context.Context, q sqlengine.Queryer) error {
	c.sequences = nil
	return wire.Ask(ctx, q, sqlengine.Question{What: "sequences", SQL: sequencesSQL, Args: []any{c.server.owner}, Row: c.addSequence})
}

func (c *catalog) table(name string) *table {
	for _, t := range c.tables {
		if t.name == name {
			return t
		}
	}
	return nil
}

func (c *catalog) addTable(row []string) error {
	if row[0] == markTable {
		return nil
	}
	rows, _ := strconv.ParseInt(row[5], 10, 64)
	bytes, _ := strconv.ParseInt(row[6], 10, 64)
	c.tables = append(c.tables, &table{
		name: row[0], temporary: row[1] == "Y", partitioned: row[2] == "YES", index: row[3] == "IOT", cluster: row[4],
		rows: rows, bytes: bytes, comment: row[7], regions: map[string]int64{},
	})
	return nil
}

func (c *catalog) addColumn(row []string) error {
	t := c.table(row[0])
	if t == nil {
		return nil // a view's
	}
	col := &column{
		name: row[1], data: row[2], dataOwner: row[3], precision: optional(row[5]), scale: optional(row[6]),
		charUsed: row[8] == "C", nullable: row[9] == "Y", virtual: row[10] == "YES", identity: row[11] == "YES",
		comment: row[12], invisible: row[13] == "YES", onNull: row[14] == "YES", value: strings.TrimSpace(row[15]),
	}
	col.length, _ = strconv.ParseInt(row[4], 10, 64)
	col.chars, _ = strconv.ParseInt(row[7], 10, 64)
	if _, ok := col.typeOf(); !ok {
		t.unreadable = append(t.unreadable, col)
		return nil
	}
	t.columns = append(t.columns, col)
	return nil
}

func optional(text string) *int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil
	}
	return &n
}

func (c *catalog) addCounter(row []string) error {
	if t := c.table(row[0]); t != nil {
		t.counters = append(t.counters, &counter{column: row[1], always: row[2] == "ALWAYS", sequence: row[3]})
	}
	return nil
}

func (c *catalog) addConstraint(row []string) error {
	k := &constraint{
		name: row[0], kind: row[1], table: row[2], refOwner: row[3], refName: row[4], refTable: row[5], deleteRule: row[6],
		disabled: row[7] == "DISABLED", notValid: row[10] == "NOT VALIDATED", index: row[11], condition: strings.TrimSpace(row[12]),
	}
	switch {
	case row[9] == "DEFERRED":
		k.deferral = database.InitiallyDeferred
	case row[8] == "DEFERRABLE":
		k.deferral = database.Deferrable
	}
	if c.table(k.table) != nil {
		c.constraints = append(c.constraints, k)
	}
	return nil
}

func (c *catalog) addKeyColumn(row []string) error {
	for _, k := range c.constraints {
		if row[0] == c.server.owner && k.name == row[1] {
			k.columns = append(k.columns, row[2])
		}
		if k.kind == "R" && k.refOwner == row[0] && k.refName == row[1] {
			k.refColumns = append(k.refColumns, row[2])
		}
	}
	return nil
}

func (c *catalog) addIndex(row []string) error {
	if t := c.table(row[0]); t != nil {
		t.indexes = append(t.indexes, &index{name: row[1], kind: row[2], unique: row[3] == "UNIQUE"})
	}
	return nil
}

func (c *catalog) index(name string) *index {
	for _, t := range c.tables {
		for _, x := range t.indexes {
			if x.name == name {
				return x
			}
		}
	}
	return nil
}

func (c *catalog) addIndexColumn(row []string) error {
	if x := c.index(row[0]); x != nil {
		x.parts = append(x.parts, database.IndexPart{Column: row[2], Desc: row[3] == "DESC"})
	}
	return nil
}

// addIndexExpression replaces the hidden column of an expression. A column that
// is sorted downwards is an expression too: its quoted name.
func (c *catalog) addIndexExpression(row []string) error {
	x := c.index(row[0])
	at, err := strconv.Atoi(row[1])
	if x == nil || err != nil || at < 1 || at > len(x.parts) {
		return nil
	}
	part := &x.parts[at-1]
	text := strings.TrimSpace(row[2])
	if inner := strings.Trim(text, `"`); quote(inner) == text {
		part.Column = inner
		return nil
	}
	part.Column, part.Expr = "", &database.Expr{Engine: database.Oracle, SQL: text}
	return nil
}

// dropImpliedIndexes removes those that a constraint brings along.
func (c *catalog) dropImpliedIndexes() {
	implied := map[string]bool{}
	for _, k := range c.constraints {
		if (k.kind == "P" || k.kind == "U") && !k.disabled {
			implied[k.index] = true
		}
	}
	for _, t := range c.tables {
		t.indexes = slices.DeleteFunc(t.indexes, func(x *index) bool { return implied[x.name] })
	}
}

func (c *catalog) addSequence(row []string) error {
	c.sequences = append(c.sequences, &sequence{
		name: row[0], min: sqlengine.Clamp(row[1]), max: sqlengine.Clamp(row[2]), increment: sqlengine.Clamp(row[3]), cycle: row[4] == "Y",
		cached: sqlengine.Clamp(row[5]), last: sqlengine.Clamp(row[6]),
	})
	return nil
}

// refuseHidden refuses when a policy may filter or change what we read.
func refuseHidden(ctx context.Context, q sqlengine.Queryer, owner string) error {
	var found []string
	err := sqlengine.Each(ctx, q, policiesSQL, func(row []string) error {
		found = append(found, row[0]+" by "+row[1])
		return nil
	}, owner)
	if err != nil {
		return fmt.Errorf("look for row-level policies: %w", translate(err))
	}
	if len(found) > 0 {
		return fmt.Errorf("%w: policies apply to %s; grant EXEMPT ACCESS POLICY to the user", database.ErrHiddenRows, strings.Join(found, ", "))
	}
	return refuseRedacted(ctx, q, owner)
}

// refuseRedacted refuses when values would be blotted out, as far as the user
// may know.
func refuseRedacted(ctx context.Context, q sqlengine.Queryer, owner string) error {
	var found []string
	err := sqlengine.Each(ctx, q, redactionSQL, func(row []string) error {
		found = append(found, row[0]+"."+row[1])
		return nil
	}, owner)
	if err != nil && (number(err) == 0 || lost(err)) {
		return fmt.Errorf("look for redacted columns: %w", translate(err))
	}
	if len(found) > 0 {
		return fmt.Errorf("%w: values of %s are redacted; grant EXEMPT REDACTION POLICY to the user", database.ErrHiddenRows, strings.Join(found, ", "))
	}
	return nil
}
