package sqlengine

import (
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
)

func TestCanonicalDecimalSpellsEveryNumberPlainly(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{".5", "0.5"}, {"-.5", "-0.5"}, {"007", "7"}, {"+1.50", "1.50"}, {"-0", "0"}, {"-0.00", "0.00"}, {"0", "0"},
		{"1E+3", "1000"}, {"1.25E+1", "12.5"}, {"1.5E-3", "0.0015"}, {"-12E-1", "-1.2"}, {"100E-2", "1"},
		{"12345678901234567890123456789012345678.1234567890", "12345678901234567890123456789012345678.1234567890"}, {" 42 ", "42"},
	} {
		got, err := CanonicalDecimal(c.in)
		if err != nil || got != c.want {
			t.Errorf("CanonicalDecimal(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "-", ".", "NaN", "~", "1E999999999", "1E", "1,5", "0x10", "1.2.3", "--1"} {
		if got, err := CanonicalDecimal(bad); err == nil {
			t.Errorf("CanonicalDecimal(%q) = %q, want an error", bad, got)
		}
	}
}

func TestDigitsKeepsWhatFitsAndRefusesTheRest(t *testing.T) {
	for _, c := range []struct {
		in           string
		total, scale int
		want         string
		lossy, fails bool
	}{
		{"1.5", 10, 2, "1.50", false, false},
		{"1.500", 10, 2, "1.50", false, false},
		{"1.505", 10, 2, "", false, true},
		{"12345678.90", 10, 2, "12345678.90", false, false},
		{"123456789.00", 10, 2, "", false, true},
		{"-0.5", 1, 1, "-0.5", false, false},
		{"0.10000", 38, -1, "0.1", true, false},
		{"1000", 38, -1, "1000", false, false},
		{strings.Repeat("9", 38), 38, -1, strings.Repeat("9", 38), false, false},
		{strings.Repeat("9", 39), 38, -1, "", false, true},
		{"1" + strings.Repeat("0", 60), 38, -1, "1" + strings.Repeat("0", 60), false, false},
		{"NaN", 38, -1, "", false, true},
	} {
		out, lossy, err := Digits(c.total, c.scale).Cell(textCell(c.in))
		if c.fails != (err != nil) || !c.fails && (string(out.Bytes) != c.want || lossy != c.lossy) {
			t.Errorf("Digits(%d,%d) of %s = %q, %v, %v, want %q, %v, error %v", c.total, c.scale, c.in, out.Bytes, lossy, err, c.want, c.lossy, c.fails)
		}
	}
}

func TestCutFractionKeepsWhatFollows(t *testing.T) {
	for _, c := range []struct {
		in, want string
		lossy    bool
	}{
		{"2026-01-02 03:04:05.123456789+02:00", "2026-01-02 03:04:05.1234567+02:00", true},
		{"2026-01-02 03:04:05.1+02:00", "2026-01-02 03:04:05.1+02:00", false},
		{"0044-03-15 00:00:00.00000001 BC", "0044-03-15 00:00:00 BC", true},
		{"03:04:05", "03:04:05", false},
	} {
		out, lossy, err := CutFraction(7).Cell(textCell(c.in))
		if err != nil || string(out.Bytes) != c.want || lossy != c.lossy {
			t.Errorf("CutFraction(7) of %s = %q, %v, %v, want %q, %v", c.in, out.Bytes, lossy, err, c.want, c.lossy)
		}
	}
}

func FuzzCanonicalDecimal(f *testing.F) {
	for _, seed := range []string{"1.5E-300", "-.0", "E", "9e400", "00.00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		out, err := CanonicalDecimal(text)
		if err != nil {
			return
		}
		if again, err := CanonicalDecimal(out); err != nil || again != out {
			t.Errorf("%q became %q, which becomes %q, %v", text, out, again, err)
		}
	})
}

func TestAReadingThatFailsNamesItsColumn(t *testing.T) {
	b := database.NewBatch()
	defer b.Release()
	if err := Int(b, "12x"); err == nil {
		t.Error("12x was read as an integer")
	}
	if err := Decimal(b, true, false, 0); err == nil {
		t.Error("true was read as a number")
	}
	if err := Verbatim(b, 3.5); err == nil {
		t.Error("a float was read as text")
	}
}
