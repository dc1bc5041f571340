package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

// openSnapshots opens the commits. It names those that their writers were not allowed to make, and
// those whose clear and sealed parts contradict each other.
func (c *check) openSnapshots(ctx context.Context) error {
	if !c.repo.CanRead() {
		c.report.Unchecked = append(c.report.Unchecked, "trees of snapshots, and whether their writers may speak for their hosts: an identity is needed to read them")
		return nil
	}
	snapshots, problems, err := c.repo.ReadSnapshots(ctx, c.log)
	if err != nil {
		return c.note(ctx, "log", err)
	}
	for _, problem := range problems {
		c.find("log", problem)
	}
	c.snapshots = snapshots
	c.report.Snapshots = uint64(len(snapshots))
	unbound, undated := tally{}, tally{}
	for _, s := range snapshots {
		place := "snapshot " + s.ID.String()[:12]
		if s.Standing == catalog.Outside {
			c.find(place, fmt.Errorf("its writer %s may not back up host %s: latest and times skip it", s.Writer, s.Host))
		}
		for _, err := range c.repo.Misstated(c.log.Find(s.ID), s) {
			c.find(place, err)
		}
		unbound.count(s, s.Standing == catalog.Unbound)
		undated.count(s, s.Undated)
	}
	c.noteEach(unbound, "unbound snapshots of host %[2]s by writer %[3]s: %[1]d; the owner has not said which hosts this writer may back up (packstone key writer bind)")
	c.noteEach(undated, "undated snapshots of host %[2]s by writer %[3]s: %[1]d; they claim to be older than the storage has had them, since they were backdated or copied")
	return nil
}

// maker is a writer, and the host that it speaks for.
type maker struct{ host, writer string }

// tally counts snapshots.
type tally map[maker]int

func (t tally) count(s *catalog.Snapshot, counts bool) {
	if counts {
		t[maker{s.Host, s.Writer}]++
	}
}

func (c *check) noteEach(t tally, text string) {
	for _, m := range slices.SortedFunc(maps.Keys(t), compareMakers) {
		c.report.Notes = append(c.report.Notes, fmt.Sprintf(text, t[m], m.host, m.writer))
	}
}

func compareMakers(a, b maker) int {
	return strings.Compare(a.host+"\x00"+a.writer, b.host+"\x00"+b.writer)
}

// accuse reports what records claim to have seen and what does not exist.
func (c *check) accuse(ctx context.Context) error {
	accusations, err := c.repo.Accusations(ctx, c.log)
	if err != nil {
		return err
	}
	for _, a := range accusations {
		if a.Grave {
			c.find("log/"+a.Lane, fmt.Errorf("%w: %s", catalog.ErrRolledBack, a))
		} else {
			c.report.Notes = append(c.report.Notes, a.String())
		}
	}
	return nil
}

// borrowing identifies the packs that the snapshots of one writer need and that only others have
// listed.
type borrowing struct{ writer, of string }

// borrow records which packs in a snapshot's refs only writers other than its own have listed.
func (c *check) borrow(rec *catalog.Record, refs *archive.RefSet) {
	if rec.Kind != catalog.Commit {
		return
	}
	for ref := range refs.All() {
		t := c.heard[ref.Name]
		if t == nil || len(t.by) == 0 || slices.Contains(t.by, rec.Lane.Writer) || c.when(ref.Name) > 0 {
			continue
		}
		b := borrowing{rec.Lane.Writer, strings.Join(t.by, ", ")}
		if c.borrowed[b] == nil {
			c.borrowed[b] = map[archive.Name]bool{}
		}
		c.borrowed[b][ref.Name] = true
	}
}

// noteBorrowed reports whose data depend on the word of others, unless all data was read.
func (c *check) noteBorrowed(context.Context) error {
	if c.report.PacksRead == c.report.Packs && c.repo.CanRead() {
		return nil
	}
	for _, b := range slices.SortedFunc(maps.Keys(c.borrowed), func(a, b borrowing) int { return strings.Compare(a.writer+"\x00"+a.of, b.writer+"\x00"+b.of) }) {
		c.report.Unchecked = append(c.report.Unchecked, fmt.Sprintf("%s that snapshots of %s need: only writer %s vouches for their content; check it with --read-data "+
			"and an identity", entry.Plural(len(c.borrowed[b]), "pack"), c.hostsOf(b.writer), b.of))
	}
	return nil
}

// hostsOf returns the hosts of a writer's snapshots, or the writer if the snapshots cannot be read.
func (c *check) hostsOf(writer string) string {
	hosts := map[string]bool{}
	for _, s := range c.snapshots {
		if s.Writer == writer {
			hosts[s.Host] = true
		}
	}
	if len(hosts) == 0 {
		return "writer " + writer
	}
	return "host " + strings.Join(slices.Sorted(maps.Keys(hosts)), ", ")
}
