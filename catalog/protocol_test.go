package catalog

import (
	"math/bits"
	"testing"

	"github.com/packstone/packstone/catalog/collection"
)

// The model of what writers, collectors and the owner do to one repository, small enough to try
// every order of their steps. What a collector does next, and what a writer must avoid, is decided
// by the package collection, as in the program.
//
// There are two contents. The first lies in pack 0 already, which an old snapshot needs until it is
// forgotten; the second must be uploaded. The writer has a few sessions. In each it puts the
// session, reads gc, drops what it must avoid, places both contents (in pack 0, if that is usable,
// or in packs that it uploads) and puts a record: a checkpoint with any of its own packs that are
// usable, or a commit with all that it needs, which supersedes its checkpoints. A tombstone at its
// record's name makes it go on with the next session. A checkpoint may count for nothing at any
// time, since nobody went on with it for long. The owner, where there is one, undeletes the old
// snapshot (a hold is the same): a session, gc, and a record, unless pack 0 is to be avoided. A
// collector has a few rounds. In each it scans the records, condemns what none that is live needs,
// lists the sessions, waits for each of them or ends it with a tombstone, scans again, sweeps what
// is still not needed, and deletes pack after pack. It may die at any moment; another then adopts
// the round. There may be two at work at once, of which each may stand still for as long as it
// likes. A put whose answer was lost is a put that happens later, or never: the writer may be slow
// at any step or stop. A mover, where there is one, copies the chunk of pack 0 that is needed: a
// session, gc, a pack that it uploads, and a record. From then on the chunk is found at either
// place. Pack 0 has another chunk then, the writer's second content, which another old snapshot
// needs until it is forgotten: that one is not copied. A roller, where there is one, makes rolls:
// it lists sessions, reads the records, and puts a roll, by which records up to a floor count as it
// has read them and their objects are gone. The first roll marks the old snapshot, if that is
// forgotten; a later one drops it, if no session is open that was when the mark came. A verifier,
// where there is one, reads a pack of another writer, in which the second content lies and which a
// snapshot of that one needs until it is forgotten, and says so. A forger, who is a writer too,
// says of the same pack that the second content lies where it does not, and that this was verified.
// The writer may place its second content by what somebody whom it relies on vouches for, unless
// the pack is to be avoided. Where the writer must be admitted first, a collector knows it from
// when it reads the config, and sees nothing of a writer that it does not know.
//
// What must hold in every state: whatever a live record names is there, and whatever a writer or
// the owner takes for written.

// mutation is a mistake in the protocol, which the search must find.
type mutation int

const (
	asDesigned mutation = iota
	noDrain
	noRescan
	gcBeforeSession
	unconditionalPut
	treeNotChecked
	checkpointExempt
	gcCarried
	undeleteWithoutSession
	undeleteReadsFirst
	undeleteUnchecked
	ownCondemnation
	ownSweep
	configNotReadAgain
	movedAndLeft
	movedStandsForPacks
	droppedAtOnce
	droppedUndrained
	sessionsListedLate
	undeleteOfWhatLeaves
	lateRecord
	writerVouches
	packVouchedFor
	attestedUnread
	vouchedUnchecked
)

var mutations = map[mutation]string{
	noDrain: "no drain", noRescan: "no second scan", gcBeforeSession: "gc read before the session is opened", unconditionalPut: "record put unconditionally",
	treeNotChecked: "last tree not checked", checkpointExempt: "refs of checkpoints not checked", gcCarried: "gc read carried into the next session",
	undeleteWithoutSession: "undelete without a session", undeleteReadsFirst: "undelete reads gc before its session is opened",
	undeleteUnchecked: "undelete of what is being collected", ownCondemnation: "another's condemnation lies there, and its own counts",
	ownSweep: "another's sweep lies there, and its own counts", configNotReadAgain: "config not read again",
	movedAndLeft:        "a place is left though the copy is being collected",
	movedStandsForPacks: "all of a pack is taken for copied",
	droppedAtOnce:       "what is forgotten leaves with the first roll", droppedUndrained: "what leaves goes while a session is open that has not seen it",
	sessionsListedLate: "a roll lists sessions after it has read the records",
	writerVouches:      "a writer's word that a pack was verified counts", packVouchedFor: "a pack that was verified stands for all that is said of it",
	attestedUnread: "what is said of a pack is taken for verified unread", vouchedUnchecked: "what was verified is not checked against gc",
	undeleteOfWhatLeaves: "undelete of what leaves", lateRecord: "a record below the floor counts for who has put it",
}

const (
	mostSessions = 5
	mostRounds   = 3
)

// packSet has a bit for each pack: pack 0, one for each content in each session, and the mover's;
// and one that stands for the second chunk of pack 0 in what records name. Then one for a pack of
// another writer.
type packSet uint16

const (
	moversPack  packSet = 1 << (1 + 2*mostSessions)
	secondChunk         = moversPack << 1
	foreignPack         = secondChunk << 1
	lie                 = foreignPack << 1 // the second content, where it is not in that pack
)

func (s packSet) Add(other packSet) packSet   { return s | other }
func (s packSet) Minus(other packSet) packSet { return s &^ other }
func (s packSet) Empty() bool                 { return s == 0 }

type modelRecord struct {
	kind byte // 0, or the first letter of its Kind: c commit, p checkpoint, t tombstone
	refs packSet
}

type (
	modelRound     = collection.Round[packSet]
	modelCollector struct {
		collection.Collector[packSet]
		round  uint8
		listed uint8 // sessions, the owner's and the mover's among them
		knows  bool  // the writer is admitted by the config that it has read
	}
)

// ofOwner and ofMover are the bits of their sessions among those that are listed.
const (
	ofOwner = 1 << mostSessions
	ofMover = ofOwner << 1
)

// model is one state.
type model struct {
	present   packSet
	forgot    bool
	forgot2   bool    // an older snapshot, which needs the second chunk of pack 0
	forgot3   bool    // another writer's snapshot, which needs its pack
	attested  packSet // what a verifier says that lies there
	claimed   packSet // what a forger does
	admitted  bool
	abandoned uint8 // checkpoints
	session   [mostSessions]bool
	record    [mostSessions]modelRecord
	gc        [mostRounds]modelRound

	writer struct {
		step  byte
		seq   uint8
		avoid packSet
		at    [2]packSet // the pack of each content, as a bit; 0: nowhere yet
		own   packSet    // uploaded by it
	}
	owner struct {
		step    byte
		session bool
		avoid   packSet
		leaves  bool // the old snapshot, as it has read
		record  byte // 0, u or t
	}
	mover struct {
		step    byte
		session bool
		avoid   packSet
		record  byte // 0, m or t
	}
	roll struct {
		step    byte
		made    uint8
		drained bool  // as listed
		reads   uint8 // the floor that it will put
		drops   bool  // and whether the old snapshot goes
		floor   uint8
		mark    bool // the old snapshot leaves
		old     bool // the owner's session was open then
		dropped bool
	}
	believed  packSet // what the writer takes for committed
	collector [2]modelCollector
}

// live is what packs records need, as who knows the writer sees it.
func (m *model) live(knows bool, mistake mutation) (packs packSet) {
	refs := m.refs(knows)
	packs = refs &^ (1 | secondChunk | lie)
	if refs&secondChunk != 0 && (mistake != movedStandsForPacks || m.mover.record != 'm') {
		packs |= 1
	}
	if refs&1 == 0 {
		return packs
	}
	places := []packSet{1}
	if m.mover.record == 'm' {
		places = append(places, moversPack)
	}
	avoid := m.avoided()
	old := func(int) bool { return false }
	first := collection.Kept(len(places), old, func(i int) bool { return places[i]&avoid != 0 && mistake != movedAndLeft })
	for _, place := range places[first:] {
		packs |= place
	}
	return packs
}

// lost tells whether a chunk that a record names is nowhere.
func (m *model) lost() bool {
	refs := m.refs(true) | m.believed
	if m.owner.record == 'u' {
		refs |= 1
	}
	if refs&secondChunk != 0 && m.present&1 == 0 {
		return true
	}
	if refs&1 != 0 && m.present&1 == 0 && (m.mover.record != 'm' || m.present&moversPack == 0) {
		return true
	}
	return refs&lie != 0 || refs&^(1|secondChunk)&^m.present != 0
}

// refs is what records name.
func (m *model) refs(knows bool) (refs packSet) {
	committed := false
	for _, r := range m.record {
		committed = committed || r.kind == 'c'
	}
	for i, r := range m.record {
		if knows && (r.kind == 'c' || r.kind == 'p' && !committed && m.abandoned&(1<<i) == 0) {
			refs |= r.refs
		}
	}
	if !m.roll.dropped && (!m.forgot || m.owner.record == 'u') {
		refs |= 1
	}
	if !m.forgot2 {
		refs |= secondChunk
	}
	if !m.forgot3 {
		refs |= foreignPack
	}
	return refs
}

func (m *model) avoided() packSet { return collection.Avoid(0, m.gc[:]...) }

// search is one run over all states.
type search struct {
	sessions, rounds uint8
	collectors       int
	owner            bool // undeletes
	abandon          bool // checkpoints may be abandoned
	roll             bool // records are rolled up
	move             bool // a mover copies out of pack 0, in which the second content lies too
	verify           bool // a verifier reads another writer's pack, of which a forger lies
	admit            bool // the writer is admitted at some time; else it always was
	mutation         mutation
	seen             map[model]struct{}
	todo             []model
}

// run returns the number of states, and one that must not be, if there is.
func (s *search) run() (int, *model) {
	s.seen = map[model]struct{}{}
	first := model{present: 1, admitted: !s.admit, forgot2: !s.move, forgot3: !s.verify}
	if s.verify {
		first.present |= foreignPack
	}
	s.visit(first)
	for len(s.todo) > 0 {
		m := s.todo[len(s.todo)-1]
		s.todo = s.todo[:len(s.todo)-1]
		if m.lost() {
			return len(s.seen), &m
		}
		s.stepWorld(m)
		if m.admitted {
			s.stepWriter(m)
		}
		if s.verify {
			s.stepVerifier(m)
		}
		if s.owner {
			s.stepOwner(m)
		}
		if s.move {
			s.stepMover(m)
		}
		if s.roll {
			s.stepRoller(m)
		}
		for i := range s.collectors {
			s.stepCollector(m, i)
		}
	}
	return len(s.seen), nil
}

func (s *search) visit(m model) {
	if _, ok := s.seen[m]; !ok {
		s.seen[m] = struct{}{}
		s.todo = append(s.todo, m)
	}
}

// stepWorld is what comes about by itself: the old snapshot's grace ends, a checkpoint is
// abandoned, the owner admits the writer.
func (s *search) stepWorld(m model) {
	if !m.forgot {
		next := m
		next.forgot = true
		s.visit(next)
	}
	if !m.forgot2 {
		next := m
		next.forgot2 = true
		s.visit(next)
	}
	if !m.forgot3 {
		next := m
		next.forgot3 = true
		s.visit(next)
	}
	if !m.admitted {
		next := m
		next.admitted = true
		s.visit(next)
	}
	for i, r := range m.record {
		if s.abandon && r.kind == 'p' && m.abandoned&(1<<i) == 0 {
			next := m
			next.abandoned |= 1 << i
			s.visit(next)
		}
	}
}

// The writer's steps.
const (
	writerBegins byte = iota
	writerReads
	writerWorks
)

func (s *search) stepWriter(m model) {
	if m.writer.seq == s.sessions {
		return
	}
	switch m.writer.step {
	case writerBegins:
		if s.mutation == gcBeforeSession {
			s.read(&m)
		} else {
			m.session[m.writer.seq] = true
		}
		m.writer.step = writerReads
		s.visit(m)
	case writerReads:
		if s.mutation == gcBeforeSession {
			m.session[m.writer.seq] = true
		} else if s.mutation != gcCarried || m.writer.seq == 0 {
			s.read(&m)
		}
		m.writer.step = writerWorks
		s.visit(m)
	case writerWorks:
		s.work(m)
	}
}

// read reads gc, and drops what may not be relied on.
func (s *search) read(m *model) {
	m.writer.avoid = m.avoided()
	for content, at := range m.writer.at {
		switch at {
		case secondChunk:
			at = 1
		case lie:
			at = foreignPack
		}
		if at&m.writer.avoid != 0 && (s.mutation != treeNotChecked || content != 0) {
			m.writer.at[content] = 0
		}
	}
}

func (s *search) work(m model) {
	for content, at := range m.writer.at {
		if at != 0 {
			continue
		}
		next := m
		if content == 0 && (m.writer.avoid&1 == 0 || s.mutation == treeNotChecked) {
			next.writer.at[0] = 1
		} else {
			if s.move && m.writer.avoid&1 == 0 && content == 1 { // it may, or not
				found := next
				found.writer.at[1] = secondChunk
				s.visit(found)
			}
			for _, place := range [...]packSet{foreignPack, lie} { // likewise
				if content == 1 && s.vouched(&m, place) {
					found := next
					found.writer.at[1] = place
					s.visit(found)
				}
			}
			pack := packSet(1) << (1 + 2*m.writer.seq + uint8(content))
			next.writer.at[content] = pack
			next.writer.own |= pack
			next.present |= pack
		}
		s.visit(next)
	}
	for refs := m.writer.own; refs != 0; refs = (refs - 1) & m.writer.own {
		if refs&m.writer.avoid == 0 || s.mutation == checkpointExempt {
			s.put(m, modelRecord{'p', refs})
		}
	}
	if m.writer.at[0] != 0 && m.writer.at[1] != 0 {
		s.put(m, modelRecord{'c', m.writer.at[0] | m.writer.at[1]})
	}
}

// put puts the record that ends the session, and goes on with the next one, unless it was a commit.
func (s *search) put(m model, r modelRecord) {
	if m.writer.seq < m.roll.floor { // the name is free again, and what lies there is void
		m.writer.step = writerBegins
		m.writer.seq++
		if r.kind == 'c' && s.mutation == lateRecord {
			m.believed, m.writer.seq = r.refs, s.sessions
		}
		s.visit(m)
		return
	}
	name := &m.record[m.writer.seq]
	done := r.kind == 'c' && (name.kind == 0 || s.mutation == unconditionalPut)
	if name.kind == 0 || s.mutation == unconditionalPut {
		*name = r
	}
	m.writer.step = writerBegins
	m.writer.seq++
	if done {
		m.writer.seq = s.sessions
	}
	s.visit(m)
}

// stepVerifier reads the other writer's pack, and says what lies there; or a forger says what does
// not.
func (s *search) stepVerifier(m model) {
	read := m
	if m.present&foreignPack != 0 {
		read.attested |= foreignPack
		if s.mutation == attestedUnread {
			read.attested |= m.claimed
		}
	}
	s.visit(read)
	m.claimed |= lie
	s.visit(m)
}

// vouched tells whether the writer may rely on a place in the other writer's pack.
func (s *search) vouched(m *model, place packSet) bool {
	if m.writer.avoid&foreignPack != 0 && s.mutation != vouchedUnchecked {
		return false
	}
	said := packSet(0)
	if vouches(true, false, true) {
		said |= m.attested
	}
	if vouches(false, false, false) || s.mutation == writerVouches {
		said |= m.claimed
	}
	if s.mutation == packVouchedFor && said&foreignPack != 0 {
		said |= m.claimed
	}
	return said&place != 0
}

// The owner's steps.
const (
	ownerBegins byte = iota
	ownerReads
	ownerPuts
	ownerIsDone
)

func (s *search) stepOwner(m model) {
	o := &m.owner
	reads := func() { o.avoid, o.leaves = m.avoided(), m.roll.mark && s.mutation != undeleteOfWhatLeaves }
	opens := func() { o.session = s.mutation != undeleteWithoutSession }
	if s.mutation == undeleteReadsFirst {
		reads, opens = opens, reads
	}
	switch o.step {
	case ownerBegins:
		if !m.forgot {
			return
		}
		opens()
	case ownerReads:
		reads()
	case ownerPuts:
		if o.record == 0 && !o.leaves && (o.avoid&1 == 0 || s.mutation == undeleteUnchecked) {
			o.record = 'u'
		} else if o.record == 0 {
			o.record = 't' // it gives up
		}
	case ownerIsDone:
		return
	}
	o.step++
	s.visit(m)
}

// The roller's steps.
const (
	rollLists byte = iota
	rollReads
	rollPuts
)

func (s *search) stepRoller(m model) {
	r := &m.roll
	if r.made == 2 {
		return
	}
	lists := func() { r.drained = !r.old || m.owner.record != 0 || s.mutation == droppedUndrained }
	reads := func() {
		for r.reads = 0; r.reads < s.sessions && m.record[r.reads].kind != 0; r.reads++ {
		}
		leaves := m.forgot && m.owner.record != 'u'
		r.drops = leaves && (r.mark || s.mutation == droppedAtOnce)
	}
	if s.mutation == sessionsListedLate {
		lists, reads = reads, lists
	}
	switch r.step {
	case rollLists:
		lists()
	case rollReads:
		reads()
	case rollPuts:
		r.floor = max(r.floor, r.reads)
		r.dropped = r.drops && (r.drained || s.mutation == droppedAtOnce)
		if !r.mark && m.forgot {
			r.mark, r.old = true, m.owner.session && m.owner.record == 0
		}
		r.made++
		r.drained, r.reads, r.drops = false, 0, false
	}
	r.step = (r.step + 1) % 3
	s.visit(m)
}

// The mover's steps.
const (
	moverBegins byte = iota
	moverReads
	moverUploads
	moverPuts
	moverIsDone
)

func (s *search) stepMover(m model) {
	o := &m.mover
	switch o.step {
	case moverBegins:
		o.session = true
	case moverReads:
		o.avoid = m.avoided()
	case moverUploads:
		if o.avoid&1 == 0 && m.present&1 != 0 {
			m.present |= moversPack
		}
	case moverPuts:
		if o.record == 0 && o.avoid&(1|moversPack) == 0 && m.present&moversPack != 0 {
			o.record = 'm'
		} else if o.record == 0 {
			o.record = 't'
		}
	case moverIsDone:
		return
	}
	o.step++
	s.visit(m)
}

func (s *search) stepCollector(m model, i int) {
	c := &m.collector[i]
	if c.round == s.rounds {
		return
	}
	if (*c != modelCollector{round: c.round}) {
		died := m
		died.collector[i] = modelCollector{round: c.round}
		s.visit(died)
	}
	round := &m.gc[c.round]
	switch c.Step {
	case collection.Scan:
		c.Collector = c.Decided(*round)
		if c.Step == collection.Scan {
			c.knows = m.admitted
			c.Collector = c.Scanned(m.present, m.live(c.knows, s.mutation))
		}
	case collection.Condemn: // other steps may come between scan and put
		own := c.Packs
		if !round.Condemn && !round.Sweep {
			round.Condemn, round.Condemned = true, c.Packs
		}
		c.Collector = c.Decided(*round)
		if s.mutation == ownCondemnation && c.Step == collection.List {
			c.Packs = own
		}
	case collection.List:
		s.reads(&m, c)
		c.listed = s.open(&m, c.knows)
		c.Collector = c.Listed()
	case collection.Drain:
		s.fence(m, i)
		if c.listed&s.open(&m, true) != 0 {
			return // waits
		}
		c.Collector, c.listed = c.Drained(), 0
	case collection.Rescan:
		s.reads(&m, c)
		needed := m.live(c.knows, s.mutation)
		if s.mutation == noRescan {
			needed = 0
		}
		c.Collector = c.Rescanned(needed)
	case collection.Sweep:
		if !round.Sweep {
			round.Sweep, round.Swept = true, c.Packs
			c.Collector = c.Swept()
		} else if s.mutation == ownSweep {
			c.Collector = c.Swept()
		} else {
			c.Collector = c.Decided(*round)
		}
	case collection.Recheck:
		s.reads(&m, c)
		c.Packs &= m.present
		c.Collector = c.Rechecked(m.live(c.knows, s.mutation))
	case collection.Delete:
		s.remove(m, i)
		return
	case collection.Done:
		if !round.Sweep {
			return // it has found nothing, and looks again when it has died
		}
		*c = modelCollector{round: c.round + 1}
	}
	s.visit(m)
}

// reads lets a collector read the config.
func (s *search) reads(m *model, c *modelCollector) {
	if s.mutation != configNotReadAgain {
		c.knows = m.admitted
	}
}

// open are the sessions without a record, as who knows the writer sees them.
func (s *search) open(m *model, knows bool) (open uint8) {
	if s.mutation == noDrain {
		return 0
	}
	for i, there := range m.session {
		if knows && there && m.record[i].kind == 0 {
			open |= 1 << i
		}
	}
	if m.owner.session && m.owner.record == 0 {
		open |= ofOwner
	}
	if m.mover.session && m.mover.record == 0 {
		open |= ofMover
	}
	return open
}

// fence declares each of the listed sessions dead.
func (s *search) fence(m model, i int) {
	for open := m.collector[i].listed & s.open(&m, true); open != 0; open &= open - 1 {
		next := m
		switch n := bits.TrailingZeros8(open); {
		case n < mostSessions:
			next.record[n] = modelRecord{kind: 't'}
		case 1<<n == ofOwner:
			next.owner.record = 't'
		default:
			next.mover.record = 't'
		}
		s.visit(next)
	}
}

// remove deletes any one of the packs.
func (s *search) remove(m model, i int) {
	for pack := packSet(1); pack != 0 && pack <= m.collector[i].Packs; pack <<= 1 {
		if m.collector[i].Packs&pack != 0 {
			next := m
			next.present &^= pack
			next.collector[i].Collector = next.collector[i].Deleted(pack)
			s.visit(next)
		}
	}
}

// searches are the cases that are tried, and the mistakes that each must find.
var searches = []struct {
	name   string
	search search
	finds  []mutation
}{
	{"a writer", search{sessions: modelSessions, rounds: modelRounds, collectors: 1}, nil},
	{"a writer in little", search{sessions: 2, rounds: 2, collectors: 1},
		[]mutation{noDrain, noRescan, gcBeforeSession, unconditionalPut, treeNotChecked, checkpointExempt, gcCarried}},
	{"an owner who undeletes", search{sessions: 1, rounds: 2, collectors: 1, owner: true},
		[]mutation{undeleteWithoutSession, undeleteReadsFirst, undeleteUnchecked}},
	{"two collectors", search{sessions: 3, rounds: 1, collectors: 2, abandon: true}, []mutation{ownCondemnation, ownSweep}},
	{"a mover", search{sessions: 1, rounds: 3, collectors: 1, move: true}, []mutation{movedAndLeft, movedStandsForPacks}},
	{"a verifier and a forger", search{sessions: 2, rounds: 2, collectors: 1, verify: true},
		[]mutation{writerVouches, packVouchedFor, attestedUnread, vouchedUnchecked}},
	{"a writer beside a roller", search{sessions: 2, rounds: 1, collectors: 1, roll: true}, []mutation{lateRecord}},
	{"an owner beside a roller", search{sessions: 1, rounds: 1, collectors: 1, roll: true, owner: true},
		[]mutation{droppedAtOnce, droppedUndrained, sessionsListedLate, undeleteOfWhatLeaves}},
	{"a writer who is admitted meanwhile", search{sessions: 2, rounds: 2, collectors: 1, admit: true}, []mutation{configNotReadAgain}},
}

func TestTheProtocolKeepsWhatRecordsNeed(t *testing.T) {
	if testing.Short() {
		t.Skip("has one goroutine, and needs no look for races")
	}
	for _, c := range searches {
		t.Run(c.name, func(t *testing.T) {
			s := c.search
			states, bad := s.run()
			if bad != nil {
				t.Errorf("a live record names a pack that is gone: %+v", *bad)
			}
			t.Logf("%d states of %d sessions and %d rounds", states, s.sessions, s.rounds)
		})
	}
}

func TestTheSearchFindsEveryMistakeInTheProtocol(t *testing.T) {
	if testing.Short() {
		t.Skip("has one goroutine, and needs no look for races")
	}
	found := map[mutation]bool{}
	for _, c := range searches {
		for _, mistake := range c.finds {
			found[mistake] = true
			t.Run(mutations[mistake], func(t *testing.T) {
				s := c.search
				s.mutation = mistake
				states, bad := s.run()
				if bad == nil {
					t.Errorf("no violation in %d states", states)
				}
			})
		}
	}
	for mistake, name := range mutations {
		if !found[mistake] {
			t.Errorf("%s: no search is to find it", name)
		}
	}
}
