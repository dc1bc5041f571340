package page

import (
	"context"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// storage is what the backups take.
type storage struct {
	Packs      uint64  `json:"packs"`
	Bytes      uint64  `json:"bytes"`
	Known      bool    `json:"known"`  // Packs and Bytes are
	Growth     int64   `json:"growth"` // bytes a day
	Readable   bool    `json:"readable"`
	Restorable uint64  `json:"restorable"` // the bytes of the newest snapshot of each set and host
	Sets       []share `json:"sets,omitempty"`
	Going      int     `json:"going"` // snapshots that retention will forget
	Measured   bool    `json:"measured"`
	Slow       bool    `json:"slow"`
	Frees      uint64  `json:"frees"` // stored bytes that nothing needs once they are forgotten
	MeasureURL string  `json:"-"`
}

// share is what a set of a host takes.
type share struct {
	Set       output.Name `json:"set"`
	Host      output.Name `json:"host"`
	Snapshots int         `json:"snapshots"`
	Newest    uint64      `json:"newest"` // bytes of the newest snapshot
	Added     uint64      `json:"added"`  // stored bytes that no set before it needs
	Alone     uint64      `json:"alone"`  // stored bytes that no other set needs
}

// Label names the set.
func (s share) Label() string { return setLabel(s.Set) + " on " + s.Host.String() }

// measureTime bounds how long it is measured what each set takes.
const measureTime = 30 * time.Second

func (v *visit) storage() (any, error) {
	k, err := v.known()
	if err != nil {
		return nil, err
	}
	s := &storage{Packs: k.status.Packs, Bytes: k.status.Bytes, Known: k.status.Packs > 0, Readable: k.repo.CanRead(), MeasureURL: v.link("/storage", "measure", "yes")}
	for _, f := range v.Facts().Repositories {
		s.Growth += f.Growth
	}
	var groups [][]*catalog.Snapshot
	for _, c := range v.choices(k, "/storage") {
		of := k.of(string(c.Set), string(c.Host))
		_, newest := browse.Sizes(of[len(of)-1:])
		s.Restorable += newest
		s.Sets = append(s.Sets, share{Set: c.Set, Host: c.Host, Snapshots: len(of), Newest: newest})
		groups = append(groups, of)
	}
	var going, staying []*catalog.Snapshot
	for _, snapshot := range k.snapshots {
		if verdict, ok := k.verdicts[snapshot.ID.String()]; ok && !verdict.Kept() {
			going = append(going, snapshot)
		} else {
			staying = append(staying, snapshot)
		}
	}
	s.Going = len(going)
	if v.r.FormValue("measure") == "" || !s.Readable {
		return s, nil
	}
	return s, s.measure(v, k, groups, [][]*catalog.Snapshot{staying, going})
}

// measure finds out what sets take, and what forgetting would free.
func (s *storage) measure(v *visit, k *known, sets, parts [][]*catalog.Snapshot) error {
	ctx, cancel := context.WithTimeout(v.r.Context(), measureTime)
	defer cancel()
	shares, _, err := browse.WeighBy(ctx, k.repo, sets, parts)
	if ctx.Err() != nil && v.r.Context().Err() == nil {
		s.Slow = true
		return nil
	}
	if err != nil {
		return err
	}
	for i, share := range shares[0] {
		s.Sets[i].Added, s.Sets[i].Alone = share.Added, share.Alone
	}
	s.Measured, s.Frees = true, shares[1][1].Alone
	return nil
}
