package flagvalue

import (
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/retention"
)

func TestPeriods(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "12h": 12 * time.Hour, "3d": 72 * time.Hour, "90m": 90 * time.Minute} {
		var p Period
		if err := p.Set(text); err != nil || p.Length != want || !p.Given || p.String() != text {
			t.Errorf("%q is %+v, %v, want %v", text, p, err, want)
		}
	}
	for _, text := range []string{"", "d", "-1d", "-1h", "1y", "99999999d", "soon"} {
		var p Period
		if err := p.Set(text); err == nil {
			t.Errorf("%q is taken as %v", text, p.Length)
		}
	}
}

func TestShares(t *testing.T) {
	for text, want := range map[string]float64{"0%": 0, "5%": 5, "0.5%": 0.5, "100%": 100} {
		var s Share
		if err := s.Set(text); err != nil || s.Percent != want || !s.Given || s.String() != text {
			t.Errorf("%q is %+v, %v, want %v", text, s, err, want)
		}
	}
	for _, text := range []string{"", "5", "%", "-1%", "101%", "NaN%", "x%"} {
		var s Share
		if err := s.Set(text); err == nil {
			t.Errorf("%q is taken as %v", text, s.Percent)
		}
	}
}

func TestGrowthMayBeMoreThanTheWhole(t *testing.T) {
	for text, want := range map[string]float64{"0%": 0, "50%": 50, "200%": 200, "1000%": 1000, "12.5%": 12.5} {
		var g Growth
		if err := g.Set(text); err != nil || g.Percent != want || !g.Given || g.String() != text {
			t.Errorf("%q is %+v, %v, want %v", text, g, err, want)
		}
	}
	for _, text := range []string{"", "5", "%", "-1%", "NaN%", "Inf%", "1e99%", "x%", "2"} {
		var g Growth
		if err := g.Set(text); err == nil {
			t.Errorf("%q is taken as %v", text, g.Percent)
		}
	}
}

func TestCounts(t *testing.T) {
	for text, want := range map[string]int{"1": 1, "14": 14, "unlimited": retention.All} {
		var c Count
		if err := c.Set(text); err != nil || int(c) != want || c.String() != text {
			t.Errorf("%q is %d, %v, want %d", text, c, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "all"} {
		var c Count
		if err := c.Set(text); err == nil {
			t.Errorf("%q is taken as %d", text, c)
		}
	}
}
