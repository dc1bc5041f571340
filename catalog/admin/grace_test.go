package admin_test

import (
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/admin"
)

func TestAShorterGraceThanTheSignedOneIsAskedAbout(t *testing.T) {
	repo, _ := estate(t)
	signed, err := repo.Config.GracePeriod()
	if err != nil {
		t.Fatal(err)
	}
	longer, shorter := signed+time.Hour, signed-time.Hour
	for _, test := range []struct {
		chosen *time.Duration
		want   time.Duration
		sooner bool
	}{{nil, signed, false}, {&signed, signed, false}, {&longer, longer, false}, {&shorter, shorter, true}} {
		grace, sooner, err := admin.Grace(repo, test.chosen, "")
		if grace != test.want || sooner != test.sooner || err != nil {
			t.Errorf("%v: got %v, %v, %v; want %v, %v", test.chosen, grace, sooner, err, test.want, test.sooner)
		}
	}
}
