package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/packstone/packstone/pipeline/database"
)

// source is an exported snapshot. The leader's transaction keeps it alive and holds the locks.
// Workers, connected when first needed, read in the snapshot: a reader that is stopped loses its
// connection. What they would have to wait for the leader reads itself.
type source struct {
	at       database.Location
	filter   database.Filter
	aside    string
	leader   *pgx.Conn
	snapshot string
	leading  sync.Mutex
	catalog  *catalog
	schema   *database.Schema
	idle     chan *pgx.Conn // free workers; a nil stands for one not yet connected
	mu       sync.Mutex
	all      []*pgx.Conn
}

// OpenSource opens a snapshot and holds all tables against changes of their
// definition.
func (Driver) OpenSource(ctx context.Context, at database.Location, opts database.SourceOptions) (database.Source, error) {
	leader, err := connectReading(ctx, at)
	if err != nil {
		return nil, err
	}
	s := &source{at: at, filter: opts.Filter, aside: opts.Aside, leader: leader, all: []*pgx.Conn{leader}}
	err = refuseLeftover(ctx, leader)
	if err == nil {
		err = s.open(ctx)
	}
	if err != nil {
		s.Close()
		return nil, at.Wrap("open a snapshot of", translate(err))
	}
	jobs := max(opts.Jobs, 1)
	s.idle = make(chan *pgx.Conn, jobs)
	for range jobs {
		s.idle <- nil
	}
	return s, nil
}

// refuseLeftover keeps a half-filled database from being taken for a whole one.
func refuseLeftover(ctx context.Context, conn *pgx.Conn) error {
	marked, _, _, err := isMarked(ctx, conn)
	if err == nil && marked {
		err = fmt.Errorf("the database is being filled by an import, or one was killed; its table %s says so", markerTable)
	}
	return err
}

// connectReading opens a session in which no query expands a view or reads a foreign table that
// somebody puts in the place of what the catalog says, as in pg_dump. Older servers cannot do that.
func connectReading(ctx context.Context, at database.Location) (*pgx.Conn, error) {
	conn, err := connect(ctx, at)
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(ctx, `SELECT pg_catalog.set_config(name, 'view, foreign-table', false) FROM pg_catalog.pg_settings WHERE name = 'restrict_nonsystem_relation_kind'`)
	if err != nil {
		return nil, errors.Join(at.Wrap("set up the session of", translate(err)), conn.Close(context.Background()))
	}
	return conn, nil
}

// beginReading begins a transaction, with the settings that matter most once more: a pooler may run
// it elsewhere.
func beginReading(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = ''; SET LOCAL row_security = off")
	return err
}

// describe builds the schema, its objects and its large objects.
func (s *source) describe(ctx context.Context) (*database.Schema, error) {
	schema := s.catalog.neutral(s.filter)
	var err error
	if schema.Objects, err = readObjects(ctx, s.leader, s.catalog, schema, s.filter); err != nil {
		return nil, err
	}
	if schema.Settings, err = readSettings(ctx, s.leader); err != nil {
		return nil, err
	}
	if err = s.leader.QueryRow(ctx, momentSQL).Scan(&schema.Moment); err != nil {
		return nil, err
	}
	var large int64
	if err = s.leader.QueryRow(ctx, "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata").Scan(&large); err != nil {
		return nil, err
	}
	if large > 0 && s.filter.Empty() {
		schema.Tables = append(schema.Tables, largeObjects())
	}
	database.ApplyFilter(schema, s.filter) // foreign keys to what it leaves out
	return schema, nil
}

const momentSQL = `SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END::text`

func readSettings(ctx context.Context, conn *pgx.Conn) (map[string]string, error) {
	out := map[string]string{}
	var name, value string
	err := each(ctx, conn, `
		SELECT 'encoding', pg_catalog.pg_encoding_to_char(encoding)::text FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
		UNION ALL SELECT 'owner', pg_catalog.pg_get_userbyid(datdba)::text FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
		UNION ALL SELECT 'collation', datcollate::text FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
		UNION ALL SELECT 'search_path', substr(u.setting, 13) FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase, pg_catalog.unnest(s.setconfig) u(setting)
			WHERE d.datname = pg_catalog.current_database() AND s.setrole = 0 AND u.setting LIKE 'search_path=%'
		UNION ALL SELECT 'ctype', datctype::text FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`,
		[]any{&name, &value}, func() error { out[name] = value; return nil })
	return out, err
}

// largeObjects is the table that stands for pg_largeobject.
func largeObjects() *database.Table {
	return &database.Table{
		Name: "_packstone_large_object", Role: database.LargeObjects,
		Columns: []*database.Column{
			{Name: "loid", NotNull: true, Type: database.Type{Kind: database.Int, Bits: 64, Native: "bigint"}},
			{Name: "pageno", Type: database.Type{Kind: database.Int, Bits: 32, Native: "integer"}},
			{Name: "data", Type: database.Type{Kind: database.Bytes, Native: "bytea"}},
		},
		Order: []string{"loid", "pageno"},
	}
}

const largeObjectSQL = `SELECT m.oid::int8, l.pageno, l.data FROM pg_catalog.pg_largeobject_metadata m LEFT JOIN pg_catalog.pg_largeobject l ON l.loid = m.oid ORDER BY 1, 2`

// Schema gives the schema that was read when the snapshot was opened.
func (s *source) Schema(context.Context) (*database.Schema, error) { return s.schema, nil }

// Rows reads a table on a free connection.
func (s *source) Rows(ctx context.Context, t *database.Table, send func(*database.Batch) error) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { s.idle <- s.usable(conn) }()
	r := &reader{conn: conn, catalog: s.catalog, aside: s.aside, at: s.at, hold: holdSQL(s.catalog.lying(t))}
	err = r.ordered(ctx, t, send)
	if notHeld(ctx, conn, err) {
		return s.lead(ctx, t, send)
	}
	return readingError(t, err)
}

// lead reads a table by the leader, to the end even if nobody wants more of it.
func (s *source) lead(ctx context.Context, t *database.Table, send func(*database.Batch) error) error {
	s.leading.Lock()
	defer s.leading.Unlock()
	var refused error
	r := &reader{conn: s.leader, catalog: s.catalog, aside: s.aside, at: s.at}
	err := r.ordered(ctx, t, func(b *database.Batch) error {
		if refused != nil {
			b.Release()
			return nil
		}
		refused = send(b)
		return nil
	})
	return cmp.Or(refused, readingError(t, err))
}

// readingError says what to do about text that is no text.
func readingError(t *database.Table, err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != notInEncoding {
		return err
	}
	return fmt.Errorf("table %s holds text that is not UTF-8, as a database of encoding SQL_ASCII may: exclude the table, or keep the server's own dump instead (docs/native-dumps.md): %w", t.ID(), err)
}

// notInEncoding is character_not_in_repertoire.
const notInEncoding = "22021"

// usable gives nil for a worker that reads no more: whoever stops in the middle of
// a COPY loses the connection, and an error spoils the transaction. Another worker
// then takes its place in the snapshot.
func (s *source) usable(conn *pgx.Conn) *pgx.Conn {
	if !conn.IsClosed() && conn.PgConn().TxStatus() == 'T' {
		return conn
	}
	s.mu.Lock()
	s.all = slices.DeleteFunc(s.all, func(c *pgx.Conn) bool { return c == conn })
	s.mu.Unlock()
	_ = conn.Close(context.Background()) // it has read nothing that counts
	return nil
}

func (s *source) acquire(ctx context.Context) (*pgx.Conn, error) {
	select {
	case conn := <-s.idle:
		if conn != nil {
			return conn, nil
		}
		conn, err := s.worker(ctx)
		if err != nil {
			s.idle <- nil
		}
		return conn, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// worker connects and enters the snapshot.
func (s *source) worker(ctx context.Context) (*pgx.Conn, error) {
	conn, err := connectReading(ctx, s.at)
	if err != nil {
		return nil, err
	}
	err = beginReading(ctx, conn)
	if err == nil {
		_, err = conn.Exec(ctx, "SET TRANSACTION SNAPSHOT '"+s.snapshot+"'")
	}
	if err != nil {
		return nil, errors.Join(s.at.Wrap("enter the snapshot of", translate(err)), conn.Close(context.Background()))
	}
	s.mu.Lock()
	s.all = append(s.all, conn)
	s.mu.Unlock()
	return conn, nil
}

// Jobs is how many connections there may be.
func (s *source) Jobs() int { return cap(s.idle) }

// Sequences reads all counters now, outside the snapshot.
func (s *source) Sequences(ctx context.Context) ([]*database.Sequence, error) {
	s.leading.Lock()
	defer s.leading.Unlock()
	for _, q := range s.schema.Sequences {
		if err := s.readCounter(ctx, q); err != nil {
			return nil, fmt.Errorf("read sequence %s: %w", q.ID(), translate(err))
		}
	}
	return s.schema.Sequences, nil
}

// readCounter reads a counter by its OID, so that nothing that has taken its name since is read in
// its place. Older servers tell in that way only what was given out; reading it locks the sequence,
// and its name is then looked up anew.
func (s *source) readCounter(ctx context.Context, q *database.Sequence) error {
	found := s.catalog.sequence(q.Schema, q.Name)
	if s.catalog.absent(found.Persist) {
		return nil
	}
	oid := found.OID
	if s.catalog.major() >= 18 {
		return s.leader.QueryRow(ctx, fmt.Sprintf("SELECT last_value, is_called FROM pg_catalog.pg_get_sequence_data(%d)", oid)).Scan(&q.Last, &q.Called)
	}
	name := qualified(q.Schema, q.Name)
	var last *int64
	var same bool
	err := s.leader.QueryRow(ctx, fmt.Sprintf("SELECT pg_catalog.pg_sequence_last_value(%d), coalesce(pg_catalog.to_regclass(%s) = %[1]d, false)", oid, literal(name))).Scan(&last, &same)
	switch {
	case err != nil:
		return err
	case last != nil:
		q.Last, q.Called = *last, true
		return nil
	case !same:
		return errReplaced
	}
	return s.leader.QueryRow(ctx, "SELECT last_value, is_called FROM "+name).Scan(&q.Last, &q.Called)
}

// Close ends all transactions and connections.
func (s *source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	for _, conn := range s.all {
		if !conn.IsClosed() {
			all = append(all, conn.Close(context.Background()))
		}
	}
	s.all = nil
	return errors.Join(all...)
}

func (c *catalog) find(schema, name string) *relation {
	i, found := slices.BinarySearchFunc(c.order, schema, func(oid uint32, schema string) int {
		r := c.relations[oid]
		return cmp.Or(strings.Compare(r.Schema, schema), strings.Compare(r.Name, name))
	})
	if !found {
		return nil
	}
	return c.relations[c.order[i]]
}

func (r *relation) column(name string) *column {
	for _, c := range r.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}
