package mount

import (
	"cmp"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
)

// noSet stands for the set of what was backed up by path.
const noSet = "-"

// snapshotName is the name of a snapshot's folder: sorted by time, with the id for the command
// line, and without colons, which rsync and scp take for the end of a host. One whose writer may
// not speak for its host says so.
func snapshotName(s *catalog.Snapshot) string {
	name := s.Time.Local().Format("2006-01-02T15-04-05") + "_" + s.ShortID()
	if s.Standing == catalog.Outside {
		name += "_outside"
	}
	return name
}

// inert takes out of what a writer calls its set and host what no name in a directory may have.
var inert = strings.NewReplacer("/", "_", "\x00", "_")

// group is a set of a host.
type group struct{ set, host string }

// groups are the groups of snapshots with their names: the set, and @ and the host where several
// hosts have the set.
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

// byTime are the snapshots, oldest first.
func byTime(snapshots []*catalog.Snapshot) []*catalog.Snapshot {
	return slices.SortedStableFunc(slices.Values(snapshots), func(a, b *catalog.Snapshot) int { return a.Time.Compare(b.Time) })
}
