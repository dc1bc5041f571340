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

// vouches reports whether hosts rely on what a record says of packs that others have stored: on the
// word of the owner and of verifiers, never on that of a writer.
func vouches(ofOwner, byOwner, byVerifier bool) bool { return ofOwner && (byOwner || byVerifier) }

func (r *Repository) vouches(rec *Record) bool {
	return vouches(rec.ofOwner, rec.by.Equal(r.owner), r.isVerifier(rec.by.Name()))
}

// Verified is the packs of one domain that the owner or a verifier has read in full, each with what
// an index run says of it. It is safe for concurrent use.
type Verified struct{ packs []archive.VerifiedPack }

// Len returns the number of packs.
func (v *Verified) Len() int { return len(v.packs) }

// When returns when a pack was last verified, in seconds since 1970. It returns false if it was
// not, or was verified with other content.
func (v *Verified) When(sum archive.PackSum) (at uint32, verified bool) {
	i, found := slices.BinarySearchFunc(v.packs, archive.VerifiedPack{Sum: sum}, archive.VerifiedPack.Compare)
	if !found {
		return 0, false
	}
	return v.packs[i].At, true
}

// Only reports whether keep returns true for all packs.
func (v *Verified) Only(keep func(archive.PackSum) bool) bool {
	return !slices.ContainsFunc(v.packs, func(p archive.VerifiedPack) bool { return !keep(p.Sum) })
}

// With returns these packs and more.
func (v *Verified) With(packs []archive.VerifiedPack) *Verified { return newVerified(v.packs, packs) }

// newVerified joins lists. If a pack is in several, the latest time counts.
func newVerified(lists ...[]archive.VerifiedPack) *Verified {
	packs := slices.Concat(lists...)
	slices.SortFunc(packs, func(a, b archive.VerifiedPack) int { return cmp.Or(a.Compare(b), cmp.Compare(b.At, a.At)) })
	return &Verified{slices.CompactFunc(packs, func(a, b archive.VerifiedPack) bool { return a.Sum == b.Sum })}
}

// verifications returns the records that list verified packs and count: no later record of the same
// signer replaces them.
func (r *Repository) verifications(log *Log) (list []*Record) {
	replaced := r.replacedVerifications(log)
	for _, rec := range log.Records {
		if rec.Kind == Verification && r.vouches(rec) && !replaced[rec] {
			list = append(list, rec)
		}
	}
	return list
}

// replacedVerifications returns the verifications that a later record of the same signer has
// replaced.
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

// Unheard returns the records that list verified packs but do not count, since their signers may
// not verify: writers, and collectors without the role verifier. The signers' lanes have their
// names.
func (r *Repository) Unheard(log *Log) (list []*Record) {
	for _, rec := range log.Records {
		if rec.Kind == Verification && !r.vouches(rec) {
			list = append(list, rec)
		}
	}
	return list
}

// ReadVerified reads which packs of a domain were verified. It warns of what it cannot read, and
// leaves it out: those packs will be verified again.
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

// loadVerified lets x use packs of writers on which this one does not rely, if somebody on whom it
// does rely has verified them. It reads a pack's entries only when x meets the pack.
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

// vouchers returns the signers of records in the form in which those relied on are noted: a revoked
// one with the number of its last record that counts.
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

// Attestation is what a session of the owner or a verifier has read in full.
type Attestation struct {
	Domain uint64
	Packs  []archive.VerifiedPack
	// Keep reports which packs that the signer verified earlier are worth listing again; nil means
	// all.
	Keep func(archive.PackSum) bool
}

// mostVerified is how many packs one object lists.
const mostVerified = 1 << 20

// Attest records that packs were verified, and ends the session. The new record repeats earlier
// lists of the same signer, and so replaces their records, if they are not much longer than what is
// new, or if part of them is not worth keeping.
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

// gather joins what is new with the signer's earlier lists that are at most twice as long, the
// shortest first, or that contain packs not to be kept. So there are few lists, and each pack is
// written only a few times. It returns the hashes of the replaced records.
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

// sealAs prepares the session to write index runs and refs of a domain.
func (s *Session) sealAs(number uint64) error {
	domain, err := s.repo.Domain(number)
	if err != nil {
		return err
	}
	_, s.index, err = domain.IndexIdentity(s.repo.Config.Classic)
	return err
}

// MayAttest returns an error if writers would not rely on packs verified with a key.
func (r *Repository) MayAttest(signer crypto.Signer) error {
	if r.IsOwner(signer) || r.isVerifier(signer.Name()) {
		return nil
	}
	return fmt.Errorf("hosts rely on what is verified only if the owner says so of collector %s: %w", signer.Name(), ErrUntrusted)
}
