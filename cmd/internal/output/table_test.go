package output

import (
	"strings"
	"testing"
)

func TestTablesFitTheTerminal(t *testing.T) {
	table := Table{Head: []string{"ID", "SIZE", "WHAT"}, Right: []int{1}, Cut: []int{2},
		Rows: [][]string{{"4f2a81c0", "1.00 KiB", "/srv/files/reports/2026/november/summary.pdf"}}}
	for width, want := range map[int]string{
		0:  "ID            SIZE  WHAT\n4f2a81c0  1.00 KiB  /srv/files/reports/2026/november/summary.pdf\n",
		50: "ID            SIZE  WHAT\n4f2a81c0  1.00 KiB  /srv/files/rep…ber/summary.pdf\n",
		30: "ID            SIZE  WHAT\n4f2a81c0  1.00 KiB  /srv…y.pdf\n",
		20: "ID    4f2a81c0\nSIZE  1.00 KiB\nWHAT  /srv/files/reports/2026/november/summary.pdf\n",
	} {
		if got := table.Text(width, "…"); got != want {
			t.Errorf("%d columns:\n%s\nwant\n%s", width, got, want)
		}
	}
}

func TestTablesWrapProseBetweenWords(t *testing.T) {
	table := Table{Head: []string{"CHECK", "DETAIL"}, Wrap: true, Rows: [][]string{{"clock", "the storage's clock is 3 s ahead of this one"}}}
	want := "CHECK  DETAIL\nclock  the storage's clock is 3\n       s ahead of this one\n"
	if got := table.Text(32, "…"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for line := range strings.SplitSeq(table.Text(32, "…"), "\n") {
		if columns(line) > 32 {
			t.Errorf("%q is wider than 32 columns", line)
		}
	}
}

func TestProseFoldsBetweenWords(t *testing.T) {
	text := "made repository 7fe8 in /home/me/a\n  /home/me/a/path/that/is/listed\nA  B  columns that are laid out"
	want := "made repository 7fe8\nin /home/me/a\n  /home/me/a/path/that/is/listed\nA  B  columns that are laid out"
	if got := fold(text, 20); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := fold(text, 0); got != text {
		t.Errorf("without a width got\n%s", got)
	}
}
