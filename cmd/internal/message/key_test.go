package message

import (
	"testing"

	"github.com/packstone/packstone/catalog"
)

func TestAPolicyIsToldInDays(t *testing.T) {
	m, err := KeyPolicyOf(&catalog.Config{Floor: "720h0m0s", Grace: "168h0m0s", Horizon: "1080h0m0s"}, 4, true)
	if err != nil {
		t.Fatal(err)
	}
	want := "dry run: every snapshot is kept for 30 days at least; what was forgotten can be brought back for 7 days; locks reach 45 days ahead where packstone keep runs (configuration 4)"
	if got := m.Text(); got != want || m.Floor != "720h0m0s" {
		t.Errorf("got %q, and the floor is %s", got, m.Floor)
	}
	if _, err := KeyPolicyOf(&catalog.Config{Floor: "long"}, 1, false); err == nil {
		t.Error("a floor that is no time is no error")
	}
}

func TestAMemberIsToldInALine(t *testing.T) {
	for _, test := range []struct {
		m    Member
		want string
	}{
		{Member{Name: "db1", Unbound: true}, "db1 (unbound)"},
		{Member{Name: "db1", Hosts: []string{"db1", "db2"}, Group: "web", Roles: []string{"backdate"}, Here: true}, "db1 (of db1, db2) (group web) (backdate) (key at hand)"},
		{Member{Name: "db1", Revoked: true}, "db1 (revoked, nothing of it counts)"},
		{Member{Name: "db1", Revoked: true, Last: map[string]uint64{"db1.2": 4, "db1.1": 9}}, "db1 (revoked, counts up to db1.1/9 db1.2/4)"},
	} {
		if got := test.m.Text(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
