package main

import (
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/pipeline/platform"
)

// tellPlan prints what is going to be done.
func (p *platformRun) tellPlan(steps []*platform.Step) {
	m := message.PlatformPlanOf(p.restore, steps)
	p.out.Message("platform_plan", m, m.Text())
}

// tellReport prints what was done, and how to go back.
func (p *platformRun) tellReport() {
	m := message.Platform{File: p.restore.File.Path, Report: p.restore.Report}
	p.out.Summary(m, m.Text())
	p.tellRequests(p.requests())
}

// tellUndo prints what is going to be put back.
func (p *platformRun) tellUndo(before *catalog.Snapshot) {
	r := p.restore.Report
	p.out.Note("the restore of %s to %s is %s", r.Set, r.At, r.State)
	for _, part := range r.Sources {
		if d := part.Database; d != nil {
			p.out.Note("%s: %s gets back what it was; what is there now is kept under another name", part.Name, d.Living)
		}
		for _, spot := range part.Places {
			what := "what came is removed"
			if spot.Before == platform.Filled && before != nil {
				what = "the files of snapshot " + before.ShortID() + " come back, and others are removed"
			} else if spot.Before == platform.Filled {
				what = "it stays as it is, since it was overwritten without a copy"
			}
			p.out.Note("%s: %s", message.Place(part.Name, spot.Below), what)
		}
	}
}
