package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
)

// several is an import by several connections. The target's own connection waits in the last
// transaction, which holds the lock of imports and makes all that is not made here; workers,
// connected when first needed, load tables, build indexes and read rows back, each table, index and
// key in a transaction of its own.
type several struct {
	connect func(context.Context) (*pgx.Conn, error)
	idle    chan *worker // free workers
	closed  []*rights    // what schemas are to be again
	parts   map[string]bool
	tables  tables
}

// worker is a connection that is made when it is first needed.
type worker struct {
	*pgx.Conn
	path string // its search path
}

// open commits what was created, with its marker, and begins the last transaction. Where that
// cannot be safe or the server refuses it, the import goes on in the one transaction.
func (t *target) open(ctx context.Context, before []string) error {
	if err := t.shut(ctx, before); err != nil {
		return err
	}
	if t.several == nil {
		return nil
	}
	var err error
	if t.catalog, err = readCatalog(ctx, t.conn); err != nil {
		return err
	}
	t.several.parts = t.catalog.partitioned()
	if t.marker, err = markerOID(ctx, t.conn); err != nil {
		return err
	}
	return again(ctx, t.conn)
}

// markerOID is 0 where there is none.
func markerOID(ctx context.Context, conn *pgx.Conn) (oid uint32, err error) {
	err = conn.QueryRow(ctx, "SELECT coalesce(pg_catalog.to_regnamespace('"+markerSchema+"')::pg_catalog.oid, 0)").Scan(&oid)
	return oid, err
}

// shut makes the marker and keeps others out, in a savepoint.
func (t *target) shut(ctx context.Context, before []string) error {
	if _, err := t.conn.Exec(ctx, "SAVEPOINT packstone"); err != nil {
		return err
	}
	closed, err := t.markAndClose(ctx, before)
	if err == nil {
		t.several = t.newSeveral(closed)
		_, err = t.conn.Exec(ctx, "RELEASE SAVEPOINT packstone")
		return err
	}
	if t.conn.IsClosed() || ctx.Err() != nil {
		return err
	}
	_, err = t.conn.Exec(ctx, "ROLLBACK TO SAVEPOINT packstone; RELEASE SAVEPOINT packstone")
	return err
}

func (t *target) markAndClose(ctx context.Context, before []string) ([]*rights, error) {
	if err := makeMarker(ctx, t.conn, before); err != nil {
		return nil, err
	}
	return closeSchemas(ctx, t.conn)
}

func (t *target) newSeveral(closed []*rights) *several {
	s := &several{closed: closed, idle: make(chan *worker, t.opts.Jobs), tables: newTables()}
	for range t.opts.Jobs {
		s.idle <- &worker{}
	}
	s.connect = func(ctx context.Context) (*pgx.Conn, error) {
		conn, err := connect(ctx, t.at)
		if err != nil {
			return nil, err
		}
		// The last transaction is written to disk, and so is all that was before it.
		if _, err := conn.Exec(ctx, "SET synchronous_commit = off"); err != nil {
			return nil, errors.Join(t.at.Wrap("set up the session of", translate(err)), conn.Close(context.Background()))
		}
		return conn, nil
	}
	return s
}

// partitioned are tables with partitions and the partitions themselves, by ID: their keys and
// indexes hang together.
func (c *catalog) partitioned() map[string]bool {
	out := map[string]bool{}
	for _, r := range c.relations {
		if r.Kind == "p" || r.Partition {
			out[r.id()] = true
		}
	}
	return out
}

// work lends a worker with a search path.
func (s *several) work(ctx context.Context, path string, f func(*pgx.Conn) error) error {
	var w *worker
	select {
	case w = <-s.idle:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.idle <- w }()
	err := s.prepare(ctx, w, path)
	if err == nil {
		err = f(w.Conn)
	}
	if w.Conn != nil && (err != nil || w.PgConn().TxStatus() != 'I') {
		err = cmp.Or(err, errUnended)
		_ = w.Conn.Close(context.Background()) // whatever it has begun ends with it
		w.Conn = nil
	}
	return err
}

// prepare connects a worker and sets its path.
func (s *several) prepare(ctx context.Context, w *worker, path string) (err error) {
	if w.Conn == nil || w.IsClosed() {
		w.path = ""
		if w.Conn, err = s.connect(ctx); err != nil {
			w.Conn = nil
			return err
		}
	}
	if w.path == path {
		return nil
	}
	w.path = path
	if _, err := w.Exec(ctx, "SELECT pg_catalog.set_config('search_path', "+literal(path)+", false)"); err != nil {
		return fmt.Errorf("set the search path: %w", translate(err))
	}
	return nil
}

var errUnended = errors.New("a transaction of a worker did not end")

// close disconnects all workers, none of which may be lent.
func (s *several) close() {
	for range cap(s.idle) {
		if w := <-s.idle; w.Conn != nil {
			_ = w.Conn.Close(context.Background()) // it has nothing open
		}
	}
}

// transaction runs f in a transaction of a worker.
func (s *several) transaction(ctx context.Context, path string, f func(*pgx.Conn) error) error {
	return s.work(ctx, path, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "BEGIN"); err != nil {
			return err
		}
		if err := f(conn); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "COMMIT")
		return err
	})
}

// ReadersAtOnce implements database.ParallelReader.
func (t *target) ReadersAtOnce() (n int, besideFinish bool) {
	if t.several == nil {
		return 1, false
	}
	return t.opts.Jobs, true
}

// conclude ends the import: schemas become whose they are, what was not built by workers is made,
// and then what comes last.
func (t *target) conclude(ctx context.Context, p *database.Plan) ([]database.Finding, error) {
	if err := openSchemas(ctx, t.conn, t.several.closed); err != nil {
		return nil, t.at.Wrap("give schemas back in", t.translate(err))
	}
	// Nothing of the database's own, as an event trigger, is to see it go.
	if _, err := t.conn.Exec(ctx, "DROP SCHEMA "+markerSchema+" CASCADE"); err != nil {
		return nil, t.at.Wrap("drop the marker of", t.translate(err))
	}
	if err := t.searchPath(ctx, ""); err != nil {
		return nil, err
	}
	findings, err := t.run(ctx, t.plan.finish)
	if err != nil {
		return findings, err
	}
	if err := t.setCounters(ctx, p); err != nil {
		return findings, err
	}
	last, err := t.run(ctx, t.plan.last)
	return append(findings, last...), err
}

// tables says who works on which table: many that share it, or one alone. Others would wait in the
// server, with a connection each.
type tables struct {
	mu    *sync.Mutex
	freed *sync.Cond
	held  map[string]int // how many share it; -1: one has it alone
}

func newTables() tables {
	mu := &sync.Mutex{}
	return tables{mu, sync.NewCond(mu), map[string]int{}}
}

func (t *tables) take(name string, alone bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for !t.free(name, alone) {
		t.freed.Wait()
	}
	t.add(name, alone)
}

func (t *tables) free(name string, alone bool) bool {
	return t.held[name] == 0 || t.held[name] > 0 && !alone
}

func (t *tables) add(name string, alone bool) {
	if alone {
		t.held[name] = -1
		return
	}
	t.held[name]++
}

func (t *tables) give(name string, alone bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if alone {
		t.held[name] = 0
	} else {
		t.held[name]--
	}
	t.freed.Broadcast()
}

// pick takes the first of a list that is free to be worked on, out of it, and waits for one; false
// where the list is empty.
func (t *tables) pick(list *[]*build) (*build, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(*list) > 0 {
		for i, b := range *list {
			if t.free(b.table, b.alone) {
				t.add(b.table, b.alone)
				*list = slices.Delete(*list, i, i+1)
				return b, true
			}
		}
		t.freed.Wait()
	}
	return nil, false
}

// rowsOf reads a table back by a worker.
func (t *target) rowsOf(ctx context.Context, table *database.Table, send func(*database.Batch) error) error {
	name := table.ID()
	t.several.tables.take(name, false)
	defer t.several.tables.give(name, false)
	return t.several.work(ctx, "", func(conn *pgx.Conn) error {
		r := &reader{conn: conn, catalog: t.catalog, aside: t.aside, at: t.at, own: true}
		return r.rows(ctx, table, send)
	})
}

// abandon drops what was made, by a new connection: the old one may be what failed.
func (t *target) abandon(ctx context.Context) error {
	conn, err := connect(ctx, t.at)
	if err != nil {
		return fmt.Errorf("drop what the failed import made: %w", err)
	}
	defer conn.Close(context.Background())
	if err := t.dropMade(ctx, conn); err != nil {
		return t.at.Wrap("drop what the failed import made in", translate(err))
	}
	return nil
}

// dropMade empties the database if the marker is still this import's.
func (t *target) dropMade(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "BEGIN"); err != nil {
		return err
	}
	if err := lockImports(ctx, conn); err != nil {
		return err
	}
	oid, err := markerOID(ctx, conn)
	if err != nil || oid != t.marker {
		return err
	}
	if err := empty(ctx, conn); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "COMMIT")
	return err
}
