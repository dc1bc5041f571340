package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
)

// statusMessage is what status prints as JSON.
type statusMessage struct {
	Repository string         `json:"repository" doc:"Where the repository is."`
	ID         string         `json:"id" doc:"The repository's id."`
	Owner      string         `json:"owner" doc:"The fingerprint of the owner's key."`
	Recipients int            `json:"recipients" doc:"How many keys open what is written now."`
	Sets       []statusSet    `json:"sets" doc:"The last snapshot of each set of each host; empty without an identity."`
	Writers    []statusWriter `json:"writers" doc:"The hosts that may write, and those that no longer may."`
	Sessions   []statusOpen   `json:"open_sessions" doc:"Backups that run now, or were interrupted."`
	Packs      uint64         `json:"packs" doc:"Packs of content and trees that backups have published."`
	Bytes      uint64         `json:"total_size" doc:"Their bytes."`
	Problems   []string       `json:"problems" doc:"What is wrong with records."`
	Unknown    []string       `json:"unknown" doc:"What cannot be told with the keys at hand."`
}

// statusSet is the last snapshot of a set of a host.
type statusSet struct {
	Set        output.Name `json:"set" doc:"The set; empty for paths."`
	Hostname   output.Name `json:"hostname" doc:"The host that took it."`
	SnapshotID string      `json:"snapshot_id" doc:"The last snapshot."`
	Time       time.Time   `json:"time" doc:"When it was taken."`
	Age        int64       `json:"age_seconds" doc:"How long ago that was."`
	Complete   bool        `json:"complete" doc:"Whether everything that was to be backed up is in it."`
	Snapshots  int         `json:"snapshots_count" doc:"How many snapshots of the set and host there are."`
}

// statusWriter is a host that may write.
type statusWriter struct {
	Name       string    `json:"name" doc:"The writer's name."`
	Revoked    bool      `json:"revoked" doc:"Whether it may write no more."`
	Lanes      int       `json:"lanes" doc:"How many chains of records it has begun."`
	Records    int       `json:"records" doc:"How many records it has written."`
	LastCommit time.Time `json:"last_commit,omitzero" doc:"When it last committed a snapshot, by the storage's clock."`
}

// statusOpen is a session without a record.
type statusOpen struct {
	Lane  string    `json:"lane" doc:"The writer and the number of its chain of records."`
	Since time.Time `json:"since" doc:"When it began, by the storage's clock."`
}

func newStatus(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how the backups are: the last snapshot of each set, who writes, and what is open.",
		Long:  `It works with and without an identity, and says what it cannot know without.`,
		Example: `  packstone status
  packstone status --json -r s3://offsite/corridor`,
		Args: cobra.NoArgs,
	}
	return a.verb(cmd, usesRepository|usesIdentity, func(ctx context.Context, _ []string) error {
		m, err := a.status(ctx, time.Now())
		if err != nil {
			return err
		}
		a.out.Message("repository_status", m, m.text())
		return a.out.Err()
	})
}

func (a *app) status(ctx context.Context, now time.Time) (*statusMessage, error) {
	repo, _, err := a.openRepository(ctx, mayRead|mayWrite|evenBroken)
	if err != nil {
		return nil, err
	}
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	m := &statusMessage{
		Repository: repo.Store.Location(), ID: repo.Format.Repository, Owner: repo.Owner().Fingerprint().String(), Recipients: len(repo.Config.Recipients),
		Sets: []statusSet{}, Writers: writersOf(repo.Config, log), Sessions: []statusOpen{}, Problems: []string{}, Unknown: []string{},
	}
	accusations, err := repo.Accusations(ctx, log)
	if err != nil {
		return nil, err
	}
	m.Problems = append(m.Problems, problemsOf(repo, log)...)
	for _, a := range accusations {
		m.Problems = append(m.Problems, a.String())
	}
	if err := m.addSets(ctx, repo, log, now); err != nil {
		return nil, err
	}
	if err := m.addSessions(ctx, repo, log); err != nil {
		return nil, err
	}
	return m, m.addPacks(ctx, repo, log)
}

func writersOf(config *catalog.Config, log *catalog.Log) []statusWriter {
	writers := []statusWriter{}
	for _, member := range config.Writers {
		key, err := crypto.ParseVerifier(member.Key)
		if err != nil {
			continue // a config with such a key is not opened
		}
		w := statusWriter{Name: key.Name(), Revoked: member.Revoked != nil}
		lanes := map[uint64]bool{}
		for _, rec := range log.Records {
			if rec.Lane.Writer != w.Name {
				continue
			}
			w.Records++
			lanes[rec.Lane.Number] = true
			if rec.Kind == catalog.Commit && rec.Stored.After(w.LastCommit) {
				w.LastCommit = rec.Stored
			}
		}
		w.Lanes = len(lanes)
		writers = append(writers, w)
	}
	return writers
}

// addSets adds the last snapshot of each set and host.
func (m *statusMessage) addSets(ctx context.Context, repo *catalog.Repository, log *catalog.Log, now time.Time) error {
	if !repo.CanRead() {
		m.Unknown = append(m.Unknown, "which sets there are, and whether their last snapshots are complete: an identity is needed")
		return nil
	}
	snapshots, err := repo.Snapshots(ctx, log)
	if err != nil {
		return err
	}
	trusted := catalog.Trusted(snapshots)
	if n := len(snapshots) - len(trusted); n > 0 {
		m.Problems = append(m.Problems, fmt.Sprintf("%d snapshots do not count, since their writers may not speak for the host that they name: packstone snapshots marks them", n))
	}
	for _, s := range trusted { // oldest first
		i := slices.IndexFunc(m.Sets, func(set statusSet) bool { return string(set.Set) == s.Set && string(set.Hostname) == s.Host })
		if i < 0 {
			i = len(m.Sets)
			m.Sets = append(m.Sets, statusSet{Set: output.Name(s.Set), Hostname: output.Name(s.Host)})
		}
		last := &m.Sets[i]
		last.SnapshotID, last.Time, last.Complete = s.ID.String(), s.Time, s.Complete()
		last.Age = int64(now.Sub(s.Time) / time.Second)
		last.Snapshots++
	}
	return nil
}

// addPacks counts what records name. The storage is not listed for it: a large repository has many objects, and check looks at them all.
func (m *statusMessage) addPacks(ctx context.Context, repo *catalog.Repository, log *catalog.Log) error {
	if !opensAllDomains(repo) {
		m.Unknown = append(m.Unknown, "how large the repository is: an identity is needed")
		return nil
	}
	index := repo.NewIndex()
	defer index.Close()
	defer index.Close()
	if _, err := repo.LoadIndex(ctx, log, index, nil); err != nil {
		return err
	}
	seen := map[archive.Name]bool{}
	for pack, err := range index.Packs(ctx) {
		if err != nil {
			return err
		}
		if !seen[pack.Name] {
			seen[pack.Name] = true
			m.Packs++
			m.Bytes += uint64(pack.Size)
		}
	}
	return nil
}

// addSessions lists sessions without a record.
func (m *statusMessage) addSessions(ctx context.Context, repo *catalog.Repository, log *catalog.Log) error {
	for info, err := range repo.Store.List(ctx, "sessions/", "") {
		if err != nil {
			return fmt.Errorf("list sessions: %w", err)
		}
		lane, open := log.OpenSession(info.Name)
		if open && slices.ContainsFunc(m.Writers, func(w statusWriter) bool { return w.Name == lane.Writer }) {
			m.Sessions = append(m.Sessions, statusOpen{lane.String(), info.Modified})
		}
	}
	return nil
}

// opensAllDomains tells whether the keys at hand open every index run.
func opensAllDomains(repo *catalog.Repository) bool {
	return !slices.ContainsFunc(repo.Config.Domains, func(d catalog.Domain) bool {
		_, err := repo.Domain(d.Number)
		return err != nil
	})
}

func (m *statusMessage) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "repository %s in %s\nowner %s, recipients: %d\n", m.ID, m.Repository, m.Owner, m.Recipients)
	if m.Packs > 0 {
		fmt.Fprintf(&b, "%s packs, %s\n", output.Count(int64(m.Packs)), output.Bytes(int64(m.Bytes)))
	}
	for _, table := range []output.Table{m.setTable(), m.writerTable()} {
		if text := table.String(); text != "" {
			b.WriteString("\n" + text)
		}
	}
	for _, s := range m.Sessions {
		fmt.Fprintf(&b, "\nsession %s: running or killed since %s", s.Lane, output.Time(s.Since))
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
	table := output.Table{Head: []string{"SET", "HOST", "LAST SNAPSHOT", "TIME", "AGE", "COMPLETE", "SNAPSHOTS"}, Right: []int{4, 6}}
	for _, s := range m.Sets {
		table.Rows = append(table.Rows, []string{orDash(s.Set.String()), s.Hostname.String(), s.SnapshotID[:shortID], output.Time(s.Time),
			elapsed(time.Duration(s.Age) * time.Second), yesNo(s.Complete), strconv.Itoa(s.Snapshots)})
	}
	if len(m.Sets) == 0 && len(m.Unknown) == 0 {
		table.Footer = "there is no snapshot yet"
	}
	return table
}

func (m *statusMessage) writerTable() output.Table {
	table := output.Table{Head: []string{"WRITER", "LAST COMMIT", "RECORDS", "LANES", "REVOKED"}, Right: []int{2, 3}}
	for _, w := range m.Writers {
		last := "-"
		if !w.LastCommit.IsZero() {
			last = output.Time(w.LastCommit)
		}
		table.Rows = append(table.Rows, []string{w.Name, last, strconv.Itoa(w.Records), strconv.Itoa(w.Lanes), yesNo(w.Revoked)})
	}
	return table
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// elapsed is a time that has passed, to two units at most.
func elapsed(d time.Duration) string {
	switch {
	case d < 0:
		return "in the future"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d d %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}
