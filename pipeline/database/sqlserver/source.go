package sqlserver

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// source reads one snapshot: a transaction of that isolation, or a database that
// stands still.
type source struct {
	*sqlengine.Snapshot
	catalog *catalog
	schema  *database.Schema
}

const (
	stillSQL  = "SELECT d.snapshot_isolation_state, ISNULL(d.source_database_id, 0), d.is_read_only FROM sys.databases d WHERE d.database_id = DB_ID()"
	momentSQL = "SELECT CONVERT(varchar(33), SYSUTCDATETIME(), 126)"
)

var errNoSnapshot = fmt.Errorf("%w: the database allows no snapshot", database.ErrRefused)

func openSource(ctx context.Context, db *sql.DB, opts database.SourceOptions) (*source, error) {
	leader, err := session(ctx, db)
	if err != nil {
		return nil, err
	}
	s := &source{Snapshot: sqlengine.NewSnapshot(db, leader, opts.Jobs, func(ctx context.Context) (*sql.Conn, error) { return session(ctx, db) })}
	if err := s.open(ctx, opts.Filter); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *source) open(ctx context.Context, filter database.Filter) error {
	server, err := identify(ctx, s.Leader)
	if err != nil {
		return err
	}
	if err := refuseHidden(ctx, s.Leader); err != nil {
		return err
	}
	moment, err := s.begin(ctx, server)
	if err != nil {
		return err
	}
	if s.catalog, err = readCatalog(ctx, s.Reader(), server); err != nil {
		return err
	}
	s.catalog.apart = s.InTransaction()
	s.schema = s.catalog.schema(filter)
	s.schema.Moment = moment
	objects, err := readObjects(ctx, s.Reader(), s.catalog, s.schema)
	if err != nil {
		return err
	}
	s.schema.Objects = append(s.schema.Objects, objects...)
	slices.SortStableFunc(s.schema.Objects, func(a, b *database.Object) int { return rank(a) - rank(b) })
	return nil
}

// rank orders objects for their creation: schemas, then by phase.
func rank(o *database.Object) int {
	if o.Kind == "schema" {
		return -1
	}
	return slices.Index([]database.Phase{database.BeforeTables, database.Tables, database.AfterData, database.AtEnd}, o.Phase)
}

// begin opens the snapshot and names its moment.
func (s *source) begin(ctx context.Context, server server) (string, error) {
	var state, origin, readOnly string
	err := sqlengine.Each(ctx, s.Leader, stillSQL, func(row []string) error {
		state, origin, readOnly = row[0], row[1], row[2]
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("ask how the database can stand still: %w", translate(err))
	}
	switch {
	case origin != "0" && origin != "":
		return "database snapshot " + server.name, nil
	case truth(readOnly):
		return "read-only database " + server.name, nil
	case state != "1":
		return "", fmt.Errorf("%w: run ALTER DATABASE %s SET ALLOW_SNAPSHOT_ISOLATION ON, or make a database snapshot and export that", errNoSnapshot, quote(server.name))
	}
	if err := s.Begin(ctx, &sql.TxOptions{Isolation: sql.LevelSnapshot}); err != nil {
		return "", fmt.Errorf("begin a snapshot transaction: %w", translate(err))
	}
	// The first statement that reads fixes the snapshot.
	moment := ""
	err = sqlengine.Each(ctx, s.Reader(), momentSQL, func(row []string) error { moment = row[0] + "Z"; return nil })
	return moment, translate(err)
}

// Schema gives the schema that was read when the snapshot was opened.
func (s *source) Schema(context.Context) (*database.Schema, error) { return s.schema, nil }

// Rows reads a table on a free connection. A transaction of isolation level
// SNAPSHOT may not read tables in memory: one query reads them, beside it.
func (s *source) Rows(ctx context.Context, t *database.Table, send func(*database.Batch) error) error {
	read := func(q sqlengine.Queryer) error { return readRows(ctx, q, s.catalog, t, send) }
	if raw := s.catalog.find(t.Schema, t.Name); raw != nil && raw.memory && s.catalog.apart {
		return s.Apart(ctx, read)
	}
	return s.Use(ctx, read)
}

// readRows selects a table's columns.
func readRows(ctx context.Context, q sqlengine.Queryer, c *catalog, t *database.Table, send func(*database.Batch) error) error {
	raw := c.find(t.Schema, t.Name)
	if raw == nil {
		return fmt.Errorf("table %s is not in the catalog", t.ID())
	}
	return wire.ReadTable(ctx, q, t, qualified(t.Schema, t.Name)+" t", func(want *database.Column) (sqlengine.Reading, error) {
		col := raw.column(want.Name)
		if col == nil {
			return sqlengine.Reading{}, sqlengine.ErrNoColumn
		}
		return col.reading(want.Type), nil
	}, send)
}

// Sequences reads all counters now, after the rows. Of identity columns the
// catalog tells the newest value, whatever the snapshot.
func (s *source) Sequences(ctx context.Context) ([]*database.Sequence, error) {
	q := s.Reader()
	if err := s.catalog.readSequences(ctx, q); err != nil {
		return nil, err
	}
	if err := s.catalog.readCounters(ctx, q); err != nil {
		return nil, err
	}
	copied := *s.schema
	s.catalog.addSequences(&copied)
	return copied.Sequences, nil
}
