package admin_test

import (
	"errors"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
)

func TestProtectionChangesWhatItNames(t *testing.T) {
	day, week := 24*time.Hour, 7*24*time.Hour
	c := catalog.Config{Floor: "1h0m0s", Grace: "2h0m0s", Horizon: "72h0m0s"}
	if (admin.Protection{}).Any() || !(admin.Protection{Grace: &week}).Any() {
		t.Error("whether anything is to be changed is wrong")
	}
	if err := (admin.Protection{Grace: &week}).Edit(&c); err != nil || c.Floor != "1h0m0s" || c.Grace != "168h0m0s" || c.Horizon != "72h0m0s" {
		t.Errorf("got %q, %q, %q, %v", c.Floor, c.Grace, c.Horizon, err)
	}
	if err := (admin.Protection{Floor: &week, Horizon: &day}).Edit(&c); err != nil || c.Floor != "168h0m0s" || c.Horizon != "24h0m0s" {
		t.Errorf("got %q, %q, %v", c.Floor, c.Horizon, err)
	}
}

func TestLocksThatEndBeforeTheNextRunOfAKeeperAreRefused(t *testing.T) {
	short, floor := 24*time.Hour-time.Second, time.Hour
	c := catalog.Config{Floor: "5h0m0s"}
	if err := (admin.Protection{Floor: &floor, Horizon: &short}).Edit(&c); !errors.Is(err, catalog.ErrMisuse) || c.Floor != "5h0m0s" {
		t.Errorf("got %v, and the floor is %s", err, c.Floor)
	}
}

func TestAHostWhoseKeyWasMadeAnewGetsNoSecondOne(t *testing.T) {
	repo, owner := estate(t)
	if name, err := admin.NextName(repo, "db1", ""); name != "db1" || err != nil {
		t.Errorf("a host that is new is named %s, %v", name, err)
	}
	for _, name := range []string{"db1", "db1-2"} {
		if err := admin.Admit(t.Context(), repo, owner, catalog.Member{Key: signer(t, name).Verifier().Text(), Hosts: admin.HostsOf("db1")}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if name, err := admin.NextName(repo, "db1", "db1"); !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("beside db1-2 it is named %s, %v", name, err)
	}
	if name, err := admin.NextName(repo, "db1", "db1-2"); name != "db1" || err != nil {
		t.Errorf("in the place of db1-2 it is named %s, %v", name, err)
	}
}
