package sheet

import (
	"errors"
	"fmt"
	"slices"

	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/crypto/share"
)

// Part is a sheet that was read, and the name of its file.
type Part struct {
	Name  string
	Sheet Sheet
	Err   error // why it could not be read
}

// Joined is what Join makes of parts.
type Joined struct {
	Sheet Sheet    // with the identity
	Used  int      // shares that fit
	Bad   []string // what is wrong with other parts; it did no harm
}

// Join puts shares together. It tests that the identity is the one of which the shares say that
// they are. Damaged, doubled or strange parts do no harm if there are enough good ones of one set;
// they are named. Else it fails with crypto.ErrDamaged, or with share.ErrTooFew if nothing is wrong
// with those at hand.
func Join(parts []Part) (*Joined, error) {
	good, bad := sift(parts)
	var shares []share.Share
	for _, p := range good {
		shares = append(shares, *p.Sheet.Share)
	}
	if len(shares) == 0 {
		return nil, failed(bad, fmt.Errorf("no share could be read"))
	}
	secret, wrong, err := share.Join(shares)
	if err != nil {
		return nil, failed(bad, err)
	}
	for _, p := range good {
		if slices.Contains(wrong, p.Sheet.Share.Number) {
			bad = append(bad, p.Name+": does not fit the others: it was changed, or is of another split")
		}
	}
	whole := good[0].Sheet
	if len(secret) != 1+crypto.RawIdentitySize {
		return nil, failed(bad, fmt.Errorf("the shares are those of something else, not of an identity"))
	}
	identity, err := identityOf(secret[0], secret[1:])
	if err != nil {
		return nil, failed(bad, err)
	}
	of := whole.Of
	if whole, err = whole.WithIdentity(identity); err != nil {
		return nil, failed(bad, err)
	}
	if whole.Of != of {
		return nil, failed(bad, fmt.Errorf("the identity is that of recipient %s, and the shares say %s", whole.Of, of))
	}
	return &Joined{whole, len(shares) - len(wrong), bad}, nil
}

// failed is why parts could not be joined, with all that is wrong with them.
func failed(bad []string, err error) error {
	all := make([]error, 0, len(bad)+1)
	for _, text := range bad {
		all = append(all, errors.New(text))
	}
	if len(bad) == 0 && errors.Is(err, share.ErrTooFew) {
		return err
	}
	return fmt.Errorf("%w: %w", crypto.ErrDamaged, errors.Join(append(all, err)...))
}

// sift returns the shares of one set, each number once, and what is wrong with the other parts. Of
// several sets it takes the one with the most shares.
func sift(parts []Part) (good []Part, bad []string) {
	var shares []Part
	for _, p := range parts {
		switch {
		case p.Err != nil:
			bad = append(bad, fmt.Sprintf("%s: %v", p.Name, p.Err))
		case p.Sheet.Share == nil && p.Sheet.Identity != nil:
			bad = append(bad, p.Name+": is a whole recovery sheet, not a share; use key sheet --verify")
		case p.Sheet.Share == nil:
			bad = append(bad, p.Name+": is no share")
		default:
			shares = append(shares, p)
		}
	}
	most := largestSet(shares)
	for _, p := range shares {
		same := slices.IndexFunc(good, func(other Part) bool { return other.Sheet.Share.Number == p.Sheet.Share.Number })
		switch {
		case !alike(p.Sheet, most.Sheet):
			bad = append(bad, fmt.Sprintf("%s: is of another split (set %x) than %s (set %x)", p.Name, p.Sheet.Share.Set[:], most.Name, most.Sheet.Share.Set[:]))
		case same >= 0 && *good[same].Sheet.Share == *p.Sheet.Share:
			bad = append(bad, fmt.Sprintf("%s: is share %d, as %s is", p.Name, p.Sheet.Share.Number, good[same].Name))
		case same >= 0:
			bad = append(bad, fmt.Sprintf("%s: is share %d, as %s is, and differs: one of them was changed", p.Name, p.Sheet.Share.Number, good[same].Name))
		default:
			good = append(good, p)
		}
	}
	return good, bad
}

// largestSet returns the first share of the set with the most shares.
func largestSet(shares []Part) (first Part) {
	most := 0
	for _, p := range shares {
		numbers := map[int]bool{}
		for _, other := range shares {
			if alike(p.Sheet, other.Sheet) {
				numbers[other.Sheet.Share.Number] = true
			}
		}
		if len(numbers) > most {
			most, first = len(numbers), p
		}
	}
	return first
}

// alike reports whether two shares say that they are of one split.
func alike(a, b Sheet) bool {
	return a.Share.Set == b.Share.Set && a.Share.Threshold == b.Share.Threshold && a.Share.Total == b.Share.Total && a.Of == b.Of &&
		a.Owner.Repository == b.Owner.Repository && a.Owner.Owner.Equal(b.Owner.Owner) && a.Address == b.Address
}
