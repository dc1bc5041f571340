package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/crypto"
)

// ErrCollected: something that the snapshot needs is being collected, or is gone.
var ErrCollected = errors.New("it is too late, what it needs is being deleted")

// ErrNotReady: the owner has not allowed forgetting in this repository yet.
var ErrNotReady = errors.New("this repository does not allow forgetting yet: enable it with packstone key collector add, or with a first packstone forget with the owner's key")

// mayDecide returns an error unless the key is the owner's or that of a collector who is not
// revoked.
func (r *Repository) mayDecide(signer crypto.Signer) error {
	if signer.Verifier().Equal(r.owner) {
		return nil
	}
	m, v, ok := member(r.Config.Collectors, signer.Name())
	switch {
	case !ok || !v.Equal(signer.Verifier()):
		return fmt.Errorf("the owner has not admitted collector %s: %w", signer.Name(), ErrUntrusted)
	case m.Revoked != nil:
		return fmt.Errorf("the owner has revoked collector %s: %w", signer.Name(), ErrUntrusted)
	}
	return nil
}

// MayDecide returns an error if a key may not forget, hold or delete.
func (r *Repository) MayDecide(signer crypto.Signer) error { return r.mayDecide(signer) }

// Collector returns the collector's key file at hand, nil if there is none.
func (r *Repository) Collector() *crypto.CollectorFile { return r.options.Keys.Collector }

// IsOwner reports whether a key is the owner's.
func (r *Repository) IsOwner(signer crypto.Signer) bool { return signer.Verifier().Equal(r.owner) }

// LetForget makes the config require that programs support forgetting. Only the owner can; a
// collector gets ErrNotReady if the owner has not done it.
func (r *Repository) LetForget(ctx context.Context, signer crypto.Signer) error {
	switch {
	case r.Config.requires(featureForget) && (r.Config.requires(featureMoved) && r.Config.requires(featureRollUp) || !r.IsOwner(signer)):
		return nil
	case !r.IsOwner(signer):
		return ErrNotReady
	}
	return r.Change(ctx, signer, func(c *Config) error {
		c.LetForget()
		return nil
	})
}

// LetMove makes the config require that programs support chunks copied out of half-dead packs. As
// with LetForget, only the owner can.
func (r *Repository) LetMove(ctx context.Context, signer crypto.Signer) error {
	if slices.Contains(r.Config.Required, featureMoved) {
		return nil
	}
	if !r.IsOwner(signer) {
		return ErrNotReady
	}
	return r.Change(ctx, signer, func(c *Config) error {
		c.LetForget()
		return nil
	})
}

func (c *Config) requires(feature string) bool { return slices.Contains(c.Required, feature) }

// LetForget makes the config require that programs support forgetting, copying out of half-dead
// packs, and rolling up.
func (c *Config) LetForget() {
	for _, feature := range []string{featureForget, featureMoved, featureRollUp} {
		if !c.requires(feature) {
			c.Required = append(c.Required, feature)
		}
	}
}

// BeginDeciding opens a session of the owner or a collector, for one record in a lane of its own.
// It fails if the store does not show all that was written: nobody can decide about what is
// missing.
func (r *Repository) BeginDeciding(ctx context.Context, signer crypto.Signer) (*Session, error) {
	if err := r.mayDecide(signer); err != nil {
		return nil, err
	}
	if !slices.Contains(r.Config.Required, featureForget) {
		return nil, ErrNotReady
	}
	s := &Session{repo: r, signer: signer}
	err := s.start(ctx)
	if err == nil && len(s.RolledBack) > 0 {
		err = fmt.Errorf("%w: of %s", ErrRolledBack, strings.Join(s.RolledBack, ", "))
	}
	if err == nil && len(s.Foreign) > 0 {
		err = fmt.Errorf("%s: %w", strings.Join(s.Foreign, ", "), ErrForeign)
	}
	if err != nil {
		s.abandon(ctx)
		return nil, err
	}
	return s, nil
}

// abandon ends and closes a session that has no record of its own.
func (s *Session) abandon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	_ = s.End(ctx, nil, nil) // if this fails too, a later run of this host ends it
	s.Close()
}

// Forget makes snapshots, or checkpoints, no longer count.
func (s *Session) Forget(ctx context.Context, subjects []archive.Name) error {
	return s.decide(ctx, clear{Kind: Forget, Subjects: texts(subjects)})
}

// Replaced is a snapshot that was replaced by another one, which was made from it.
type Replaced struct {
	Old, New archive.Name
	Date     time.Time // when the old one came to be; zero if nobody knows
}

// Replace forgets snapshots that were replaced by others. The new ones take over the dates of the
// old ones.
func (s *Session) Replace(ctx context.Context, replaced []Replaced) error {
	c := clear{Kind: Forget, Dates: s.Log.unnoted()}
	for _, r := range replaced {
		c.Subjects = append(c.Subjects, r.Old.String())
		if !r.Date.IsZero() {
			c.Dates[r.New.String()] = r.Date.UTC()
		}
	}
	return s.decide(ctx, c)
}

// Hold protects snapshots from being forgotten, until a time if that is not zero. It fails with
// ErrCollected if it is too late for one of them.
func (s *Session) Hold(ctx context.Context, subjects []archive.Name, reason string, until time.Time) error {
	if err := s.stillThere(ctx, subjects); err != nil {
		return s.giveUp(ctx, err)
	}
	plain, err := json.Marshal(Held{Reason: reason})
	if err != nil {
		return s.giveUp(ctx, fmt.Errorf("encode a reason: %w", err))
	}
	sealed, err := crypto.Seal(nil, archive.Compact(plain), s.recipients...)
	if err != nil {
		return s.giveUp(ctx, fmt.Errorf("seal a reason: %w", err))
	}
	return s.decide(ctx, clear{Kind: Hold, Subjects: texts(subjects), Sealed: sealed, Until: until.UTC()})
}

// Unhold removes every present hold from snapshots.
func (s *Session) Unhold(ctx context.Context, subjects []archive.Name) error {
	return s.decide(ctx, clear{Kind: Unhold, Subjects: texts(subjects), Cancels: s.decided(subjects, func(f *Fate) []*Record { return f.holds })})
}

// Undelete revokes every forgetting of snapshots so far. It fails with ErrCollected if it is too
// late for one of them.
func (s *Session) Undelete(ctx context.Context, subjects []archive.Name) error {
	if err := s.stillThere(ctx, subjects); err != nil {
		return s.giveUp(ctx, err)
	}
	return s.decide(ctx, clear{Kind: Undelete, Subjects: texts(subjects), Cancels: s.decided(subjects, func(f *Fate) []*Record { return f.forgets })})
}

// decided returns the hashes of the records that of chooses from the fates of subjects.
func (s *Session) decided(subjects []archive.Name, of func(*Fate) []*Record) (hashes []string) {
	for _, id := range subjects {
		fate := s.Log.Fate(id)
		if fate == nil {
			continue
		}
		for _, rec := range of(fate) {
			hashes = append(hashes, rec.Hash.String())
		}
	}
	slices.Sort(hashes)
	return slices.Compact(hashes)
}

// stillThere fails with ErrCollected if a pack that a subject needs is condemned or was swept, by
// what was read after this session was opened: a snapshot that counts again must keep its packs.
func (s *Session) stillThere(ctx context.Context, subjects []archive.Name) error {
	for _, id := range subjects {
		if rec := s.Log.Find(id); rec != nil && s.roll.isLeaving(rec) {
			return fmt.Errorf("snapshot %.12s: %w", id, ErrCollected)
		}
	}
	if s.avoid.Load().Len() == 0 {
		return nil
	}
	moves, err := s.repo.ReadMoves(ctx, s.Log, false)
	if err != nil {
		return err
	}
	for _, id := range subjects {
		rec := s.Log.Find(id)
		if rec == nil {
			return fmt.Errorf("snapshot %s: %w", id, ErrNoSnapshot)
		}
		refs, err := s.repo.LoadRefs(ctx, rec.Refs)
		if err != nil {
			return err
		}
		if err := s.usable(moves.Now(refs)); errors.Is(err, ErrRestart) {
			return fmt.Errorf("snapshot %.12s: %w", id, ErrCollected)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// decide writes the record that ends the session. After an error the session has ended without a
// record, if the store could be reached.
func (s *Session) decide(ctx context.Context, c clear) error {
	if c.Dates == nil {
		c.Dates = s.Log.unnoted()
	}
	rec, err := s.put(ctx, c)
	if err != nil {
		return s.giveUp(ctx, err)
	}
	s.finish(rec)
	return nil
}

// GiveUp ends a session of the owner or a collector without a record, and returns err.
func (s *Session) GiveUp(ctx context.Context, err error) error { return s.giveUp(ctx, err) }

func (s *Session) giveUp(ctx context.Context, err error) error {
	s.abandon(ctx)
	return err
}

// mostDates is how many dates one record notes.
const mostDates = 4096

// unnoted returns reliable dates of records that no record has noted yet, the oldest first if there
// are many. Noting them preserves them when the repository is copied without its dates.
func (l *Log) unnoted() map[string]time.Time {
	noted := l.notedDates()
	var missing []*Record
	for _, rec := range l.Records {
		if _, known := noted[rec.Hash]; !known && rec.rolled == nil && !rec.Undated && rec.Kind != Tombstone && !rec.Date.IsZero() {
			missing = append(missing, rec)
		}
	}
	slices.SortFunc(missing, func(a, b *Record) int { return a.Date.Compare(b.Date) })
	dates := map[string]time.Time{}
	for _, rec := range missing[:min(len(missing), mostDates)] {
		dates[rec.Hash.String()] = rec.Date.UTC()
	}
	return dates
}

func texts(names []archive.Name) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = name.String()
	}
	return list
}
