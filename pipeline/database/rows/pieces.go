package rows

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/packstone/packstone/pipeline/database"
)

// piece is a part of a state: a row of its own, or n rows of those that are shared. The zero value
// is none.
type piece struct {
	own  bool
	row  database.Row
	from uint64
	n    uint64
}

func (p *piece) drop(n uint64) { p.from, p.n = p.from+n, p.n-n }

// pieces gives a state piece by piece, each of at most so many rows, and in the end none.
type pieces interface {
	next(most uint64) (piece, error)
}

// sharedRows are the shared rows themselves.
type sharedRows struct{ at, left uint64 }

func (s *sharedRows) next(most uint64) (piece, error) {
	p := piece{from: s.at, n: min(most, s.left)}
	s.at += p.n
	if s.left != math.MaxUint64 { // not known
		s.left -= p.n
	}
	return p, nil
}

// edits is a delta, which takes from the pieces before it.
type edits struct {
	*runReader
	before pieces
}

func (e *edits) next(most uint64) (piece, error) {
	if e.done {
		return piece{}, nil
	}
	if !e.begun {
		if err := e.magic(deltaMagic); err != nil {
			return piece{}, err
		}
	}
	for e.copies == 0 {
		op, err := e.number()
		if err != nil {
			return piece{}, err
		}
		switch n := op >> 2; op & 3 {
		case opEnd:
			return piece{}, e.ended()
		case opCopy:
			e.copies = n
		case opInsert:
			row, err := e.take(n)
			return piece{own: true, row: row, n: 1}, err
		case opSkip:
			if err := e.skip(n); err != nil {
				return piece{}, err
			}
		}
	}
	p, err := e.inherited(min(most, e.copies))
	e.copies -= p.n
	return p, err
}

func (e *edits) ended() error {
	if err := e.end(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (e *edits) skip(n uint64) error {
	for n > 0 {
		p, err := e.inherited(n)
		if err != nil {
			return err
		}
		p.row.Drop()
		n -= p.n
	}
	return nil
}

func (e *edits) inherited(most uint64) (piece, error) {
	p, err := e.before.next(most)
	if err == nil && p.n == 0 {
		err = fmt.Errorf("read delta: %w: it refers beyond the rows before it", errStream)
	}
	return p, err
}

// state is a state at its next piece.
type state struct {
	in    pieces
	piece piece
	ended bool
}

// look sees to it that there is a piece, unless the state has ended.
func (s *state) look() (err error) {
	if s.piece.n > 0 || s.ended {
		return nil
	}
	s.piece, err = s.in.next(math.MaxUint64)
	s.ended = s.piece.n == 0
	return err
}

// take takes the row of the piece.
func (s *state) take() database.Row {
	row := s.piece.row
	s.piece = piece{}
	return row
}
