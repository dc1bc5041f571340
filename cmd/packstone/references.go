package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/fit"
)

// tellDangling tells of rows that refer to nothing as they are found: of each rule the first, all
// where more is asked for.
func (a *app) tellDangling() func(r *catalog.Rule, d *catalog.Dangling) {
	told := map[catalog.Rule]int{}
	return func(r *catalog.Rule, d *catalog.Dangling) {
		row := message.DanglingRowOf(d)
		if a.out.JSON() {
			a.out.Message("dangling", message.DanglingOf(r, row), "")
			return
		}
		if told[*r]++; told[*r] <= fit.Listed || a.flags.verbose > 0 {
			a.out.Problem(r.From+" "+d.Key, "references", errors.New(row.Text(output.Name(r.To))))
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

// refuseTogether refuses what makes no sense with check --references, or without it.
func refuseTogether(references bool, given func(flag string) bool) error {
	for _, flag := range []string{"read-data", "read-data-subset", "max-duration", "attest", "checksums"} {
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

// checkFit tests what a snapshot, the latest if none is named, says of itself: by the rules that the
// settings have for its set, else by those that it was made by.
func (a *app) checkFit(ctx context.Context, args []string) error {
	name := "latest"
	if len(args) == 1 {
		name = args[0]
	}
	if err := catalog.CheckName(name); err != nil {
		return err
	}
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
	settings, err := a.Settings()
	if err != nil {
		return err
	}
	rules := settings.RulesOf(s)
	if len(rules) == 0 {
		return usage("nobody has said which rows of snapshot %s refer to which files: name them as references: of its set in the settings file", s.ShortID())
	}
	o := fit.Options{Scratch: repo.Scratch(), Dangling: a.tellDangling()}
	tested, err := fit.Run(ctx, repo, s, rules, o, a.fetchOptions())
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", s.ShortID(), err)
	}
	unfit := a.tellUnfit(tested.References)
	m := message.FitOf(tested, storage.Counts.Totals())
	a.out.Message("fit", m, "snapshot "+s.ShortID()+"\n"+strings.TrimSuffix(message.ReferencesText(m.References, m.Orphans), "\n"))
	a.tellRequests(m.Requests)
	if unfit {
		return exitWith(exitDrill, "the sources of snapshot %s do not fit together%s", s.ShortID(), listedAbove)
	}
	return a.out.Err()
}
