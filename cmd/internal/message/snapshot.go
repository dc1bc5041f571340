package message

import (
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
)

// Snapshot is a snapshot in the JSON array of snapshots.
type Snapshot struct {
	ID         string        `json:"id" doc:"The snapshot's id: the SHA-256 of its commit."`
	ShortID    string        `json:"short_id" doc:"The beginning of the id, which is enough to name it."`
	Time       time.Time     `json:"time" doc:"When it was taken, or what --time said; never later than the storage has it."`
	Claimed    time.Time     `json:"claimed_time,omitzero" doc:"The later time that its writer claims and that is not believed."`
	Undated    bool          `json:"undated,omitempty" doc:"Whether it claims to be older than the storage has it: it was dated back, or copied."`
	Set        output.Name   `json:"set" doc:"The set; empty for paths."`
	Hostname   output.Name   `json:"hostname" doc:"The host that took it."`
	Writer     string        `json:"writer" doc:"Whose key signed it."`
	Standing   string        `json:"standing" doc:"bound: the owner has admitted the writer for this host. unbound: the owner has not said for which hosts. outside: for others only, so that latest and times pass over it."`
	Username   string        `json:"username,omitempty" doc:"The user that took it."`
	Tags       []string      `json:"tags,omitempty" doc:"Its tags."`
	About      output.Name   `json:"description,omitempty" doc:"What --description said of it."`
	Paths      []output.Name `json:"paths,omitempty" doc:"What was named on the command line."`
	Sources    []string      `json:"sources" doc:"The names of its sources."`
	Files      uint64        `json:"total_files_processed" doc:"Files in it."`
	Bytes      uint64        `json:"total_bytes_processed" doc:"Their bytes."`
	Complete   bool          `json:"complete" doc:"Whether everything that was to be backed up is in it."`
	Tripwire   []Trip        `json:"tripwire,omitempty" doc:"What looks like a loss in it, against the snapshots before: it is marked, and takes no other's place."`
	References []References  `json:"references,omitempty" doc:"Whether what rows refer to is in the snapshot."`
	Orphans    []Orphans     `json:"orphans,omitempty" doc:"Of the sources that rows refer to, how many files no row refers to."`
	LeftOut    []LeftOut     `json:"not_backed_up,omitempty" doc:"What of the platform is left out on purpose."`
	Program    string        `json:"program_version" doc:"What took it."`
	Held       []Held        `json:"held,omitempty" doc:"What keeps it from being forgotten."`
	Replaces   string        `json:"replaces,omitempty" doc:"The id of the snapshot that it was made of by rewrite, as its writer says."`
	Gone       time.Time     `json:"forgotten,omitzero" doc:"When it was forgotten."`
	Origin     *Origin       `json:"origin,omitempty" doc:"The snapshot of another repository that holds the same: of which it is a copy, or which was taken in the same run."`
}

// Origin names a snapshot of another repository.
type Origin struct {
	Repository output.Name `json:"repository" doc:"The repository's id."`
	Snapshot   output.Name `json:"snapshot" doc:"The snapshot's id there."`
}

// Held is a hold of a snapshot.
type Held struct {
	Reason output.Name `json:"reason" doc:"Why it is held."`
	Until  time.Time   `json:"until,omitzero" doc:"When the hold ends by itself."`
	By     string      `json:"by" doc:"Who has signed it."`
	Since  time.Time   `json:"since" doc:"Since when it is held."`
}

// GroupName says what a group has in common.
func (r Snapshot) GroupName(by catalog.GroupBy) string {
	var words []string
	if !by.AnySet {
		words = append(words, "set "+output.OrDash(r.Set.String()))
	}
	if !by.AnyHost {
		words = append(words, "host "+r.Hostname.String())
	}
	if !by.AnyPaths && len(r.Paths) > 0 {
		var paths []string
		for _, path := range r.Paths {
			paths = append(paths, path.String())
		}
		words = append(words, "paths "+strings.Join(paths, " "))
	}
	return strings.Join(words, ", ")
}

// SnapshotTable lists snapshots; compact: without what is in them.
func SnapshotTable(rows []Snapshot, compact bool) output.Table {
	table := output.Table{Head: []string{"ID", "TIME", "SET", "HOST", "TAGS", "FILES", "SIZE", "WHAT"}, Right: []int{5, 6}, Cut: []int{2, 3, 4, 7}}
	if compact {
		table = output.Table{Head: []string{"ID", "TIME", "HOST", "TAGS"}, Cut: []int{2, 3}}
	}
	for _, row := range rows {
		id, at, tags := row.ShortID, output.Time(row.Time), output.OrDash(output.Name(strings.Join(row.Tags, ",")).String())
		if compact {
			table.Rows = append(table.Rows, []string{id, at, row.host(), tags})
			continue
		}
		table.Rows = append(table.Rows, []string{id, at, output.OrDash(row.Set.String()), row.host(), tags,
			strconv.FormatUint(row.Files, 10), output.Bytes(int64(row.Bytes)), row.what()})
	}
	return table
}

// SnapshotOf is a snapshot.
func SnapshotOf(s *catalog.Snapshot) Snapshot {
	row := Snapshot{
		ID: s.ID.String(), ShortID: s.ShortID(), Time: s.Time, Undated: s.Undated, Set: output.Name(s.Set), Hostname: output.Name(s.Host),
		Username: s.User, Tags: s.Tags, About: output.Name(s.Description), Complete: s.Complete(), Program: s.Software, Writer: s.Writer, Standing: s.Standing.String(),
		Gone: s.Gone, Tripwire: TripsOf(s), Replaces: s.Replaces,
		References: ReferencesOf(s.References), Orphans: OrphansOf(s.Orphans), LeftOut: LeftOutOf(s.NotBackedUp),
	}
	for _, held := range s.Held {
		row.Held = append(row.Held, Held{output.Name(held.Reason), held.Until, held.By, held.Since})
	}
	if o := s.Origin; o != nil {
		row.Origin = &Origin{output.Name(o.Repository), output.Name(o.Snapshot)}
	}
	if !s.Claimed.Equal(s.Time) {
		row.Claimed = s.Claimed
	}
	for i := range s.Sources {
		source := &s.Sources[i]
		row.Sources = append(row.Sources, source.Name)
		row.Paths = append(row.Paths, output.Names(source.Paths)...)
		row.Files += source.Coverage.Files
		row.Bytes += source.Coverage.Bytes
	}
	return row
}

// what names what is in a snapshot, for a person.
func (r Snapshot) what() string {
	text := output.Name(strings.Join(r.Sources, " ")).String()
	if len(r.Paths) > 0 {
		var paths []string
		for _, path := range r.Paths {
			paths = append(paths, path.String())
		}
		text = strings.Join(paths, " ")
	}
	if r.About != "" {
		text += ": " + r.About.String()
	}
	return text + output.Mark(!r.Complete, "incomplete") + output.Mark(len(r.Tripwire) > 0, TripText(r.Tripwire)) + output.Mark(r.Standing == catalog.Outside.String(), "outside: "+r.Writer+" may not speak for this host") +
		output.Mark(r.Standing == catalog.Unbound.String(), "unbound") + output.Mark(r.Undated, "undated") + output.Mark(!r.Claimed.IsZero(), "claims "+output.Time(r.Claimed)) +
		output.Mark(!r.Gone.IsZero(), "forgotten "+output.Time(r.Gone)) + output.Mark(len(r.Held) > 0, r.heldFor())
}

// heldFor says why a snapshot is held, and until when.
func (r Snapshot) heldFor() string {
	var words []string
	for _, h := range r.Held {
		word := "held"
		if !h.Until.IsZero() {
			word += " until " + output.Time(h.Until)
		}
		if h.Reason != "" {
			word += ": " + h.Reason.String()
		}
		words = append(words, word)
	}
	return strings.Join(words, "; ")
}

// host names the host, and the writer where it has another name.
func (r Snapshot) host() string {
	if catalog.WriterName(string(r.Hostname)) == r.Writer {
		return r.Hostname.String()
	}
	return r.Hostname.String() + " by " + r.Writer
}

// SnapshotsOf are snapshots as JSON.
func SnapshotsOf(snapshots []*catalog.Snapshot) []Snapshot {
	rows := make([]Snapshot, len(snapshots))
	for i, s := range snapshots {
		rows[i] = SnapshotOf(s)
	}
	return rows
}

// SnapshotRemarks are what is said of snapshots, a line each: their references, and what is not
// backed up.
func SnapshotRemarks(rows []Snapshot) string {
	var lines []string
	for _, row := range rows {
		said := strings.TrimSuffix(ReferencesText(row.References, row.Orphans), "\n")
		for _, out := range row.LeftOut {
			said += "\n" + out.Text()
		}
		for line := range strings.SplitSeq(said, "\n") {
			if line != "" {
				lines = append(lines, row.ShortID+" "+line)
			}
		}
	}
	return strings.Join(lines, "\n")
}
