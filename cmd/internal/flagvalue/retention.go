package flagvalue

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog/retention"
)

// Count is a number of snapshots as a flag: 3, or unlimited.
type Count int

// String implements pflag.Value.
func (c *Count) String() string {
	if *c == retention.All {
		return "unlimited"
	}
	return strconv.Itoa(int(*c))
}

// Type implements pflag.Value.
func (c *Count) Type() string { return "n" }

// Set implements pflag.Value.
func (c *Count) Set(text string) error {
	if text == "unlimited" {
		*c = retention.All
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is not a number of snapshots: want 1 or more, or unlimited", text)
	}
	*c = Count(n)
	return nil
}

// Span is a stretch of the calendar as a flag: 1y6m.
type Span retention.Span

// String implements pflag.Value.
func (s *Span) String() string { return retention.Span(*s).String() }

// Type implements pflag.Value.
func (s *Span) Type() string { return "time" }

// Set implements pflag.Value.
func (s *Span) Set(text string) error {
	span, err := retention.ParseSpan(text)
	*s = Span(span)
	return err
}

// Period is a length of time as a flag: 0, 12h or 3d. The zero value was not given.
type Period struct {
	Length time.Duration
	Given  bool
	text   string
}

// String implements pflag.Value. It is what was typed.
func (p *Period) String() string { return p.text }

// Type implements pflag.Value.
func (p *Period) Type() string { return "time" }

// Set implements pflag.Value.
func (p *Period) Set(text string) error {
	length, err := parsePeriod(text)
	*p = Period{length, true, text}
	return err
}

// Chosen returns the length, nil if the flag was not given.
func (p Period) Chosen() *time.Duration {
	if !p.Given {
		return nil
	}
	return &p.Length
}

func parsePeriod(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a time: want 0, or a time such as 12h or 3d", text)
	}
	return d, nil
}

// Growth is what is added to a whole as a flag, in per cent of it: 50% or 200%.
type Growth struct{ Share }

// Type implements pflag.Value.
func (g *Growth) Type() string { return "growth" }

// Set implements pflag.Value.
func (g *Growth) Set(text string) error {
	percent, ok := parsePercent(text)
	if !ok || percent > mostGrowth {
		return fmt.Errorf("%q is not a percentage: want a growth such as 50%% or 200%%", text)
	}
	g.Share = Share{percent, true, text}
	return nil
}

// mostGrowth is more than anybody means, in per cent.
const mostGrowth = 1e9

// Share is a part of a whole as a flag, in per cent: 5%. The zero value was not given.
type Share struct {
	Percent float64
	Given   bool
	text    string
}

// String implements pflag.Value. It is what was typed.
func (s *Share) String() string { return s.text }

// Type implements pflag.Value.
func (s *Share) Type() string { return "share" }

// Set implements pflag.Value.
func (s *Share) Set(text string) error {
	percent, ok := parsePercent(text)
	if !ok || percent > 100 {
		return fmt.Errorf("%q is not a percentage: want a share such as 5%%", text)
	}
	*s = Share{percent, true, text}
	return nil
}

// parsePercent reads a number of per cent, not less than 0.
func parsePercent(text string) (percent float64, ok bool) {
	number, ok := strings.CutSuffix(text, "%")
	percent, err := strconv.ParseFloat(number, 64)
	return percent, ok && err == nil && percent >= 0
}
