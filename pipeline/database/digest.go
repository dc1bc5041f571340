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

// Summer adds up rows. The zero value is the digest of no rows.
type Summer struct {
	words [4]uint64 // the highest first
	rows  int64
	bytes int64
}

// Add adds all rows of a batch. Only a long cell whose file cannot be read is an error.
func (s *Summer) Add(b *Batch) error {
	if b.HasLong() {
		_, err := s.AddLong(b.long())
		return err
	}
	for i := range b.Len() {
		s.AddRow(b.Row(i))
	}
	return nil
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
	var carry uint64
	for i := 3; i >= 0; i-- {
		s.words[i], carry = bits.Add64(s.words[i], binary.BigEndian.Uint64(h[8*i:]), carry)
	}
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
