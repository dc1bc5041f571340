package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// statusMessage is what status prints as JSON.
type statusMessage struct {
	Repository string          `json:"repository" doc:"Where the repository is."`
	ID         string          `json:"id" doc:"The repository's id."`
	Owner      string          `json:"owner" doc:"The fingerprint of the owner's key."`
	Recipients int             `json:"recipients" doc:"How many keys open what is written now."`
	Sets       []statusSet     `json:"sets" doc:"The last snapshot of each set of each host; empty without an identity."`
	Writers    []statusWriter  `json:"writers" doc:"The hosts that may write, and those that no longer may."`
	Sessions   []statusOpen    `json:"open_sessions" doc:"Backups that run now, or were interrupted."`
	Packs      uint64          `json:"packs" doc:"Packs of content and trees that backups have published."`
	Bytes      uint64          `json:"total_size" doc:"Their bytes."`
	Problems   []string        `json:"problems" doc:"What is wrong with records."`
	Unknown    []string        `json:"unknown" doc:"What cannot be told with the keys at hand."`
	Requests   count.Totals    `json:"requests" doc:"Requests of this command to the storage."`
	Health     []statusHealth  `json:"health" doc:"How the sets are that the settings want to be backed up, by schedule or max_age."`
	Outcomes   []statusOutcome `json:"outcomes" doc:"Jobs of packstone run on any host that failed, or found damage, and were not done since, as their hosts wrote it down; empty without an identity."`
	Faults     []statusFault   `json:"faults" doc:"The last runs of packstone run on this host that failed, were incomplete or interrupted, the newest first."`
	Growth     int64           `json:"stored_last_week,omitempty" doc:"Bytes that jobs on this host have stored in the last seven days."`
	Locks      *statusLocks    `json:"locks,omitempty" doc:"Until when everything is locked, as the last packstone keep on this machine has found."`
	LastBackup *lastBackup     `json:"last_backup,omitempty" doc:"The last backup from this machine, as its cache remembers it."`
}

// statusSet is the last snapshot of a set of a host.
type statusSet struct {
	Set        output.Name    `json:"set" doc:"The set; empty for paths."`
	Hostname   output.Name    `json:"hostname" doc:"The host that took it."`
	SnapshotID string         `json:"snapshot_id" doc:"The last snapshot."`
	Time       time.Time      `json:"time" doc:"When it was taken."`
	Age        int64          `json:"age_seconds" doc:"How long ago that was."`
	Duration   float64        `json:"duration_seconds" doc:"How long the backup took."`
	Complete   bool           `json:"complete" doc:"Whether everything that was to be backed up is in it."`
	Tripwire   []message.Trip `json:"tripwire,omitempty" doc:"What looks like a loss in it, against the snapshots before."`
	Snapshots  int            `json:"snapshots_count" doc:"How many snapshots of the set and host there are."`
}

// statusWriter is a host that may write.
type statusWriter struct {
	Name       string    `json:"name" doc:"The writer's name."`
	Revoked    bool      `json:"revoked" doc:"Whether it may write no more."`
	Lanes      int       `json:"lanes" doc:"How many chains of records it has begun."`
	Records    int       `json:"records" doc:"How many records it has written."`
	LastCommit time.Time `json:"last_commit,omitzero" doc:"When it last committed a snapshot, by the storage's clock."`
	Failed     time.Time `json:"failed,omitzero" doc:"When it told that a job of it has failed, or found damage, and was not done since; packstone run tells it."`
}

// statusOpen is a session without a record.
type statusOpen struct {
	Lane  string    `json:"lane" doc:"The writer and the number of its chain of records."`
	Since time.Time `json:"since" doc:"When it began, by the storage's clock."`
}

func newStatus(a *app) *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of the backups.",
		Long: `Shows the last snapshot of each set, who writes, and which sessions are open. Works with and without
an identity, and says what it cannot know without. It judges each set that the settings schedule or
give a max_age: if one is late, failed, incomplete or was never backed up, the exit code is 3.

--watch checks, from a machine that makes no backups and has no key, that each host still backs up,
and ends with 3 if one does not.`,
		Example: `  packstone status
  packstone status --watch --max-age 26h -r s3://offsite/corridor`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&o.watch, "watch", false, "only check that each writer has stored a complete snapshot lately; needs no key, only the right to list")
	cmd.Flags().Var(&o.maxAge, "max-age", "with --watch: maximum age of the newest snapshot, a `time` such as 26h or 8d")
	cmd.Flags().StringArrayVar(&o.writers, "writer", nil, "with --watch: `name` of a writer that must be there; may be repeated (default all that may write)")
	return a.verb(cmd, usesRepository|usesIdentity|usesVersions, func(ctx context.Context, _ []string) error {
		if err := o.check(); err != nil {
			return err
		}
		if o.watch && !a.flags.VersionsAt.IsZero() {
			return usage("--watch asks for what is there now, and --versions-at for what was: give one of them")
		}
		if o.watch {
			return a.watch(ctx, o, time.Now())
		}
		m, err := a.status(ctx, time.Now())
		if err != nil {
			return err
		}
		a.out.Message("repository_status", m, a.out.Fold(m.text(a.out.Table)))
		a.tellRequests(m.Requests)
		if err := a.out.Err(); err != nil {
			return err
		}
		return m.verdict()
	})
}

func (a *app) status(ctx context.Context, now time.Time) (*statusMessage, error) {
	repo, storage, err := a.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.EvenBroken)
	if err != nil {
		return nil, err
	}
	s, err := browse.StatusOf(ctx, repo)
	if err != nil {
		return nil, err
	}
	m := &statusMessage{
		Repository: repo.Store.Location(), ID: repo.Format.Repository, Owner: repo.Owner().Fingerprint().String(), Recipients: len(repo.Config.Recipients),
		Sets: []statusSet{}, Health: []statusHealth{}, Faults: []statusFault{}, Writers: []statusWriter{}, Sessions: []statusOpen{}, Packs: s.Packs, Bytes: s.Bytes,
		Problems: append([]string{}, s.Problems...), Unknown: append([]string{}, s.Unknown...),
	}
	for _, set := range s.Sets {
		last := set.Last
		m.Sets = append(m.Sets, statusSet{
			Set: output.Name(last.Set), Hostname: output.Name(last.Host), SnapshotID: last.ID.String(), Time: last.Time,
			Age: int64(now.Sub(last.Time) / time.Second), Duration: last.Finished.Sub(last.Started).Seconds(), Complete: last.Complete(), Tripwire: message.TripsOf(last), Snapshots: set.Snapshots,
		})
	}
	for _, w := range s.Writers {
		m.Writers = append(m.Writers, statusWriter(w))
	}
	for _, open := range s.Sessions {
		m.Sessions = append(m.Sessions, statusOpen(open))
	}
	m.Outcomes = outcomeRows(s.Outcomes)
	if err := a.addHealth(m, repo, s, now); err != nil {
		return nil, err
	}
	m.Locks = locksOf(repo)
	m.Requests, m.LastBackup = storage.Counts.Totals(), recallBackup(repo.Cache)
	return m, nil
}

func (m *statusMessage) text(layOut func(output.Table) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "repository %s in %s\nowner %s, recipients: %d\n", m.ID, m.Repository, m.Owner, m.Recipients)
	if m.Packs > 0 {
		fmt.Fprintf(&b, "%s packs, %s\n", output.Count(int64(m.Packs)), output.Bytes(int64(m.Bytes)))
	}
	for _, table := range []output.Table{m.healthTable(), m.setTable(), m.writerTable()} {
		if text := layOut(table); text != "" {
			b.WriteString("\n" + text)
		}
	}
	if text := m.jobsText(); text != "" {
		b.WriteString("\n" + strings.TrimLeft(text, "\n") + "\n")
	}
	for _, w := range m.Writers {
		if !w.Failed.IsZero() && len(m.Outcomes) == 0 {
			fmt.Fprintf(&b, "\nwriter %s told on %s that a job of it failed", w.Name, output.Time(w.Failed))
		}
	}
	if m.LastBackup != nil {
		b.WriteString("\n" + m.LastBackup.text())
	}
	if m.Locks != nil {
		b.WriteString("\n" + m.Locks.text())
	}
	for _, s := range m.Sessions {
		fmt.Fprintf(&b, "\nsession %s: running or killed since %s", s.Lane, output.Time(s.Since))
	}
	for _, s := range m.Sets {
		if len(s.Tripwire) > 0 {
			fmt.Fprintf(&b, "\nset %s of %s, snapshot %s: %s", output.OrDash(s.Set.String()), s.Hostname, s.SnapshotID[:shortID], message.TripText(s.Tripwire))
		}
	}
	for _, text := range m.Problems {
		fmt.Fprintf(&b, "\nproblem: %s", output.Name(text))
	}
	for _, text := range m.Unknown {
		fmt.Fprintf(&b, "\nnot known: %s", text)
	}
	return strings.TrimRight(b.String(), "\n")
}

func (m *statusMessage) setTable() output.Table {
	table := output.Table{Head: []string{"SET", "HOST", "LAST SNAPSHOT", "TIME", "AGE", "COMPLETE", "SNAPSHOTS"}, Right: []int{4, 6}, Cut: []int{0, 1}}
	for _, s := range m.Sets {
		table.Rows = append(table.Rows, []string{output.OrDash(s.Set.String()), s.Hostname.String(), s.SnapshotID[:shortID], output.Time(s.Time),
			output.Elapsed(time.Duration(s.Age) * time.Second), output.YesNo(s.Complete), strconv.Itoa(s.Snapshots)})
	}
	if len(m.Sets) == 0 && len(m.Unknown) == 0 {
		table.Footer = "there is no snapshot yet"
	}
	return table
}

func (m *statusMessage) writerTable() output.Table {
	table := output.Table{Head: []string{"WRITER", "LAST COMMIT", "RECORDS", "LANES", "REVOKED"}, Right: []int{2, 3}, Cut: []int{0}}
	for _, w := range m.Writers {
		last := "-"
		if !w.LastCommit.IsZero() {
			last = output.Time(w.LastCommit)
		}
		table.Rows = append(table.Rows, []string{w.Name, last, strconv.Itoa(w.Records), strconv.Itoa(w.Lanes), output.YesNo(w.Revoked)})
	}
	return table
}
