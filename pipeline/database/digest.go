package database

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
)

// Digest identifies a set of rows with their repetitions, whatever their order:
// the sum, modulo 2^256, of the SHA-256 of every row's canonical bytes. A sum,
// unlike an exclusive or, does not lose a row that stands there twice.
type Digest [32]byte

// DigestName names the algorithm where a digest is stored.
const DigestName = "sha256-sum-v1"

// words are a number of 256 bits, the highest first.
type words [4]uint64

// plus adds modulo 2^256.
func (w words) plus(o words) words {
	var carry uint64
	for i := 3; i >= 0; i-- {
		w[i], carry = bits.Add64(w[i], o[i], carry)
	}
	return w
}

// Summer adds up rows. The zero value is the digest of no rows.
type Summer struct {
	words words
	rows  int64
	bytes int64
}

// Add adds all rows of a batch, which remembers their sum. Only a long cell whose file cannot be
// read is an error.
func (s *Summer) Add(b *Batch) error {
	if b.sum.Rows() != int64(b.Len()) {
		if err := b.addUp(); err != nil {
			return err
		}
	}
	s.merge(b.sum)
	return nil
}

// addUp sums the rows of a batch.
func (b *Batch) addUp() error {
	b.sum = Summer{}
	if b.HasLong() {
		_, err := b.sum.AddLong(b.long())
		return err
	}
	for i := range b.Len() {
		b.sum.AddRow(b.Row(i))
	}
	return nil
}

// merge adds the rows that another one has added up.
func (s *Summer) merge(o Summer) {
	s.words = s.words.plus(o.words)
	s.rows += o.rows
	s.bytes += o.bytes
}

// AddLong adds a row that has long cells and returns its hash.
func (s *Summer) AddLong(row Row) ([32]byte, error) {
	h, err := row.hash()
	if err == nil {
		s.AddHash(h)
		s.bytes += row.Size()
	}
	return h, err
}

// AddRow adds a row and returns its hash.
func (s *Summer) AddRow(row []byte) [32]byte {
	h := sha256.Sum256(row)
	s.AddHash(h)
	s.bytes += int64(len(row))
	return h
}

// AddHash adds a row by its hash, without counting bytes.
func (s *Summer) AddHash(h [32]byte) {
	var row words
	for i := range row {
		row[i] = binary.BigEndian.Uint64(h[8*i:])
	}
	s.words = s.words.plus(row)
	s.rows++
}

// Rows is the number of rows added.
func (s *Summer) Rows() int64 { return s.rows }

// Bytes is the number of canonical bytes added.
func (s *Summer) Bytes() int64 { return s.bytes }

// Digest returns the sum so far.
func (s *Summer) Digest() (d Digest) {
	for i, w := range s.words {
		binary.BigEndian.PutUint64(d[8*i:], w)
	}
	return d
}

// String is the digest in hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText gives hex.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads hex.
func (d *Digest) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(d) {
		return fmt.Errorf("read digest: %d characters, want %d", len(text), 2*len(d))
	}
	if _, err := hex.Decode(d[:], text); err != nil {
		return fmt.Errorf("read digest: %w", err)
	}
	return nil
}

// Differs says how a table's rows are others than those that are wanted; nil: they are the same.
func (s *Summer) Differs(table string, rows int64, want Digest) error {
	if rows != s.Rows() {
		return fmt.Errorf("table %s: %w: %d rows, want %d", table, ErrMismatch, s.Rows(), rows)
	}
	if want != s.Digest() {
		return fmt.Errorf("table %s: %w: digest %s, want %s, over %d rows", table, ErrMismatch, s.Digest(), want, rows)
	}
	return nil
}
