package rows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/packstone/packstone/pipeline/database"
)

// Places is a file system that knows what lies in a file without opening it.
type Places interface {
	// ContentID gives equal ids of files of equal content only.
	ContentID(name string) ([32]byte, error)
}

// Apart sends the rows in which two states of a table differ, as far as their runs tell: those of
// before with a count of 1, those of after with -1, each in the order of its state. Runs that both
// states have are read once, up to the last row that one of them lacks, and not at all if neither
// lacks any. A row may be sent of both states, if it lies elsewhere in them. A row with a count of 0
// is one that both have: all rows before it, in either state, were sent by then. passed says that
// the other state has no rows before these left.
//
// ok is false if the states share no run, or are not stored as runs: nothing is sent then. What is
// sent is taken over.
func Apart(ctx context.Context, before, after database.Source, t, now *database.Table, send func(b *database.Batch, count int64, passed bool) error) (ok bool, err error) {
	first, second, err := own(before, after, t, now)
	if first == nil || err != nil {
		return false, err
	}
	a := &apart{ctx: ctx, files: first, send: send, batch: database.NewBatch()}
	defer func() {
		a.batch.Release()
		err = errors.Join(err, a.close())
	}()
	if a.before, err = a.state(first, first.shared, second); err != nil {
		return true, err
	}
	if a.after, err = a.state(second, first.shared, first); err != nil {
		return true, err
	}
	if err := a.run(); err != nil {
		return true, fmt.Errorf("read what differs in table %s: %w", t.ID(), err)
	}
	return true, nil
}

// runsOf are the runs of a table in a state.
type runsOf struct {
	*streams
	stored *Stored
	shared int // how many of them another state has too
}

// own finds the runs that two states share; nil: there are none.
func own(before, after database.Source, t, now *database.Table) (first, second *runsOf, err error) {
	a, ok := before.(*streams)
	b, also := after.(*streams)
	if !ok || !also || a.tables[t.ID()] == nil || b.tables[now.ID()] == nil {
		return nil, nil, nil
	}
	here, ok := a.files.(Places)
	there, also := b.files.(Places)
	if !ok || !also {
		return nil, nil, nil
	}
	first, second = &runsOf{a, a.tables[t.ID()], 0}, &runsOf{b, b.tables[now.ID()], 0}
	for n := range min(len(first.stored.Runs), len(second.stored.Runs)) {
		x, err := here.ContentID(first.stored.Runs[n].Path)
		if err != nil {
			return nil, nil, fmt.Errorf("open rows: %w", err)
		}
		y, err := there.ContentID(second.stored.Runs[n].Path)
		if err != nil {
			return nil, nil, fmt.Errorf("open rows: %w", err)
		}
		if x != y {
			break
		}
		first.shared, second.shared = n+1, n+1
	}
	if first.shared == 0 {
		return nil, nil, nil
	}
	return first, second, nil
}

// apart is one run of Apart.
type apart struct {
	ctx           context.Context
	files         *runsOf
	before, after *state
	send          func(*database.Batch, int64, bool) error
	batch         *database.Batch
	count         int64 // of the rows in batch
	passed        bool  // the same
	shared        *runReader
	at            uint64 // how many shared rows were read
	unmarked      bool   // rows were sent since the last that both have
	opened        []io.Closer
}

func (a *apart) open(s *streams, path string) (io.Reader, error) {
	f, err := s.files.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open rows: %w", err)
	}
	a.opened = append(a.opened, f)
	return f, nil
}

func (a *apart) close() (err error) {
	for _, f := range a.opened {
		err = errors.Join(err, f.Close())
	}
	return err
}

// state is what the runs of one state that are its own make of the shared rows.
func (a *apart) state(of *runsOf, shared int, other *runsOf) (*state, error) {
	n := uint64(math.MaxUint64)
	switch shared { // of runs that are the whole of a state the number of rows is known
	case len(of.stored.Runs):
		n = uint64(of.stored.Rows)
	case len(other.stored.Runs):
		n = uint64(other.stored.Rows)
	}
	var p pieces = &sharedRows{left: n}
	for _, run := range of.stored.Runs[shared:] {
		in, err := a.open(of.streams, run.Path)
		if err != nil {
			return nil, err
		}
		p = &edits{runReader: newRunReader(in, nil, of.aside), before: p}
	}
	return &state{in: p}, nil
}

// run goes through both states at once, in the order of the shared rows.
func (a *apart) run() error {
	for {
		if err := errors.Join(a.before.look(), a.after.look()); err != nil {
			return err
		}
		x, y := &a.before.piece, &a.after.piece
		var err error
		switch {
		case x.own:
			err = a.add(a.before.take(), 1, y.n == 0)
		case y.own:
			err = a.add(a.after.take(), -1, x.n == 0)
		case x.n == 0 && y.n == 0:
			return a.flush()
		case y.n == 0 || x.n > 0 && x.from < y.from:
			err = a.missing(x, y, 1)
		case x.n == 0 || y.from < x.from:
			err = a.missing(y, x, -1)
		default:
			n := min(x.n, y.n)
			err = a.mark(x.from)
			x.drop(n)
			y.drop(n)
		}
		if err != nil {
			return err
		}
	}
}

// missing adds the rows of a piece up to where the other state goes on.
func (a *apart) missing(p, other *piece, count int64) error {
	n := p.n
	if other.n > 0 {
		n = min(n, other.from-p.from)
	}
	for range n {
		row, err := a.read(p.from)
		if err == nil {
			err = a.add(row, count, true)
		}
		if err != nil {
			return err
		}
		p.drop(1)
	}
	return nil
}

// mark adds a row that both have, if that costs nothing.
func (a *apart) mark(place uint64) error {
	if !a.unmarked || a.shared == nil || a.at != place {
		return nil
	}
	row, err := a.read(place)
	if err != nil {
		return err
	}
	err = a.add(row, 0, true)
	a.unmarked = false
	return errors.Join(err, a.flush())
}

// read reads the shared row at a place, which is behind the last.
func (a *apart) read(place uint64) (database.Row, error) {
	if a.shared == nil {
		for _, run := range a.files.stored.Runs[:a.files.shared] {
			in, err := a.open(a.files.streams, run.Path)
			if err != nil {
				return database.Row{}, err
			}
			a.shared = newRunReader(in, a.shared, a.files.aside)
		}
	}
	for ; ; a.at++ {
		row, err := a.shared.next()
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: it refers beyond the rows before it", errStream)
		}
		if err == nil && a.at%1024 == 0 {
			err = a.ctx.Err()
		}
		if err != nil {
			row.Drop()
			return database.Row{}, err
		}
		if a.at == place {
			a.at++
			return row, nil
		}
		row.Drop()
	}
}

// add adds a row to the batch, which has rows of one kind.
func (a *apart) add(row database.Row, count int64, passed bool) error {
	a.unmarked = true
	if a.count != count || a.passed != passed || row.HasLong() || a.batch.HasLong() || a.batch.Full() {
		if err := a.flush(); err != nil {
			row.Drop()
			return err
		}
	}
	a.count, a.passed = count, passed
	a.batch.Append(row)
	return nil
}

func (a *apart) flush() error {
	if a.batch.Len() == 0 {
		return nil
	}
	b := a.batch
	a.batch = database.NewBatch()
	return errors.Join(a.ctx.Err(), a.send(b, a.count, a.passed))
}
