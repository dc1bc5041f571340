package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog/index"
	"github.com/packstone/packstone/crypto"
)

// vouches tells whether hosts rely on what a record says of packs that others have stored: on the
// owner's word and a verifier's, never on a writer's.
func vouches(ofOwner, byOwner, byVerifier bool) bool { return ofOwner && (byOwner || byVerifier) }

func (r *Repository) vouches(rec *Record) bool {
	return vouches(rec.ofOwner, rec.by.Equal(r.owner), r.isVerifier(rec.by.Name()))
}

// Verified are packs of one domain of which the owner or a verifier has read every byte, each with
// what an index run says of it. Safe for concurrent use.
type Verified struct{ packs []archive.VerifiedPack }

// Len is the number of packs.
func (v *Verified) Len() int { return len(v.packs) }

// When is when a pack was verified last, in seconds since 1970; false if it was not, or if
// something else was said of it then.
func (v *Verified) When(sum archive.PackSum) (at uint32, verified bool) {
	i, found := slices.BinarySearchFunc(v.packs, archive.VerifiedPack{Sum: sum}, archive.VerifiedPack.Compare)
	if !found {
		return 0, false
	}
	return v.packs[i].At, true
}

// Only tells whether there is none that is not to be kept.
func (v *Verified) Only(keep func(archive.PackSum) bool) bool {
	return !slices.ContainsFunc(v.packs, func(p archive.VerifiedPack) bool { return !keep(p.Sum) })
}

// With are these packs and more.
func (v *Verified) With(packs []archive.VerifiedPack) *Verified { return newVerified(v.packs, packs) }

// newVerified joins lists. Of a pack that is in several the latest counts.
func newVerified(lists ...[]archive.VerifiedPack) *Verified {
	packs := slices.Concat(lists...)
	slices.SortFunc(packs, func(a, b archive.VerifiedPack) int { return cmp.Or(a.Compare(b), cmp.Compare(b.At, a.At)) })
	return &Verified{slices.CompactFunc(packs, func(a, b archive.VerifiedPack) bool { return a.Sum == b.Sum })}
}

// verifications are the records that say which packs were verified, and count: nothing later of
// their signer has taken their place.
func (r *Repository) verifications(log *Log) (list []*Record) {
	replaced := r.replacedVerifications(log)
	for _, rec := range log.Records {
		if rec.Kind == Verification && r.vouches(rec) && !replaced[rec] {
			list = append(list, rec)
		}
	}
	return list
}

// replacedVerifications are those whose place a later one of the same signer has taken.
func (r *Repository) replacedVerifications(log *Log) map[*Record]bool {
	replaced := map[*Record]bool{}
	for _, rec := range log.Records {
		if rec.Kind != Verification || !r.vouches(rec) {
			continue
		}
		for _, id := range rec.Supersedes {
			if old := log.findHex(id); old != nil && old != rec && old.Kind == Verification && old.by.Equal(rec.by) {
				replaced[old] = true
			}
		}
	}
	return replaced
}

// Unheard are the records that say that packs were verified and count for nothing, since nobody has
// let their signers, after whom their lanes are named, say so: writers, and collectors that are no
// verifiers.
func (r *Repository) Unheard(log *Log) (list []*Record) {
	for _, rec := range log.Records {
		if rec.Kind == Verification && !r.vouches(rec) {
			list = append(list, rec)
		}
	}
	return list
}

// ReadVerified reads which packs of a domain were verified. What cannot be read is warned of, and
// left out: those packs are verified again.
func (r *Repository) ReadVerified(ctx context.Context, log *Log, domain uint64) (*Verified, error) {
	var lists [][]archive.VerifiedPack
	for _, rec := range r.verifications(log) {
		if rec.Domain != domain || !r.OpensIndex(domain) {
			continue
		}
		list, err := r.readVerified(ctx, rec)
		if away := store.Unavailable(ctx, err); away != nil {
			return nil, away
		}
		if err != nil {
			r.warn("which packs were verified is not known of record %s: %v", rec.Name(), err)
			continue
		}
		lists = append(lists, list)
	}
	return newVerified(lists...), nil
}

// readVerified reads what one record lists.
func (r *Repository) readVerified(ctx context.Context, rec *Record) (packs []archive.VerifiedPack, err error) {
	for _, name := range rec.Verified {
		content, err := r.openRefs(ctx, name)
		if err != nil {
			return nil, err
		}
		list, err := archive.ParseVerified(content)
		if err != nil {
			return nil, fmt.Errorf("refs %s: %w", name, err)
		}
		packs = append(packs, list...)
	}
	return packs, nil
}

// loadVerified lets x use what others than those that are relied on have stored, of which somebody
// who is has verified what an index run says. Nothing is read before x meets such a pack.
func (s *Session) loadVerified(ctx context.Context, x *index.Index) (added int, err error) {
	domain := uint64(s.writer.DomainNumber)
	records := slices.DeleteFunc(s.repo.verifications(s.Log), func(rec *Record) bool { return rec.Domain != domain })
	if len(records) == 0 {
		return 0, nil
	}
	for _, name := range s.repo.vouchers(records) {
		if !slices.Contains(s.relied, name) {
			s.relied = append(s.relied, name)
		}
	}
	own, repo, log := s.signer.Name(), s.repo, s.Log
	read := sync.OnceValue(func() *Verified {
		verified, err := repo.ReadVerified(ctx, log, domain)
		if err != nil {
			repo.warn("what others have stored is stored again, since nobody knows what of it was verified: %v", err)
			return &Verified{}
		}
		return verified
	})
	runs := repo.runNames(log, func(rec *Record) bool { return rec.Domain == domain && !repo.trusts(own, rec) })
	return x.WantVouched(ctx, runs, func(p archive.RunPack) bool {
		_, verified := read().When(p.Sum())
		return verified
	})
}

// vouchers are the signers of records, each with the last record that counts of whom was revoked:
// as they are noted among those who were relied on.
func (r *Repository) vouchers(records []*Record) (names []string) {
	for _, rec := range records {
		name := "verifier " + rec.by.Name()
		if m, _, ok := member(r.Config.Collectors, rec.by.Name()); ok && m.Revoked != nil && !rec.by.Equal(r.owner) {
			name = fmt.Sprintf("%s until %v", name, m.Revoked)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Attestation is what a session of the owner or a verifier has read, every byte.
type Attestation struct {
	Domain uint64
	Packs  []archive.VerifiedPack
	// Keep tells which packs that the signer has verified before are worth saying again; nil: all
	// are.
	Keep func(archive.PackSum) bool
}

// mostVerified is how many packs one object lists.
const mostVerified = 1 << 20

// Attest says that packs were verified, and ends the session. What the same signer has said before
// is said again, and takes up no record of its own any more, where it is not much more than what is
// new, or some of it is not worth keeping.
func (s *Session) Attest(ctx context.Context, a Attestation) error {
	if err := s.attest(ctx, a); err != nil {
		return s.giveUp(ctx, err)
	}
	return nil
}

func (s *Session) attest(ctx context.Context, a Attestation) error {
	if err := s.repo.MayAttest(s.signer); err != nil {
		return err
	}
	all, replaced, err := s.gather(ctx, a)
	if err != nil {
		return err
	}
	if all.Len() == 0 && len(replaced) == 0 {
		return s.giveUp(ctx, nil)
	}
	if err := s.sealAs(a.Domain); err != nil {
		return err
	}
	c := clear{Kind: Verification, Domain: a.Domain, Supersedes: replaced, Dates: s.Log.unnoted()}
	for packs := range slices.Chunk(all.packs, mostVerified) {
		name, err := s.putRefs(ctx, archive.EncodeVerified(packs))
		if err != nil {
			return err
		}
		c.Verified = append(c.Verified, name)
	}
	rec, err := s.put(ctx, c)
	if err != nil {
		return err
	}
	s.finish(rec)
	return nil
}

// gather joins what is new with lists of the signer's that are not more than twice as long, the
// shortest first, or hold what is not to be kept: so there are few lists, and each pack is written
// a few times only. It returns the hashes of the records whose place that takes.
func (s *Session) gather(ctx context.Context, a Attestation) (all *Verified, replaced []string, err error) {
	type said struct {
		rec  *Record
		kept []archive.VerifiedPack
		all  bool
	}
	var before []said
	for _, rec := range s.repo.verifications(s.Log) {
		if !rec.by.Equal(s.signer.Verifier()) || rec.Domain != a.Domain {
			continue
		}
		list, err := s.repo.readVerified(ctx, rec)
		if away := store.Unavailable(ctx, err); away != nil {
			return nil, nil, away
		}
		kept := list
		if a.Keep != nil {
			kept = slices.DeleteFunc(slices.Clone(list), func(p archive.VerifiedPack) bool { return !a.Keep(p.Sum) })
		}
		before = append(before, said{rec, kept, err == nil && len(kept) == len(list)})
	}
	slices.SortStableFunc(before, func(a, b said) int { return cmp.Compare(len(a.kept), len(b.kept)) })
	lists, size := [][]archive.VerifiedPack{a.Packs}, len(a.Packs)
	for _, old := range before {
		if !old.all || len(old.kept) <= 2*size {
			lists, size = append(lists, old.kept), size+len(old.kept)
			replaced = append(replaced, old.rec.Hash.String())
		}
	}
	return newVerified(lists...), replaced, nil
}

// sealAs lets the session put index runs and refs of a domain.
func (s *Session) sealAs(number uint64) error {
	domain, err := s.repo.Domain(number)
	if err != nil {
		return err
	}
	_, s.index, err = domain.IndexIdentity(s.repo.Config.Classic)
	return err
}

// MayAttest fails if writers would not rely on what is verified under a key.
func (r *Repository) MayAttest(signer crypto.Signer) error {
	if r.IsOwner(signer) || r.isVerifier(signer.Name()) {
		return nil
	}
	return fmt.Errorf("hosts rely on what is verified only if the owner says so of collector %s: %w", signer.Name(), ErrUntrusted)
}
