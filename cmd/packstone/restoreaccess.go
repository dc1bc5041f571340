package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/pipeline/local/permission"
	"github.com/packstone/packstone/pipeline/restore"
)

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
	m := message.AccessOf(user, report)
	r.denied = uint64(m.Denied)
	r.out.Message("access", m, m.Text())
	return nil
}

// restoredRoots are the directories and files that were restored to.
func (r *restoring) restoredRoots() ([]string, error) {
	var roots []string
	for _, back := range r.way {
		roots = append(roots, restore.Roots(back.places, r.path)...)
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
