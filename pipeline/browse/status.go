package browse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/crypto"
)

// Status is the state of the backups in a repository.
type Status struct {
	Sets         []SetStatus // of each host, those of which the first snapshot is oldest first; none without an identity
	Writers      []WriterStatus
	Sessions     []OpenSession        // backups that run now, or were interrupted
	Packs, Bytes uint64               // of content and trees that backups have published
	Outcomes     []catalog.RunOutcome // of runs of which no later snapshot tells; none without an identity
	Problems     []string             // what is wrong with records
	Unknown      []string             // what cannot be told with the keys at hand
}

// SetStatus is a set of a host.
type SetStatus struct {
	Last      *catalog.Snapshot
	Complete  *catalog.Snapshot // the last one that is complete and not marked by a tripwire; nil: there is none
	Snapshots int
}

// WriterStatus is a writer, admitted or revoked.
type WriterStatus struct {
	Name           string
	Revoked        bool
	Lanes, Records int
	LastCommit     time.Time // by the storage's clock; zero: none
	Failed         time.Time // when it told that a job of it failed that has not been done since; zero: it has not
}

// OpenSession is a session without a record.
type OpenSession struct {
	Lane  string
	Since time.Time // by the storage's clock
}

// StatusOf returns the status, from records. It does not list the storage's packs: a large
// repository has many, and a check lists them anyway.
func StatusOf(ctx context.Context, repo *catalog.Repository) (*Status, error) {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	accusations, err := repo.Accusations(ctx, log)
	if err != nil {
		return nil, err
	}
	s := &Status{Writers: writersOf(repo, log), Problems: repo.Defects(log)}
	for _, a := range accusations {
		s.Problems = append(s.Problems, a.String())
	}
	for _, add := range []func(context.Context, *catalog.Repository, *catalog.Log) error{s.addSets, s.addSessions, s.addPacks} {
		if err := add(ctx, repo, log); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func writersOf(repo *catalog.Repository, log *catalog.Log) (writers []WriterStatus) {
	failed := repo.FailedWriters(log)
	for _, member := range repo.Config.Writers {
		key, err := crypto.ParseVerifier(member.Key)
		if err != nil {
			continue // a config with such a key is not opened
		}
		w := WriterStatus{Name: key.Name(), Revoked: member.Revoked != nil, Failed: failed[key.Name()]}
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
func (s *Status) addSets(ctx context.Context, repo *catalog.Repository, log *catalog.Log) error {
	if !repo.CanRead() {
		s.Unknown = append(s.Unknown, "which sets there are, and whether their last snapshots are complete: an identity is needed")
		return nil
	}
	snapshots, err := repo.Snapshots(ctx, log)
	if err != nil {
		return err
	}
	trusted := catalog.Trusted(snapshots)
	if n := len(snapshots) - len(trusted); n > 0 {
		s.Problems = append(s.Problems, fmt.Sprintf("%s left out, since their writers may not back up the host that they name: packstone snapshots marks them", entry.Plural(n, "snapshot")))
	}
	for _, snapshot := range trusted { // oldest first
		i := slices.IndexFunc(s.Sets, func(set SetStatus) bool { return set.Last.Set == snapshot.Set && set.Last.Host == snapshot.Host })
		if i < 0 {
			i = len(s.Sets)
			s.Sets = append(s.Sets, SetStatus{})
		}
		s.Sets[i].Last = snapshot
		if snapshot.Complete() && !snapshot.Marked() {
			s.Sets[i].Complete = snapshot
		}
		s.Sets[i].Snapshots++
	}
	outcomes, problems, err := repo.ReadOutcomes(ctx, log)
	for _, problem := range problems {
		s.Problems = append(s.Problems, problem.Error())
	}
	s.Outcomes = outcomes
	return err
}

// addSessions lists sessions without a record.
func (s *Status) addSessions(ctx context.Context, repo *catalog.Repository, log *catalog.Log) error {
	for info, err := range repo.Store.List(ctx, "sessions/", "") {
		if err != nil {
			return fmt.Errorf("list sessions: %w", err)
		}
		lane, open := log.OpenSession(info.Name)
		if open && slices.ContainsFunc(s.Writers, func(w WriterStatus) bool { return w.Name == lane.Writer }) {
			s.Sessions = append(s.Sessions, OpenSession{lane.String(), info.Modified})
		}
	}
	return nil
}

// addPacks counts the packs that records name.
func (s *Status) addPacks(ctx context.Context, repo *catalog.Repository, log *catalog.Log) error {
	var known bool
	var err error
	if s.Packs, s.Bytes, known, err = sizeOf(ctx, repo, log); err == nil && !known {
		s.Unknown = append(s.Unknown, "how large the repository is: an identity is needed")
	}
	return err
}

// SizeOf returns the number of packs that backups have published, and their bytes. known is false
// if the keys at hand do not open everything that lists them.
func SizeOf(ctx context.Context, repo *catalog.Repository) (packs, bytes uint64, known bool, err error) {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return 0, 0, false, err
	}
	return sizeOf(ctx, repo, log)
}

func sizeOf(ctx context.Context, repo *catalog.Repository, log *catalog.Log) (packs, bytes uint64, known bool, err error) {
	if !opensAllDomains(repo) {
		return 0, 0, false, nil
	}
	index := repo.NewIndex()
	defer index.Close()
	if _, err := repo.LoadIndex(ctx, log, index, nil); err != nil {
		return 0, 0, false, err
	}
	seen := map[archive.Name]bool{}
	for pack, err := range index.Packs(ctx) {
		if err != nil {
			return 0, 0, false, err
		}
		if !seen[pack.Name] {
			seen[pack.Name] = true
			packs, bytes = packs+1, bytes+uint64(pack.Size)
		}
	}
	return packs, bytes, true, nil
}

// opensAllDomains reports whether the keys at hand open every index run.
func opensAllDomains(repo *catalog.Repository) bool {
	return !slices.ContainsFunc(repo.Config.Domains, func(d catalog.Domain) bool {
		_, err := repo.Domain(d.Number)
		return err != nil
	})
}

// LastCommit returns the number of commits, and the one that the storage received last; nil if
// there is none. It fails if records are damaged. It needs no identity.
func LastCommit(ctx context.Context, repo *catalog.Repository) (commits int, last *catalog.Record, err error) {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return 0, nil, err
	}
	for _, rec := range log.Records {
		if rec.Kind != catalog.Commit {
			continue
		}
		commits++
		if last == nil || rec.Stored.After(last.Stored) {
			last = rec
		}
	}
	if len(log.Problems) > 0 {
		return commits, last, fmt.Errorf("%d of %d records are damaged or not trusted, such as: %w", len(log.Problems), len(log.Records)+len(log.Problems), log.Problems[0])
	}
	if lost := log.RolledBack(); len(lost) > 0 {
		return commits, last, fmt.Errorf("%w: of %s", catalog.ErrRolledBack, strings.Join(lost, ", "))
	}
	return commits, last, nil
}
