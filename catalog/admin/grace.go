package admin

import (
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/retention"
)

// Grace returns how long what was forgotten stays: what the owner has signed or, unless nil, chosen,
// which somebody has typed as said. sooner reports that what could still be brought back would be
// deleted, about which a person is to be asked. A shorter time than the signed one fails with
// catalog.ErrRefused if a collector's key is used.
func Grace(repo *catalog.Repository, chosen *time.Duration, said string) (grace time.Duration, sooner bool, err error) {
	signed, err := repo.Config.GracePeriod()
	if err != nil || chosen == nil {
		return signed, false, err
	}
	if *chosen < signed && repo.Collector() != nil {
		return 0, false, catalog.Refuse("--grace %s is below the owner's grace period of %s, which binds collectors", said, retention.Period(signed))
	}
	return *chosen, *chosen < signed, nil
}
