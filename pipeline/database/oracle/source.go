package oracle

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// source reads as of one SCN. Without the right to ask for it, a read-only
// transaction on one connection stands in.
type source struct {
	db      *sql.DB
	leader  *sql.Conn
	tx      *sql.Tx // the read-only transaction, if there is one
	owner   string
	scn     string
	catalog *catalog
	schema  *database.Schema
	jobs    int
	idle    chan *sql.Conn // free connections; nil stands for one not yet opened
	mu      sync.Mutex
	all     []*sql.Conn // every connection that was opened
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
	jobs := max(opts.Jobs, 1)
	s := &source{db: db, leader: leader, jobs: jobs, all: []*sql.Conn{leader}}
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
		return translate(err)
	}
	s.owner = server.owner
	if err := refuseHidden(ctx, s.leader, server.owner); err != nil {
		return err
	}
	if s.catalog, err = readCatalog(ctx, s.leader, server); err != nil {
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
	objects, err := readObjects(ctx, s.leader, s.catalog, s.schema)
	if err != nil {
		return err
	}
	s.schema.Objects = append(s.schema.Objects, objects...)
	s.schema.Moment = "SCN " + s.scn
	if s.scn == "" {
		s.schema.Moment = "a read-only transaction"
	}
	return nil
}

// begin takes the SCN, or opens the transaction that does without.
func (s *source) begin(ctx context.Context) (err error) {
	for _, query := range []string{scnSQL, scnOtherSQL} {
		err = sqlengine.Each(ctx, s.leader, query, func(row []string) error { s.scn = row[0]; return nil })
		if lost(err) {
			return translate(err)
		}
		if err == nil && s.scn != "" && strings.Trim(s.scn, "0123456789") == "" {
			return nil
		}
	}
	s.scn, s.jobs = "", 1
	// The transaction must outlive the call that opens it.
	if s.tx, err = s.leader.BeginTx(context.WithoutCancel(ctx), nil); err != nil {
		return translate(err)
	}
	if _, err = s.tx.ExecContext(ctx, readOnlySQL); err != nil {
		return fmt.Errorf("begin a read-only transaction: %w", translate(err))
	}
	return nil
}

// reader is what rows are read through.
func (s *source) reader(conn *sql.Conn) sqlengine.Queryer {
	if s.tx != nil {
		return s.tx
	}
	return conn
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
	return sqlengine.Each(ctx, s.reader(s.leader), query, func(row []string) error {
		for i, answer := range answers {
			answer(clamp(row[i]))
		}
		return nil
	})
}

// Schema gives the schema that was read when the snapshot was opened.
func (s *source) Schema(context.Context) (*database.Schema, error) { return s.schema, nil }

// Jobs is how many connections can read the snapshot.
func (s *source) Jobs() int { return s.jobs }

// Rows reads a table on a free connection.
func (s *source) Rows(ctx context.Context, t *database.Table, send func(*database.Batch) error) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { s.idle <- conn }()
	return readRows(ctx, s.reader(conn), s.catalog, t, s.from(t.Name), send)
}

func (s *source) acquire(ctx context.Context) (*sql.Conn, error) {
	select {
	case conn := <-s.idle:
		if conn != nil {
			return conn, nil
		}
		conn, err := session(ctx, s.db, "")
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

// readRows selects a table's columns from a table expression whose alias is t.
func readRows(ctx context.Context, q sqlengine.Queryer, c *catalog, t *database.Table, from string, send func(*database.Batch) error) error {
	raw := c.table(t.Name)
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
		reading, ok := col.reading(want.Type)
		if !ok {
			return fmt.Errorf("column %s.%s cannot be read", t.ID(), want.Name)
		}
		names, readings = append(names, want.Name), append(readings, reading)
	}
	query := "SELECT " + strings.Join(sqlengine.Expressions(readings), ", ") + " FROM " + from
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

// Sequences reads all counters now, outside the snapshot.
func (s *source) Sequences(ctx context.Context) ([]*database.Sequence, error) {
	if err := s.catalog.readSequences(ctx, s.reader(s.leader)); err != nil {
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
