// Package tripwire detects backups that look like data loss: much was deleted, replaced or renamed,
// or became incompressible, as encrypted content is. It does no I/O: it compares the counts of two
// snapshots and returns what looks wrong. It cannot know whether a change was intended; a person
// has to look.
package tripwire

import (
	"fmt"
	"slices"
)

// Limits are shares in percent. A rule with 0 never trips, so the zero value detects nothing.
type Limits struct {
	Files          int // lost
	Rows           int // lost, and bytes of a dump
	Changed        int // bytes
	Renamed        int // files
	Incompressible int // by so many of a hundred bytes more than before

	Named bool // they are somebody's own, not the defaults
}

// Default is the limits that apply unless the settings give others.
var Default = Limits{Files: 30, Rows: 50, Changed: 50, Renamed: 50, Incompressible: 30}

// Below these sizes, shares are meaningless and trip nothing.
const (
	fewFiles = 10
	fewRows  = 100
	fewBytes = 1 << 20
)

// Kind determines which rules make sense for a source.
type Kind int

// The kinds.
const (
	Tree     Kind = iota // files that somebody works with
	Database             // rows; its entries are nobody's files
	Dump                 // one file that is another each time
)

// Count is the size of a source.
type Count struct {
	Files uint64 `json:"files"`
	Bytes uint64 `json:"bytes"`
	Rows  uint64 `json:"rows,omitempty"`
	Dense uint64 `json:"dense,omitempty"` // of the bytes, those that do not compress, about
}

// dense returns the share of bytes that do not compress.
func (c *Count) dense() float64 { return share(c.Dense, c.Bytes) }

// Source is what a backup remembers of a source for later backups.
type Source struct {
	Name     string `json:"name"`
	Location string `json:"location"` // of what lies elsewhere by now nothing is known
	Normal   Count  `json:"normal"`   // of the snapshot that later ones are compared with
	Last     Count  `json:"last"`     // of the last one, which may be marked
	Changed  uint64 `json:"changed,omitempty"`
	Renamed  uint64 `json:"renamed,omitempty"` // bytes and files, in marked snapshots since the normal one
}

// Memory is what is remembered of all sources, nil if nothing is.
type Memory struct {
	Complete bool     `json:"complete"` // whether the normal snapshot was
	Sources  []Source `json:"sources"`
}

// Seen is what a backup has found in a source.
type Seen struct {
	Name, Location string
	Kind           Kind
	Files, Bytes   uint64
	Rows           uint64

	Compared     bool // with the last tree; else what follows is not known
	Read         uint64
	ReadDense    uint64 // bytes that were read, and those of files that do not compress
	NewFiles     uint64
	NewKnown     uint64 // those of which the repository had all content
	NewBytes     uint64 // of new files
	NewFresh     uint64 // and those that the repository did not have
	Changed      uint64 // bytes of changed files that those files did not have
	ChangedFresh uint64 // and the repository did not either
}

// Trip is a rule that a source violates.
type Trip struct {
	Source  string `json:"source"`
	What    string `json:"what"`    // files, rows, bytes, changed, renamed, incompressible or Unfit
	Before  uint64 `json:"before"`  // what there was
	Now     uint64 `json:"now"`     // what there is, or how much of it has changed
	Percent int    `json:"percent"` // what was allowed
}

// Unfit is what a source has tripped over whose rows refer to files that the snapshot does not
// have: Now of Before. 0 of them: it could not be found out.
const Unfit = "references"

// IsLoss tells whether it looks like a loss, against the snapshots before.
func (t Trip) IsLoss() bool { return t.What != Unfit }

// String describes what has happened.
func (t Trip) String() string {
	switch t.What {
	case Unfit:
		if t.Now == 0 {
			return fmt.Sprintf("%s: it could not be found out whether all references lead to something", t.Source)
		}
		return fmt.Sprintf("%s: %d of %d references lead to nothing in the snapshot", t.Source, t.Now, t.Before)
	case "files", "rows", "bytes":
		return fmt.Sprintf("%s: %s %d → %d, a loss of more than %d%%", t.Source, t.What, t.Before, t.Now, t.Percent)
	case "changed":
		return fmt.Sprintf("%s: %d of %d bytes have changed, more than %d%%", t.Source, t.Now, t.Before, t.Percent)
	case "renamed":
		return fmt.Sprintf("%s: %d of %d files have other names, more than %d%%", t.Source, t.Now, t.Before, t.Percent)
	case "incompressible":
		return fmt.Sprintf("%s: incompressible bytes rose from %d to %d, by more than %d%% of all: they may be encrypted", t.Source, t.Before, t.Now, t.Percent)
	}
	return fmt.Sprintf("%s: %s", t.Source, t.What)
}

// Judge returns the rules that a backup violates. A source of which nothing is remembered, or that
// has another location, violates none.
func Judge(m *Memory, seen []Seen, l Limits) (trips []Trip) {
	for i := range seen {
		s := &seen[i]
		if was := m.find(s); was != nil {
			trips = append(trips, s.judge(was, l)...)
		}
	}
	return trips
}

func (m *Memory) find(s *Seen) *Source {
	if m == nil {
		return nil
	}
	i := slices.IndexFunc(m.Sources, func(was Source) bool { return was.Name == s.Name && was.Location == s.Location })
	if i < 0 {
		return nil
	}
	return &m.Sources[i]
}

func (s *Seen) judge(was *Source, l Limits) (trips []Trip) {
	trip := func(what string, before, now uint64, percent int) {
		trips = append(trips, Trip{s.Name, what, before, now, percent})
	}
	normal := &was.Normal
	if s.Kind == Tree && lost(normal.Files, s.Files, fewFiles, l.Files) {
		trip("files", normal.Files, s.Files, l.Files)
	}
	if lost(normal.Rows, s.Rows, fewRows, l.Rows) {
		trip("rows", normal.Rows, s.Rows, l.Rows)
	}
	if s.Kind == Dump {
		if lost(normal.Bytes, s.Bytes, fewBytes, l.Rows) {
			trip("bytes", normal.Bytes, s.Bytes, l.Rows)
		}
		return trips
	}
	if renamed := s.renamed(was); s.Kind == Tree && exceeds(renamed, normal.Files, fewFiles, l.Renamed) {
		trip("renamed", normal.Files, renamed, l.Renamed)
	}
	if changed := s.changed(was); exceeds(changed, normal.Bytes, fewBytes, l.Changed) {
		trip("changed", normal.Bytes, changed, l.Changed)
	}
	if now := s.count(was); s.Kind == Tree && l.Incompressible > 0 && s.Bytes >= fewBytes && normal.Bytes >= fewBytes &&
		(now.dense()-normal.dense())*100 > float64(l.Incompressible) {
		trip("incompressible", normal.Dense, now.Dense, l.Incompressible)
	}
	return trips
}

// renamed estimates how many files were replaced by files with other names since the normal
// snapshot. After a marked snapshot, new files whose content the repository knows count as come
// back.
func (s *Seen) renamed(was *Source) uint64 {
	if !s.Compared {
		return was.Renamed
	}
	gone := less(was.Last.Files, less(s.Files, s.NewFiles))
	if was.Renamed == 0 {
		return min(s.NewFiles, gone)
	}
	return less(was.Renamed+min(s.NewFiles-s.NewKnown, gone), s.NewKnown)
}

// changed estimates how many bytes were replaced since the normal snapshot. After a marked
// snapshot, content that the repository knows counts as come back. Otherwise known content counts
// like any other, since an interrupted run may have stored it.
func (s *Seen) changed(was *Source) uint64 {
	if !s.Compared {
		return was.Changed
	}
	gone := less(was.Last.Bytes, less(s.Bytes, s.NewBytes))
	if was.Changed == 0 {
		return s.Changed + min(s.NewFresh, gone)
	}
	back := less(s.Changed, s.ChangedFresh) + less(s.NewBytes, s.NewFresh)
	return less(was.Changed+s.ChangedFresh+min(s.NewFresh, gone), back)
}

// count returns the present size of the source. What was not read is assumed to compress as before.
func (s *Seen) count(was *Source) Count {
	before := 1.0 // of what nothing is known it is said that it did not: so nothing has turned incompressible
	if was != nil {
		before = was.Last.dense()
	}
	unread := float64(less(s.Bytes, s.Read))
	return Count{Files: s.Files, Bytes: s.Bytes, Rows: s.Rows, Dense: s.ReadDense + uint64(before*unread)}
}

// Next returns what to remember after a snapshot. A marked snapshot does not become normal, nor
// does an incomplete one after a complete one.
func (m *Memory) Next(seen []Seen, complete, marked bool) *Memory {
	normal := !marked && (complete || m == nil || !m.Complete)
	next := &Memory{Complete: complete}
	if !normal {
		next.Complete = m != nil && m.Complete
	}
	for i := range seen {
		s := &seen[i]
		was := m.find(s)
		now := Source{Name: s.Name, Location: s.Location, Last: s.count(was)}
		now.Normal = now.Last
		if !normal && was != nil {
			now.Normal = was.Normal
		}
		if marked && was != nil {
			now.Changed, now.Renamed = s.changed(was), s.renamed(was)
		}
		next.Sources = append(next.Sources, now)
	}
	return next
}

// lost reports whether more than percent of before is gone. If everything is gone, that counts
// however little there was.
func lost(before, now, few uint64, percent int) bool {
	if percent > 0 && before > 0 && now == 0 {
		return true
	}
	return exceeds(less(before, now), before, few, percent)
}

// exceeds reports whether part is more than percent of all, and all is not too few.
func exceeds(part, all, few uint64, percent int) bool {
	return percent > 0 && all >= few && share(part, all)*100 > float64(percent)
}

func share(part, all uint64) float64 {
	if all == 0 {
		return 0
	}
	return float64(part) / float64(all)
}

// less returns a - b, 0 if b is more.
func less(a, b uint64) uint64 {
	if b > a {
		return 0
	}
	return a - b
}

// sampled is how many bytes of a file Dense examines. Smaller files are not judged.
const sampled = 512

// Dense reports whether the content of a file does not compress, as that of archives, pictures and
// encrypted files. It examines bytes from the middle of head. The more evenly byte values are
// distributed, the smaller is the sum of the squares of their counts.
func Dense(head []byte) bool {
	if len(head) < sampled {
		return false
	}
	from := (len(head) - sampled) / 2
	var counts, others [256]uint16 // in turns, so that equal bytes do not wait for each other
	for s := head[from : from+sampled]; len(s) >= 2; s = s[2:] {
		counts[s[0]]++
		others[s[1]]++
	}
	var sum uint32
	for i, n := range counts {
		all := uint32(n + others[i])
		sum += all * all
	}
	const even = sampled*sampled/256 + sampled // on average, of bytes by chance
	return sum < 2*even                        // base64 has four times as much
}
