package ftp

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// Look tells what the server knows of one path now: by MLST, else by SIZE and MDTM, which know files only. Not all fields of
// a listing are there. fs.ErrNotExist: nothing is there, or nothing that may be seen.
func (c *Conn) Look(path string) (Entry, error) { return c.look(path, false) }

// question is a command that asks for something, and what takes the answer.
type question struct {
	line   string
	expect int
	take   func(text string) error
}

// look asks all that there is to ask of a path at once. ready: and for a data connection too, for the next transfer.
func (c *Conn) look(path string, ready bool) (Entry, error) {
	if err := CheckName(path); err != nil {
		return Entry{}, err
	}
	e := Entry{Name: path, Kind: File}
	questions := c.questions(path, &e)
	ready = ready && c.control.canPrepare() && !c.lacks(preparing)
	for _, q := range questions {
		if _, err := fmt.Fprintf(c.text.W, "%s\r\n", q.line); err != nil {
			return e, err
		}
	}
	if ready {
		if _, err := c.text.W.WriteString(commandEPSV); err != nil {
			return e, err
		}
	}
	if err := c.text.W.Flush(); err != nil {
		return e, err
	}
	var failed error
	for _, q := range questions {
		_, text, err := c.text.ReadResponse(q.expect)
		if IsBroken(err) {
			return e, err
		}
		switch {
		case failed != nil:
		case err != nil:
			failed = c.absent(path, err)
		default:
			failed = q.take(text)
		}
	}
	if ready {
		if err := c.prepare(); err != nil {
			return e, err
		}
	}
	return e, failed
}

const (
	commandEPSV = "EPSV\r\n"
	// preparing is what servers lack that do not answer a command that comes before the answer to the one before.
	preparing = "EPSV ahead"
)

// prepare keeps the answer to an EPSV for when it is asked.
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

// questions are what there is to ask of a path.
func (c *Conn) questions(path string, e *Entry) []question {
	f := c.Features()
	if f.MLST {
		return []question{{"MLST " + path, 250, func(text string) (err error) { *e, err = parseLook(text); return err }}}
	}
	all := []question{{"SIZE " + path, 213, func(text string) (err error) {
		if e.Size, err = parseSize(strings.TrimSpace(text)); err != nil {
			return fmt.Errorf("%w: %w", errOurs, err)
		}
		return nil
	}}}
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

// absent makes an answer that says no more than "no" one that says that nothing is there.
func (c *Conn) absent(path string, err error) error {
	code, text := reply(err)
	if code == 550 && !mentions(text, denied) {
		return fmt.Errorf("%s: %w: %w", path, fs.ErrNotExist, err)
	}
	return err
}

// Size asks for the size of a file, where a link leads if it is one.
func (c *Conn) Size(path string) (int64, error) {
	text, err := c.command(213, "SIZE "+path)
	if err != nil {
		return 0, c.absent(path, err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%wsize of %s: %w", errOurs, path, err)
	}
	return n, nil
}
