// Package permission finds files that a user could not use in a directory tree, because of their
// owners and modes or of the directories above. As root on Linux it asks the kernel on behalf of
// the user; otherwise it evaluates modes and POSIX ACLs.
package permission

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// User is somebody by numbers. Groups holds all of the user's groups.
type User struct {
	Name   string
	UID    uint32
	GID    uint32
	Groups []uint32
}

// Lookup finds a user of this machine by name or number. A number that is nobody's here is a user
// without groups; UID:GID gives one.
func Lookup(name string) (User, error) {
	text, group, grouped := strings.Cut(name, ":")
	u, err := user.Lookup(text)
	if err != nil {
		u, err = user.LookupId(text)
	}
	if err == nil && !grouped {
		return known(u)
	}
	uid, err := parse(text)
	gid := uid
	if err == nil && grouped {
		gid, err = parse(group)
	}
	if err != nil {
		return User{}, fmt.Errorf("there is no user %q here: want a name, a number or UID:GID", name)
	}
	return User{Name: name, UID: uid, GID: gid, Groups: []uint32{gid}}, nil
}

func known(u *user.User) (User, error) {
	uid, err := parse(u.Uid)
	if err != nil {
		return User{}, err
	}
	gid, err := parse(u.Gid)
	if err != nil {
		return User{}, err
	}
	found := User{Name: u.Username, UID: uid, GID: gid}
	ids, err := u.GroupIds()
	if err != nil {
		return User{}, fmt.Errorf("find the groups of %s: %w", u.Username, err)
	}
	for _, text := range append([]string{u.Gid}, ids...) {
		id, err := parse(text)
		if err != nil {
			return User{}, err
		}
		found.Groups = append(found.Groups, id)
	}
	return found, nil
}

func parse(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err == nil && n == 1<<32-1 {
		err = strconv.ErrRange
	}
	return uint32(n), err
}

// What a user may lack.
const (
	Read   = "read"
	Write  = "write"
	Search = "search"
	// Unknown is what lies in a directory that this process may not list.
	Unknown = "unknown"
)

// Denied is a place of which a user lacks something.
type Denied struct {
	Path  string
	Lacks []string // Read, Write, Search, or Unknown
}

// Report is what Check has found.
type Report struct {
	Asked   bool // the kernel; else modes and ACLs were reckoned with
	Checked int  // entries
	Denied  int  // entries of which the user lacks something; what is below a directory that cannot be searched is not looked at
	List    []Denied
}

// Options bound a check.
type Options struct {
	// Limit is the number of places that are listed (default: 100). The rest is counted.
	Limit int
}

// Check walks the trees at roots, files or directories by their absolute names, and finds what the
// user could not read or write, and which directories not search. Symbolic links are left out. What
// nobody has permission to write, as its mode says, need not be written by this user. A root that
// does not exist is empty.
func Check(ctx context.Context, roots []string, u User, o Options) (Report, error) {
	if o.Limit <= 0 {
		o.Limit = 100
	}
	ask, stop, asked := asker(u)
	defer stop()
	c := &check{ctx: ctx, limit: o.Limit, may: ask, report: Report{Asked: asked}}
	for _, root := range roots {
		if err := filepath.WalkDir(root, c.visit); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return c.report, fmt.Errorf("check access to %s: %w", root, err)
		}
	}
	return c.report, nil
}

// may tells whether a user has a permission, R_OK, W_OK or X_OK, for a file.
type may func(file string, permission uint32) (bool, error)

type check struct {
	ctx    context.Context
	limit  int
	may    may
	report Report
}

func (c *check) visit(file string, e fs.DirEntry, err error) error {
	if err := c.ctx.Err(); err != nil {
		return context.Cause(c.ctx)
	}
	if errors.Is(err, fs.ErrPermission) {
		c.note(file, []string{Unknown})
		return filepath.SkipDir
	}
	if err != nil {
		return err
	}
	if e.Type()&fs.ModeSymlink != 0 {
		return nil
	}
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	lacks, err := c.lacks(file, info)
	if err != nil {
		return err
	}
	c.note(file, lacks)
	if e.IsDir() && len(lacks) > 0 && lacks[len(lacks)-1] == Search {
		return filepath.SkipDir
	}
	return nil
}

func (c *check) lacks(file string, info fs.FileInfo) (lacks []string, err error) {
	for _, want := range []struct {
		name       string
		permission uint32
		wanted     bool
	}{
		{Read, unix.R_OK, true},
		{Write, unix.W_OK, info.Mode()&0o222 != 0},
		{Search, unix.X_OK, info.IsDir()},
	} {
		if !want.wanted {
			continue
		}
		ok, err := c.may(file, want.permission)
		if err != nil {
			return nil, &os.PathError{Op: "access", Path: file, Err: err}
		}
		if !ok {
			lacks = append(lacks, want.name)
		}
	}
	return lacks, nil
}

func (c *check) note(file string, lacks []string) {
	c.report.Checked++
	if len(lacks) == 0 {
		return
	}
	c.report.Denied++
	if len(c.report.List) < c.limit {
		c.report.List = append(c.report.List, Denied{file, lacks})
	}
}

// outcome tells what a call has answered.
func outcome(err error) (bool, error) {
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		return false, nil
	}
	return false, err
}
