package message

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/local/permission"
)

// Access is what restore --check-access prints as JSON.
type Access struct {
	User    string      `json:"user" doc:"The user."`
	UID     uint32      `json:"uid" doc:"The user's number."`
	Method  string      `json:"method" doc:"kernel: the system was asked as that user; modes: reckoned with modes and POSIX ACLs."`
	Checked int         `json:"checked" doc:"Entries that were looked at, without symbolic links. What lies below a directory that the user cannot search is left out."`
	Denied  int         `json:"denied" doc:"Entries of which the user lacks something."`
	List    []AccessRow `json:"list" doc:"The first hundred of them."`
}

// AccessRow is a place of which a user lacks something.
type AccessRow struct {
	Path  string   `json:"path" doc:"The file or directory."`
	Lacks []string `json:"lacks" doc:"read, write, search; unknown: this process may not list the directory."`
}

// AccessOf is what a check has found out of a user.
func AccessOf(user permission.User, r permission.Report) Access {
	m := Access{User: user.Name, UID: user.UID, Method: "modes", Checked: r.Checked, Denied: r.Denied, List: []AccessRow{}}
	if r.Asked {
		m.Method = "kernel"
	}
	for _, d := range r.List {
		m.List = append(m.List, AccessRow{d.Path, d.Lacks})
	}
	return m
}

// Text is the message for people.
func (m Access) Text() string {
	var b strings.Builder
	for _, row := range m.List {
		fmt.Fprintf(&b, "%s cannot %s %s\n", m.User, strings.Join(row.Lacks, ", "), output.Name(row.Path))
	}
	if more := m.Denied - len(m.List); more > 0 {
		fmt.Fprintf(&b, "and %d more\n", more)
	}
	how := "as modes and ACLs say"
	if m.Method == "kernel" {
		how = "as the system says"
	}
	fmt.Fprintf(&b, "access of %s (uid %d), %s: %d of %s lack something", m.User, m.UID, how, m.Denied, output.Plural(m.Checked, "entry"))
	return b.String()
}
