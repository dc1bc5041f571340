package ftp

import (
	"fmt"
	"path"
	"strings"
	"sync"
	"time"
)

// Features are the capabilities that a server announces.
type Features struct {
	MLST   bool // facts of one file, and listings of facts
	MDTM   bool // times by file
	Size   bool
	Resume bool // REST
	MFMT   bool // times can be set
	UTIME  bool // SITE UTIME
}

// learned is what connections have found out about the server.
type learned struct {
	mu       sync.Mutex
	known    bool
	features Features
	facts    string // to ask for by OPTS MLST; empty: it gives what it has anyway
	home     string // the directory after the login

	location *time.Location // of times in LIST
	sites    map[string]bool
}

// wanted are the facts that this package uses.
var wanted = []string{"type", "size", "modify", "unique", "unix.mode", "unix.owner", "unix.group", "unix.ownername", "unix.groupname"}

// negotiate finds out the server's capabilities, and makes the server send the wanted facts.
func (c *Conn) negotiate() error {
	l := &c.server.learned
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known {
		if err := c.learn(l); err != nil {
			return fmt.Errorf("ask %s what it can do: %w", c.server.options.Host, err)
		}
	}
	if l.features.MLST && l.facts != "" {
		if _, err := c.command(2, "OPTS MLST "+l.facts); IsBroken(err) {
			return err
		}
	}
	return nil
}

// learn asks for features and home once.
func (c *Conn) learn(l *learned) error {
	text, err := c.command(2, "FEAT")
	if IsBroken(err) {
		return err
	}
	if err == nil {
		l.features, l.facts = parseFeatures(text)
	}
	if c.server.options.NoMLSD {
		l.features.MLST = false
	}
	home, err := c.begins()
	if IsBroken(err) && home == "" {
		return err
	}
	l.home, l.known, l.sites = path.Clean("/"+home), true, map[string]bool{}
	return nil
}

// begins returns the directory after the login. That of ServerConn panics where an answer has one
// quotation mark.
func (c *Conn) begins() (string, error) {
	text, err := c.command(257, "PWD")
	if err != nil {
		return "", err
	}
	_, quoted, _ := strings.Cut(text, `"`)
	end := strings.LastIndexByte(quoted, '"')
	if end < 0 {
		return "", fmt.Errorf("the answer to PWD names no directory: %q", text)
	}
	return quoted[:end], nil
}

func parseFeatures(text string) (Features, string) {
	var f Features
	var facts string
	for line := range strings.SplitSeq(text, "\n") {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch strings.ToUpper(name) {
		case "MLST":
			f.MLST = true
			facts = missingFacts(rest)
		case "MDTM":
			f.MDTM = true
		case "SIZE":
			f.Size = true
		case "REST":
			f.Resume = true
		case "MFMT":
			f.MFMT = true
		case "SITE":
			f.UTIME = f.UTIME || strings.Contains(strings.ToUpper(rest), "UTIME")
		}
	}
	return f, facts
}

// missingFacts returns which facts to request with OPTS MLST: all wanted ones that the server
// supports, if it does not send them all by default.
func missingFacts(described string) string {
	var ask strings.Builder
	missing := false
	for fact := range strings.SplitSeq(described, ";") {
		name, given := strings.CutSuffix(strings.TrimSpace(fact), "*")
		for _, w := range wanted {
			if strings.EqualFold(w, name) {
				ask.WriteString(name + ";")
				missing = missing || !given
			}
		}
	}
	if !missing {
		return ""
	}
	return ask.String()
}

// Features returns the server's capabilities. It must be called inside Do.
func (c *Conn) Features() Features {
	c.server.learned.mu.Lock()
	defer c.server.learned.mu.Unlock()
	return c.server.learned.features
}

// Home returns the directory in which a login begins.
func (c *Conn) Home() string { return c.server.Home() }

// Home returns the directory in which a login begins, empty before the first login.
func (s *Server) Home() string {
	s.learned.mu.Lock()
	defer s.learned.mu.Unlock()
	return s.learned.home
}

// NoModes reports whether the server is known not to set permissions for this user.
func (s *Server) NoModes() bool { return s.learned.lacks("SITE CHMOD") }

// SetNoModes records that the server does not set permissions, whatever it answers.
func (s *Server) SetNoModes() { s.learned.notes("SITE CHMOD") }

// ExactDirectories reports whether listings contain times of directories to the second.
func (s *Server) ExactDirectories() bool {
	s.learned.mu.Lock()
	defer s.learned.mu.Unlock()
	return s.learned.features.MLST
}

func (c *Conn) lacks(act string) bool { return c.server.learned.lacks(act) }

func (c *Conn) notes(act string) { c.server.learned.notes(act) }

// lacks reports whether the server is known not to support something, and notes records that.
func (l *learned) lacks(act string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sites[act]
}

func (l *learned) notes(act string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sites == nil {
		l.sites = map[string]bool{}
	}
	l.sites[act] = true
}
