package page

import (
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// storage is what the backups take.
type storage struct {
	Packs      uint64      `json:"packs"`
	Bytes      uint64      `json:"bytes"`
	Known      bool        `json:"known"`  // Packs and Bytes are
	Growth     int64       `json:"growth"` // bytes a day
	Readable   bool        `json:"readable"`
	Restorable uint64      `json:"restorable"` // the bytes of the newest snapshot of each set and host
	Sets       []share     `json:"sets,omitempty"`
	Going      int         `json:"going"`     // snapshots that retention will forget
	Measuring  bool        `json:"measuring"` // it is being measured what sets take
	Took       length      `json:"measuring_seconds"`
	Measured   bool        `json:"measured"`
	MeasuredAt time.Time   `json:"measured_at,omitzero"`
	Frees      uint64      `json:"frees"`  // stored bytes that nothing needs once they are forgotten
	Failed     output.Name `json:"failed"` // why it could not be measured
}

// share is what a set of a host takes.
type share struct {
	Set       output.Name `json:"set"`
	Host      output.Name `json:"host"`
	Snapshots int         `json:"snapshots"`
	Newest    uint64      `json:"newest"` // bytes of the newest snapshot
	Measured  bool        `json:"measured"`
	Added     uint64      `json:"added"` // stored bytes that no set before it needs
	Alone     uint64      `json:"alone"` // stored bytes that no other set needs
}

// Label names the set.
func (s share) Label() string { return setLabel(s.Set) + " on " + s.Host.String() }

func (v *visit) storage() (any, error) {
	k, err := v.known()
	if err != nil {
		return nil, err
	}
	s := &storage{Packs: k.status.Packs, Bytes: k.status.Bytes, Known: k.status.Packs > 0, Readable: k.repo.CanRead()}
	for _, f := range v.Facts().Repositories {
		s.Growth += f.Growth
	}
	for _, c := range v.choices(k, "/storage") {
		of := k.of(string(c.Set), string(c.Host))
		_, newest := browse.Sizes(of[len(of)-1:])
		s.Restorable += newest
		s.Sets = append(s.Sets, share{Set: c.Set, Host: c.Host, Snapshots: len(of), Newest: newest})
	}
	_, going := k.parted()
	s.Going = len(going)
	s.add(v.shelf().measured.state(), v.now)
	return s, nil
}

// add adds what was measured.
func (s *storage) add(m weights, now time.Time) {
	if s.Measuring = !m.begun.IsZero(); s.Measuring {
		s.Took = length(now.Sub(m.begun))
	}
	if m.err != nil {
		s.Failed = output.Name(m.err.Error())
	}
	if s.Measured = m.shares != nil; !s.Measured {
		return
	}
	s.MeasuredAt, s.Frees = m.at, m.frees
	for i := range s.Sets {
		one := &s.Sets[i]
		got, ok := m.shares[series{string(one.Set), string(one.Host)}]
		one.Measured, one.Added, one.Alone = ok, got.Added, got.Alone
	}
}

// startMeasure has it measured what sets take, in the order in which they are shown.
func (v *visit) startMeasure() (done, error) {
	k, err := v.readable()
	if err != nil {
		return done{}, err
	}
	var order []series
	for _, c := range v.choices(k, "/storage") {
		order = append(order, series{string(c.Set), string(c.Host)})
	}
	v.shelf().measured.start(v.Page, k, order)
	return done{"measures what each set stores", v.link("/storage")}, nil
}

// parted are the snapshots that stay, and those that retention will forget.
func (k *known) parted() (staying, going []*catalog.Snapshot) {
	for _, s := range k.snapshots {
		if verdict, ok := k.verdicts[s.ID.String()]; ok && !verdict.Kept() {
			going = append(going, s)
		} else {
			staying = append(staying, s)
		}
	}
	return staying, going
}
