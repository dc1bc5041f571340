package oracle

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// source reads as of one SCN. Without the right to ask for it, a read-only
// transaction on one connection stands in.
type source struct {
	*sqlengine.Snapshot
	owner   string
	scn     string // empty in a read-only transaction
	catalog *catalog
	schema  *database.Schema
}

const (
	scnSQL      = "SELECT TO_CHAR(DBMS_FLASHBACK.GET_SYSTEM_CHANGE_NUMBER) FROM DUAL"
	scnOtherSQL = "SELECT TO_CHAR(current_scn) FROM v$database"
	readOnlySQL = "SET TRANSACTION READ ONLY"
)

func openSource(ctx context.Context, db *sql.DB, schema string, opts database.SourceOptions) (*source, error) {
	if schema == "" && len(opts.Filter.Schemas) == 1 && !strings.Contains(opts.Filter.Schemas[0], "*") {
		schema = opts.Filter.Schemas[0]
	}
	leader, err := session(ctx, db, schema)
	if err != nil {
		return nil, err
	}
	s := &source{Snapshot: sqlengine.NewSnapshot(db, leader, opts.Jobs, func(ctx context.Context) (*sql.Conn, error) { return session(ctx, db, "") })}
	if err := s.open(ctx, opts.Filter); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *source) open(ctx context.Context, filter database.Filter) error {
	server, err := identify(ctx, s.Leader)
	if err != nil {
		return translate(err)
	}
	s.owner = server.owner
	if err := refuseHidden(ctx, s.Leader, server.owner); err != nil {
		return err
	}
	if s.catalog, err = readCatalog(ctx, s.Leader, server); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	for _, t := range s.catalog.tables {
		if !t.temporary && filter.Takes(s.owner, "", t.name) {
			if err := s.probe(ctx, t); err != nil {
				return fmt.Errorf("look into table %s: %w", t.name, translate(err))
			}
		}
	}
	s.schema = s.catalog.schema(filter)
	objects, err := readObjects(ctx, s.Leader, s.catalog, s.schema)
	if err != nil {
		return err
	}
	s.schema.Objects = append(s.schema.Objects, objects...)
	s.schema.Findings = append(s.schema.Findings, findingsOf(objects)...)
	s.schema.Moment = "SCN " + s.scn
	if s.scn == "" {
		s.schema.Moment = "a read-only transaction"
	}
	return nil
}

// begin takes the SCN, or opens the transaction that does without.
func (s *source) begin(ctx context.Context) (err error) {
	for _, query := range []string{scnSQL, scnOtherSQL} {
		err = sqlengine.Each(ctx, s.Leader, query, func(row []string) error { s.scn = row[0]; return nil })
		if lost(err) {
			return translate(err)
		}
		if err == nil && s.scn != "" && strings.Trim(s.scn, "0123456789") == "" {
			return nil
		}
	}
	s.scn = ""
	if err = s.Begin(ctx, nil); err != nil {
		return translate(err)
	}
	if _, err = s.Leader.ExecContext(ctx, readOnlySQL); err != nil {
		return fmt.Errorf("begin a read-only transaction: %w", translate(err))
	}
	return nil
}

// from names a table as it was at the snapshot.
func (s *source) from(table string) string {
	name := quote(s.owner) + "." + quote(table)
	if s.scn != "" {
		name += " AS OF SCN " + s.scn
	}
	return name + " t"
}

// probe asks what the declarations do not say: whether a NUMBER without
// precision holds integers only, and whether times have named zones.
func (s *source) probe(ctx context.Context, t *table) error {
	var counts []string
	var answers []func(int64)
	for _, c := range t.columns {
		name := "t." + quote(c.name)
		switch {
		case c.unbounded():
			counts = append(counts, "COUNT(CASE WHEN "+name+" <> TRUNC("+name+") OR ABS("+name+") > 9223372036854775807 THEN 1 END)")
			answers = append(answers, func(n int64) { c.integral = n == 0 })
		case c.family() == "TIMESTAMP WITH TIME ZONE":
			counts = append(counts, "COUNT(CASE WHEN TO_CHAR("+name+", 'TZR') NOT LIKE '+%' AND TO_CHAR("+name+", 'TZR') NOT LIKE '-%' THEN 1 END)")
			answers = append(answers, func(n int64) { t.regions[c.name] = n })
		}
	}
	if counts == nil {
		return nil
	}
	query := "SELECT " + strings.Join(counts, ", ") + " FROM " + s.from(t.name)
	return sqlengine.Each(ctx, s.Reader(), query, func(row []string) error {
		for i, answer := range answers {
			answer(sqlengine.Clamp(row[i]))
		}
		return nil
	})
}

// Schema gives the schema that was read when the snapshot was opened.
func (s *source) Schema(context.Context) (*database.Schema, error) { return s.schema, nil }

// Rows reads a table on a free connection.
func (s *source) Rows(ctx context.Context, t *database.Table, send func(*database.Batch) error) error {
	return s.Use(ctx, func(q sqlengine.Queryer) error { return readRows(ctx, q, s.catalog, t, s.from(t.Name), send) })
}

// readRows selects a table's columns from a table expression whose alias is t.
func readRows(ctx context.Context, q sqlengine.Queryer, c *catalog, t *database.Table, from string, send func(*database.Batch) error) error {
	raw := c.table(t.Name)
	if raw == nil {
		return fmt.Errorf("table %s is not in the catalog", t.ID())
	}
	return wire.ReadTable(ctx, q, t, from, func(want *database.Column) (sqlengine.Reading, error) {
		col := raw.column(want.Name)
		if col == nil {
			return sqlengine.Reading{}, sqlengine.ErrNoColumn
		}
		reading, ok := col.reading(want.Type)
		if !ok {
			return reading, errors.New("cannot be read")
		}
		return reading, nil
	}, send)
}

// Sequences reads all counters now, outside the snapshot.
func (s *source) Sequences(ctx context.Context) ([]*database.Sequence, error) {
	if err := s.catalog.readSequences(ctx, s.Reader()); err != nil {
		return nil, err
	}
	copied := *s.schema
	s.catalog.addSequences(&copied)
	return copied.Sequences, nil
}
