package message

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
)

// Tag is what tag prints as JSON at its end.
type Tag struct {
	Changed   int      `json:"changed_snapshots" doc:"How many snapshots have other tags now, or would have after a dry run."`
	Snapshots []string `json:"snapshots" doc:"Their ids, which stay as they were."`
}

// TagOf is what was done to the tags of snapshots.
func TagOf(changed []*catalog.Snapshot) Tag {
	m := Tag{Changed: len(changed), Snapshots: []string{}}
	for _, s := range changed {
		m.Snapshots = append(m.Snapshots, s.ID.String())
	}
	return m
}

// Text is the message for people, with a line for each snapshot.
func (m Tag) Text(changed []*catalog.Snapshot, dry bool) string {
	var b strings.Builder
	for _, s := range changed {
		fmt.Fprintf(&b, "snapshot %s of %s, %s\n", s.ShortID(), output.Time(s.Time), output.Name(s.Host))
	}
	done := "changed the tags of"
	if dry {
		done = "would change the tags of"
	}
	fmt.Fprintf(&b, "%s %s", done, output.Plural(m.Changed, "snapshot"))
	return b.String()
}
