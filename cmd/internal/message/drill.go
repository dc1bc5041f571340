package message

import (
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/platform/drill"
)

// Drill is a report of a drill as JSON.
type Drill struct {
	ID           string           `json:"id" doc:"The id of the report: the hash of its record."`
	Set          output.Name      `json:"set" doc:"The set that was restored; empty for paths."`
	Hostname     output.Name      `json:"hostname" doc:"The host whose snapshot it was."`
	By           output.Name      `json:"drilled_by" doc:"The host that has drilled."`
	SnapshotID   string           `json:"snapshot_id" doc:"The snapshot."`
	SnapshotTime time.Time        `json:"snapshot_time" doc:"When it was taken."`
	Any          bool             `json:"any,omitempty" doc:"Whether it was chosen by chance."`
	Began        time.Time        `json:"began" doc:"When the drill began."`
	Duration     float64          `json:"total_duration" doc:"Seconds that it took, all included."`
	RPO          float64          `json:"rpo" doc:"Seconds that the oldest source was old when the drill began."`
	RTO          float64          `json:"rto" doc:"Seconds until all was restored, compared and asserted."`
	Passed       bool             `json:"passed" doc:"Whether all was so as it is to be."`
	Failures     []output.Name    `json:"failures" doc:"Why it has not passed."`
	Remarks      []output.Name    `json:"remarks" doc:"What is no failure, and worth knowing."`
	Steps        []DrillStep      `json:"steps" doc:"What was done, and how long it took."`
	Sources      []DrillSource    `json:"sources" doc:"What was restored and compared."`
	Assertions   []DrillAssertion `json:"assertions" doc:"What the settings want to be so."`
	Controls     []DrillControl   `json:"controls" doc:"Damage that was done to the scratch copy, to see that it is noticed."`
}

// DrillStep is what was done, and how long it took.
type DrillStep struct {
	Name     output.Name `json:"name" doc:"The step."`
	Duration float64     `json:"duration" doc:"Seconds."`
	Bytes    uint64      `json:"bytes,omitempty" doc:"Bytes that it moved."`
	RTO      bool        `json:"rto" doc:"Whether it counts as part of the RTO."`
	Failed   bool        `json:"failed,omitempty" doc:"Whether it failed."`
}

// DrillSource is a source that was restored and compared.
type DrillSource struct {
	Name        output.Name   `json:"name" doc:"The source."`
	Type        output.Name   `json:"type" doc:"Its type."`
	Moment      time.Time     `json:"moment" doc:"The moment that it is of."`
	Place       output.Name   `json:"place" doc:"What it was restored to: a directory, or a database of which engine."`
	Entries     uint64        `json:"entries,omitempty" doc:"Files and directories that were compared."`
	Tables      uint64        `json:"tables,omitempty" doc:"Tables that were compared."`
	Rows        uint64        `json:"rows,omitempty" doc:"Rows that were compared."`
	Bytes       uint64        `json:"bytes" doc:"Bytes that were compared."`
	Differs     uint64        `json:"differs" doc:"How many differences there were."`
	Differences []output.Name `json:"differences,omitempty" doc:"The first of them."`
}

// DrillAssertion is what the settings want to be so.
type DrillAssertion struct {
	Source   output.Name   `json:"source,omitempty" doc:"The database that was asked."`
	SQL      string        `json:"sql,omitempty" doc:"The query."`
	Want     string        `json:"want,omitempty" doc:"The value that is wanted."`
	Got      output.Name   `json:"got,omitempty" doc:"The value that it gave."`
	Command  []output.Name `json:"command,omitempty" doc:"The program that was run."`
	Error    output.Name   `json:"error,omitempty" doc:"Why it does not hold."`
	Holds    bool          `json:"holds" doc:"Whether it holds."`
	Duration float64       `json:"duration" doc:"Seconds."`
}

// DrillControl is damage that was done to the scratch copy.
type DrillControl struct {
	Kind    output.Name `json:"kind" doc:"What was damaged: row, file or permission."`
	Source  output.Name `json:"source,omitempty" doc:"The source."`
	Item    output.Name `json:"item,omitempty" doc:"The table or path."`
	Noticed bool        `json:"noticed" doc:"Whether the comparison has noticed it."`
	Said    output.Name `json:"said,omitempty" doc:"How it was noticed, or why not."`
	Skipped bool        `json:"skipped,omitempty" doc:"Whether there was nothing of the kind to damage."`
}

// DrillOf is what a report says.
func DrillOf(d *catalog.DrillReport) Drill {
	m := Drill{
		ID: d.ID.String(), Set: output.Name(d.Set), Hostname: output.Name(d.Host), By: output.Name(d.By), SnapshotID: d.Snapshot, SnapshotTime: d.SnapshotTime,
		Any: d.Any, Began: d.Began, Duration: d.Seconds, RPO: d.RPO, RTO: d.RTO, Passed: d.Passed, Failures: namesOf(d.Failures), Remarks: namesOf(d.Remarks),
		Steps: []DrillStep{}, Sources: []DrillSource{}, Assertions: []DrillAssertion{}, Controls: []DrillControl{},
	}
	for _, s := range d.Steps {
		m.Steps = append(m.Steps, DrillStep{output.Name(s.Name), s.Seconds, s.Bytes, s.RTO, s.Failed})
	}
	for _, s := range d.Sources {
		m.Sources = append(m.Sources, DrillSource{output.Name(s.Name), output.Name(s.Type), s.Moment, output.Name(s.Place), s.Entries, s.Tables, s.Rows, s.Bytes, s.Differs, namesOf(s.Differences)})
	}
	for _, x := range d.Assertions {
		m.Assertions = append(m.Assertions, DrillAssertion{output.Name(x.Source), x.SQL, x.Want, output.Name(x.Got), namesOf(x.Command), output.Name(x.Error), x.Holds, x.Seconds})
	}
	for _, c := range d.Controls {
		m.Controls = append(m.Controls, DrillControl{output.Name(c.Kind), output.Name(c.Source), output.Name(c.Item), c.Noticed, output.Name(c.Said), c.Skipped})
	}
	return m
}

func namesOf(texts []string) []output.Name { return append([]output.Name{}, output.Names(texts)...) }

// Text is the message for people; layOut formats a table.
func (m Drill) Text(layOut func(output.Table) string) string {
	table := output.Table{Head: []string{"STEP", "TOOK", "BYTES", "IN RTO"}, Right: []int{1, 2}}
	for _, s := range m.Steps {
		moved := "-"
		if s.Bytes > 0 {
			moved = output.Bytes(int64(s.Bytes))
		}
		name := s.Name.String()
		if s.Failed {
			name += ": failed"
		}
		table.Rows = append(table.Rows, []string{name, drill.Duration(s.Duration), moved, output.YesNo(s.RTO)})
	}
	noticed, done := 0, 0
	for _, c := range m.Controls {
		if c.Noticed {
			noticed++
		}
		if !c.Skipped {
			done++
		}
	}
	verdict := "failed"
	if m.Passed {
		verdict = "passed"
	}
	return fmt.Sprintf("%s\nRPO %s, RTO %s; the drill took %s\nnoticed %d of %s that it has done to its own copy\ndrill of %s of %s, snapshot %s: %s; report %s",
		strings.TrimRight(layOut(table), "\n"), drill.Duration(m.RPO), drill.Duration(m.RTO), drill.Duration(m.Duration), noticed, output.Plural(done, "damage"),
		output.OrDash(m.Set.String()), m.Hostname, m.SnapshotID[:catalog.ShortID], verdict, m.ID[:catalog.ShortID])
}

// DrillPlan says what a drill would do, a line for each step.
func DrillPlan(with drill.Options) []string {
	s := with.Snapshot
	lines := []string{fmt.Sprintf("would restore snapshot %s of %s below %s, which takes up to %s", s.ShortID(), output.Time(s.Time), output.Name(with.Directory), output.Bytes(int64(drill.Need(s))))}
	for i := range s.Sources {
		name := s.Sources[i].Name
		lines = append(lines, fmt.Sprintf("%s: to %s", output.Name(name), output.Name(scratchOf(&s.Sources[i], with.Places[name]))))
	}
	for _, x := range with.Assertions {
		what := strings.Join(x.Command, " ")
		if x.SQL != "" {
			what = x.Source + ": " + x.SQL
		}
		lines = append(lines, fmt.Sprintf("would assert: %s", output.Name(what)))
	}
	return lines
}

// scratchOf is where a source would be restored to.
func scratchOf(s *catalog.SourceState, place drill.Place) string {
	switch {
	case place.Server != "":
		return "a new database on the server of the URL in " + place.Server
	case place.Engine != "":
		return place.Engine
	case s.IsDatabase():
		return "a server of its own engine if that is installed, else sqlite"
	}
	return "a directory"
}

// LastDrill is the last drill of a set of a host.
type LastDrill struct {
	Set        output.Name `json:"set" doc:"The set; empty for paths."`
	Hostname   output.Name `json:"hostname" doc:"The host whose snapshot was restored."`
	Passed     bool        `json:"passed" doc:"Whether the last drill has passed."`
	Began      time.Time   `json:"began" doc:"When it began."`
	Age        int64       `json:"age_seconds" doc:"How long ago that was."`
	RPO        float64     `json:"rpo" doc:"Seconds that the oldest source was old when it began."`
	RTO        float64     `json:"rto" doc:"Seconds until all was restored, compared and asserted."`
	By         output.Name `json:"drilled_by" doc:"The host that has drilled."`
	SnapshotID string      `json:"snapshot_id" doc:"The snapshot that was restored."`
	ID         string      `json:"id" doc:"The id of the report."`
	LastPassed time.Time   `json:"last_passed,omitzero" doc:"When the last drill began that has passed."`
	Failure    output.Name `json:"failure,omitempty" doc:"Why the last one has failed."`
}

// LastDrillOf is the last drill of a set of a host, as it is to be seen now.
func LastDrillOf(d *drill.Latest, now time.Time) LastDrill {
	row := LastDrill{
		Set: output.Name(d.Set), Hostname: output.Name(d.Host), Passed: d.Passed, Began: d.Began, Age: int64(max(0, now.Sub(d.Began)) / time.Second),
		RPO: d.RPO, RTO: d.RTO, By: output.Name(d.By), SnapshotID: d.Snapshot, ID: d.ID.String(), LastPassed: d.LastPassed,
	}
	if len(d.Failures) > 0 {
		row.Failure = output.Name(d.Failures[0])
	}
	return row
}

// LastDrillsOf are the last drills of sets and hosts, and how many of them have failed.
func LastDrillsOf(all []*drill.Latest, now time.Time) (rows []LastDrill, failed int) {
	rows = []LastDrill{}
	for _, last := range all {
		rows = append(rows, LastDrillOf(last, now))
		if !last.Passed {
			failed++
		}
	}
	return rows, failed
}

// LastDrillTable lists the last drills.
func LastDrillTable(rows []LastDrill) output.Table {
	table := output.Table{Head: []string{"SET", "HOST", "RESULT", "DRILLED", "AGE", "RPO", "RTO", "REPORT"}, Right: []int{4, 5, 6}, Cut: []int{0, 1}}
	for _, r := range rows {
		result := "passed"
		if !r.Passed {
			result = "failed"
		}
		table.Rows = append(table.Rows, []string{output.OrDash(r.Set.String()), r.Hostname.String(), result, output.Time(r.Began),
			output.Elapsed(time.Duration(r.Age) * time.Second), drill.Duration(r.RPO), drill.Duration(r.RTO), r.ID[:catalog.ShortID]})
	}
	if len(rows) == 0 {
		table.Footer = "there was no drill yet; packstone drill run does one"
	}
	return table
}
