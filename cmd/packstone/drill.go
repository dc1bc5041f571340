package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
)

func newDrill(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "Prove that backups can be restored, and how long it takes.",
		Long: `A drill restores a snapshot to scratch places, compares every row and file with it, asks what the
settings want to be so, and then damages its own copy, which it must notice. Its report is signed
into the repository.`,
		Example: `  packstone drill run platform
  packstone drill report -o drill.html`,
	}
	return group(cmd, newDrillRun(a), newDrillStatus(a), newDrillReport(a))
}

// drillMessage is a report of a drill as JSON.
type drillMessage struct {
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
	Steps        []drillStep      `json:"steps" doc:"What was done, and how long it took."`
	Sources      []drillSource    `json:"sources" doc:"What was restored and compared."`
	Assertions   []drillAssertion `json:"assertions" doc:"What the settings want to be so."`
	Controls     []drillControl   `json:"controls" doc:"Damage that was done to the scratch copy, to see that it is noticed."`
}

type drillStep struct {
	Name     output.Name `json:"name" doc:"The step."`
	Duration float64     `json:"duration" doc:"Seconds."`
	Bytes    uint64      `json:"bytes,omitempty" doc:"Bytes that it moved."`
	RTO      bool        `json:"rto" doc:"Whether it counts as part of the RTO."`
	Failed   bool        `json:"failed,omitempty" doc:"Whether it failed."`
}

type drillSource struct {
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

type drillAssertion struct {
	Source   output.Name   `json:"source,omitempty" doc:"The database that was asked."`
	SQL      string        `json:"sql,omitempty" doc:"The query."`
	Want     string        `json:"want,omitempty" doc:"The value that is wanted."`
	Got      output.Name   `json:"got,omitempty" doc:"The value that it gave."`
	Command  []output.Name `json:"command,omitempty" doc:"The program that was run."`
	Error    output.Name   `json:"error,omitempty" doc:"Why it does not hold."`
	Holds    bool          `json:"holds" doc:"Whether it holds."`
	Duration float64       `json:"duration" doc:"Seconds."`
}

type drillControl struct {
	Kind    output.Name `json:"kind" doc:"What was damaged: row, file or permission."`
	Source  output.Name `json:"source,omitempty" doc:"The source."`
	Item    output.Name `json:"item,omitempty" doc:"The table or path."`
	Noticed bool        `json:"noticed" doc:"Whether the comparison has noticed it."`
	Said    output.Name `json:"said,omitempty" doc:"How it was noticed, or why not."`
	Skipped bool        `json:"skipped,omitempty" doc:"Whether there was nothing of the kind to damage."`
}

func drillMessageOf(d *catalog.DrillReport) drillMessage {
	m := drillMessage{
		ID: d.ID.String(), Set: output.Name(d.Set), Hostname: output.Name(d.Host), By: output.Name(d.By), SnapshotID: d.Snapshot, SnapshotTime: d.SnapshotTime,
		Any: d.Any, Began: d.Began, Duration: d.Seconds, RPO: d.RPO, RTO: d.RTO, Passed: d.Passed, Failures: namesOf(d.Failures), Remarks: namesOf(d.Remarks),
		Steps: []drillStep{}, Sources: []drillSource{}, Assertions: []drillAssertion{}, Controls: []drillControl{},
	}
	for _, s := range d.Steps {
		m.Steps = append(m.Steps, drillStep{output.Name(s.Name), s.Seconds, s.Bytes, s.RTO, s.Failed})
	}
	for _, s := range d.Sources {
		m.Sources = append(m.Sources, drillSource{output.Name(s.Name), output.Name(s.Type), s.Moment, output.Name(s.Place), s.Entries, s.Tables, s.Rows, s.Bytes, s.Differs, namesOf(s.Differences)})
	}
	for _, x := range d.Assertions {
		m.Assertions = append(m.Assertions, drillAssertion{output.Name(x.Source), x.SQL, x.Want, output.Name(x.Got), namesOf(x.Command), output.Name(x.Error), x.Holds, x.Seconds})
	}
	for _, c := range d.Controls {
		m.Controls = append(m.Controls, drillControl{output.Name(c.Kind), output.Name(c.Source), output.Name(c.Item), c.Noticed, output.Name(c.Said), c.Skipped})
	}
	return m
}

func namesOf(texts []string) []output.Name { return append([]output.Name{}, output.Names(texts)...) }
