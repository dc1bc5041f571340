package sqlite

import (
	"context"
	"errors"
	"sync"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
)

// whole is a file in which all is written but its name. It is read back by several connections,
// while another one looks for damage.
type whole struct {
	path    string
	dir     string
	idle    chan *wholeReader
	stop    context.CancelFunc // of the check
	checked chan error
}

// wholeReader is a connection that is made when it is first needed.
type wholeReader struct {
	conn  *sqlite3.Conn
	aside *asides
	mu    sync.Mutex
}

// readersOfWhole is how many tables are read back at once.
const readersOfWhole = 2

// complete ends the writing.
func (t *target) complete(ctx context.Context) error {
	if err := t.closePartial(); err != nil {
		return err
	}
	w := &whole{path: t.partial, dir: t.dir, idle: make(chan *wholeReader, readersOfWhole), checked: make(chan error, 1)}
	for range readersOfWhole {
		w.idle <- &wholeReader{}
	}
	ctx, w.stop = context.WithCancel(ctx)
	go func() { w.checked <- w.check(ctx) }()
	t.whole = w
	return nil
}

// check looks for damage. Indexes were built from the rows a moment ago; comparing them entry by
// entry is left to Check.
func (w *whole) check(ctx context.Context) error {
	conn, err := open(ctx, w.path, readOnly)
	if err != nil {
		return translate(err)
	}
	return errors.Join(integrity(conn, "quick_check"), conn.Close())
}

// rows reads a table.
func (w *whole) rows(ctx context.Context, t *target, l *tableLayout, send func(*database.Batch) error) error {
	reader := <-w.idle
	defer func() { w.idle <- reader }()
	if reader.conn == nil {
		var err error
		if reader.conn, err = open(context.WithoutCancel(ctx), w.path, readOnly); err != nil {
			return translate(err)
		}
		if reader.aside, err = newAsides(reader.conn, w.dir); err != nil {
			return err
		}
	}
	r := &reading{table: l.name, columns: l.columns, rowid: l.rowid, exact: t.exact[l.name], aside: reader.aside}
	return r.stream(ctx, reader.conn, &reader.mu, send)
}

// end waits for the check and closes all connections, none of which may be in use.
func (w *whole) end() error {
	err := <-w.checked
	w.stop()
	for range cap(w.idle) {
		if reader := <-w.idle; reader.conn != nil {
			err = errors.Join(err, reader.conn.Close())
		}
	}
	return err
}

// ReadersAtOnce implements database.ParallelReader.
func (t *target) ReadersAtOnce() (n int, besideFinish bool) {
	if t.beside {
		return 1, false
	}
	return readersOfWhole, false
}
