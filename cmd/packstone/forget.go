package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/collect"
)

// forgetSummary is what forget prints as JSON at its end.
type forgetSummary struct {
	Forgotten int         `json:"forgotten" doc:"How many snapshots were forgotten, or would be."`
	Kept      int         `json:"kept" doc:"How many stay."`
	Freed     int64       `json:"freed_bytes,omitempty" doc:"In a dry run, bytes that become free if all of them are forgotten."`
	Snapshots []forgetRow `json:"snapshots" doc:"What was decided about each."`
	Until     time.Time   `json:"undelete_until,omitzero" doc:"Until when nothing of them is deleted, unless --grace says otherwise."`
	DryRun    bool        `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// forgetRow is what was decided about one snapshot.
type forgetRow struct {
	ID        string      `json:"id" doc:"The snapshot's id."`
	Time      time.Time   `json:"time" doc:"When it was taken."`
	Set       output.Name `json:"set" doc:"Its set; empty for paths."`
	Hostname  output.Name `json:"hostname" doc:"Its host; empty without an identity."`
	Forgotten bool        `json:"forgotten" doc:"Whether it is forgotten."`
	Keep      []string    `json:"keep,omitempty" doc:"What keeps it."`
	Freed     int64       `json:"freed_bytes,omitempty" doc:"In a dry run, bytes that become free if it alone is forgotten."`
}

type forgetOptions struct {
	keep      keepFlags
	groupBy   string
	removeAll bool
	prune     bool
	ownHost   bool // snapshots of other hosts do not pass
	graceFlags
}

// defaultGroups is what two snapshots must have in common to replace each other, unless --group-by
// says otherwise.
const defaultGroups = "set,host,paths"

func newForget(a *app) *cobra.Command {
	var o forgetOptions
	cmd := &cobra.Command{
		Use:   "forget [SNAPSHOT...]",
		Short: "Forget the named snapshots, or all that no rule keeps.",
		Long: `Without snapshots and rules it applies the settings' rules: retention: of each set. --set, --host,
--tag and --path limit it to matching snapshots. A snapshot only replaces others of the same set,
host and paths, unless --group-by says otherwise. Always kept are the newest complete snapshot of
each group, newer incomplete ones, held ones, and those without a reliable date.

Needs the owner's key or a collector's. packstone prune deletes forgotten snapshots after the grace
period; until then packstone undelete brings them back. A collector cannot forget a snapshot younger
than the retention floor. -n shows which rule keeps each snapshot, and what forgetting each would
free.`,
		Example: `  packstone forget --keep-last 3 --keep-daily 14 --keep-monthly 12 -n
  packstone forget 4f2a81c0`,
	}
	o.keep.register(cmd.Flags())
	cmd.Flags().StringVar(&o.groupBy, "group-by", defaultGroups, "`what` two snapshots must have in common for one to replace the other; '' for nothing")
	cmd.Flags().BoolVar(&o.removeAll, "unsafe-allow-remove-all", false, "allow the newest snapshot to be forgotten; without rules, all that match")
	cmd.Flags().BoolVar(&o.prune, "prune", false, "then run packstone prune")
	o.register(cmd.Flags())
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesSelection|usesPaths|usesDryRun, func(ctx context.Context, args []string) error {
		if !o.prune && (o.period.Given || o.yes) {
			return usage("--grace and --yes are for --prune")
		}
		return a.forget(ctx, o, args)
	})
}

func (a *app) forget(ctx context.Context, o forgetOptions, names []string) error {
	policy := o.keep.given()
	if len(names) > 0 && (!policy.Empty() || o.removeAll) {
		return usage("name snapshots or rules, not both")
	}
	by, err := catalog.ParseGroupBy(o.groupBy)
	if err != nil {
		return usage("--group-by %w", err)
	}
	v, err := a.openToDecide(ctx)
	if err != nil {
		return err
	}
	if err := v.Whole(ctx); err != nil {
		return err
	}
	if !a.flags.dryRun {
		if _, err := a.decider(ctx, v.Repo); err != nil {
			return err
		}
	}
	if o.ownHost {
		if a.flags.host, err = a.ThisHost(v.Repo.Format.Repository); err != nil {
			return err
		}
	}
	f, err := admin.NewForgetting(ctx, v, a.filter(), admin.ForgettingOptions{By: by, RemoveAll: o.removeAll, Preview: a.flags.dryRun})
	if err != nil {
		return err
	}
	// What it asks, it asks before anything is forgotten.
	grace, err := a.grace(v.Repo, o.graceFlags)
	if err != nil {
		return err
	}
	o.yes = true
	if len(names) > 0 {
		err = f.Named(names)
	} else {
		err = a.forgetByRules(f, policy, o.removeAll)
	}
	if err != nil {
		return err
	}
	if err := a.finishForgetting(ctx, v, f, grace); err != nil || !o.prune || a.flags.dryRun {
		return err
	}
	return a.pruneNow(ctx, v.Repo, pruneOptions{graceFlags: o.graceFlags, deadAfter: defaultDead})
}

// forgetByRules decides by rules: those of the command line, else those of the settings.
func (a *app) forgetByRules(f *admin.Forgetting, policy retention.Policy, removeAll bool) error {
	if !policy.Empty() || removeAll {
		return f.Ruled(policy)
	}
	settings, err := a.Settings()
	if err != nil {
		return err
	}
	policies, err := settings.Policies()
	if err != nil {
		return err
	}
	if err := f.OfSets(policies); err != nil {
		return err
	}
	if len(policies) == 0 {
		return usage("no retention rules: give rules such as --keep-daily 14, name snapshots, or set retention: in the settings' sets")
	}
	return nil
}

// finishForgetting does what was decided, or says what it would do.
func (a *app) finishForgetting(ctx context.Context, v *view.View, f *admin.Forgetting, grace time.Duration) error {
	gone, err := f.Gone()
	if err != nil {
		return err
	}
	m := forgetSummaryOf(f, v.Snapshots)
	m.DryRun = a.flags.dryRun
	switch {
	case m.DryRun:
		err = a.weigh(ctx, v, &m, gone)
	case len(gone) > 0:
		if err = a.decide(ctx, v.Repo, func(s *catalog.Session) error { return s.Forget(ctx, gone) }); err != nil {
			err = fmt.Errorf("forget %s: %w", output.Plural(len(gone), "snapshot"), err)
		}
		if grace > 0 {
			m.Until = f.Now().Add(grace)
		}
	}
	if err != nil {
		return err
	}
	if young, floor := f.Below(); young > 0 {
		a.out.Note("%d of them are younger than the retention floor of %s, which binds collectors and jobs, but not the owner", young, retention.Period(floor))
	}
	a.out.Summary(m, m.text(a.out.Table))
	return a.out.Err()
}

func forgetSummaryOf(f *admin.Forgetting, snapshots []*catalog.Snapshot) forgetSummary {
	m := forgetSummary{Snapshots: []forgetRow{}}
	for _, verdict := range f.Verdicts {
		row := forgetRow{ID: verdict.ID, Time: verdict.Time, Forgotten: !verdict.Kept(), Keep: verdict.Keep}
		if i := slices.IndexFunc(snapshots, func(s *catalog.Snapshot) bool { return s.ID.String() == row.ID }); i >= 0 {
			row.Set, row.Hostname = output.Name(snapshots[i].Set), output.Name(snapshots[i].Host)
		}
		if row.Forgotten {
			m.Forgotten++
		} else {
			m.Kept++
		}
		m.Snapshots = append(m.Snapshots, row)
	}
	return m
}

// weigh says what would become free, as far as a key at hand opens the reference maps.
func (a *app) weigh(ctx context.Context, v *view.View, m *forgetSummary, gone []archive.Name) error {
	weights, err := collect.Weigh(ctx, v.Repo, v.Log)
	if errors.Is(err, catalog.ErrNoIdentity) {
		a.Warn("without a key that can read the reference maps, the space that would become free is unknown")
		return nil
	}
	if err != nil {
		return err
	}
	for i := range m.Snapshots {
		id, err := archive.ParseName(m.Snapshots[i].ID)
		if err != nil {
			return err
		}
		m.Snapshots[i].Freed = weights.Alone(id)
	}
	m.Freed = weights.Together(gone)
	return nil
}

func (m forgetSummary) text(layOut func(output.Table) string) string {
	table := output.Table{Head: []string{"ID", "TIME", "SET", "HOST", "KEPT BY"}, Cut: []int{2, 3, 4}}
	if m.DryRun {
		table.Head, table.Right = append(table.Head, "FREES"), []int{5}
	}
	for _, row := range m.Snapshots {
		if !row.Forgotten && !m.DryRun {
			continue
		}
		kept := strings.Join(row.Keep, ", ")
		if row.Forgotten {
			kept = "- forgotten"
		}
		cells := []string{row.ID[:shortID], output.Time(row.Time), output.OrDash(row.Set.String()), output.OrDash(row.Hostname.String()), kept}
		if m.DryRun {
			cells = append(cells, output.Bytes(row.Freed))
		}
		table.Rows = append(table.Rows, cells)
	}
	return tableText(layOut(table)) + m.summary()
}

// tableText is a table before a summary, or nothing if it has no rows.
func tableText(table string) string {
	if table == "" {
		return ""
	}
	return strings.TrimRight(table, "\n") + "\n"
}

func (m forgetSummary) summary() string {
	switch {
	case m.DryRun:
		return fmt.Sprintf("would forget %s, which frees %s, and keep %d; nothing was changed", output.Plural(m.Forgotten, "snapshot"), output.Bytes(m.Freed), m.Kept)
	case m.Forgotten == 0:
		return fmt.Sprintf("forgot nothing, kept %s", output.Plural(m.Kept, "snapshot"))
	}
	text := fmt.Sprintf("forgot %s, kept %d", output.Plural(m.Forgotten, "snapshot"), m.Kept)
	if !m.Until.IsZero() {
		text += "; packstone undelete brings them back until " + output.Time(m.Until)
	}
	return text
}
