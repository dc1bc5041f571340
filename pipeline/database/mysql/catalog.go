package mysql

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// markerTable stands in a database while an import fills it.
const markerTable = "_packstone_import"

// catalog is what the server says about one database.
type catalog struct {
	server    server
	name      string
	collation string
	relations []*relation // in the order of their names
	columns   map[string][]*column
	keys      map[string][]*key
	foreign   map[string][]*foreignKey
	checks    map[string][]*check
	sequences []*sequence
	triggers  []code
	routines  []code
	events    []code
	hidden    []hidden
	safe      map[string]bool // storage engines that know transactions
}

type relation struct {
	name, kind, engine, comment string
	counter                     int64 // next AUTO_INCREMENT; 0: none
	rows, bytes                 int64
	create                      string // SHOW CREATE
	lost                        string // why create is empty
	context                     []string
}

func (r *relation) table() bool {
	return r.kind == "BASE TABLE" || r.kind == "SYSTEM VERSIONED"
}

type column struct {
	name, data, native, extra, comment string
	charset, collation                 string
	length                             int64
	precision, scale                   int
	fraction                           *int
	nullable                           bool
	value                              *string // default
	generated                          string
}

type keyPart struct {
	column, expr string
	prefix       int
	desc         bool
}

type key struct {
	name, method string
	unique       bool
	parts        []keyPart
}

type foreignKey struct {
	name, schema, table, onDelete, onUpdate string
	columns, references                     []string
}

type check struct {
	name, clause string
	inline       bool
	unenforced   bool
}

type sequence struct {
	name                                    string
	next, min, max, start, increment, cache int64
	cycle                                   bool
	create                                  string
}

// code is a trigger, routine or event.
type code struct {
	kind, name, table string
	statements        []string
	lost              string
}

// readCatalog reads everything about the session's database that take wants.
func readCatalog(ctx context.Context, s *session, take func(table string) bool) (*catalog, error) {
	c := &catalog{
		server: s.server, columns: map[string][]*column{}, keys: map[string][]*key{},
		foreign: map[string][]*foreignKey{}, checks: map[string][]*check{}, safe: map[string]bool{},
	}
	for _, step := range []struct {
		what string
		read func(context.Context, *session) error
	}{
		{"the database", c.readDatabase},
		{"tables", func(ctx context.Context, s *session) error { return c.readRelations(ctx, s, take) }},
		{"columns", c.readColumns}, {"keys", c.readKeys}, {"checks", c.readChecks}, {"definitions", c.readDefinitions}, {"sequences", c.readSequences},
		{"triggers", c.readTriggers}, {"routines", c.readRoutines}, {"events", c.readEvents}, {"privileges", c.readHidden},
	} {
		if err := step.read(ctx, s); err != nil {
			return nil, fmt.Errorf("read the catalog of %s: %w", step.what, err)
		}
	}
	return c, nil
}

func (c *catalog) readDatabase(ctx context.Context, s *session) error {
	row, err := s.row(ctx, "SELECT DATABASE(), DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE()")
	if err != nil {
		return err
	}
	c.name, c.collation = row[0], row[1]
	return s.texts(ctx, "SELECT ENGINE FROM information_schema.ENGINES WHERE TRANSACTIONS = 'YES'", func(row []string, _ []bool) error {
		c.safe[row[0]] = true
		return nil
	})
}

// mergeTable is the kind of a table that shows the rows of others.
const mergeTable = "MERGE TABLE"

// relationNames lists tables, views and sequences.
const relationNames = `SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_COMMENT, AUTO_INCREMENT, TABLE_ROWS, DATA_LENGTH
	FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()`

func (c *catalog) readRelations(ctx context.Context, s *session, take func(string) bool) error {
	return s.texts(ctx, relationNames+" ORDER BY BINARY TABLE_NAME", func(row []string, _ []bool) error {
		r := &relation{
			name: row[0], kind: row[1], engine: row[2], comment: row[3],
			counter: integer(row[4]), rows: integer(row[5]), bytes: integer(row[6]),
		}
		if strings.EqualFold(r.engine, "MRG_MyISAM") {
			r.kind = mergeTable
		}
		if r.name != markerTable && (!r.table() || take(r.name)) {
			c.relations = append(c.relations, r)
		}
		return nil
	})
}

// integer reads a number; empty or beyond int64 is 0.
func integer(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

func (c *catalog) readColumns(ctx context.Context, s *session) error {
	return s.texts(ctx, `SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, EXTRA, COLUMN_COMMENT, CHARACTER_SET_NAME, COLLATION_NAME,
		CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, IS_NULLABLE, COLUMN_DEFAULT, GENERATION_EXPRESSION
		FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION`, func(row []string, null []bool) error {
		col := &column{
			name: row[1], data: strings.ToLower(row[2]), native: row[3], extra: strings.ToLower(row[4]), comment: row[5],
			charset: row[6], collation: row[7], length: integer(row[8]),
			precision: int(integer(row[9])), scale: int(integer(row[10])), nullable: row[12] == "YES", generated: row[14],
		}
		if !null[11] {
			digits := int(integer(row[11]))
			col.fraction = &digits
		}
		if !null[13] {
			value := row[13]
			col.value = &value
		}
		if !strings.HasPrefix(col.generated, "ROW START") && !strings.HasPrefix(col.generated, "ROW END") {
			c.columns[row[0]] = append(c.columns[row[0]], col)
		}
		return nil
	})
}

func (c *catalog) readKeys(ctx context.Context, s *session) error {
	expression := "NULL"
	if !c.server.mariadb() && c.server.number >= 80013 {
		expression = "EXPRESSION"
	}
	return s.texts(ctx, `SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, INDEX_TYPE, COLUMN_NAME, SUB_PART, COLLATION, `+expression+`
		FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`, func(row []string, _ []bool) error {
		if row[4] != "" && !slices.ContainsFunc(c.columns[row[0]], func(col *column) bool { return col.name == row[4] }) {
			return nil // the end of a row's time, which the server puts into keys
		}
		keys := c.keys[row[0]]
		if len(keys) == 0 || keys[len(keys)-1].name != row[1] {
			keys = append(keys, &key{name: row[1], unique: row[2] == "0", method: row[3]})
		}
		k := keys[len(keys)-1]
		k.parts = append(k.parts, keyPart{column: row[4], prefix: int(integer(row[5])), desc: row[6] == "D", expr: row[7]})
		c.keys[row[0]] = keys
		return nil
	})
}

func (c *catalog) readChecks(ctx context.Context, s *session) error {
	sql := `SELECT t.TABLE_NAME, t.CONSTRAINT_NAME, k.CHECK_CLAUSE, 'Table', t.ENFORCED
		FROM information_schema.TABLE_CONSTRAINTS t JOIN information_schema.CHECK_CONSTRAINTS k
			ON k.CONSTRAINT_SCHEMA = t.CONSTRAINT_SCHEMA AND k.CONSTRAINT_NAME = t.CONSTRAINT_NAME
		WHERE t.TABLE_SCHEMA = DATABASE() AND t.CONSTRAINT_TYPE = 'CHECK' ORDER BY 1, 2`
	if c.server.mariadb() {
		sql = `SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE, LEVEL, 'YES' FROM information_schema.CHECK_CONSTRAINTS
			WHERE CONSTRAINT_SCHEMA = DATABASE() ORDER BY 1, 2`
	} else if c.server.number < 80016 {
		return nil
	}
	return s.texts(ctx, sql, func(row []string, _ []bool) error {
		c.checks[row[0]] = append(c.checks[row[0]], &check{
			name: row[1], clause: row[2], inline: row[3] == "Column", unenforced: row[4] == "NO",
		})
		return nil
	})
}

// readDefinitions asks for the DDL of every table and view.
func (c *catalog) readDefinitions(ctx context.Context, s *session) error {
	for _, r := range c.relations {
		what := "TABLE"
		switch r.kind {
		case "VIEW":
			what = "VIEW"
		case "SEQUENCE":
			what = "SEQUENCE"
		}
		row, err := s.row(ctx, "SHOW CREATE "+what+" "+quote(r.name))
		switch {
		case err != nil && what == "VIEW" && number(err) != 0:
			r.lost = err.Error()
		case err != nil:
			return fmt.Errorf("%s %s: %w", strings.ToLower(what), r.name, err)
		default:
			r.create = ownCounters(hexDefaults(row[1]), c.name)
			c.readForeignKeys(r)
		}
		if what == "VIEW" && r.create != "" {
			r.context = clientContext(r.create, noMode, row[2], row[3], "")
		}
	}
	return nil
}

// readForeignKeys takes the foreign keys out of a table's definition. The
// information schema hides them from a user who may only read.
func (c *catalog) readForeignKeys(r *relation) {
	create, ok := splitCreate(r.create)
	if !ok || !r.table() {
		return
	}
	action := "NO ACTION"
	if c.server.mariadb() {
		action = "RESTRICT"
	}
	for _, line := range create.lines {
		if f, ok := parseForeignKey(line, action); ok {
			c.foreign[r.name] = append(c.foreign[r.name], f)
		}
	}
	slices.SortFunc(c.foreign[r.name], func(a, b *foreignKey) int { return strings.Compare(a.name, b.name) })
}

// clientContext gives the statement that makes the session as it was when an
// object was created, so that its body means the same. Bodies come to us in
// UTF-8, so another character set is only named where the body is ASCII.
func clientContext(body, mode, charset, collation, zone string) []string {
	if charset == "" || !ascii(body) || strings.HasPrefix(charset, "u") && !strings.HasPrefix(charset, "utf8") {
		charset = "utf8mb4"
	}
	return []string{clientContextOf(charset, collation, mode, zone)}
}

func clientContextOf(charset, collation, mode, zone string) string {
	set := "SET SESSION character_set_client = " + charset
	if collation != "" {
		set += ", SESSION collation_connection = " + collation
	}
	if mode != noMode {
		set += ", SESSION sql_mode = " + quoteText(mode)
	}
	if zone != "" {
		set += ", SESSION time_zone = " + quoteText(zone)
	}
	return set
}

// noMode stands for an object that keeps no sql_mode.
const noMode = "-"

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

func (c *catalog) readSequences(ctx context.Context, s *session) error {
	for _, r := range c.relations {
		if r.kind != "SEQUENCE" {
			continue
		}
		q, err := readSequence(ctx, s, r.name)
		if err != nil {
			return fmt.Errorf("sequence %s: %w", r.name, err)
		}
		q.create = r.create
		c.sequences = append(c.sequences, q)
	}
	return nil
}

func readSequence(ctx context.Context, s *session, name string) (*sequence, error) {
	row, err := s.row(ctx, "SELECT next_not_cached_value, minimum_value, maximum_value, start_value, increment, cache_size, cycle_option FROM "+quote(name))
	if err != nil {
		return nil, err
	}
	return &sequence{
		name: name, next: integer(row[0]), min: integer(row[1]), max: integer(row[2]), start: integer(row[3]),
		increment: integer(row[4]), cache: integer(row[5]), cycle: row[6] != "0",
	}, nil
}

func (c *catalog) readTriggers(ctx context.Context, s *session) error {
	type found struct{ name, table string }
	var list []found
	err := s.texts(ctx, `SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
		ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER`, func(row []string, _ []bool) error {
		list = append(list, found{row[0], row[1]})
		return nil
	})
	for _, t := range list {
		if err != nil || !c.has(t.table) {
			continue
		}
		var one code
		one, err = showCode(ctx, s, "trigger", t.name, 2, 1, -1, 3)
		one.table = t.table
		c.triggers = append(c.triggers, one)
	}
	return err
}

func (c *catalog) has(table string) bool {
	for _, r := range c.relations {
		if r.name == table {
			return true
		}
	}
	return false
}

func (c *catalog) readRoutines(ctx context.Context, s *session) error {
	type found struct{ name, kind string }
	var list []found
	err := s.texts(ctx, `SELECT ROUTINE_NAME, ROUTINE_TYPE FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
		ORDER BY FIELD(ROUTINE_TYPE, 'FUNCTION', 'PROCEDURE', 'PACKAGE', 'PACKAGE BODY'), ROUTINE_NAME`, func(row []string, _ []bool) error {
		list = append(list, found{row[0], strings.ToLower(row[1])})
		return nil
	})
	for _, r := range list {
		if err != nil {
			return err
		}
		var one code
		one, err = showCode(ctx, s, r.kind, r.name, 2, 1, -1, 3)
		c.routines = append(c.routines, one)
	}
	return err
}

func (c *catalog) readEvents(ctx context.Context, s *session) error {
	var names []string
	err := s.texts(ctx, "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() ORDER BY 1", func(row []string, _ []bool) error {
		names = append(names, row[0])
		return nil
	})
	for _, name := range names {
		if err != nil {
			return err
		}
		var one code
		one, err = showCode(ctx, s, "event", name, 3, 1, 2, 4)
		c.events = append(c.events, one)
	}
	return err
}

// showCode reads SHOW CREATE of stored code. The numbers are the columns of its
// text, its sql_mode, its time zone (-1: none) and the first of its character
// set and collation.
func showCode(ctx context.Context, s *session, kind, name string, body, mode, zone, charset int) (code, error) {
	out := code{kind: kind, name: name}
	row, err := s.row(ctx, "SHOW CREATE "+strings.ToUpper(kind)+" "+quote(name))
	if err != nil {
		return out, fmt.Errorf("%s %s: %w", kind, name, err)
	}
	if row[body] == "" {
		out.lost = "its text is hidden from this user"
		return out, nil
	}
	timeZone := ""
	if zone >= 0 {
		timeZone = row[zone]
	}
	out.statements = append(clientContext(row[body], row[mode], row[charset], row[charset+1], timeZone), row[body])
	return out, nil
}

// transactional says whether the table's rows are in the snapshot.
func (c *catalog) transactional(r *relation) bool { return c.safe[r.engine] }

func expr(engine, sql string) *database.Expr { return &database.Expr{Engine: engine, SQL: sql} }
