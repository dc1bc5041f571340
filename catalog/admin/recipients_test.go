package admin_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/catalog"
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

func TestASecretKeyThatIsNamedIsNotRepeated(t *testing.T) {
	for _, secret := range []string{"AGE-SECRET-KEY-PQ-1ABCDEFGHIJKLMNOPQRSTUVWXYZ", " age-secret-key-1abcdefghijklmnopqrstuvwxyz"} {
		_, err := admin.RecipientsNamed([]string{"age1abcdefghijklmnop"}, []string{secret})
		if !errors.Is(err, catalog.ErrMisuse) || strings.Contains(strings.ToUpper(err.Error()), "ABC") || strings.Contains(strings.ToUpper(err.Error()), "XYZ") {
			t.Errorf("got %v, want that it is a secret, and nothing of it", err)
		}
	}
}
