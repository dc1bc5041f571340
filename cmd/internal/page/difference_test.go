package page

import (
	"strings"
	"testing"
)

func FuzzADifferenceLeadsFromOneTextToTheOther(f *testing.F) {
	f.Add("a\nb\nc", "a\nc\nd")
	f.Add("", "x")
	f.Add("1\n2\n3\n4\n5\n6\n7\n8\n9", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10")
	f.Fuzz(func(t *testing.T, before, after string) {
		a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
		found := difference(a, b)
		if before == after {
			if found != nil {
				t.Errorf("a text differs from itself: %v", found)
			}
			return
		}
		var was, is []string
		at := 0 // in b
		for _, l := range found {
			switch l.Kind {
			case "skip":
				was, is = append(was, b[at:at+l.N]...), append(is, b[at:at+l.N]...)
				at += l.N
			case "same":
				was, is = append(was, l.Text), append(is, l.Text)
				at++
			case "less":
				was = append(was, l.Text)
			case "more":
				is = append(is, l.Text)
				at++
			}
		}
		if got := strings.Join(was, "\n"); got != before {
			t.Errorf("it begins with %q, want %q", got, before)
		}
		if got := strings.Join(is, "\n"); got != after {
			t.Errorf("it leads to %q, want %q", got, after)
		}
	})
}
