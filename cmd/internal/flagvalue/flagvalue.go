// Package flagvalue parses values of flags: sizes with units, durations, shares and fingerprints of
// keys.
package flagvalue

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/packstone/packstone/crypto"
)

// Size is a number of bytes as a flag: 512MiB, 2G, 1048576.
type Size int64

// String implements pflag.Value.
func (s *Size) String() string { return strconv.FormatInt(int64(*s), 10) }

// Type implements pflag.Value.
func (s *Size) Type() string { return "size" }

// Set implements pflag.Value.
func (s *Size) Set(text string) error {
	n, err := parseBytes(text, 1)
	*s = Size(n)
	return err
}

// Rate is a number of bytes a second as a flag: 5MiB, or a plain number of KiB.
type Rate int64

// String implements pflag.Value.
func (r *Rate) String() string { return strconv.FormatInt(int64(*r)>>10, 10) }

// Type implements pflag.Value.
func (r *Rate) Type() string { return "rate" }

// Set implements pflag.Value.
func (r *Rate) Set(text string) error {
	n, err := parseBytes(text, 1<<10)
	*r = Rate(n)
	return err
}

// Owner is the fingerprint of an owner's key, or the key itself, as a flag; of several the last
// counts.
type Owner []crypto.Fingerprint

// String implements pflag.Value.
func (o *Owner) String() string {
	if len(*o) == 0 {
		return ""
	}
	return (*o)[0].String()
}

// Type implements pflag.Value.
func (o *Owner) Type() string { return "fingerprint" }

// Set implements pflag.Value.
func (o *Owner) Set(text string) error {
	owner, err := crypto.ParseFingerprint(text)
	*o = Owner{owner}
	return err
}

// parseBytes reads a number with a unit: K, M, G or T, alone or followed by B or iB, always powers
// of 1024. A number without a unit counts plain bytes.
func parseBytes(text string, plain int64) (int64, error) {
	digits := strings.TrimRight(text, "BKMGTibkmgt")
	unit := strings.ToUpper(text[len(digits):])
	factor, ok := map[string]int64{"": plain, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}[firstOf(unit)]
	if !ok || !validUnit(unit) {
		return 0, fmt.Errorf("%q has no known unit; try 512KiB, 20MiB or 2GiB", text)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q is not a number of bytes; try 512KiB, 20MiB or 2GiB", text)
	}
	return n * factor, nil
}

func firstOf(unit string) string {
	if unit == "" {
		return ""
	}
	return unit[:1]
}

func validUnit(unit string) bool {
	if len(unit) <= 1 {
		return true
	}
	return unit[0] != 'B' && (unit[1:] == "B" || unit[1:] == "IB")
}
