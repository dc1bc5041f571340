package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Filter restricts which snapshots a name may mean. Zero fields have no effect.
type Filter struct {
	Set   string
	Paths bool     // only backups of paths, which are of no set
	Of    []string // only backups of these paths, all of them, and maybe others
	Host  string
	Tags  []string // all of them
	// Prefer is the host to choose if snapshots of several hosts match.
	Prefer string
	// Source restricts sets to those with a source of this name in a snapshot, and backups of paths
	// to those that overlap the path Source/Below. If none remains it has no effect, unless several
	// sets are possible.
	Source, Below string
	// Incomplete allows latest and times to mean incomplete snapshots.
	Incomplete bool
}

// Matches reports whether s passes the filter, apart from completeness and standing.
func (f Filter) Matches(s *Snapshot) bool {
	if f.Set != "" && s.Set != f.Set || f.Paths && s.Set != "" || f.Host != "" && s.Host != f.Host {
		return false
	}
	return containsAll(s.Tags, f.Tags) && containsAll(s.paths(), f.Of)
}

func containsAll(list, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(w string) bool { return !slices.Contains(list, w) })
}

// paths returns the paths of a backup of paths, else nothing.
func (s *Snapshot) paths() (all []string) {
	for i := range s.Sources {
		all = append(all, s.Sources[i].Paths...)
	}
	return all
}

// what returns what a snapshot without a set contains: its paths, or the locations of sources
// without paths, such as a command.
func (s *Snapshot) what() (all []string) {
	for i := range s.Sources {
		if source := &s.Sources[i]; len(source.Paths) > 0 {
			all = append(all, source.Paths...)
		} else {
			all = append(all, source.Location)
		}
	}
	return all
}

// Trusted returns the snapshots from which latest and times choose: none whose writer may not speak
// for its host, and no unbound one if there is a bound one of the same host.
func Trusted(snapshots []*Snapshot) []*Snapshot {
	bound := map[string]bool{}
	for _, s := range snapshots {
		bound[s.Host] = bound[s.Host] || s.Standing == Bound
	}
	return slices.DeleteFunc(slices.Clone(snapshots), func(s *Snapshot) bool {
		return s.Standing == Outside || s.Standing == Unbound && bound[s.Host]
	})
}

// Select returns the snapshot that name means: "latest", "latest~N", "@TIME" (the newest at or
// before it), an id or the beginning of one. snapshots must be sorted by time. Select fails with
// ErrNoSnapshot, ErrBadName, ErrAmbiguous (and names the candidates), or ErrNames if the snapshot
// must not be used: see CheckNames.
func Select(snapshots []*Snapshot, name string, f Filter) (*Snapshot, error) {
	return named(f.find(snapshots, name))
}

func (f Filter) find(snapshots []*Snapshot, name string) (*Snapshot, error) {
	m, err := parseName(name)
	switch {
	case err != nil:
		return nil, err
	case m.id != "":
		return byPrefix(snapshots, m.id)
	case m.at != nil:
		return SelectAt(snapshots, *m.at, f)
	}
	return f.newest(name, f.among(snapshots), m.back)
}

// CheckName fails with ErrBadName if the text cannot mean a snapshot, whatever snapshots there are.
func CheckName(name string) error {
	_, err := parseName(name)
	return err
}

// meaning is what a name asks for: the beginning of an id, a moment, or else a snapshot so many
// places before the newest.
type meaning struct {
	id   string
	at   *time.Time
	back int
}

func parseName(name string) (m meaning, err error) {
	switch {
	case name == "latest":
	case strings.HasPrefix(name, "latest~"):
		back, err := strconv.ParseUint(name[len("latest~"):], 10, 31)
		if err != nil {
			return m, fmt.Errorf("%s: want latest~N, such as latest~1 for the one before the newest: %w", name, ErrBadName)
		}
		m.back = int(back)
	case strings.HasPrefix(name, "@"):
		at, err := ParseMoment(name[1:])
		if err != nil {
			return m, fmt.Errorf("%s: %w: %w", name, err, ErrBadName)
		}
		m.at = &at
	case len(name) < shortestPrefix || strings.Trim(name, "0123456789abcdef") != "":
		return m, fmt.Errorf("snapshot %q: want latest, latest~N, @TIME or at least %d digits of an id: %w", name, shortestPrefix, ErrBadName)
	default:
		m.id = name
	}
	return m, nil
}

// isRelative reports whether the meaning of a name depends on which snapshots exist.
func isRelative(name string) bool {
	return name == "latest" || strings.HasPrefix(name, "latest~") || strings.HasPrefix(name, "@")
}

// SelectAt returns the newest snapshot at or before a moment. It prefers snapshots with a reliable
// date to backdated ones of the same set and host: whoever holds a host's key today must not be
// able to rewrite yesterday.
func SelectAt(snapshots []*Snapshot, at time.Time, f Filter) (*Snapshot, error) {
	c := f.among(slices.DeleteFunc(slices.Clone(snapshots), func(s *Snapshot) bool { return s.Time.After(at) }))
	c.trusted = withoutBackdated(c.trusted)
	return named(f.newest("@"+at.Format(time.RFC3339), c, 0))
}

func withoutBackdated(snapshots []*Snapshot) []*Snapshot {
	type series struct{ set, host string }
	dated := map[series]bool{}
	for _, s := range snapshots {
		dated[series{s.Set, s.Host}] = dated[series{s.Set, s.Host}] || !s.Undated
	}
	return slices.DeleteFunc(slices.Clone(snapshots), func(s *Snapshot) bool { return s.Undated && dated[series{s.Set, s.Host}] })
}

// candidates are the snapshots that a name may mean.
type candidates struct {
	trusted []*Snapshot
	outside int // how many match and are outside
	all     int // how many there were to choose among
}

// words returns the filter as a user types it.
func (f Filter) words() string {
	var b strings.Builder
	word := func(flag, value string) { b.WriteString(" " + flag + " " + shellWord(value)) }
	if f.Set != "" || f.Paths {
		word("--set", f.Set)
	}
	if f.Host != "" {
		word("--host", f.Host)
	}
	for _, tag := range f.Tags {
		word("--tag", tag)
	}
	for _, path := range f.Of {
		word("--path", path)
	}
	return b.String()
}

// among returns the snapshots that pass the filter.
func (f Filter) among(snapshots []*Snapshot) (c candidates) {
	matching := slices.DeleteFunc(slices.Clone(snapshots), func(s *Snapshot) bool { return !f.Matches(s) })
	for _, s := range matching {
		if s.Standing == Outside {
			c.outside++
		}
	}
	c.trusted, c.all = Trusted(matching), len(snapshots)
	return c
}

// newest returns the newest candidate, or the one that is back places before it.
func (f Filter) newest(name string, c candidates, back int) (*Snapshot, error) {
	complete := slices.DeleteFunc(slices.Clone(c.trusted), func(s *Snapshot) bool { return !f.Incomplete && !s.Complete() })
	if len(complete) == 0 && len(c.trusted) > 0 {
		return nil, fmt.Errorf("%s: every snapshot that matches is incomplete; name one by its id, such as %.12s, or restore with --accept-incomplete: %w",
			name, c.trusted[len(c.trusted)-1].ID, ErrNoSnapshot)
	}
	meant, err := f.oneSeries(complete, name)
	if err != nil {
		return nil, err
	}
	if back < len(meant) {
		return meant[len(meant)-1-back], nil
	}
	if c.outside > 0 {
		return nil, fmt.Errorf("%s: of the complete snapshots that match, %d count and %d do not, since their writers may not back up the host that they name: packstone snapshots "+
			"marks these, and only their ids select them: %w", name, len(meant), c.outside, ErrNoSnapshot)
	}
	switch {
	case c.all == 0 && strings.HasPrefix(name, "@"):
		return nil, fmt.Errorf("%s: the repository has no snapshot of that time or an earlier one; packstone snapshots lists their times, to the second: %w", name, ErrNoSnapshot)
	case c.all == 0:
		return nil, fmt.Errorf("%s: the repository has no snapshots yet: %w", name, ErrNoSnapshot)
	case len(meant) == 1:
		return nil, fmt.Errorf("%s: there is only one complete snapshot, latest~0: %w", name, ErrNoSnapshot)
	case len(meant) > 0:
		return nil, fmt.Errorf("%s: there are only %d complete snapshots; latest~%d is the oldest: %w", name, len(meant), len(meant)-1, ErrNoSnapshot)
	}
	return nil, fmt.Errorf("%s: no snapshot matches%s; packstone snapshots lists what there is: %w", name, f.words(), ErrNoSnapshot)
}

// BeforeRestore is the set of snapshots of what a restore overwrites. No backup has it, so that the
// rules by which others are kept do not count these, and where there are others latest and times do
// not mean them unless it is named.
const BeforeRestore = "before-restore"

// oneSeries returns the snapshots of one host and set: those that the filter asks for or prefers,
// else the only ones. It fails with ErrAmbiguous, and says what to type, if there are several.
func (f Filter) oneSeries(snapshots []*Snapshot, name string) ([]*Snapshot, error) {
	preferred := slices.DeleteFunc(slices.Clone(snapshots), func(s *Snapshot) bool { return s.Host != f.Prefer })
	if f.Prefer != "" && len(preferred) > 0 {
		snapshots = preferred
	}
	if others := slices.DeleteFunc(slices.Clone(snapshots), func(s *Snapshot) bool { return s.Set == BeforeRestore }); len(others) > 0 {
		snapshots = others
	}
	sets := valuesOf(snapshots, func(s *Snapshot) string { return s.Set })
	if holding := f.holding(snapshots); len(holding) > 0 {
		snapshots, sets = holding, valuesOf(holding, func(s *Snapshot) string { return s.Set })
	} else if len(sets) > 1 {
		return nil, fmt.Errorf("%s: no snapshot has a source %s or holds a path /%s: %w", name, shellWord(f.Source), shellWord(f.place()), ErrNoSnapshot)
	}
	if len(sets) > 1 {
		return nil, ambiguous(name, "sets", "--set", sets)
	}
	if hosts := valuesOf(snapshots, func(s *Snapshot) string { return s.Host }); len(hosts) > 1 {
		return nil, ambiguous(name, "hosts", "--host", hosts)
	}
	return snapshots, nil
}

func valuesOf(snapshots []*Snapshot, value func(*Snapshot) string) map[string]bool {
	values := map[string]bool{}
	for _, s := range snapshots {
		values[value(s)] = true
	}
	return values
}

// ambiguous returns an error that lists what to type.
func ambiguous(name, what, flag string, choices map[string]bool) error {
	var typed []string
	for _, choice := range slices.Sorted(maps.Keys(choices)) {
		typed = append(typed, flag+" "+shellWord(choice))
	}
	return fmt.Errorf("%s could be of several %s, choose one: %s: %w", name, what, strings.Join(typed, ", "), ErrAmbiguous)
}

// shellWord returns a text quoted for a shell.
func shellWord(text string) string {
	safe := func(r rune) bool {
		return strings.ContainsRune("-_.:/@%+=,", r) || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	if text != "" && strings.TrimFunc(text, safe) == "" {
		return text
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "$'" + escaped(text) + "'"
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// escaped returns a text for use between $' and ' in a shell. It contains no byte that affects a
// terminal.
func escaped(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case c == '\\' || c == '\'':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// holding returns the snapshots that may contain the path of Source and Below, or all if these are
// empty. Where no other does, that may be a stream without a set: it holds one file, whose name is
// in its tree alone.
func (f Filter) holding(snapshots []*Snapshot) []*Snapshot {
	sets := map[string]bool{}
	for _, s := range snapshots {
		_, ok := s.Source(f.Source)
		sets[s.Set] = sets[s.Set] || ok || f.Source == ""
	}
	found := slices.DeleteFunc(slices.Clone(snapshots), func(s *Snapshot) bool { return !sets[s.Set] && !s.meets(f.place()) })
	if len(found) > 0 || strings.Contains(f.place(), "/") {
		return found
	}
	return slices.DeleteFunc(slices.Clone(snapshots), func(s *Snapshot) bool { return !s.isStream() })
}

// isStream reports whether s is the output of a command, or what came on standard input, without a
// set.
func (s *Snapshot) isStream() bool {
	return s.Set == "" && slices.ContainsFunc(s.Sources, func(source SourceState) bool { return source.Type == "command" })
}

// place returns the path that Source and Below mean if Source is not a source's name but the
// beginning of a path.
func (f Filter) place() string { return strings.Trim(f.Source+"/"+f.Below, "/") }

// meets reports whether s is a backup of a path that contains place or lies in it.
func (s *Snapshot) meets(place string) bool {
	return slices.ContainsFunc(s.paths(), func(path string) bool {
		path = strings.Trim(path, "/")
		return strings.HasPrefix(place+"/", path+"/") || strings.HasPrefix(path+"/", place+"/")
	})
}

// shortestPrefix is how many digits of an id a user must give.
const shortestPrefix = 4

func byPrefix(snapshots []*Snapshot, prefix string) (*Snapshot, error) {
	var found []*Snapshot
	for _, s := range snapshots {
		if strings.HasPrefix(s.ID.String(), prefix) {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("snapshot %s: %w", prefix, ErrNoSnapshot)
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("snapshot %s: %d ids begin like this: %w", prefix, len(found), ErrAmbiguous)
}

// timeLayouts are the accepted forms of RFC 3339, in which the zone may be left out.
var timeLayouts = []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// ParseMoment parses the end of a period, inclusive: a date means the end of its day, a time
// without seconds or without a fraction the end of its second.
func ParseMoment(text string) (time.Time, error) {
	at, err := ParseTime(text)
	switch {
	case err != nil || strings.Contains(text, "."):
		return at, err
	case !strings.ContainsAny(text, "T "):
		return at.AddDate(0, 0, 1).Add(-time.Nanosecond), nil
	}
	return at.Add(time.Second - time.Nanosecond), nil
}

// ParseTime parses an RFC 3339 time. A time without a zone is local. A date alone is its midnight.
func ParseTime(text string) (time.Time, error) {
	for _, layout := range timeLayouts {
		for _, zone := range []string{"", "Z07:00"} {
			if t, err := time.ParseInLocation(layout+zone, text, time.Local); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("time %q: want the form 2026-11-20T14:00 or 2026-11-20T14:00:05Z", text)
}

// futureTime is how far after this host's clock the time of a snapshot may be: another host's clock
// may be wrong, and its zone left out.
const futureTime = 24 * time.Hour

// ParseSnapshotTime parses the time that a snapshot is to have; "" is the zero time. It refuses a
// time far after now, since that snapshot would be the latest until then.
func ParseSnapshotTime(text string, now time.Time) (at time.Time, err error) {
	if text == "" {
		return at, nil
	}
	if at, err = ParseTime(text); err == nil && at.After(now.Add(futureTime)) {
		err = fmt.Errorf("%s is in the future: latest would mean this snapshot until then", text)
	}
	return at, err
}

// ParseEnd parses when something ends, which must be after now; "" is the zero time. A date alone
// is the end of its day.
func ParseEnd(text string, now time.Time) (end time.Time, err error) {
	if text == "" {
		return end, nil
	}
	if end, err = ParseTime(text); err != nil {
		return end, err
	}
	if !strings.ContainsAny(text, "T ") {
		end = end.AddDate(0, 0, 1).Add(-time.Second)
	}
	if end.Before(now) {
		return end, fmt.Errorf("%s: that is over", end.Local().Format(time.DateTime))
	}
	return end, nil
}
