package flagvalue

import "testing"

func TestSizesAndRates(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "17": 17, "17B": 17, "2K": 2 << 10, "2kib": 2 << 10, "512MiB": 512 << 20, "3GB": 3 << 30, "1T": 1 << 40} {
		var s Size
		if err := s.Set(text); err != nil || int64(s) != want {
			t.Errorf("size %q is %d, %v, want %d", text, s, err, want)
		}
	}
	var r Rate
	if err := r.Set("5"); err != nil || r != 5<<10 {
		t.Errorf("rate 5 is %d, %v, want 5 KiB", r, err)
	}
	for _, text := range []string{"", "x", "-1", "1.5M", "M", "1BB", "1BiB", "1iB", "1MiBs", "99999999T", "9223372036854775808"} {
		var s Size
		if err := s.Set(text); err == nil {
			t.Errorf("size %q is taken as %d", text, s)
		}
	}
}

// FuzzValues sets flags to anything. What is taken is printed so that it is taken again.
func FuzzValues(f *testing.F) {
	for _, seed := range []string{"512MiB", "9223372036854775807", "8388608T", "1y6m", "unlimited", "3d", "65535d", "12h", "5%", "NaN%", "1e300%", "-1", "SHA256:x", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var size Size
		var rate Rate
		if size.Set(text) == nil && size < 0 || rate.Set(text) == nil && rate < 0 {
			t.Errorf("%q is %d bytes, %d a second", text, size, rate)
		}
		var count Count
		if count.Set(text) == nil && count < 1 && count.String() != text {
			t.Errorf("%q is %s", text, &count)
		}
		var period Period
		if period.Set(text) == nil && (period.Length < 0 || period.String() != text) {
			t.Errorf("%q is %s", text, period.Length)
		}
		var share Share
		if share.Set(text) == nil && !(share.Percent >= 0 && share.Percent <= 100) {
			t.Errorf("%q is %f", text, share.Percent)
		}
		var growth Growth
		if growth.Set(text) == nil && !(growth.Percent >= 0 && growth.Percent <= mostGrowth) {
			t.Errorf("%q is %f", text, growth.Percent)
		}
		var span, again Span
		if span.Set(text) == nil && (again.Set(span.String()) != nil || again != span) {
			t.Errorf("%q is %s, and then %s", text, &span, &again)
		}
		var owner, same Owner
		if owner.Set(text) == nil && (same.Set(owner.String()) != nil || same[0] != owner[0]) {
			t.Errorf("%q is %s, and then %s", text, &owner, &same)
		}
	})
}
