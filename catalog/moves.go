package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/collection"
	"github.com/packstone/packstone/crypto"
)

// Moves tells where chunks are that were copied out of half-dead packs, and of which damaged packs
// there are copies of chunks. Records still name the old places; Moves maps them to the new ones. It
// does not change, and is safe for concurrent use.
type Moves struct {
	of    map[archive.Name][]moved    // by the pack that was left
	heals map[archive.Name][]*healing // by the pack that is damaged
	avoid PackSet                     // what is about to be deleted or is deleted: read after the records that moved
}

// moved is what one record has copied out of one pack.
type moved struct {
	chunks  []archive.MovedChunk
	date    time.Time
	ignored bool // nothing is left because of it
}

// healing is what one record has copies of. Nothing is left because of it: whoever needs something
// of a damaged pack goes on needing that, and needs the copies beside it. So nobody loses anything
// if the copies are of something else.
type healing struct {
	damaged *archive.RefSet
	copies  *archive.RefSet
}

// mostMoves is how many copies of a chunk are followed. Chunks are rarely copied.
const mostMoves = 1 << 10

// ReadMoves reads what records of a log have moved, and then what must be avoided. If lax, it
// leaves out records whose moves no key at hand opens.
func (r *Repository) ReadMoves(ctx context.Context, log *Log, lax bool) (*Moves, error) {
	m := newMoves()
	for _, rec := range log.moves() {
		if lax && !r.OpensIndex(rec.Domain) {
			continue
		}
		if err := r.readMoves(ctx, m, rec); err != nil {
			return nil, fmt.Errorf("what record %s has moved: %w", rec.Name(), err)
		}
	}
	if len(m.of) == 0 {
		return m, nil
	}
	avoid, err := r.readAvoid(ctx)
	if err != nil {
		return nil, err
	}
	m.avoid = avoid.packs
	return m, nil
}

func newMoves() *Moves {
	return &Moves{of: map[archive.Name][]moved{}, heals: map[archive.Name][]*healing{}}
}

// moves returns the records that have moved chunks, in an order that is the same for every reader:
// if two have moved the same chunk, the first counts. It includes records of signers that were
// revoked earlier, since their copies may be all that is left.
func (l *Log) moves() (list []*Record) {
	for _, rec := range slices.Concat(l.Records, l.ignored) {
		if rec.Kind == Moved && rec.ofOwner {
			list = append(list, rec)
		}
	}
	slices.SortFunc(list, func(a, b *Record) int { return strings.Compare(a.Hash.String(), b.Hash.String()) })
	return list
}

// readMoves adds what a record has moved and heals.
func (r *Repository) readMoves(ctx context.Context, m *Moves, rec *Record) error {
	for _, name := range rec.Moves {
		if err := r.readMoved(ctx, m, rec, name); err != nil {
			return err
		}
	}
	for _, name := range rec.Heals {
		damaged, err := r.LoadRefs(ctx, RefsList{Full: name})
		if err != nil {
			return err
		}
		copies, err := r.LoadRefs(ctx, rec.Refs)
		if err != nil {
			return err
		}
		copies.Settle()
		h := &healing{damaged, copies}
		for ref := range damaged.All() {
			m.heals[ref.Name] = append(m.heals[ref.Name], h)
		}
	}
	return nil
}

func (r *Repository) readMoved(ctx context.Context, m *Moves, rec *Record, name string) error {
	content, err := r.openRefs(ctx, name)
	if err != nil {
		return err
	}
	packs, err := archive.ParseMoves(content)
	if err != nil {
		return err
	}
	for _, p := range packs {
		m.of[p.Name] = append(m.of[p.Name], moved{p.Chunks, rec.Date, rec.ignored})
	}
	return nil
}

// place is where a chunk lies, or lay.
type place struct {
	pack    archive.Name
	ordinal uint32
}

// next returns to where a chunk was copied, and by what; nil if it was not copied.
func (m *Moves) next(p place) (to place, by *moved) {
	list := m.of[p.pack]
	for k := range list {
		i, found := slices.BinarySearchFunc(list[k].chunks, p.ordinal, func(c archive.MovedChunk, ordinal uint32) int {
			return int(c.Ordinal) - int(ordinal)
		})
		if found {
			return place{list[k].chunks[i].To, list[k].chunks[i].At}, &list[k]
		}
	}
	return place{}, nil
}

// kept returns which of the successive places of a chunk must stay.
func (m *Moves) kept(from place, t Term) []place {
	places, moves := []place{from}, []*moved{}
	for len(places) < mostMoves {
		to, by := m.next(places[len(places)-1])
		if by == nil {
			break
		}
		places, moves = append(places, to), append(moves, by)
	}
	young := func(i int) bool { return moves[i].ignored || t.Grace > 0 && t.Now.Sub(moves[i].date) < t.Grace }
	return places[collection.Kept(len(places), young, func(i int) bool { return m.avoid[places[i].pack] }):]
}

// Needed returns the places that must stay for what refs name. refs stay unchanged. Moved chunks
// stay at their old places too, until the grace ends. Copies of chunks of damaged packs stay as long
// as refs name something of these.
func (m *Moves) Needed(refs *archive.RefSet, t Term) *archive.RefSet {
	needed := m.followed(refs, t)
	if len(m.heals) == 0 {
		return needed
	}
	all, used := needed.Clone(), map[*healing]bool{}
	for look := []*archive.RefSet{refs, needed}; len(look) > 0; look = look[1:] {
		for ref := range look[0].All() {
			for _, h := range m.heals[ref.Name] {
				if !used[h] {
					used[h] = true
					copies := m.followed(h.copies, t)
					all.Union(copies)
					look = append(look, h.copies, copies)
				}
			}
		}
	}
	return all
}

// followed returns the places that must stay for what refs name, as far as it was moved.
func (m *Moves) followed(refs *archive.RefSet, t Term) *archive.RefSet {
	if !m.touch(refs) {
		return refs
	}
	needed := refs.Only(func(name archive.Name) bool { return len(m.of[name]) == 0 })
	packs := map[archive.Name]*archive.Pack{} // so that those of one name are one
	for ref := range refs.All() {
		if len(m.of[ref.Name]) == 0 {
			continue
		}
		for ordinal := range ref.Ordinals.All() {
			for _, p := range m.kept(place{ref.Name, ordinal}, t) {
				if packs[p.pack] == nil {
					packs[p.pack] = &archive.Pack{Kind: ref.Kind, Name: p.pack}
				}
				needed.Add(packs[p.pack], p.ordinal)
			}
		}
	}
	return needed
}

// Now returns where the chunks that refs name are now.
func (m *Moves) Now(refs *archive.RefSet) *archive.RefSet { return m.Needed(refs, Term{}) }

// Left reports whether some of these chunks were already copied out of the pack.
func (m *Moves) Left(pack archive.Name, chunks archive.Bitmap) bool {
	for ordinal := range chunks.All() {
		if _, by := m.next(place{pack, ordinal}); by != nil {
			return true
		}
	}
	return false
}

// Heals reports whether there are copies of chunks of a damaged pack.
func (m *Moves) Heals(pack *archive.Pack) bool {
	return slices.ContainsFunc(m.heals[pack.Name], func(h *healing) bool { return len(h.damaged.Ordinals(pack.Kind, pack.Name)) > 0 })
}

// healed returns the damaged packs of whose chunks there are copies.
func (m *Moves) healed() PackSet {
	damaged := PackSet{}
	for pack := range m.heals {
		damaged[pack] = true
	}
	return damaged
}

// concern reports whether something was moved out of one of these packs.
func (m *Moves) concern(packs PackSet) bool {
	for pack := range m.of {
		if packs[pack] {
			return true
		}
	}
	return false
}

// touch reports whether some chunks of refs were moved.
func (m *Moves) touch(refs *archive.RefSet) bool {
	if len(m.of) == 0 {
		return false
	}
	for ref := range refs.All() {
		if len(m.of[ref.Name]) > 0 {
			return true
		}
	}
	return false
}

// MoveOut is what a session of the owner or a verifier has copied.
type MoveOut struct {
	Domain uint64
	Packs  []archive.RunPack   // that the store has acknowledged
	From   []archive.MovedPack // sorted by kind and name
}

// Move publishes copied chunks. Each must have been checked against its id. From then on, whatever
// names them at their old places needs the new ones. Move fails with ErrRestart if one of the old
// packs, or of the new ones, is being collected.
func (s *Session) Move(ctx context.Context, m MoveOut) error {
	if err := s.move(ctx, m); err != nil {
		return s.giveUp(ctx, err)
	}
	return nil
}

func (s *Session) move(ctx context.Context, m MoveOut) error {
	refs := refsOf(m.Packs)
	if err := s.usable(refs); err != nil {
		return err
	}
	for _, p := range m.From {
		if s.avoid.Load().Has(p.Name) {
			return fmt.Errorf("pack %s is being collected: %w", p.Name, ErrRestart)
		}
	}
	if err := s.sealAs(m.Domain); err != nil {
		return err
	}
	return s.putMove(ctx, m, refs)
}

func (s *Session) putMove(ctx context.Context, m MoveOut, refs *archive.RefSet) error {
	runs, err := s.putRuns(ctx, m.Packs)
	if err != nil {
		return err
	}
	full, err := s.putRefs(ctx, archive.EncodeRefs(refs))
	if err != nil {
		return err
	}
	moves, err := s.putRefs(ctx, archive.EncodeMoves(m.From))
	if err != nil {
		return err
	}
	rec, err := s.put(ctx, clear{
		Kind: Moved, Domain: m.Domain, Index: runs.names(), Refs: RefsList{Full: full}, Moves: []string{moves}, Dates: s.Log.unnoted(),
	})
	if err != nil {
		return err
	}
	s.finish(rec)
	return nil
}

// refsOf returns all chunks of packs.
func refsOf(packs []archive.RunPack) *archive.RefSet {
	refs := &archive.RefSet{}
	for _, p := range packs {
		for ordinal := range p.Directory.IDs {
			refs.Add(p.Pack, uint32(ordinal))
		}
	}
	return refs
}

// Heal publishes copies of chunks that damaged packs have lost. Each must have been checked against
// its id. Whoever looks for such an id finds the copy. It stays as long as some record names
// something of the damaged packs, which stay too. Heal fails with ErrRestart if one of the new packs
// is being collected.
func (s *Session) Heal(ctx context.Context, domain uint64, packs []archive.RunPack, damaged *archive.RefSet) error {
	err := s.usable(refsOf(packs))
	if err == nil {
		err = s.sealAs(domain)
	}
	if err == nil {
		err = s.putHeal(ctx, domain, packs, damaged)
	}
	if err != nil {
		return s.giveUp(ctx, err)
	}
	return nil
}

func (s *Session) putHeal(ctx context.Context, domain uint64, packs []archive.RunPack, damaged *archive.RefSet) error {
	runs, err := s.putRuns(ctx, packs)
	if err != nil {
		return err
	}
	full, err := s.putRefs(ctx, archive.EncodeRefs(refsOf(packs)))
	if err != nil {
		return err
	}
	heals, err := s.putRefs(ctx, archive.EncodeRefs(damaged))
	if err != nil {
		return err
	}
	rec, err := s.put(ctx, clear{
		Kind: Moved, Domain: domain, Index: runs.names(), Refs: RefsList{Full: full}, Heals: []string{heals}, Dates: s.Log.unnoted(),
	})
	if err != nil {
		return err
	}
	s.finish(rec)
	return nil
}

// RoleVerifier is the role of collectors who may move chunks and verify packs: writers rely on what
// they have copied and read.
const RoleVerifier = "verifier"

// MayMove returns an error if writers would not rely on what is copied with a key.
func (r *Repository) MayMove(signer crypto.Signer) error {
	if r.IsOwner(signer) || r.isVerifier(signer.Name()) {
		return nil
	}
	return fmt.Errorf("hosts rely on what is copied only if the owner says so of collector %s: %w", signer.Name(), ErrUntrusted)
}

func (r *Repository) isVerifier(collector string) bool {
	m, _, ok := member(r.Config.Collectors, collector)
	return ok && slices.Contains(m.Roles, RoleVerifier)
}
