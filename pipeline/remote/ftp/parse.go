package ftp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog/entry"
)

// Kind is what an entry of a listing is.
type Kind uint8

// The kinds of entries.
const (
	File Kind = iota + 1
	Directory
	Link
	Socket
	Other // a device, a pipe
	self  // the directory that is listed, or the one above
)

// Entry is a line of a listing. Zero means that the server does not tell.
type Entry struct {
	Name   string
	Kind   Kind
	Size   int64
	Target string // of a link

	Modify    time.Time
	Precision time.Duration // of Modify: a second or finer, a minute, a day
	Unique    string        // the same for another path of the same file, another one for another file

	Mode        uint32
	HasMode     bool
	UID, GID    uint32
	User, Group string
}

// Describe returns an entry for a source or target, whose path is the name. It has no type if the
// listing only shows what it is not.
func (e *Entry) Describe() entry.Entry {
	is := entry.Entry{Path: e.Name, Mode: e.Mode, UID: e.UID, GID: e.GID, User: e.User, Group: e.Group}
	if !e.Modify.IsZero() {
		is.ModTime = entry.TimeOf(e.Modify)
	}
	switch e.Kind {
	case File:
		is.Type, is.Size = entry.File, e.Size
	case Directory:
		is.Type = entry.Directory
	case Link:
		is.Type, is.Target = entry.Symlink, e.Target
	case Socket:
		is.Type = entry.Socket
	}
	return is
}

// errLine: a line of a listing is unintelligible, so that its entry would be missing.
var errLine = errors.New("line of a listing cannot be read")

// ParseFacts parses a line of MLSD, or of an answer to MLST.
func ParseFacts(line string) (Entry, error) {
	var e Entry
	facts, name, ok := strings.Cut(line, " ")
	if !ok || name == "" {
		return e, fmt.Errorf("%w: %q", errLine, line)
	}
	e.Name = name
	for fact := range strings.SplitSeq(facts, ";") {
		if fact == "" {
			continue
		}
		key, value, ok := strings.Cut(fact, "=")
		if !ok {
			return e, fmt.Errorf("%w: %q", errLine, line)
		}
		if err := e.fact(strings.ToLower(key), value); err != nil {
			return e, fmt.Errorf("%w: %q: %w", errLine, line, err)
		}
	}
	if e.Kind == 0 {
		return e, fmt.Errorf("%w: %q: no type", errLine, line)
	}
	return e, nil
}

func (e *Entry) fact(key, value string) error {
	var err error
	switch key {
	case "type":
		e.setType(value)
	case "size":
		e.Size, err = parseSize(value)
	case "modify":
		e.Modify, err = parseMoment(value)
		e.Precision = time.Second
	case "unique":
		e.Unique = inode(value)
	case "unix.mode":
		var mode uint64
		mode, err = strconv.ParseUint(value, 8, 32)
		e.Mode, e.HasMode = uint32(mode)&0o7777, err == nil
	case "unix.owner":
		e.UID = parseID(value)
	case "unix.group":
		e.GID = parseID(value)
	case "unix.ownername":
		e.User = value
	case "unix.groupname":
		e.Group = value
	}
	return err
}

func (e *Entry) setType(value string) {
	switch lower := strings.ToLower(value); {
	case lower == "file":
		e.Kind = File
	case lower == "dir":
		e.Kind = Directory
	case lower == "cdir", lower == "pdir":
		e.Kind = self
	case strings.HasPrefix(lower, "os.unix=slink"), strings.HasPrefix(lower, "os.unix=symlink"):
		e.Kind = Link
		if _, target, ok := strings.Cut(value, ":"); ok {
			e.Target = target
		}
	default:
		e.Kind = Other
	}
}

// inode removes the device number from "<device>U<inode>", since it may change when the server
// restarts.
func inode(unique string) string {
	i := strings.LastIndexAny(unique, "Ug")
	if i <= 0 || i == len(unique)-1 || strings.Trim(unique[:i], "0123456789abcdefABCDEF") != "" {
		return unique
	}
	return unique[i+1:]
}

// parseID parses an id. It returns 0 for anything but a number.
func parseID(value string) uint32 {
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

func parseSize(value string) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no size", value)
	}
	return n, nil
}

// parseMoment parses the time in facts and answers to MDTM: UTC, with or without a fraction.
func parseMoment(value string) (time.Time, error) {
	whole, fraction, _ := strings.Cut(value, ".")
	t, err := time.Parse("20060102150405", whole)
	if err != nil {
		return t, fmt.Errorf("%q is no time", value)
	}
	if fraction == "" {
		return t, nil
	}
	n, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
	if err != nil {
		return t, fmt.Errorf("%q is no time", value)
	}
	return t.Add(time.Duration(n)), nil
}
