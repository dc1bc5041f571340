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
