package retention

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog/entry"
)

// Span is a period of the calendar, such as 1y6m7d12h.
type Span struct{ Years, Months, Days, Hours int }

// spanUnits are the units, in the order in which they are written.
const spanUnits = "ymdh"

// largestSpan is the largest number in a span: no calendar goes back further.
const largestSpan = 100_000

// ParseSpan parses a span: numbers, each followed by a unit y, m, d, w or h.
func ParseSpan(text string) (s Span, err error) {
	rest := text
	for rest != "" {
		end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if end < 1 {
			return Span{}, badSpan(text)
		}
		n, err := strconv.Atoi(rest[:end])
		if err != nil || n > largestSpan || !s.add(rest[end], n) || max(s.Years, s.Months, s.Days, s.Hours) > largestSpan {
			return Span{}, badSpan(text)
		}
		rest = rest[end+1:]
	}
	if s == (Span{}) {
		return s, badSpan(text)
	}
	return s, nil
}

// add adds n units, and reports whether the unit is known.
func (s *Span) add(unit byte, n int) bool {
	switch unit {
	case 'y':
		s.Years += n
	case 'm':
		s.Months += n
	case 'w':
		s.Days += 7 * n
	case 'd':
		s.Days += n
	case 'h':
		s.Hours += n
	default:
		return false
	}
	return true
}

func badSpan(text string) error {
	return fmt.Errorf("%q is no stretch of time: want numbers with y, m, w, d or h, such as 1y6m or 14d", text)
}

// String returns the span in the form that ParseSpan reads.
func (s Span) String() string {
	var b strings.Builder
	for i, n := range []int{s.Years, s.Months, s.Days, s.Hours} {
		if n != 0 {
			fmt.Fprintf(&b, "%d%c", n, spanUnits[i])
		}
	}
	return b.String()
}

// before returns the moment that is the span before t.
func (s Span) before(t time.Time) time.Time {
	return t.AddDate(-s.Years, -s.Months, -s.Days).Add(-time.Duration(s.Hours) * time.Hour)
}

// Period formats a duration for people: in days or hours if it is a multiple of these.
func Period(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return entry.Plural(int64(d/(24*time.Hour)), "day")
	case d%time.Hour == 0:
		return entry.Plural(int64(d/time.Hour), "hour")
	}
	return d.String()
}
