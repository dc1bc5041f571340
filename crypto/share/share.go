// Package share splits a secret among custodians, so that some of them together have it and fewer
// know nothing of it: Shamir's scheme over the scalars of P-521.
//
// The scheme itself is that of github.com/cloudflare/circl, which is maintained. Its arithmetic
// takes time that depends on the secret, so split and join on a machine of your own.
//
// A secret carries a checksum, so that shares that do not belong together, or of which one was
// changed, give an error and not another secret.
package share

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"
)

const (
	// ValueSize is the number of bytes of a share's value: a scalar of P-521.
	ValueSize = 66
	// Most is the most shares that a secret is split into.
	Most = 16
	// LargestSecret is the most bytes that a secret may have.
	LargestSecret = ValueSize - 2 - checkSize - 1

	checkSize = 16
)

var (
	// ErrTooFew says that more shares are needed.
	ErrTooFew = errors.New("too few shares")
	// ErrWrong says that shares do not give a secret: one of them is wrong.
	ErrWrong = errors.New("these shares do not fit together: at least one of them is wrong")
)

// SetID is what all shares of one split have in common; no other split has it.
type SetID [4]byte

// Share is a part of a secret. It prints without its value.
type Share struct {
	Set       SetID
	Number    int // from 1
	Threshold int // how many shares together have the secret
	Total     int // how many there are
	Value     [ValueSize]byte
}

// Format prints what is no secret.
func (s Share) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "share %d of %d, of which %d are needed, of set %x [redacted]", s.Number, s.Total, s.Threshold, s.Set[:])
}

// MarshalText returns what Format prints; JSON and slog use it too.
func (s Share) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(s)), nil }

// Check returns an error if there can be no such share.
func (s Share) Check() error {
	if err := CheckNumbers(s.Threshold, s.Total); err != nil {
		return err
	}
	if s.Number < 1 || s.Number > s.Total {
		return fmt.Errorf("share %d of %d: there is none", s.Number, s.Total)
	}
	if _, err := scalar(s.Value[:]); err != nil {
		return fmt.Errorf("share %d of %d: %w", s.Number, s.Total, err)
	}
	return nil
}

// CheckNumbers returns an error unless a secret can be split into total shares of which threshold
// are needed.
func CheckNumbers(threshold, total int) error {
	if threshold < 2 || total < threshold || total > Most {
		return fmt.Errorf("%d of %d shares: want at least 2 that are needed, and at most %d", threshold, total, Most)
	}
	return nil
}

// ParseSplit reads how a secret is split, such as 2-of-3.
func ParseSplit(text string) (threshold, total int, err error) {
	needed, all, ok := strings.Cut(text, "-of-")
	threshold, err = strconv.Atoi(needed)
	if err == nil {
		total, err = strconv.Atoi(all)
	}
	if !ok || err != nil {
		return 0, 0, fmt.Errorf("split %.40q: want it as 2-of-3, how many shares are needed and how many there are", text)
	}
	return threshold, total, CheckNumbers(threshold, total)
}

// Split splits a secret into total shares, any threshold of which have it.
func Split(secret []byte, threshold, total int) ([]Share, error) {
	if err := CheckNumbers(threshold, total); err != nil {
		return nil, err
	}
	if len(secret) > LargestSecret {
		return nil, fmt.Errorf("split a secret of %d bytes: at most %d can be", len(secret), LargestSecret)
	}
	whole, err := scalar(pack(secret))
	if err != nil {
		return nil, err
	}
	var set SetID
	rand.Read(set[:])
	var shares []Share
	for i, made := range secretsharing.New(rand.Reader, uint(threshold-1), whole).Share(uint(total)) {
		value, err := made.Value.MarshalBinary()
		if err != nil || len(value) != ValueSize {
			return nil, fmt.Errorf("split a secret: value of %d bytes: %w", len(value), err)
		}
		shares = append(shares, Share{set, i + 1, threshold, total, [ValueSize]byte(value)})
	}
	return shares, nil
}

// Join returns the secret of shares of one set, each with another number. If there are more than
// needed, wrong ones do no harm, and their numbers are returned too. It fails with ErrTooFew, or
// with ErrWrong.
func Join(shares []Share) (secret []byte, wrong []int, err error) {
	if err := checkAll(shares); err != nil {
		return nil, nil, err
	}
	need := shares[0].Threshold
	if len(shares) < need {
		return nil, nil, fmt.Errorf("%w: %d are needed, and there are %d", ErrTooFew, need, len(shares))
	}
	for chosen := range choices(shares, need) {
		if secret := recovered(chosen); secret != nil {
			return secret, strangers(shares, chosen, secret), nil
		}
	}
	return nil, nil, ErrWrong
}

// checkAll returns an error unless the shares are of one set and differ in their numbers.
func checkAll(shares []Share) error {
	if len(shares) == 0 {
		return fmt.Errorf("%w: there are none", ErrTooFew)
	}
	seen, first := map[int]bool{}, shares[0]
	for _, s := range shares {
		if err := s.Check(); err != nil {
			return err
		}
		if s.Set != first.Set || s.Threshold != first.Threshold || s.Total != first.Total {
			return fmt.Errorf("share %d is of another set than share %d", s.Number, first.Number)
		}
		if seen[s.Number] {
			return fmt.Errorf("share %d is there twice", s.Number)
		}
		seen[s.Number] = true
	}
	return nil
}

// strangers returns the numbers of shares that do not fit the chosen ones.
func strangers(all, chosen []Share, secret []byte) (wrong []int) {
	for _, s := range all {
		if slices.Contains(chosen, s) {
			continue
		}
		instead := append(slices.Clone(chosen[1:]), s)
		if !bytes.Equal(recovered(instead), secret) {
			wrong = append(wrong, s.Number)
		}
	}
	return wrong
}

// recovered returns the secret of exactly as many shares as are needed, nil if they give none.
func recovered(shares []Share) []byte {
	var parts []secretsharing.Share
	for _, s := range shares {
		value, err := scalar(s.Value[:])
		if err != nil {
			return nil
		}
		parts = append(parts, secretsharing.Share{ID: group.P521.NewScalar().SetUint64(uint64(s.Number)), Value: value})
	}
	whole, err := secretsharing.Recover(uint(len(shares)-1), parts)
	if err != nil {
		return nil
	}
	value, err := whole.MarshalBinary()
	if err != nil {
		return nil
	}
	return unpack(value)
}

// scalar returns the scalar with this value, which must be below the group's order.
func scalar(value []byte) (group.Scalar, error) {
	s := group.P521.NewScalar()
	if err := s.UnmarshalBinary(value); err != nil {
		return nil, fmt.Errorf("read the value of a share: %w", err)
	}
	again, err := s.MarshalBinary()
	if err != nil || !bytes.Equal(again, value) {
		return nil, fmt.Errorf("the value of a share is too large")
	}
	return s, nil
}

// pack returns a secret as the value of a scalar: two zeros, a checksum, zeros, the secret, and its
// length.
func pack(secret []byte) []byte {
	value := make([]byte, ValueSize)
	sum := sha256.Sum256(secret)
	copy(value[2:], sum[:checkSize])
	copy(value[ValueSize-1-len(secret):], secret)
	value[ValueSize-1] = byte(len(secret))
	return value
}

// unpack returns the secret in a value that pack has made, nil if it is none.
func unpack(value []byte) []byte {
	if len(value) != ValueSize || int(value[ValueSize-1]) > LargestSecret {
		return nil
	}
	secret := value[ValueSize-1-int(value[ValueSize-1]) : ValueSize-1]
	if !bytes.Equal(pack(secret), value) {
		return nil
	}
	return secret
}
