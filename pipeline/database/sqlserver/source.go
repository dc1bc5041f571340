package sqlserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// source reads one snapshot: a transaction of that isolation, or a database that
// stands still.
type source struct {
	db      *sql.DB
	leader  *sql.Conn
	tx      *sql.Tx // nil where the database stands still
	catalog *catalog
	schema  *database.Schema
	jobs    int
	idle    chan *sql.Conn // free connections; nil stands for one not yet opened
	mu      sync.Mutex
	all     []*sql.Conn
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
	s := &source{db: db, leader: leader, all: []*sql.Conn{leader}, jobs: max(opts.Jobs, 1)}
	if err := s.open(ctx, opts.Filter); err != nil {
		s.Close()
		return nil, err
	}
	s.idle = make(chan *sql.Conn, s.jobs)
	s.idle <- leader
	for range s.jobs - 1 {
		s.idle <- nil
	}
	return s, nil
}

func (s *source) open(ctx context.Context, filter database.Filter) error {
	server, err := identify(ctx, s.leader)
	if err != nil {
		return err
	}
	if err := refuseHidden(ctx, s.leader); err != nil {
		return err
	}
	moment, err := s.begin(ctx, server)
	if err != nil {
		return err
	}
	if s.catalog, err = readCatalog(ctx, s.reader(s.leader), server); err != nil {
		return err
	}
	s.schema = s.catalog.schema(filter)
	s.schema.Moment = moment
	objects, err := readObjects(ctx, s.reader(s.leader), s.catalog, s.schema)
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
	err := sqlengine.Each(ctx, s.leader, stillSQL, func(row []string) error {
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
	s.jobs = 1
	// The transaction must outlive the call that opens it.
	s.tx, err = s.leader.BeginTx(context.WithoutCancel(ctx), &sql.TxOptions{Isolation: sql.LevelSnapshot})
	if err != nil {
		return "", fmt.Errorf("begin a snapshot transaction: %w", translate(err))
	}
	// The first statement that reads fixes the snapshot.
	moment := ""
	err = sqlengine.Each(ctx, s.tx, momentSQL, func(row []string) error { moment = row[0] + "Z"; return nil })
	return moment, translate(err)
}

func (s *source) reader(conn *sql.Conn) sqlengine.Queryer {
	if s.tx != nil {
		return s.tx
	}
	return conn
}

// Schema gives the schema that was read when the snapshot was opened.
func (s *source) Schema(context.Context) (*database.Schema, error) { return s.schema, nil }

// Jobs is how many connections can read the snapshot: one, unless the database
// stands still by itself.
func (s *source) Jobs() int { return s.jobs }

// Rows reads a table on a free connection.
func (s *source) Rows(ctx context.Context, t *database.Table, send func(*database.Batch) error) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { s.idle <- conn }()
	return readRows(ctx, s.reader(conn), s.catalog, t, send)
}

func (s *source) acquire(ctx context.Context) (*sql.Conn, error) {
	select {
	case conn := <-s.idle:
		if conn != nil {
			return conn, nil
		}
		conn, err := session(ctx, s.db)
		if err != nil {
			s.idle <- nil
			return nil, err
		}
		s.mu.Lock()
		s.all = append(s.all, conn)
		s.mu.Unlock()
		return conn, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// readRows selects a table's columns.
func readRows(ctx context.Context, q sqlengine.Queryer, c *catalog, t *database.Table, send func(*database.Batch) error) error {
	raw := c.find(t.Schema, t.Name)
	if raw == nil {
		return fmt.Errorf("table %s is not in the catalog", t.ID())
	}
	var names []string
	var readings []sqlengine.Reading
	for _, want := range t.Columns {
		col := raw.column(want.Name)
		if col == nil {
			return fmt.Errorf("column %s.%s is not in the catalog", t.ID(), want.Name)
		}
		names, readings = append(names, want.Name), append(readings, col.reading(want.Type))
	}
	query := "SELECT " + strings.Join(sqlengine.Expressions(readings), ", ") + " FROM " + qualified(t.Schema, t.Name) + " t"
	if len(t.Order) > 0 {
		order := make([]string, len(t.Order))
		for i, name := range t.Order {
			order[i] = "t." + quote(name)
		}
		query += " ORDER BY " + strings.Join(order, ", ")
	}
	var failed error
	err := sqlengine.Rows(ctx, q, query, names, readings, func(b *database.Batch) error {
		failed = send(b)
		return failed
	})
	if failed != nil {
		return failed
	}
	return translate(err)
}

// Sequences reads all counters now, after the rows. Of identity columns the
// catalog tells the newest value, whatever the snapshot.
func (s *source) Sequences(ctx context.Context) ([]*database.Sequence, error) {
	q := s.reader(s.leader)
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

// Close ends the transaction and all connections.
func (s *source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	if s.tx != nil {
		all = append(all, ignoreDone(s.tx.Rollback()))
	}
	for _, conn := range s.all {
		all = append(all, ignoreDone(conn.Close()))
	}
	s.all = nil
	return errors.Join(append(all, s.db.Close())...)
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) || errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}
