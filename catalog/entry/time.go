package entry

import (
	"cmp"
	"time"
)

// Time is a moment of any year, in nanoseconds. Moments can be compared with ==. The zero value is
// the first moment of 1970 UTC.
type Time struct {
	Seconds int64  // since 1970 UTC, rounded down
	Nanos   uint32 // beyond, below 1e9
}

// TimeOf returns the moment of t.
func TimeOf(t time.Time) Time { return Time{t.Unix(), uint32(t.Nanosecond())} }

// NanoTime returns the moment ns nanoseconds after the start of 1970 UTC.
func NanoTime(ns int64) Time {
	t := Time{ns / 1e9, 0}
	rest := ns % 1e9
	if rest < 0 {
		t.Seconds--
		rest += 1e9
	}
	t.Nanos = uint32(rest)
	return t
}

// Time returns t in UTC.
func (t Time) Time() time.Time { return time.Unix(t.Seconds, int64(t.Nanos)).UTC() }

// IsZero reports whether t is the first moment of 1970.
func (t Time) IsZero() bool { return t == Time{} }

// Compare returns -1, 0 or 1 if t is before, at or after o.
func (t Time) Compare(o Time) int {
	return cmp.Or(cmp.Compare(t.Seconds, o.Seconds), cmp.Compare(t.Nanos, o.Nanos))
}

// Truncate rounds t down to a multiple of d. d must divide a second, or be whole seconds.
func (t Time) Truncate(d time.Duration) Time {
	if whole := int64(d / time.Second); whole > 0 {
		rest := t.Seconds % whole
		if rest < 0 {
			rest += whole
		}
		return Time{t.Seconds - rest, 0}
	}
	if d > 0 {
		t.Nanos -= t.Nanos % uint32(d)
	}
	return t
}

// Nanoseconds returns t as nanoseconds since 1970 UTC, and false if 64 bits cannot hold them.
func (t Time) Nanoseconds() (int64, bool) {
	ns := t.Seconds*1e9 + int64(t.Nanos)
	return ns, NanoTime(ns) == t
}
