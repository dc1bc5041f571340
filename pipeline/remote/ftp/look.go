package ftp

import (
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Look returns what the server tells of one path: by MLST, else by SIZE and MDTM, which support
// files only. It may lack fields that a listing has. It fails with fs.ErrNotExist if nothing is
// there, or nothing that this user may see.
func (c *Conn) Look(path string) (Entry, error) {
	if err := CheckName(path); err != nil {
		return Entry{}, err
	}
	i := c.inquiry(path, false)
	if err := i.ask(); err != nil {
		return Entry{}, err
	}
	return i.answers()
}

// question is a command that requests something, with a function that reads the answer.
type question struct {
	line   string
	expect int
	take   func(text string) error // nil: the answer says no more than that it was done
}

// inquiry is a set of questions about a path that are being answered.
type inquiry struct {
	conn      *Conn
	path      string
	questions []question
	ready     bool // EPSV was asked too
	found     Entry
}

// inquiry asks everything that can be asked about a path.
func (c *Conn) inquiry(path string, ready bool) *inquiry {
	i := &inquiry{conn: c, path: path, ready: ready, found: Entry{Name: path, Kind: File}}
	i.questions = c.questions(path, &i.found)
	return i
}

// ask sends the questions and, if ready, a request for a data connection for the next transfer.
func (i *inquiry) ask() error {
	c := i.conn
	i.ready = i.ready && c.control.canPrepare() && !c.lacks(preparing)
	for _, q := range i.questions {
		if _, err := fmt.Fprintf(c.text.W, "%s\r\n", q.line); err != nil {
			return err
		}
	}
	if i.ready {
		if _, err := c.text.W.WriteString(commandEPSV); err != nil {
			return err
		}
	}
	return c.text.W.Flush()
}

// answers reads all answers.
func (i *inquiry) answers() (Entry, error) {
	var failed error
	for _, q := range i.questions {
		_, text, err := i.conn.text.ReadResponse(q.expect)
		if IsBroken(err) {
			return i.found, err
		}
		switch {
		case failed != nil:
		case q.take == nil:
			failed = err
		case err != nil:
			failed = i.conn.absent(i.path, err)
		default:
			failed = q.take(text)
		}
	}
	if i.ready {
		if err := i.conn.prepare(); err != nil {
			return i.found, err
		}
	}
	return i.found, failed
}

const (
	commandEPSV = "EPSV\r\n"
	// preparing names the capability to answer a command that arrives before the answer to the
	// previous one.
	preparing = "EPSV ahead"
	// early names the capability to keep commands that arrive before the server has confirmed the
	// end of a transfer.
	early = "commands before 226"
)

// prepare stores the answer to an EPSV until it is needed.
func (c *Conn) prepare() error {
	code, text, err := c.text.ReadResponse(229)
	if err != nil {
		c.notes(preparing)
	}
	if IsBroken(err) {
		return err
	}
	if err == nil {
		c.control.prepared, c.control.preparedAt = fmt.Sprintf("%d %s\r\n", code, text), time.Now()
	}
	return nil
}

// questions returns the questions about a path.
func (c *Conn) questions(path string, e *Entry) []question {
	f := c.Features()
	if f.MLST {
		return []question{{"MLST " + path, 250, func(text string) (err error) { *e, err = parseLook(text); return err }}}
	}
	all := []question{sizeQuestion(path, &e.Size)}
	if !f.MDTM {
		return all
	}
	return append(all, question{"MDTM " + path, 213, func(text string) (err error) {
		if e.Modify, err = parseMoment(strings.TrimSpace(text)); err != nil {
			return fmt.Errorf("%w: %w", errOurs, err)
		}
		e.Precision = time.Second
		return nil
	}})
}

// parseLook reads the answer to MLST.
func parseLook(text string) (Entry, error) {
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimLeft(line, " ")
		if head, _, ok := strings.Cut(line, " "); !ok || !strings.Contains(head, "=") {
			continue
		}
		e, err := ParseFacts(line)
		if err != nil {
			return e, fmt.Errorf("%w%w", errOurs, err)
		}
		if e.Kind == self {
			e.Kind = Directory
		}
		return e, nil
	}
	return Entry{}, fmt.Errorf("%w%w: %q", errOurs, errLine, text)
}

// absent turns an answer that only says no into fs.ErrNotExist, if the path does not exist.
func (c *Conn) absent(path string, err error) error {
	code, text := reply(err)
	if code == 550 && !mentions(text, denied) {
		return fmt.Errorf("%s: %w: %w", path, fs.ErrNotExist, err)
	}
	return err
}

// sizeQuestion asks for the size of a file.
func sizeQuestion(path string, size *int64) question {
	return question{"SIZE " + path, 213, func(text string) (err error) {
		if *size, err = parseSize(strings.TrimSpace(text)); err != nil {
			return fmt.Errorf("%wsize of %s: %w", errOurs, path, err)
		}
		return nil
	}}
}

// Size returns the size of a file. It follows links.
func (c *Conn) Size(path string) (int64, error) { return c.size(path, false) }

// size is Size. ready says that a transfer will follow.
func (c *Conn) size(path string, ready bool) (int64, error) {
	if err := CheckName(path); err != nil {
		return 0, err
	}
	i := &inquiry{conn: c, path: path, ready: ready}
	i.questions = []question{sizeQuestion(path, &i.found.Size)}
	if err := i.ask(); err != nil {
		return 0, err
	}
	found, err := i.answers()
	return found.Size, err
}
