package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/output"
)

// snapshotRow is a snapshot in the JSON array of snapshots.
type snapshotRow struct {
	ID         string          `json:"id" doc:"The snapshot's id: the SHA-256 of its commit."`
	ShortID    string          `json:"short_id" doc:"The beginning of the id, which is enough to name it."`
	Time       time.Time       `json:"time" doc:"When it was taken, or what --time said; never later than the storage has it."`
	Claimed    time.Time       `json:"claimed_time,omitzero" doc:"The later time that its writer claims and that is not believed."`
	Undated    bool            `json:"undated,omitempty" doc:"Whether it claims to be older than the storage has it: it was dated back, or copied."`
	Set        output.Name     `json:"set" doc:"The set; empty for paths."`
	Hostname   output.Name     `json:"hostname" doc:"The host that took it."`
	Writer     string          `json:"writer" doc:"Whose key signed it."`
	Standing   string          `json:"standing" doc:"bound: the owner has admitted the writer for this host. unbound: the owner has not said for which hosts. outside: for others only, so that latest and times pass over it."`
	Username   string          `json:"username,omitempty" doc:"The user that took it."`
	Tags       []string        `json:"tags,omitempty" doc:"Its tags."`
	About      output.Name     `json:"description,omitempty" doc:"What --description said of it."`
	Paths      []output.Name   `json:"paths,omitempty" doc:"What was named on the command line."`
	Sources    []string        `json:"sources" doc:"The names of its sources."`
	Files      uint64          `json:"total_files_processed" doc:"Files in it."`
	Bytes      uint64          `json:"total_bytes_processed" doc:"Their bytes."`
	Complete   bool            `json:"complete" doc:"Whether everything that was to be backed up is in it."`
	Tripwire   []tripRow       `json:"tripwire,omitempty" doc:"What looks like a loss in it, against the snapshots before: it is marked, and takes no other's place."`
	References []referencesRow `json:"references,omitempty" doc:"Whether what rows refer to is in the snapshot."`
	Orphans    []orphanRow     `json:"orphans,omitempty" doc:"Of the sources that rows refer to, how many files no row refers to."`
	LeftOut    []leftOutRow    `json:"not_backed_up,omitempty" doc:"What of the platform is left out on purpose."`
	Program    string          `json:"program_version" doc:"What took it."`
	Held       []heldRow       `json:"held,omitempty" doc:"What keeps it from being forgotten."`
	Replaces   string          `json:"replaces,omitempty" doc:"The id of the snapshot that it was made of by rewrite, as its writer says."`
	Gone       time.Time       `json:"forgotten,omitzero" doc:"When it was forgotten."`
	Origin     *originRow      `json:"origin,omitempty" doc:"The snapshot of another repository that holds the same: of which it is a copy, or which was taken in the same run."`
}

// originRow names a snapshot of another repository.
type originRow struct {
	Repository output.Name `json:"repository" doc:"The repository's id."`
	Snapshot   output.Name `json:"snapshot" doc:"The snapshot's id there."`
}

// heldRow is a hold of a snapshot.
type heldRow struct {
	Reason output.Name `json:"reason" doc:"Why it is held."`
	Until  time.Time   `json:"until,omitzero" doc:"When the hold ends by itself."`
	By     string      `json:"by" doc:"Who has signed it."`
	Since  time.Time   `json:"since" doc:"Since when it is held."`
}

func newSnapshots(a *app) *cobra.Command {
	var o snapshotsOptions
	cmd := &cobra.Command{
		Use:   "snapshots [SNAPSHOT...]",
		Short: "List snapshots, oldest first.",
		Long: `--versions-at lists what a bucket with versions held at an earlier time, such as before somebody with
its credentials has overwritten or deleted objects. Every verb that only reads takes it.`,
		Example: `  packstone snapshots --set platform --json
  packstone snapshots --versions-at 2026-11-20T14:00`,
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.all, "all", false, "also list forgotten snapshots")
	flags.IntVar(&o.latest, "latest", 0, "list only the newest `n` of each set and host, or of each group of --group-by")
	flags.StringVar(&o.groupBy, "group-by", "", "group by `what` snapshots have in common: set, host and paths, separated by commas")
	flags.BoolVarP(&o.long, "long", "l", false, "also list what is said of each snapshot: its references, and what is not backed up")
	flags.BoolVar(&o.compact, "compact", false, "list only ids, times, hosts and tags")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesSelection|usesPaths, func(ctx context.Context, args []string) error {
		if err := o.check(cmd.Flags().Changed); err != nil {
			return err
		}
		v, err := a.openToLook(ctx)
		if err != nil {
			return err
		}
		v.TellClaims()
		if o.all {
			if err := v.AddForgotten(ctx); err != nil {
				return err
			}
		}
		chosen, err := v.Choose(args)
		if err != nil {
			return err
		}
		if len(chosen) == 0 {
			a.tellNone(v)
		}
		err = a.printSnapshots(o.newestOf(chosen), o)
		if len(args) == 0 {
			err = errors.Join(err, v.Whole(ctx))
		}
		return err
	})
}

// tellNone says why the list is empty.
func (a *app) tellNone(v *view.View) {
	if len(v.Snapshots) == 0 && !a.flags.VersionsAt.IsZero() {
		a.out.Note("There were no snapshots in this repository then. Name a later time with --versions-at")
		return
	}
	if len(v.Snapshots) == 0 {
		a.out.Note("There are no snapshots in this repository yet. Make one with: packstone backup PATH")
		return
	}
	a.out.Note("None of the %s matches what you asked for.", output.Plural(len(v.Snapshots), "snapshot"))
}

type snapshotsOptions struct {
	all, compact bool
	long         bool
	latest       int
	groupBy      string
	by           catalog.GroupBy
}

func (o *snapshotsOptions) check(given func(flag string) bool) (err error) {
	if given("latest") && o.latest < 1 {
		return usage("--latest %d: want 1 or more", o.latest)
	}
	o.by = catalog.GroupBy{AnyPaths: true}
	if given("group-by") {
		if o.by, err = catalog.ParseGroupBy(o.groupBy); err != nil {
			return usage("--group-by %w", err)
		}
	}
	return nil
}

// newestOf leaves the newest of each group where --latest asks for it.
func (o *snapshotsOptions) newestOf(snapshots []*catalog.Snapshot) []*catalog.Snapshot {
	if o.latest == 0 {
		return snapshots
	}
	seen := map[string]int{}
	var newest []*catalog.Snapshot
	for _, s := range slices.Backward(snapshots) {
		if seen[s.Group(o.by)]++; seen[s.Group(o.by)] <= o.latest {
			newest = append(newest, s)
		}
	}
	slices.Reverse(newest)
	return newest
}

// printSnapshots prints one table, or one for each group.
func (a *app) printSnapshots(snapshots []*catalog.Snapshot, o snapshotsOptions) error {
	rows := make([]snapshotRow, len(snapshots))
	for i, s := range snapshots {
		rows[i] = snapshotRowOf(s)
	}
	if o.groupBy == "" || a.out.JSON() {
		table := tableOf(rows, o.compact)
		table.Footer = o.footer(rows)
		return output.List(a.out, rows, table)
	}
	var order []string
	groups := map[string][]snapshotRow{}
	for i, s := range snapshots {
		name := s.Group(o.by)
		if groups[name] == nil {
			order = append(order, name)
		}
		groups[name] = append(groups[name], rows[i])
	}
	for i, name := range order {
		table := tableOf(groups[name], o.compact)
		table.Title, table.Footer = groups[name][0].groupName(o.by), o.footer(groups[name])
		if i > 0 {
			a.out.Line("")
		}
		if err := output.List(a.out, groups[name], table); err != nil {
			return err
		}
	}
	return nil
}

// footer is what --long says of snapshots.
func (o *snapshotsOptions) footer(rows []snapshotRow) string {
	var lines []string
	for _, row := range rows {
		said := strings.TrimSuffix(referencesText(row.References, row.Orphans), "\n")
		for _, out := range row.LeftOut {
			said += "\n" + out.text()
		}
		for line := range strings.SplitSeq(strings.TrimPrefix(said, "\n"), "\n") {
			if o.long && line != "" {
				lines = append(lines, row.ShortID+" "+line)
			}
		}
	}
	return strings.Join(lines, "\n")
}

// groupName says what a group has in common.
func (r snapshotRow) groupName(by catalog.GroupBy) string {
	var words []string
	if !by.AnySet {
		words = append(words, "set "+output.OrDash(r.Set.String()))
	}
	if !by.AnyHost {
		words = append(words, "host "+r.Hostname.String())
	}
	if !by.AnyPaths && len(r.Paths) > 0 {
		var paths []string
		for _, path := range r.Paths {
			paths = append(paths, path.String())
		}
		words = append(words, "paths "+strings.Join(paths, " "))
	}
	return strings.Join(words, ", ")
}

func tableOf(rows []snapshotRow, compact bool) output.Table {
	table := output.Table{Head: []string{"ID", "TIME", "SET", "HOST", "TAGS", "FILES", "SIZE", "WHAT"}, Right: []int{5, 6}, Cut: []int{2, 3, 4, 7}}
	if compact {
		table = output.Table{Head: []string{"ID", "TIME", "HOST", "TAGS"}, Cut: []int{2, 3}}
	}
	for _, row := range rows {
		id, at, tags := row.ShortID, output.Time(row.Time), output.OrDash(output.Name(strings.Join(row.Tags, ",")).String())
		if compact {
			table.Rows = append(table.Rows, []string{id, at, row.host(), tags})
			continue
		}
		table.Rows = append(table.Rows, []string{id, at, output.OrDash(row.Set.String()), row.host(), tags,
			strconv.FormatUint(row.Files, 10), output.Bytes(int64(row.Bytes)), row.what()})
	}
	return table
}

func snapshotRowOf(s *catalog.Snapshot) snapshotRow {
	row := snapshotRow{
		ID: s.ID.String(), ShortID: s.ShortID(), Time: s.Time, Undated: s.Undated, Set: output.Name(s.Set), Hostname: output.Name(s.Host),
		Username: s.User, Tags: s.Tags, About: output.Name(s.Description), Complete: s.Complete(), Program: s.Software, Writer: s.Writer, Standing: s.Standing.String(),
		Gone: s.Gone, Tripwire: tripRows(s), Replaces: s.Replaces,
		References: referencesRows(s.References), Orphans: orphanRows(s.Orphans), LeftOut: leftOutRows(s.NotBackedUp),
	}
	for _, held := range s.Held {
		row.Held = append(row.Held, heldRow{output.Name(held.Reason), held.Until, held.By, held.Since})
	}
	if o := s.Origin; o != nil {
		row.Origin = &originRow{output.Name(o.Repository), output.Name(o.Snapshot)}
	}
	if !s.Claimed.Equal(s.Time) {
		row.Claimed = s.Claimed
	}
	for i := range s.Sources {
		source := &s.Sources[i]
		row.Sources = append(row.Sources, source.Name)
		row.Paths = append(row.Paths, output.Names(source.Paths)...)
		row.Files += source.Coverage.Files
		row.Bytes += source.Coverage.Bytes
	}
	return row
}

// what names what is in a snapshot, for a person.
func (r snapshotRow) what() string {
	text := output.Name(strings.Join(r.Sources, " ")).String()
	if len(r.Paths) > 0 {
		var paths []string
		for _, path := range r.Paths {
			paths = append(paths, path.String())
		}
		text = strings.Join(paths, " ")
	}
	if r.About != "" {
		text += ": " + r.About.String()
	}
	return text + output.Mark(!r.Complete, "incomplete") + output.Mark(len(r.Tripwire) > 0, tripText(r.Tripwire)) + output.Mark(r.Standing == catalog.Outside.String(), "outside: "+r.Writer+" may not speak for this host") +
		output.Mark(r.Standing == catalog.Unbound.String(), "unbound") + output.Mark(r.Undated, "undated") + output.Mark(!r.Claimed.IsZero(), "claims "+output.Time(r.Claimed)) +
		output.Mark(!r.Gone.IsZero(), "forgotten "+output.Time(r.Gone)) + output.Mark(len(r.Held) > 0, r.heldFor())
}

// heldFor says why a snapshot is held, and until when.
func (r snapshotRow) heldFor() string {
	var words []string
	for _, h := range r.Held {
		word := "held"
		if !h.Until.IsZero() {
			word += " until " + output.Time(h.Until)
		}
		if h.Reason != "" {
			word += ": " + h.Reason.String()
		}
		words = append(words, word)
	}
	return strings.Join(words, "; ")
}

// host names the host, and the writer where it has another name.
func (r snapshotRow) host() string {
	if catalog.WriterName(string(r.Hostname)) == r.Writer {
		return r.Hostname.String()
	}
	return r.Hostname.String() + " by " + r.Writer
}
