package message

import (
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/platform"
)

// PlatformPlan is what the restore of a platform prints, as JSON, before it asks.
type PlatformPlan struct {
	SnapshotID string     `json:"snapshot_id" doc:"The snapshot that comes back."`
	Set        string     `json:"set" doc:"The set."`
	Time       time.Time  `json:"time" doc:"When the snapshot was taken."`
	Skew       float64    `json:"skew" doc:"Seconds between the first moment of a source and the last."`
	Safety     bool       `json:"safety" doc:"Whether what is overwritten is saved as a snapshot first."`
	Report     string     `json:"report" doc:"The file of the report."`
	Steps      []PlanStep `json:"steps" doc:"What is done with each source."`
}

// PlanStep is what is done with a source.
type PlanStep struct {
	Source   string      `json:"source" doc:"The source."`
	Where    output.Name `json:"where" doc:"Where it comes back to."`
	Was      output.Name `json:"was,omitempty" doc:"Where it was when it was backed up, if that was elsewhere."`
	Moment   time.Time   `json:"moment" doc:"The moment of which it is."`
	Files    uint64      `json:"files,omitempty" doc:"Files in the snapshot."`
	Rows     uint64      `json:"rows,omitempty" doc:"Rows in the snapshot."`
	Bytes    uint64      `json:"bytes" doc:"Their bytes."`
	Written  uint64      `json:"written" doc:"Entries that are written."`
	Replaced uint64      `json:"replaced" doc:"Of these, entries in the place of others."`
	Others   string      `json:"others,omitempty" doc:"Owners that this machine does not know, and whose numbers are others' here."`
	Kept     uint64      `json:"kept" doc:"Entries that are there already."`
	Deleted  uint64      `json:"deleted" doc:"Entries that are removed."`
	Fresh    string      `json:"fresh,omitempty" doc:"Of a database: the name under which it is filled, beside the living one."`
	Before   string      `json:"before,omitempty" doc:"Of a database: the name under which the living one is kept."`
	Done     bool        `json:"done,omitempty" doc:"Whether an earlier run has done it."`
}

// PlanStepOf is what is done with a source.
func PlanStepOf(s *platform.Step) PlanStep {
	state := s.Source.State
	row := PlanStep{
		Source: state.Name, Where: output.Name(s.Source.Where), Moment: state.Moment, Files: state.Coverage.Files, Rows: state.Coverage.Rows, Bytes: state.Coverage.Bytes,
		Written: s.Result.Restored, Replaced: s.Replaced, Others: s.Strangers.String(), Kept: s.Result.Kept, Deleted: s.Result.Deleted, Fresh: s.Fresh, Before: s.Before, Done: s.Done,
	}
	if s.Source.Database != nil {
		row.Files = 0
	}
	if state.Location != s.Source.Where {
		row.Was = output.Name(state.Location)
	}
	return row
}

// Text is what a person reads of it.
func (row PlanStep) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, of %s, to %s\n", row.Source, output.Time(row.Moment), row.Where)
	if row.Was != "" {
		fmt.Fprintf(&b, "    it was at %s\n", row.Was)
	}
	switch {
	case row.Done:
		b.WriteString("    done by an earlier run\n")
	case row.Fresh != "":
		fmt.Fprintf(&b, "    %s (%s) into %s, which is verified and takes its place\n", output.Plural(row.Rows, "row"), output.Bytes(int64(row.Bytes)), row.Fresh)
		if row.Before != "" {
			fmt.Fprintf(&b, "    what is there now is kept as %s; programs that use it must connect again\n", row.Before)
		}
	case row.Rows > 0:
		fmt.Fprintf(&b, "    %s (%s) into the empty database\n", output.Plural(row.Rows, "row"), output.Bytes(int64(row.Bytes)))
	default:
		fmt.Fprintf(&b, "    %s (%s) in the snapshot: %s written, %d of them in the place of others; %d there already; %d removed\n",
			output.Plural(row.Files, "file"), output.Bytes(int64(row.Bytes)), output.Plural(row.Written, "entry"), row.Replaced, row.Kept, row.Deleted)
	}
	if row.Others != "" {
		fmt.Fprintf(&b, "    this machine does not know %s: make them first\n", row.Others)
	}
	return b.String()
}

// PlatformPlanOf says what a restore is going to do.
func PlatformPlanOf(r *platform.Restore, steps []*platform.Step) PlatformPlan {
	m := PlatformPlan{
		SnapshotID: r.Snapshot.ID.String(), Set: r.Snapshot.Set, Time: r.Snapshot.Time, Skew: r.Report.Skew, Safety: !r.NoSafety,
		Report: r.File.Path, Steps: []PlanStep{},
	}
	for _, s := range steps {
		m.Steps = append(m.Steps, PlanStepOf(s))
	}
	return m
}

// Text is the message for people.
func (m PlatformPlan) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s as of %s, snapshot %s\n", m.Set, output.Time(m.Time), m.SnapshotID[:catalog.ShortID])
	for _, row := range m.Steps {
		b.WriteString(row.Text())
	}
	fmt.Fprintf(&b, "the moments of the sources are %s apart\n", output.Seconds(m.Skew))
	if m.Safety {
		fmt.Fprintf(&b, "files that are there are saved first, as a snapshot of the set %s\n", platform.SafetySet)
	} else {
		b.WriteString("files are overwritten without a copy\n")
	}
	fmt.Fprintf(&b, "report: %s", m.Report)
	return b.String()
}

// Platform is what the restore of a platform prints as JSON at its end.
type Platform struct {
	File   string           `json:"file" doc:"The file of the report."`
	Report *platform.Report `json:"report" doc:"The report."`
}

// Text is the message for people.
func (m Platform) Text() string {
	var b strings.Builder
	r := m.Report
	for _, part := range r.Sources {
		b.WriteString(partText(part))
	}
	switch {
	case r.State == platform.Undone && r.Present != "":
		fmt.Fprintf(&b, "what was there before is back; what was restored is snapshot %s\n", r.Present[:catalog.ShortID])
	case r.State == platform.Undone:
		b.WriteString("what was there before is back\n")
	case r.Safety != "":
		fmt.Fprintf(&b, "what was overwritten is snapshot %s\n", r.Safety[:catalog.ShortID])
	}
	if r.State == platform.Done { // the command names the report
		fmt.Fprintf(&b, "%s is back, snapshot %s, in %s; put back what was there with: packstone restore --undo %s", r.Set, r.Snapshot[:catalog.ShortID],
			r.Ended.Sub(r.Begun).Round(time.Millisecond), m.File)
		return b.String()
	}
	return b.String() + "report: " + m.File
}

// partText tells of a source.
func partText(p *platform.Part) string {
	work, of := p.Work, ", of "+output.Time(p.Moment)
	if p.Undo != nil {
		work, of = *p.Undo, ""
	}
	text := fmt.Sprintf("%s: %s%s, in %s", p.Name, p.State, of, output.Seconds(work.Seconds))
	switch d := p.Database; {
	case d == nil && p.Type != "database":
		text += fmt.Sprintf(": %d written (%s), %d there already, %d removed, %d failed", work.Restored, output.Bytes(int64(work.Bytes)), work.Kept, work.Deleted, work.Failed)
	case d == nil:
	case d.Undone != "":
		text += fmt.Sprintf("; the restored one is kept as %s: drop it when nobody needs it (%s)", d.Undone, d.Drop)
	case d.Before != "":
		text += fmt.Sprintf(": %s; the one before is kept as %s: drop it when nobody needs it (%s)", output.Plural(p.Restored, "row"), d.Before, d.Drop)
	default:
		text += fmt.Sprintf(": %s", output.Plural(p.Restored, "row"))
	}
	return text + "\n"
}

// UndoPlan says what is going to be put back, a line each. before is the snapshot of what was
// overwritten; nil: there is none.
func UndoPlan(r *platform.Report, before *catalog.Snapshot) []string {
	lines := []string{fmt.Sprintf("the restore of %s to %s is %s", r.Set, r.At, r.State)}
	for _, part := range r.Sources {
		if d := part.Database; d != nil {
			lines = append(lines, fmt.Sprintf("%s: %s gets back what it was; what is there now is kept under another name", part.Name, d.Living))
		}
		for _, spot := range part.Places {
			what := "what came is removed"
			if spot.Before == platform.Filled && before != nil {
				what = "the files of snapshot " + before.ShortID() + " come back, and others are removed"
			} else if spot.Before == platform.Filled {
				what = "it stays as it is, since it was overwritten without a copy"
			}
			lines = append(lines, fmt.Sprintf("%s: %s", Place(part.Name, spot.Below), what))
		}
	}
	return lines
}
