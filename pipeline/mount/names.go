package mount

import (
	"cmp"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
)

// noSet is the folder for backups of paths, which have no set.
const noSet = "-"

// snapshotName returns the name of a snapshot's folder. It sorts by time, contains the id for the
// command line, and has no colons, which rsync and scp take for the end of a host. If the writer
// may not speak for its host, the name says so.
func snapshotName(s *catalog.Snapshot) string {
	name := s.Time.Local().Format("2006-01-02T15-04-05") + "_" + s.ShortID()
	if s.Standing == catalog.Outside {
		name += "_outside"
	}
	return name
}

// inert replaces characters in the names of sets and hosts that no file name may contain.
var inert = strings.NewReplacer("/", "_", "\x00", "_")

// group is a set on a host.
type group struct{ set, host string }

// groups returns the groups of snapshots with their names: the set, followed by @ and the host if
// several hosts have the set.
func groups(snapshots []*catalog.Snapshot) (names map[group]string) {
	hosts := map[string]map[string]bool{}
	for _, s := range snapshots {
		if hosts[s.Set] == nil {
			hosts[s.Set] = map[string]bool{}
		}
		hosts[s.Set][s.Host] = true
	}
	names = map[group]string{}
	for set, of := range hosts {
		for host := range of {
			name := cmp.Or(set, noSet)
			if len(of) > 1 {
				name += "@" + host
			}
			names[group{set, host}] = inert.Replace(name)
		}
	}
	return names
}

// byTime returns the snapshots, oldest first.
func byTime(snapshots []*catalog.Snapshot) []*catalog.Snapshot {
	return slices.SortedStableFunc(slices.Values(snapshots), func(a, b *catalog.Snapshot) int { return a.Time.Compare(b.Time) })
}
