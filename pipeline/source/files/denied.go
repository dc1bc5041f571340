package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/packstone/packstone/catalog/entry"
)

// denied counts what this process is not allowed to read.
type denied struct {
	mu          sync.Mutex
	files       int
	directories int
}

// deny records err if it says that reading is not allowed.
func (s *Source) deny(err error, directory bool) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	s.denied.mu.Lock()
	defer s.denied.mu.Unlock()
	if directory {
		s.denied.directories++
	} else {
		s.denied.files++
	}
	return err
}

// Advice implements source.Advising. It says how much could not be read, by which user, and what
// helps.
func (s *Source) Advice() []string {
	s.denied.mu.Lock()
	defer s.denied.mu.Unlock()
	d := &s.denied
	if d.files+d.directories == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: %s unreadable as uid %d: %s", strings.Join(s.options.Roots, ", "), d.what(), os.Geteuid(), cure(os.Geteuid(), s.devices.remoteName()))}
}

func (d *denied) what() string {
	var parts []string
	if d.files > 0 {
		parts = append(parts, entry.Plural(d.files, "file"))
	}
	if d.directories > 0 {
		parts = append(parts, entry.Plural(d.directories, "directory"))
	}
	return strings.Join(parts, " and ")
}

// cure returns what helps a user if part of the source is on a remote file system, if anything.
func cure(uid int, remote string) string {
	switch {
	case uid != 0:
		return "run packstone as a user who may read them, or as root"
	case remote == "fuse":
		return "a FUSE mount keeps root out unless it is mounted with allow_root or allow_other"
	case remote != "":
		return "the server takes root for somebody else (root_squash): export with no_root_squash to this host, or run packstone as a user who may read them"
	}
	return "not even root may read them here: look at security modules and at the capabilities of this container"
}
