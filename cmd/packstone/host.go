package main

import (
	"fmt"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
)

// pick finds the snapshot that a name means, and warns of what a person should know of it before
// using it.
func (a *app) pick(all []*catalog.Snapshot, name string, f catalog.Filter) (*catalog.Snapshot, error) {
	s, err := catalog.Select(all, name, f)
	if err != nil {
		return nil, err
	}
	id := s.ShortID()
	switch {
	case s.Standing == catalog.Outside:
		a.out.Warn(output.Warning{Message: fmt.Sprintf("snapshot %s says that it is of host %s, and writer %s, who has made it, may not speak for that host: "+
			"do not trust what is in it", id, output.Name(s.Host), s.Writer)})
	case s.Undated:
		a.out.Warn(output.Warning{Message: fmt.Sprintf("snapshot %s says that it is of %s, and the storage has it since %s: it was dated back, or copied",
			id, output.Time(s.Claimed), output.Time(s.Date))})
	}
	if f.Prefer != "" {
		a.tellHost(s, f.Prefer)
	}
	return s, nil
}

// tellHost says which host a snapshot is of, where a person has not said which one is meant.
func (a *app) tellHost(s *catalog.Snapshot, preferred string) {
	if s.Host == preferred {
		a.out.Note("snapshot %s of this host, %s, of %s", s.ShortID(), output.Name(s.Host), output.Time(s.Time))
		return
	}
	a.out.Warn(output.Warning{Message: fmt.Sprintf("snapshot %s is of host %s, not of this one, which is %s", s.ShortID(), output.Name(s.Host), output.Name(preferred))})
}

// trusted leaves out the snapshots that their writers have made for hosts that they may not speak
// for, and says so.
func (a *app) trusted(all []*catalog.Snapshot) []*catalog.Snapshot {
	trusted := catalog.Trusted(all)
	if n := len(all) - len(trusted); n > 0 {
		a.out.Warn(output.Warning{Message: fmt.Sprintf("%d snapshots are left out: their writers may not speak for the host that they name, or are not bound to it "+
			"as another is; packstone snapshots marks them, and their ids name them", n)})
	}
	return trusted
}
