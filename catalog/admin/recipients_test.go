package admin_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/catalog/admin"
)

func TestARecipientIsNamedByAPartOfIt(t *testing.T) {
	long := func(middle string) string { return "age1pq1" + middle + strings.Repeat("q", 60) + middle }
	one, two, near := long("abcdefgh"), long("bcdefghi"), long("abcdefgx")
	now := []string{one, two, near}
	for _, test := range []struct {
		name string
		want []string
	}{
		{one, []string{one}},
		{admin.ShortRecipient(two), []string{two}},
		{two[:12], []string{two}},
		{"age1pq1abcdefgh", []string{one}},
		{"age1pq1abcdefg…abcdefgx", []string{near}},
		{"age1pq1abcdefg", nil}, // two begin so
		{two[:11], nil},         // too short
		{"age1pq1cdefghij", nil},
		{"…bcdefghi", nil},
		{"", nil},
	} {
		got, err := admin.RecipientsNamed(now, []string{test.name})
		if !slices.Equal(got, test.want) || (err == nil) != (test.want != nil) {
			t.Errorf("%q names %q, %v; want %q", test.name, got, err, test.want)
		}
	}
}
