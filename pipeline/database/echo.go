package database

import (
	"fmt"
	"math/bits"
	"math/rand/v2"

	"github.com/zeebo/xxh3"
)

// Echo compares the rows that a target was given with those that it gives back, in any order: the
// sum, modulo 2^128, of a hash of each row. The hash is XXH3, some ten times faster than the one
// of [Digest]; its seed is random and never leaves the process, so that no row can be made to look
// like another one. An echo is therefore never stored. The zero value is that of no rows.
type Echo struct {
	high, low uint64
	rows      int64
}

var echoSeed = rand.Uint64()

// Add adds all rows of a batch. Only a long cell whose file cannot be read is an error.
func (e *Echo) Add(b *Batch) error {
	if b.HasLong() {
		h := xxh3.NewSeed(echoSeed)
		if _, err := b.long().WriteTo(h); err != nil {
			return fmt.Errorf("sum a large value: %w", err)
		}
		e.add(h.Sum128())
		return nil
	}
	for i := range b.Len() {
		e.add(xxh3.Hash128Seed(b.Row(i), echoSeed))
	}
	return nil
}

func (e *Echo) add(h xxh3.Uint128) {
	var carry uint64
	e.low, carry = bits.Add64(e.low, h.Lo, 0)
	e.high, _ = bits.Add64(e.high, h.Hi, carry)
	e.rows++
}

// Differs says how a table's rows are others than those that are wanted; nil: they are the same.
func (e Echo) Differs(table string, want Echo) error {
	if want.rows != e.rows {
		return fmt.Errorf("table %s: %w: %d rows, want %d", table, ErrMismatch, e.rows, want.rows)
	}
	if want != e {
		return fmt.Errorf("table %s: %w: other values, over %d rows", table, ErrMismatch, e.rows)
	}
	return nil
}
