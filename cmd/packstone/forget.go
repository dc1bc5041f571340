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
	"github.com/packstone/packstone/catalog/retention"
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

	date time.Time
}

type forgetOptions struct {
	keep      keepFlags
	groupBy   string
	removeAll bool
	prune     bool
	graceFlags
}

func newForget(a *app) *cobra.Command {
	var o forgetOptions
	cmd := &cobra.Command{
		Use:   "forget [SNAPSHOT...]",
		Short: "Let snapshots count no more: those that are named, or those that no rule keeps.",
		Long: `Without snapshots and rules, those of the settings hold: retention: of each set. With --set, --host, --tag or --path only what passes is
decided about. Snapshots of other sets, hosts or paths never replace each other, unless --group-by says otherwise. The newest complete
snapshot of each stays, and so does what is held, what is not reliably dated, and an incomplete one that is newer.

It takes the owner's key, or a collector's. What is forgotten is deleted by packstone prune after the grace; until then packstone
undelete brings it back. A collector forgets nothing that is younger than the retention floor. -n says which rule keeps what, and what
each would free.`,
		Example: `  packstone forget --keep-last 3 --keep-daily 14 --keep-monthly 12 -n
  packstone forget 4f2a81c0`,
	}
	o.keep.register(cmd.Flags())
	cmd.Flags().StringVar(&o.groupBy, "group-by", "set,host,paths", "`what` two snapshots must have in common to replace each other; '' for nothing")
	cmd.Flags().BoolVar(&o.removeAll, "unsafe-allow-remove-all", false, "let even the newest snapshot be forgotten; without rules, all that pass")
	cmd.Flags().BoolVar(&o.prune, "prune", false, "delete then what nothing needs any more, as packstone prune does")
	o.register(cmd.Flags())
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesSelection|usesPaths|usesDryRun, func(ctx context.Context, args []string) error {
		if !o.prune && (o.graceFlags != graceFlags{}) {
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
	by, err := parseGroupBy(o.groupBy)
	if err != nil {
		return err
	}
	v, err := a.lookToDecide(ctx)
	if err != nil {
		return err
	}
	if err := v.whole(nil); err != nil {
		return err
	}
	f := forgetting{view: v, by: by, options: retention.Options{Now: time.Now(), Zone: time.Local, RemoveAll: o.removeAll}}
	if err := f.bind(ctx); err != nil {
		return err
	}
	pruning := pruneOptions{graceFlags: o.graceFlags, maxUnused: "0%", deadAfter: defaultDead}
	// What it asks, it asks before anything is forgotten.
	if f.grace, err = a.grace(v.repo, o.graceFlags); err != nil {
		return err
	}
	pruning.yes = true
	if len(names) > 0 {
		err = f.named(names)
	} else {
		err = f.ruled(policy)
	}
	if err != nil {
		return err
	}
	if err := f.finish(ctx); err != nil || !o.prune || a.flags.dryRun {
		return err
	}
	return a.pruneNow(ctx, v.repo, pruning)
}

// forgetting is one run of forget.
type forgetting struct {
	*view
	by      catalog.GroupBy
	options retention.Options
	grace   time.Duration
	owner   bool // the owner's key is used, whom the floor does not bind
	rows    []forgetRow
}

// bind finds out who decides and by what time.
func (f *forgetting) bind(ctx context.Context) (err error) {
	floor, err := f.repo.Config.RetentionFloor()
	if err != nil {
		return err
	}
	f.owner = f.repo.Collector() == nil
	if !f.owner {
		f.options.Floor = floor
	}
	if f.flags.dryRun {
		return nil
	}
	if _, err := f.Decider(f.repo); err != nil {
		return err
	}
	f.options.Now, err = f.repo.Now(ctx, f.log)
	return err
}

// named decides about snapshots by their names.
func (f *forgetting) named(names []string) error {
	ids, err := f.resolve(names)
	if err != nil {
		return err
	}
	for _, s := range f.repo.ForRetention(f.log, f.snapshots, f.by) {
		id, err := archive.ParseName(s.ID)
		if err != nil || !slices.Contains(ids, id) {
			continue
		}
		switch {
		case s.Held:
			return exitWith(exitHeld, "snapshot %.12s is held: packstone unhold %.12s lets it go; nothing was changed", s.ID, s.ID)
		case f.options.Now.Sub(s.Date) < f.options.Floor:
			return exitWith(exitRefused, "snapshot %.12s is younger than the retention floor of %s, which binds collectors: the owner's key may forget it; "+
				"nothing was changed", s.ID, period(f.options.Floor))
		}
		f.add(retention.Verdict{Snapshot: s})
	}
	return nil
}

// resolve finds what names mean: any name of a snapshot with an identity, else ids.
func (v *view) resolve(names []string) (ids []archive.Name, err error) {
	for _, name := range names {
		if !v.repo.CanRead() {
			found := v.log.Counting(name)
			if len(found) != 1 {
				return nil, exitWith(exitFailed, "%s: %d snapshots have an id that begins so, and without an identity they have no other names", output.Name(name), len(found))
			}
			ids = append(ids, found[0])
			continue
		}
		s, err := v.pick(name, v.filter())
		if err != nil {
			return nil, err
		}
		ids = append(ids, s.ID)
	}
	return ids, nil
}

// ruled decides by rules: those of the command line, else those of the settings.
func (f *forgetting) ruled(policy retention.Policy) error {
	if !f.repo.CanRead() && (f.filters() || len(policy.Tags) > 0) {
		return exitWith(exitIdentity, "without an identity nobody knows sets, hosts, paths and tags: %w", catalog.ErrNoIdentity)
	}
	var err error
	if policy.IDs, err = f.idsOf(policy.IDs); err != nil {
		return err
	}
	if !policy.Empty() || f.options.RemoveAll {
		f.decide(f.passing(""), policy)
		return nil
	}
	settings, err := f.Settings()
	if err != nil {
		return err
	}
	if !f.repo.CanRead() {
		return exitWith(exitIdentity, "without an identity nobody knows which set a snapshot is of; name the rules with --keep-…: %w", catalog.ErrNoIdentity)
	}
	found := false
	for name, set := range settings.Sets {
		if !set.Retention.Given() {
			continue
		}
		p, err := set.Retention.Policy()
		if err != nil {
			return err
		}
		found = true
		f.decide(f.passing(name), p)
	}
	if !found {
		return usage("nothing says what to keep: name rules such as --keep-daily 14, or snapshots, or write retention: into the settings' sets")
	}
	return nil
}

// filters tells whether flags choose snapshots by what only an identity can read.
func (f *forgetting) filters() bool {
	return f.flags.setGiven || f.flags.host != "" || len(f.flags.tags) > 0 || len(f.flags.paths) > 0
}

// idsOf completes ids.
func (f *forgetting) idsOf(names []string) (full []string, err error) {
	for _, name := range names {
		found := f.log.Counting(name)
		if len(found) != 1 {
			return nil, usage("--keep-id %s: %d snapshots have an id that begins so", output.Name(name), len(found))
		}
		full = append(full, found[0].String())
	}
	return full, nil
}

// passing are the snapshots that the flags let pass, of one set if it is named.
func (f *forgetting) passing(set string) []retention.Snapshot {
	if !f.repo.CanRead() {
		return f.repo.ForRetention(f.log, nil, f.by)
	}
	passing := slices.DeleteFunc(slices.Clone(f.snapshots), func(s *catalog.Snapshot) bool {
		return !f.filter().Matches(s) || set != "" && s.Set != set
	})
	if len(passing) == 0 {
		return nil
	}
	return f.repo.ForRetention(f.log, passing, f.by)
}

func (f *forgetting) decide(snapshots []retention.Snapshot, p retention.Policy) {
	for _, verdict := range retention.Decide(snapshots, p, f.options) {
		f.add(verdict)
	}
}

func (f *forgetting) add(v retention.Verdict) {
	row := forgetRow{ID: v.ID, Time: v.Time, Forgotten: !v.Kept(), Keep: v.Keep, date: v.Date}
	if i := slices.IndexFunc(f.snapshots, func(s *catalog.Snapshot) bool { return s.ID.String() == v.ID }); i >= 0 {
		row.Set, row.Hostname = output.Name(f.snapshots[i].Set), output.Name(f.snapshots[i].Host)
	}
	f.rows = append(f.rows, row)
}

// finish does what was decided, or says what it would do.
func (f *forgetting) finish(ctx context.Context) error {
	slices.SortStableFunc(f.rows, func(a, b forgetRow) int { return a.Time.Compare(b.Time) })
	m := forgetSummary{Snapshots: f.rows, DryRun: f.flags.dryRun}
	if m.Snapshots == nil {
		m.Snapshots = []forgetRow{}
	}
	var gone []archive.Name
	for _, row := range f.rows {
		id, err := archive.ParseName(row.ID)
		if err != nil {
			return err
		}
		if row.Forgotten {
			gone = append(gone, id)
		}
	}
	m.Forgotten, m.Kept = len(gone), len(f.rows)-len(gone)
	if f.flags.dryRun {
		if err := f.weigh(ctx, &m, gone); err != nil {
			return err
		}
	} else if len(gone) > 0 {
		if err := f.forgetAll(ctx, gone); err != nil {
			return err
		}
		if f.grace > 0 {
			m.Until = f.options.Now.Add(f.grace)
		}
	}
	f.tellFloor()
	f.out.Summary(m, m.text())
	return f.out.Err()
}

func (f *forgetting) forgetAll(ctx context.Context, gone []archive.Name) error {
	err := f.app.decide(ctx, f.repo, func(s *catalog.Session) error { return s.Forget(ctx, gone) })
	if err != nil {
		return fmt.Errorf("forget %d snapshots: %w", len(gone), err)
	}
	return nil
}

// weigh says what would become free, as far as a key at hand opens the reference maps.
func (f *forgetting) weigh(ctx context.Context, m *forgetSummary, gone []archive.Name) error {
	weights, err := collect.Weigh(ctx, f.repo, f.log)
	if errors.Is(err, catalog.ErrNoIdentity) {
		f.out.Warn(output.Warning{Message: "no key at hand opens the reference maps: nobody knows what would become free"})
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

// tellFloor tells the owner what a collector would keep.
func (f *forgetting) tellFloor() {
	floor, err := f.repo.Config.RetentionFloor()
	young := 0
	for _, row := range f.rows {
		if row.Forgotten && f.options.Now.Sub(row.date) < floor {
			young++
		}
	}
	if err == nil && young > 0 && f.owner {
		f.out.Note("%d of them are younger than the retention floor of %s, which binds collectors and jobs, and not the owner", young, period(floor))
	}
}

func (m forgetSummary) text() string {
	table := output.Table{Head: []string{"ID", "TIME", "SET", "HOST", "KEPT BY"}}
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
		cells := []string{row.ID[:shortID], output.Time(row.Time), orDash(row.Set.String()), orDash(row.Hostname.String()), kept}
		if m.DryRun {
			cells = append(cells, output.Bytes(row.Freed))
		}
		table.Rows = append(table.Rows, cells)
	}
	return m.tableText(table) + m.summary()
}

func (m forgetSummary) tableText(table output.Table) string {
	if len(table.Rows) == 0 {
		return ""
	}
	return strings.TrimRight(table.String(), "\n") + "\n"
}

func (m forgetSummary) summary() string {
	switch {
	case m.DryRun:
		return fmt.Sprintf("would forget %d snapshots, which frees %s, and keep %d; nothing was changed", m.Forgotten, output.Bytes(m.Freed), m.Kept)
	case m.Forgotten == 0:
		return fmt.Sprintf("forgot nothing, kept %d snapshots", m.Kept)
	}
	text := fmt.Sprintf("forgot %d snapshots, kept %d", m.Forgotten, m.Kept)
	if !m.Until.IsZero() {
		text += "; packstone undelete brings them back until " + output.Time(m.Until)
	}
	return text
}

// period is a stretch of time in days or hours where it is that.
func period(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return d.String()
}

func parseGroupBy(text string) (by catalog.GroupBy, err error) {
	by = catalog.GroupBy{AnySet: true, AnyHost: true, AnyPaths: true}
	for _, word := range strings.Split(text, ",") {
		switch strings.TrimSpace(word) {
		case "set":
			by.AnySet = false
		case "host":
			by.AnyHost = false
		case "paths", "path":
			by.AnyPaths = false
		case "":
		default:
			return by, usage("--group-by %s: want set, host and paths, with commas between them", text)
		}
	}
	return by, nil
}
