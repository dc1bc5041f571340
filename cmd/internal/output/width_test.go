package output

import "testing"

func TestTextsAreCutByTheColumnsThatTheyFill(t *testing.T) {
	for _, c := range []struct {
		text         string
		most         int
		end, between string
	}{
		{"short", 10, "short", "short"}, {"/srv/data/reports/2026.csv", 12, "/srv/data/r…", "/srv/…26.csv"}, {"日本語のファイル", 9, "日本語の…", "日本…イル"},
		{"日本語", 6, "日本語", "日本語"}, {"é\u0301x", 2, "é\u0301x", "é\u0301x"}, {"abc", 1, "…", "…"}, {"abc", 0, "", ""},
	} {
		if got := cut(c.text, c.most, "…"); got != c.end || columns(got) > c.most {
			t.Errorf("cut %q to %d: got %q, want %q", c.text, c.most, got, c.end)
		}
		if got := cutMiddle(c.text, c.most, "…"); got != c.between || columns(got) > c.most {
			t.Errorf("cut the middle of %q to %d: got %q, want %q", c.text, c.most, got, c.between)
		}
	}
	if got := cut("a long line", 8, "..."); got != "a lon..." {
		t.Errorf("got %q", got)
	}
}
