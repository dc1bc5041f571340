package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/local/permission"
)

// accessMessage is what restore --check-access prints as JSON.
type accessMessage struct {
	User    string      `json:"user" doc:"The user."`
	UID     uint32      `json:"uid" doc:"The user's number."`
	Method  string      `json:"method" doc:"kernel: the system was asked as that user; modes: reckoned with modes and POSIX ACLs."`
	Checked int         `json:"checked" doc:"Entries that were looked at, without symbolic links. What lies below a directory that the user cannot search is left out."`
	Denied  int         `json:"denied" doc:"Entries of which the user lacks something."`
	List    []accessRow `json:"list" doc:"The first hundred of them."`
}

// accessRow is a place of which a user lacks something.
type accessRow struct {
	Path  string   `json:"path" doc:"The file or directory."`
	Lacks []string `json:"lacks" doc:"read, write, search; unknown: this process may not list the directory."`
}

// checkAccessFlag refuses --check-access where nothing can be checked, and somebody who is not
// there.
func (o *restoreOptions) checkAccessFlag() error {
	if o.checkAccess == "" {
		return nil
	}
	if o.to.named() || len(o.toCommand) > 0 {
		return usage("--check-access is for directories of this machine: --target or --in-place")
	}
	if _, err := permission.Lookup(o.checkAccess); err != nil {
		return usage("--check-access: %w", err)
	}
	return nil
}

// tellAccess lists what a user could not use of what came back, and counts it.
func (r *restoring) tellAccess(ctx context.Context) error {
	if r.o.checkAccess == "" || r.dry() {
		return nil
	}
	user, err := permission.Lookup(r.o.checkAccess)
	if err != nil {
		return err
	}
	roots, err := r.restoredRoots()
	if err != nil {
		return err
	}
	report, err := permission.Check(ctx, roots, user, permission.Options{})
	if err != nil {
		return err
	}
	m := accessMessage{User: user.Name, UID: user.UID, Method: "modes", Checked: report.Checked, Denied: report.Denied, List: []accessRow{}}
	if report.Asked {
		m.Method = "kernel"
	}
	for _, d := range report.List {
		m.List = append(m.List, accessRow{d.Path, d.Lacks})
	}
	r.denied = uint64(report.Denied)
	r.out.Message("access", m, m.text())
	return nil
}

func (m accessMessage) text() string {
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

// restoredRoots are the directories and files that were restored to.
func (r *restoring) restoredRoots() ([]string, error) {
	var roots []string
	for _, back := range r.way {
		for _, part := range back.places {
			if rest := strings.TrimPrefix(strings.TrimPrefix(r.path, part.Below), "/"); part.Path != "" && entry.Within(r.path, part.Below) {
				roots = append(roots, filepath.Join(part.Path, rest))
			} else if part.Path != "" {
				roots = append(roots, part.Path)
			}
		}
	}
	if r.o.inPlace {
		return roots, nil
	}
	for _, source := range r.sources {
		name := filepath.Join(strings.Trim(source.Name, "/"), r.path)
		if r.isDatabase(source) {
			name = source.Name + ".sqlite"
		}
		if r.isDirectoryNamed(source) {
			name = ""
		}
		root, err := filepath.Abs(filepath.Join(r.o.target, name))
		if err != nil {
			return nil, fmt.Errorf("check access to %s: %w", r.o.target, err)
		}
		roots = append(roots, root)
	}
	return roots, nil
}
