package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// Drill is the kind of the records that say how a drill went: a snapshot was restored to scratch
// places, and compared. They need nothing, and are a writer's own.
const Drill Kind = "drill"

// DrillReport is what a drill has found. Its names come from snapshots and settings: who shows it
// escapes them.
type DrillReport struct {
	Set          string    `json:"set"`
	Host         string    `json:"host"`          // whose snapshot it was
	By           string    `json:"by"`            // the host that has drilled
	Snapshot     string    `json:"snapshot"`      // its id
	SnapshotTime time.Time `json:"snapshot_time"` // when it was taken
	Any          bool      `json:"any,omitempty"` // it was chosen by chance

	Began    time.Time `json:"began"`
	Seconds  float64   `json:"seconds"` // from the beginning to the end, all included
	RPO      float64   `json:"rpo"`     // seconds: how old the oldest source was when the drill began
	RTO      float64   `json:"rto"`     // seconds until all was restored, compared and asserted
	Passed   bool      `json:"passed"`
	Failures []string  `json:"failures,omitempty"` // why it has not passed
	Remarks  []string  `json:"remarks,omitempty"`  // what is no failure, and worth knowing

	Steps      []DrillStep      `json:"steps"`
	Sources    []DrillSource    `json:"sources"`
	Assertions []DrillAssertion `json:"assertions,omitempty"`
	Controls   []DrillControl   `json:"controls,omitempty"`

	ID       archive.Name `json:"-"` // SHA-256 of the record
	Record   string       `json:"-"` // the object
	Writer   string       `json:"-"` // who has signed it
	Date     time.Time    `json:"-"` // when it was told, by the store
	Software string       `json:"-"`
}

// DrillStep is a part of a drill, and how long it took.
type DrillStep struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	Bytes   uint64  `json:"bytes,omitempty"` // that it moved
	RTO     bool    `json:"rto,omitempty"`   // it counts among what a restore takes
	Failed  bool    `json:"failed,omitempty"`
}

// DrillSource is a source that was restored and compared.
type DrillSource struct {
	Name        string    `json:"name"`
	Type        string    `json:"type"`
	Moment      time.Time `json:"moment"`
	Place       string    `json:"place"` // what it was restored to: directory, sqlite, postgres, …
	Entries     uint64    `json:"entries,omitempty"`
	Tables      uint64    `json:"tables,omitempty"`
	Rows        uint64    `json:"rows,omitempty"`
	Bytes       uint64    `json:"bytes"`                 // that were compared
	Differs     uint64    `json:"differs,omitempty"`     // how many differences there were
	Differences []string  `json:"differences,omitempty"` // the first of them
}

// DrillAssertion is what an operator wants to be so of what was restored.
type DrillAssertion struct {
	Source  string   `json:"source,omitempty"`
	SQL     string   `json:"sql,omitempty"`
	Want    string   `json:"want,omitempty"`
	Got     string   `json:"got,omitempty"`
	Command []string `json:"command,omitempty"`
	Error   string   `json:"error,omitempty"`
	Holds   bool     `json:"holds"`
	Seconds float64  `json:"seconds"`
}

// DrillControl is damage that the drill has done to a scratch place, to see that it is noticed.
type DrillControl struct {
	Kind    string `json:"kind"` // row, file or permission
	Source  string `json:"source,omitempty"`
	Item    string `json:"item,omitempty"` // what was damaged
	Noticed bool   `json:"noticed"`
	Said    string `json:"said,omitempty"`    // how it was noticed, or why not
	Skipped bool   `json:"skipped,omitempty"` // there is nothing of the kind in the snapshot
}

// Bounds of what is told of a report: a writer may have written anything.
const (
	maxDrillList = 1000
	maxDrillText = 4 << 10
)

// bound cuts what is too long.
func (d *DrillReport) bound() {
	d.Failures, d.Remarks = boundTexts(d.Failures), boundTexts(d.Remarks)
	d.Steps, d.Sources = boundList(d.Steps), boundList(d.Sources)
	d.Assertions, d.Controls = boundList(d.Assertions), boundList(d.Controls)
	boundText(&d.Set, &d.Host, &d.By, &d.Snapshot)
	for i := range d.Steps {
		boundText(&d.Steps[i].Name)
	}
	for i := range d.Sources {
		s := &d.Sources[i]
		s.Differences = boundTexts(s.Differences)
		boundText(&s.Name, &s.Type, &s.Place)
	}
	for i := range d.Assertions {
		a := &d.Assertions[i]
		a.Command = boundTexts(a.Command)
		boundText(&a.Source, &a.SQL, &a.Want, &a.Got, &a.Error)
	}
	for i := range d.Controls {
		c := &d.Controls[i]
		boundText(&c.Kind, &c.Source, &c.Item, &c.Said)
	}
}

func boundList[T any](list []T) []T { return list[:min(len(list), maxDrillList)] }

func boundTexts(list []string) []string {
	list = boundList(list)
	for i := range list {
		boundText(&list[i])
	}
	return list
}

func boundText(texts ...*string) {
	for _, text := range texts {
		*text = strings.ToValidUTF8((*text)[:min(len(*text), maxDrillText)], "")
	}
}

// group names the reports of one set of one host.
func (d *DrillReport) group(key *crypto.IDKey) string {
	return mark(key, []string{"drill", d.Set, d.Host})
}

// ReportDrill signs a report into the repository, in a session of its own, and gives it its ID.
// ErrOutside if the writer may not speak for the host that has drilled.
func (r *Repository) ReportDrill(ctx context.Context, d *DrillReport) error {
	if err := r.MaySpeakFor(d.By); err != nil {
		return err
	}
	d.bound()
	if err := Again(func() error { return r.tryReportDrill(ctx, d) }); err != nil {
		return fmt.Errorf("write down how the drill went: %w", err)
	}
	return nil
}

func (r *Repository) tryReportDrill(ctx context.Context, d *DrillReport) error {
	rec, err := r.putReport(ctx, clear{Kind: Drill, Complete: d.Passed}, d.group, d)
	if err == nil {
		d.ID, d.Record, d.Writer = rec.Hash, rec.Name(), rec.Lane.Writer
	}
	return err
}

// ReadDrills opens the reports that count, the newest first: of writers that are not revoked, and
// of hosts for which they may speak. What cannot be read is returned beside them. It needs an
// identity.
func (r *Repository) ReadDrills(ctx context.Context, log *Log) (reports []*DrillReport, problems []error, err error) {
	for _, rec := range log.Records {
		if rec.Kind != Drill || rec.ofOwner || !r.isWriter(rec.Lane.Writer) {
			continue
		}
		d, err := r.readDrill(ctx, rec)
		if away := store.Unavailable(ctx, err); away != nil {
			return nil, nil, away
		}
		switch {
		case err != nil:
			problems = append(problems, err)
		case r.standing(rec, d.By) != Outside:
			reports = append(reports, d)
		}
	}
	slices.SortFunc(reports, func(a, b *DrillReport) int {
		return cmp.Or(b.Began.Compare(a.Began), strings.Compare(a.Record, b.Record))
	})
	return reports, problems, nil
}

func (r *Repository) readDrill(ctx context.Context, rec *Record) (*DrillReport, error) {
	d := &DrillReport{}
	if err := r.openSealed(ctx, rec, d); err != nil {
		return nil, err
	}
	d.bound()
	d.ID, d.Record, d.Writer, d.Date, d.Software = rec.Hash, rec.Name(), rec.Lane.Writer, rec.Date, rec.Software
	if d.Began.After(d.Date) && !rec.Undated {
		d.Began = d.Date // whatever a writer claims, it is not of later
	}
	return d, nil
}

// keptDrills is how many reports of a writer, set and host a roll-up leaves in force. Those before
// them stay in its history.
const keptDrills = 36

// lastingDrills are the reports that stay in force.
func (l *Log) lastingDrills() map[*Record]bool {
	of, lasting := map[series][]*Record{}, map[*Record]bool{}
	for _, rec := range l.Records {
		if rec.Kind == Drill {
			of[series{rec.Lane.Writer, rec.Group}] = append(of[series{rec.Lane.Writer, rec.Group}], rec)
		}
	}
	for _, all := range of {
		slices.SortFunc(all, func(a, b *Record) int { return cmp.Or(b.Date.Compare(a.Date), strings.Compare(b.Name(), a.Name())) })
		for _, rec := range all[:min(len(all), keptDrills)] {
			lasting[rec] = true
		}
	}
	return lasting
}
