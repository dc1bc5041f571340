package sqlengine

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// Snapshot is a set of connections that read one state of a database: a leader,
// which finds that state, and others that are opened once they are needed. It
// is safe for concurrent use, except that Begin comes before all reading.
type Snapshot struct {
	// Leader serves what is not read in a transaction.
	Leader *sql.Conn

	db      *sql.DB
	connect func(context.Context) (*sql.Conn, error)
	tx      *sql.Tx
	idle    chan *sql.Conn // free connections; nil stands for one not yet opened
	mu      sync.Mutex
	all     []*sql.Conn
}

// NewSnapshot reads by the leader and at most jobs connections in all; connect
// opens another. Close closes them and db.
func NewSnapshot(db *sql.DB, leader *sql.Conn, jobs int, connect func(context.Context) (*sql.Conn, error)) *Snapshot {
	s := &Snapshot{Leader: leader, db: db, connect: connect, all: []*sql.Conn{leader}}
	s.fill(max(jobs, 1))
	return s
}

func (s *Snapshot) fill(jobs int) {
	s.idle = make(chan *sql.Conn, jobs)
	s.idle <- s.Leader
	for range jobs - 1 {
		s.idle <- nil
	}
}

// Begin opens a transaction that alone reads from now on, as such a snapshot
// cannot be shared. It outlives ctx.
func (s *Snapshot) Begin(ctx context.Context, opts *sql.TxOptions) (err error) {
	s.fill(1)
	s.tx, err = s.Leader.BeginTx(context.WithoutCancel(ctx), opts)
	return err
}

// InTransaction says that Begin has opened a transaction.
func (s *Snapshot) InTransaction() bool { return s.tx != nil }

// Apart lends f a connection of its own, outside of the transaction.
func (s *Snapshot) Apart(ctx context.Context, f func(Queryer) error) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return f(conn)
}

// Reader is what the leader reads through.
func (s *Snapshot) Reader() Queryer { return s.reader(s.Leader) }

func (s *Snapshot) reader(conn *sql.Conn) Queryer {
	if s.tx != nil {
		return s.tx
	}
	return conn
}

// Jobs is how many connections can read the snapshot.
func (s *Snapshot) Jobs() int { return cap(s.idle) }

// Use lends f a free connection; it waits for one.
func (s *Snapshot) Use(ctx context.Context, f func(Queryer) error) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { s.idle <- conn }()
	return f(s.reader(conn))
}

func (s *Snapshot) acquire(ctx context.Context) (*sql.Conn, error) {
	select {
	case conn := <-s.idle:
		if conn != nil {
			return conn, nil
		}
		return s.another(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Snapshot) another(ctx context.Context) (*sql.Conn, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		s.idle <- nil
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, conn)
	return conn, nil
}

// Close ends the transaction and closes all connections.
func (s *Snapshot) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	if s.tx != nil {
		all = append(all, IgnoreDone(s.tx.Rollback()))
	}
	for _, conn := range s.all {
		all = append(all, IgnoreDone(conn.Close()))
	}
	s.all = nil
	return errors.Join(append(all, s.db.Close())...)
}

// IgnoreDone is nil for an error that says that a transaction or a connection
// had ended already.
func IgnoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) || errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}
