package admin

import (
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
)

// NextName returns the name for the key of a host that is admitted now; see FreeName. It refuses
// another key for a host whose key was made anew already and is in force, unless that is the one to
// be replaced.
func NextName(repo *catalog.Repository, name, replaced string) (string, error) {
	free := FreeName(repo, name, replaced)
	if free == name {
		return name, nil
	}
	for _, m := range repo.Config.Writers {
		if m.Revoked == nil && NameOf(m) != replaced && strings.HasPrefix(NameOf(m), name+"-") && slices.Equal(m.Hosts, HostsOf(name)) {
			return "", catalog.Refuse("%s is admitted already, with the key of writer %s; revoke that first, or give the host its key file", name, NameOf(m))
		}
	}
	return free, nil
}

// Protection is what the owner signs about how long snapshots are kept, and locked. A nil field
// stays as it is.
type Protection struct {
	Floor   *time.Duration // how long every snapshot is kept at least
	Grace   *time.Duration // how long what was forgotten can be brought back
	Horizon *time.Duration // how far ahead of now locks are extended
}

// shortestHorizon is how far ahead locks must reach: a keeper runs once a day.
const shortestHorizon = 24 * time.Hour

// Any reports whether anything is to be changed.
func (p Protection) Any() bool { return p.Floor != nil || p.Grace != nil || p.Horizon != nil }

// Edit makes a config say so; see catalog.Repository.Change. It fails with catalog.ErrMisuse if
// locks would end before the next run of a keeper.
func (p Protection) Edit(c *catalog.Config) error {
	if p.Horizon != nil && *p.Horizon < shortestHorizon {
		return catalog.Misuse("--horizon: locks of less than a day end before the next run of packstone keep: want 1d at least, such as 30d")
	}
	for _, one := range []struct {
		next *time.Duration
		of   *string
	}{{p.Floor, &c.Floor}, {p.Grace, &c.Grace}, {p.Horizon, &c.Horizon}} {
		if one.next != nil {
			*one.of = one.next.String()
		}
	}
	return nil
}
