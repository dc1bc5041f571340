package postgres

import (
	"io"

	"github.com/packstone/packstone/pipeline/database"
)

// decoder appends one non-null field, in the form of its COPY stream, as a cell.
type decoder func(b *database.Batch, scratch *[]byte, field []byte) error

// field is how a column of a COPY stream is decoded.
type field struct {
	decode decoder
	// long is the class of a column whose fields are its values byte by byte, and may be put aside;
	// null: never.
	long database.Class
	hex  bool // bytes are spelt \x00ff
}

// rowSink builds batches of a stream's fields and hands them on. Values larger than
// database.LongBytes go to files in the directory aside, a row with such a value into a batch of
// its own.
type rowSink struct {
	fields  []field
	aside   string // empty: nothing is put aside
	send    func(*database.Batch) error
	failed  error // what send said
	batch   *database.Batch
	scratch []byte
	pending []byte // of the stream, what is not a whole field yet
}

// write gives a stream's next bytes to parse, behind those that it has not used yet. The server
// sends a row a message, so that they are rarely copied.
func (r *rowSink) write(p []byte, parse func([]byte) (used int, err error)) (int, error) {
	if len(r.pending) == 0 {
		used, err := parse(p)
		r.pending = append(r.pending, p[used:]...)
		return len(p), err
	}
	r.pending = append(r.pending, p...)
	used, err := parse(r.pending)
	if used > 0 {
		r.pending = r.pending[:copy(r.pending, r.pending[used:])]
	}
	if len(r.pending) == 0 && cap(r.pending) > database.LongBytes {
		r.pending = nil // it was one large field
	}
	return len(p), err
}

func (r *rowSink) open() {
	if r.batch == nil {
		r.batch = database.NewBatch()
	}
}

// mayPutAside says that the value of a column may be put aside.
func (r *rowSink) mayPutAside(column int) bool {
	return r.aside != "" && r.fields[column].long != database.ClassNull
}

// beginLong makes room for a large value in the open row.
func (r *rowSink) beginLong() (*database.Long, error) {
	if r.batch.Len() > 0 {
		row := r.batch.Detach()
		full := r.batch
		r.batch = row
		if err := r.pass(full); err != nil {
			return nil, err
		}
	}
	return database.NewLong(r.aside)
}

func (r *rowSink) endRow() error {
	r.batch.EndRow()
	if !r.batch.Full() && !r.batch.HasLong() {
		return nil
	}
	full := r.batch
	r.batch = database.NewBatch()
	return r.pass(full)
}

func (r *rowSink) pass(b *database.Batch) error {
	r.failed = r.send(b)
	return r.failed
}

// finish hands on the last rows.
func (r *rowSink) finish() error {
	last := r.batch
	r.batch = nil
	if last.Len() == 0 {
		last.Release()
		return nil
	}
	return r.pass(last)
}

// copyStream takes a COPY stream in pieces of any size.
type copyStream interface {
	io.Writer
	// close is called at the end, which must be the stream's, and hands on the last rows.
	close() error
	// drop gives up what was not handed on.
	drop()
	// refusal is the error of the receiver of rows, which ends the stream.
	refusal() error
}

func (r *rowSink) refusal() error { return r.failed }

func (r *rowSink) drop() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
}
