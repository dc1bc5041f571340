package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/fit"
)

// referencesRow is what became of a rule that rows refer to files, in JSON.
type referencesRow struct {
	From     output.Name   `json:"from" doc:"The column, or the table, that refers."`
	To       output.Name   `json:"to" doc:"The source that it refers to."`
	Path     output.Name   `json:"path,omitempty" doc:"How a path is made of columns; absent: the value is the path."`
	Strip    output.Name   `json:"strip,omitempty" doc:"What stands before the path in the values that have it."`
	Nulls    bool          `json:"nulls,omitempty" doc:"Whether null leads to nothing; else it is no reference."`
	Rows     uint64        `json:"rows" doc:"Rows that refer to something."`
	Dangling uint64        `json:"dangling" doc:"Of them, those that lead to nothing in the snapshot."`
	First    []danglingRow `json:"first,omitempty" doc:"The first of those."`
	Failed   output.Name   `json:"failed,omitempty" doc:"Why it could not be tested."`
}

// danglingRow is a row that refers to nothing, in JSON.
type danglingRow struct {
	Table output.Name `json:"table" doc:"The table."`
	Key   output.Name `json:"key" doc:"What tells the row from others."`
	Value output.Name `json:"value" doc:"What it refers to, as it stands there."`
	Path  output.Name `json:"path,omitempty" doc:"Which path that means, where it is another."`
	Cause output.Name `json:"cause,omitempty" doc:"Why it is no path at all."`
}

// danglingMessage tells of each row that refers to nothing, as JSON.
type danglingMessage struct {
	From output.Name `json:"from" doc:"The column, or the table, that refers."`
	To   output.Name `json:"to" doc:"The source that it refers to."`
	danglingRow
}

// orphanRow counts files that no row refers to, in JSON.
type orphanRow struct {
	Source output.Name `json:"source" doc:"The source that rows refer to."`
	Files  uint64      `json:"files" doc:"Its files that no row refers to."`
}

// leftOutRow is what is not backed up on purpose, in JSON.
type leftOutRow struct {
	Name   output.Name `json:"name" doc:"What it is."`
	Reason output.Name `json:"reason" doc:"Why it need not come back."`
}

func referencesRows(all []catalog.References) (rows []referencesRow) {
	for i := range all {
		r := &all[i]
		row := referencesRow{
			From: output.Name(r.From), To: output.Name(r.To), Path: output.Name(r.Path), Strip: output.Name(r.Strip), Nulls: r.Nulls,
			Rows: r.Rows, Dangling: r.Dangling, Failed: output.Name(r.Failed),
		}
		for j := range r.First {
			row.First = append(row.First, danglingRowOf(&r.First[j]))
		}
		rows = append(rows, row)
	}
	return rows
}

func danglingRowOf(d *catalog.Dangling) danglingRow {
	return danglingRow{output.Name(d.Table), output.Name(d.Key), output.Name(d.Value), output.Name(d.Path), output.Name(d.Cause)}
}

// text says what is wrong with the row's value.
func (d *danglingRow) text(to output.Name) string {
	switch {
	case d.Cause != "":
		return fmt.Sprintf("%q is no path in %s: %s", d.Value.String(), to, d.Cause)
	case d.Path != "":
		return fmt.Sprintf("%q, the path %s, is not in %s of the snapshot", d.Value.String(), d.Path, to)
	}
	return fmt.Sprintf("%q is not in %s of the snapshot", d.Value.String(), to)
}

func orphanRows(all []catalog.Orphans) (rows []orphanRow) {
	for _, o := range all {
		rows = append(rows, orphanRow{output.Name(o.Source), o.Files})
	}
	return rows
}

func leftOutRows(all []catalog.LeftOut) (rows []leftOutRow) {
	for _, out := range all {
		rows = append(rows, leftOutRow{output.Name(out.Name), output.Name(out.Reason)})
	}
	return rows
}

// text is what is left out, and why.
func (r leftOutRow) text() string { return fmt.Sprintf("not backed up: %s (%s)", r.Name, r.Reason) }

// tellLeftOut says what does not come back with a whole snapshot, since it was never backed up.
func (r *restoring) tellLeftOut() {
	if len(r.sources) < len(r.snapshot.Sources) {
		return
	}
	for _, row := range leftOutRows(r.snapshot.NotBackedUp) {
		if r.o.plan {
			r.out.Line("%s", row.text())
			continue
		}
		r.out.Note("%s", row.text())
	}
}

// referencesText is a line for each rule and each source that rules lead to.
func referencesText(rules []referencesRow, orphans []orphanRow) string {
	var b strings.Builder
	for _, r := range rules {
		if r.Failed != "" {
			fmt.Fprintf(&b, "references: %s to %s: not tested: %s\n", r.From, r.To, r.Failed)
			continue
		}
		fmt.Fprintf(&b, "references: %s to %s: %s, %d to nothing\n", r.From, r.To, output.Plural(r.Rows, "row"), r.Dangling)
	}
	for _, o := range orphans {
		fmt.Fprintf(&b, "references: no row refers to %s of %s\n", output.Plural(o.Files, "file"), o.Source)
	}
	return b.String()
}

// tellDangling tells of rows that refer to nothing as they are found: of each rule the first, all
// where more is asked for.
func (a *app) tellDangling() func(r *catalog.Rule, d *catalog.Dangling) {
	told := map[catalog.Rule]int{}
	return func(r *catalog.Rule, d *catalog.Dangling) {
		row := danglingRowOf(d)
		if a.out.JSON() {
			a.out.Message("dangling", danglingMessage{output.Name(r.From), output.Name(r.To), row}, "")
			return
		}
		if told[*r]++; told[*r] <= fit.Listed || a.flags.verbose > 0 {
			a.out.Problem(r.From+" "+d.Key, "references", errors.New(row.text(output.Name(r.To))))
		}
	}
}

// tellUnfit tells of rules that do not hold what was not told yet, and whether there are any.
func (a *app) tellUnfit(all []catalog.References) (unfit bool) {
	for i := range all {
		r := &all[i]
		unfit = unfit || !r.Hold()
		if r.Failed != "" {
			a.out.Problem(r.From, "references", fmt.Errorf("whether its rows refer to what is in %s could not be tested: %s", r.To, r.Failed))
		}
		if more := int(r.Dangling) - fit.Listed; more > 0 && a.flags.verbose == 0 && !a.out.JSON() {
			a.out.Note("and %s more of %s that lead to nothing; -v names all", output.Plural(more, "row"), output.Name(r.From))
		}
	}
	return unfit
}

// fitMessage is what check --references prints as JSON.
type fitMessage struct {
	SnapshotID string          `json:"snapshot_id" doc:"The snapshot."`
	References []referencesRow `json:"references" doc:"The rules, and what became of them."`
	Orphans    []orphanRow     `json:"orphans" doc:"Of the sources that rows refer to, how many files no row refers to."`
	Requests   count.Totals    `json:"requests" doc:"Requests to the storage."`
}

// refuseTogether refuses what makes no sense with check --references, or without it.
func refuseTogether(references bool, given func(flag string) bool) error {
	for _, flag := range []string{"read-data", "read-data-subset", "max-duration", "attest"} {
		if references && given(flag) {
			return usage("--references tests one snapshot, and --%s is of the whole repository: run check twice", flag)
		}
	}
	for _, flag := range []string{"set", "host", "tag", "accept-rollback"} {
		if !references && given(flag) {
			return usage("--%s chooses the snapshot of --references: without that, check is of the whole repository", flag)
		}
	}
	return nil
}

// checkFit takes the arguments of check --references.
func (a *app) checkFit(ctx context.Context, args []string) error {
	name := "latest"
	if len(args) == 1 {
		name = args[0]
	}
	return a.checkReferences(ctx, name)
}

// checkReferences tests what a snapshot says of itself: by the rules that the settings have for its
// set, else by those that it was made by.
func (a *app) checkReferences(ctx context.Context, name string) error {
	repo, storage, err := a.OpenRepository(ctx, machine.MustRead)
	if err != nil {
		return err
	}
	v, err := a.look(ctx, repo)
	if err != nil {
		return err
	}
	s, err := v.Pick(name, a.filter())
	if err != nil {
		return err
	}
	rules, err := a.rulesOf(s)
	if err != nil {
		return err
	}
	o := fit.Options{Scratch: repo.Scratch(), Dangling: a.tellDangling()}
	tested, err := fit.Run(ctx, repo, s, rules, o, a.fetchOptions())
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", s.ShortID(), err)
	}
	unfit := a.tellUnfit(tested.References)
	m := fitMessage{s.ID.String(), referencesRows(tested.References), append([]orphanRow{}, orphanRows(tested.Orphans)...), storage.Counts.Totals()}
	a.out.Message("fit", m, "snapshot "+s.ShortID()+"\n"+strings.TrimSuffix(referencesText(m.References, m.Orphans), "\n"))
	a.tellRequests(m.Requests)
	if unfit {
		return exitWith(exitDrill, "the sources of snapshot %s do not fit together%s", s.ShortID(), listedAbove)
	}
	return a.out.Err()
}

// rulesOf are the rules by which a snapshot is tested.
func (a *app) rulesOf(s *catalog.Snapshot) (rules []catalog.Rule, err error) {
	settings, err := a.Settings()
	if err != nil {
		return nil, err
	}
	if set, ok := settings.Sets[s.Set]; ok && len(set.References) > 0 {
		return set.Rules(), nil
	}
	for i := range s.References {
		rules = append(rules, s.References[i].Rule)
	}
	if len(rules) == 0 {
		return nil, usage("nobody has said which rows of snapshot %s refer to which files: name them as references: of its set in the settings file", s.ShortID())
	}
	return rules, nil
}
