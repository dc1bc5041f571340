package message

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/output"
)

// Text is the status for a person; layOut lays out tables.
func (m *Status) Text(layOut func(output.Table) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "repository %s in %s\nowner %s, recipients: %d\n", m.ID, m.Repository, m.Owner, m.Recipients)
	if m.Packs > 0 {
		fmt.Fprintf(&b, "%s packs, %s\n", output.Count(int64(m.Packs)), output.Bytes(int64(m.Bytes)))
	}
	for _, table := range []output.Table{m.healthTable(), m.setTable(), m.writerTable()} {
		if text := layOut(table); text != "" {
			b.WriteString("\n" + text)
		}
	}
	if text := m.jobsText(); text != "" {
		b.WriteString("\n" + strings.TrimLeft(text, "\n") + "\n")
	}
	for _, w := range m.Writers {
		if !w.Failed.IsZero() && len(m.Outcomes) == 0 {
			fmt.Fprintf(&b, "\nwriter %s told on %s that a job of it failed", w.Name, output.Time(w.Failed))
		}
	}
	if m.LastBackup != nil {
		b.WriteString("\n" + m.LastBackup.text())
	}
	if m.Locks != nil {
		b.WriteString("\n" + m.Locks.text())
	}
	for _, s := range m.Sessions {
		fmt.Fprintf(&b, "\nsession %s: running or killed since %s", s.Lane, output.Time(s.Since))
	}
	for _, s := range m.Sets {
		if len(s.Tripwire) > 0 {
			fmt.Fprintf(&b, "\nset %s of %s, snapshot %s: %s", output.OrDash(s.Set.String()), s.Hostname, s.SnapshotID[:catalog.ShortID], TripText(s.Tripwire))
		}
	}
	for _, text := range m.Problems {
		fmt.Fprintf(&b, "\nproblem: %s", output.Name(text))
	}
	for _, text := range m.Unknown {
		fmt.Fprintf(&b, "\nnot known: %s", text)
	}
	return strings.TrimRight(b.String(), "\n")
}

func (m *Status) setTable() output.Table {
	table := output.Table{Head: []string{"SET", "HOST", "LAST SNAPSHOT", "TIME", "AGE", "COMPLETE", "SNAPSHOTS"}, Right: []int{4, 6}, Cut: []int{0, 1}}
	for _, s := range m.Sets {
		table.Rows = append(table.Rows, []string{output.OrDash(s.Set.String()), s.Hostname.String(), s.SnapshotID[:catalog.ShortID], output.Time(s.Time),
			output.Elapsed(time.Duration(s.Age) * time.Second), output.YesNo(s.Complete), strconv.Itoa(s.Snapshots)})
	}
	if len(m.Sets) == 0 && len(m.Unknown) == 0 {
		table.Footer = "there is no snapshot yet"
	}
	return table
}

func (m *Status) writerTable() output.Table {
	table := output.Table{Head: []string{"WRITER", "LAST COMMIT", "RECORDS", "LANES", "REVOKED"}, Right: []int{2, 3}, Cut: []int{0}}
	for _, w := range m.Writers {
		last := "-"
		if !w.LastCommit.IsZero() {
			last = output.Time(w.LastCommit)
		}
		table.Rows = append(table.Rows, []string{w.Name, last, strconv.Itoa(w.Records), strconv.Itoa(w.Lanes), output.YesNo(w.Revoked)})
	}
	return table
}

func (m *Status) healthTable() output.Table {
	table := output.Table{Head: []string{"SET", "HOST", "STATE", "SINCE", "NEWEST COMPLETE", "MAX AGE"}, Cut: []int{0, 1}}
	for _, s := range m.Health {
		since, newest, bound := "-", "-", "-"
		if !s.Since.IsZero() {
			since = output.Time(s.Since)
		}
		if !s.Newest.IsZero() {
			newest = output.Elapsed(time.Duration(s.Age)*time.Second) + " ago"
		}
		if s.MaxAge > 0 {
			bound = output.Elapsed(time.Duration(s.MaxAge) * time.Second)
		}
		table.Rows = append(table.Rows, []string{s.Set.String(), s.Hostname.String(), string(s.State), since, newest, bound})
	}
	return table
}

// jobsText is what is known of jobs on this host.
func (m *Status) jobsText() string {
	var b strings.Builder
	for _, s := range m.Health {
		if s.Cause != "" {
			fmt.Fprintf(&b, "\n%s on %s: %s: %s", s.Set, s.Hostname, s.State, output.Name(s.Cause))
		}
	}
	if m.Growth > 0 {
		fmt.Fprintf(&b, "\njobs on this host stored %s in the last %d days", output.Bytes(m.Growth), history.GrowthDays)
	}
	for _, o := range m.Outcomes {
		if o.Job != history.Backup { // those of backups are told with their sets
			fmt.Fprintf(&b, "\n%s %s on %s: %s since %s: %s", output.Time(o.Began), o.Job, o.Hostname, o.Outcome, output.Time(o.Since), output.Name(o.Cause))
		}
	}
	for _, f := range m.Faults {
		fmt.Fprintf(&b, "\n%s %s: %s: %s", output.Time(f.Began), f.Job, f.Outcome, output.Name(f.Cause))
	}
	return b.String()
}

func (l *StatusLocks) text() string {
	text := fmt.Sprintf("locked (%s) until %s at least: %s, %s, as packstone keep found on %s", strings.ToLower(string(l.Mode)), output.Time(l.Until),
		output.Plural(l.Objects, "object"), output.Bytes(l.Bytes), output.Time(l.At))
	if l.Withheld > 0 {
		text += fmt.Sprintf("; the locks of %s were not extended", output.Plural(l.Withheld, "new pack"))
	}
	return text
}

func (b *LastBackup) text() string {
	what := "paths"
	if b.Set != "" {
		what = "set " + b.Set.String()
	}
	return fmt.Sprintf("last backup from here: %s, %s, in %.1f s; %s", what, output.Time(b.Ended), b.Duration, Requests(b.Requests))
}

// Unprotected says which sets are not protected; "" if all are.
func (m *Status) Unprotected() string {
	bad := slices.DeleteFunc(slices.Clone(m.Health), func(s StatusHealth) bool { return s.State.Good() })
	if len(bad) == 0 {
		return ""
	}
	names := make([]string, len(bad))
	for i, s := range bad {
		names[i] = fmt.Sprintf("%s on %s (%s)", s.Set, s.Hostname, s.State)
	}
	return fmt.Sprintf("%d of %s not protected: %s", len(bad), output.Plural(len(m.Health), "set"), strings.Join(names, ", "))
}
