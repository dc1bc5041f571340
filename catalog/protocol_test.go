package catalog

import (
	"testing"
)

// The model of what a writer and a collector do to one repository, small enough to try every order of their steps.
//
// There are two contents. The first lies in pack 0 already, which an old snapshot needs until it is forgotten; the second must be uploaded.
// The writer has a few sessions. In each it puts the session, reads gc, drops what it must avoid, places both contents (in pack 0, if that is
// usable, or in packs that it uploads) and puts a record: a checkpoint with any of its own packs that are usable, or a commit with
// all that it needs, which supersedes its checkpoints. A tombstone at its record's name makes it go on with the next session.
// The collector has a few rounds. In each it scans the records, condemns what none that is live needs, lists the sessions, waits for
// each of them or ends it with a tombstone, scans again, sweeps what is still not needed, and deletes pack after pack. It may die
// at any moment; another then adopts the round: it goes on from the listing, or, where there is a sweep, tests what it deletes by a
// scan of its own. A put whose answer was lost is a put that happens later, or never: the writer may be slow at any step or stop.
//
// What must hold in every state: whatever a live record names is there.

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
)

var mutations = map[mutation]string{
	noDrain: "no drain", noRescan: "no second scan", gcBeforeSession: "gc read before the session is opened", unconditionalPut: "record put unconditionally",
	treeNotChecked: "last tree not checked", checkpointExempt: "refs of checkpoints not checked", gcCarried: "gc read carried into the next session",
}

const (
	mostSessions = 5
	mostRounds   = 3
)

// packSet has a bit for each pack: pack 0, and one for each content in each session.
type packSet uint16

type modelRecord struct {
	kind byte // 0, or the first letter of its Kind: c commit, p checkpoint, t tombstone
	refs packSet
}

// modelRound is what lies in gc/<n>.
type modelRound struct {
	condemned, swept packSet
	condemn, sweep   bool
}

// model is one state.
type model struct {
	present packSet
	forgot  bool
	session [mostSessions]bool
	record  [mostSessions]modelRecord
	gc      [mostRounds]modelRound

	writer struct {
		step  byte
		seq   uint8
		avoid packSet
		at    [2]packSet // the pack of each content, as a bit; 0: nowhere yet
		own   packSet    // uploaded by it
	}
	collector struct {
		step   byte
		round  uint8
		listed uint8   // sessions
		packs  packSet // condemned, then to be swept, then to be deleted
	}
}

// live is what records need.
func (m *model) live() (refs packSet) {
	committed := false
	for _, r := range m.record {
		committed = committed || r.kind == 'c'
	}
	for _, r := range m.record {
		if r.kind == 'c' || r.kind == 'p' && !committed {
			refs |= r.refs
		}
	}
	if !m.forgot {
		refs |= 1
	}
	return refs
}

func (m *model) avoided() (packs packSet) {
	for _, r := range m.gc {
		if r.sweep {
			packs |= r.swept
		} else if r.condemn {
			packs |= r.condemned
		}
	}
	return packs
}

// search is one run over all states.
type search struct {
	sessions, rounds uint8
	mutation         mutation
	seen             map[model]struct{}
	todo             []model
}

// run returns the number of states, and one that must not be, if there is.
func (s *search) run() (int, *model) {
	s.seen = map[model]struct{}{}
	s.visit(model{present: 1})
	for len(s.todo) > 0 {
		m := s.todo[len(s.todo)-1]
		s.todo = s.todo[:len(s.todo)-1]
		if m.live()&^m.present != 0 {
			return len(s.seen), &m
		}
		if !m.forgot {
			next := m
			next.forgot = true
			s.visit(next)
		}
		s.stepWriter(m)
		s.stepCollector(m)
	}
	return len(s.seen), nil
}

func (s *search) visit(m model) {
	if _, ok := s.seen[m]; !ok {
		s.seen[m] = struct{}{}
		s.todo = append(s.todo, m)
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

// The collector's steps.
const (
	collectorScans byte = iota
	collectorLists
	collectorDrains
	collectorSweeps
	collectorDeletes
)

func (s *search) stepCollector(m model) {
	c := &m.collector
	if c.round == s.rounds {
		return
	}
	s.adopt(m)
	round := &m.gc[c.round]
	switch c.step {
	case collectorScans:
		if c.packs == 0 {
			if c.packs = m.present &^ m.live(); c.packs == 0 {
				return
			}
		} else { // other steps may come between scan and put
			round.condemn, round.condemned = true, c.packs
			c.step = collectorLists
		}
	case collectorLists:
		for i, open := range m.session {
			if open && m.record[i].kind == 0 && s.mutation != noDrain {
				c.listed |= 1 << i
			}
		}
		c.step = collectorDrains
	case collectorDrains:
		s.fence(m)
		for i, r := range m.record {
			if c.listed&(1<<i) != 0 && r.kind == 0 {
				return // waits
			}
		}
		if s.mutation != noRescan {
			c.packs &^= m.live()
		}
		c.step, c.listed = collectorSweeps, 0
	case collectorSweeps:
		round.sweep, round.swept = true, c.packs
		c.step = collectorDeletes
	case collectorDeletes:
		s.remove(m)
		return
	}
	s.visit(m)
}

// fence declares each of the listed sessions dead.
func (s *search) fence(m model) {
	for i, r := range m.record {
		if m.collector.listed&(1<<i) != 0 && r.kind == 0 {
			next := m
			next.record[i] = modelRecord{kind: 't'}
			s.visit(next)
		}
	}
}

// remove deletes any one of the packs, or ends the round.
func (s *search) remove(m model) {
	for pack := packSet(1); pack != 0 && pack <= m.collector.packs; pack <<= 1 {
		if m.collector.packs&pack != 0 {
			next := m
			next.present &^= pack
			next.collector.packs &^= pack
			s.visit(next)
		}
	}
	if m.collector.packs == 0 {
		m.collector.step = collectorScans
		m.collector.round++
		s.visit(m)
	}
}

// adopt is another collector that takes over from one that has died.
func (s *search) adopt(m model) {
	round := m.gc[m.collector.round]
	m.collector.listed = 0
	switch {
	case round.sweep:
		m.collector.step, m.collector.packs = collectorDeletes, round.swept&m.present&^m.live()
	case round.condemn:
		m.collector.step, m.collector.packs = collectorLists, round.condemned
	default:
		m.collector.step, m.collector.packs = collectorScans, 0
	}
	s.visit(m)
}

func TestTheProtocolKeepsWhatRecordsNeed(t *testing.T) {
	s := &search{sessions: modelSessions, rounds: modelRounds}
	states, bad := s.run()
	if bad != nil {
		t.Errorf("a live record names a pack that is gone: %+v", *bad)
	}
	t.Logf("%d states of %d sessions and %d rounds", states, s.sessions, s.rounds)
}

func TestTheSearchFindsEveryMistakeInTheProtocol(t *testing.T) {
	for mutation, name := range mutations {
		t.Run(name, func(t *testing.T) {
			s := &search{sessions: 2, rounds: 2, mutation: mutation}
			states, bad := s.run()
			if bad == nil {
				t.Errorf("no violation in %d states", states)
			}
		})
	}
}
