package ftp

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Put renames from to to. It replaces an existing file, but not a directory.
func (c *Conn) Put(from, to string) error {
	err := c.Rename(from, to)
	if code, _ := reply(err); code < 500 {
		return err
	}
	// Some servers report success for renaming a file that does not exist.
	if _, looked := c.Look(from); IsBroken(looked) || looked != nil {
		return err
	}
	if deleted := c.Delete(to); deleted != nil {
		return err
	}
	return c.Rename(from, to)
}

// SetTime sets the time of a file, or of a directory if the server can, to the second. It fails
// with ErrUnsupported if the server has no command for it.
func (c *Conn) SetTime(path string, t time.Time) error {
	if err := CheckName(path); err != nil {
		return err
	}
	if !hasMoment(t) {
		return errNoTime
	}
	f, stamp := c.Features(), moment(t)
	switch {
	case f.MFMT:
		_, err := c.command(2, "MFMT "+stamp+" "+path)
		return err
	case f.UTIME:
		_, err := c.command(2, fmt.Sprintf("SITE UTIME %s %s", stamp, path))
		return err
	case !f.MDTM || c.lacks("MDTM time"):
		return ErrUnsupported
	}
	return c.setByMDTM(path, stamp)
}

func hasMoment(t time.Time) bool { year := t.UTC().Year(); return year >= 0 && year <= 9999 }

func moment(t time.Time) string { return t.UTC().Format("20060102150405") }

var errNoTime = errors.New("FTP has no such time")

// setByMDTM sets the time with vsftpd's form of MDTM. Other servers take that for a question about
// a file with a strange name, or do nothing, so it checks the result.
func (c *Conn) setByMDTM(path, stamp string) error {
	if _, err := c.command(2, "MDTM "+stamp+" "+path); IsBroken(err) {
		return err
	}
	is, err := c.command(213, "MDTM "+path)
	if IsBroken(err) {
		return err
	}
	if err != nil || !strings.HasPrefix(is, stamp) {
		if err == nil {
			c.notes("MDTM time")
		}
		return ErrUnsupported
	}
	return nil
}

// Chmod sets permissions. It fails with ErrUnsupported if the server does not support SITE CHMOD,
// or not for this user.
func (c *Conn) Chmod(path string, mode uint32) error {
	if c.lacks("SITE CHMOD") {
		return ErrUnsupported
	}
	_, err := c.command(2, chmodCommand(path, mode))
	return c.chmodAnswer(err)
}

func chmodCommand(path string, mode uint32) string {
	return fmt.Sprintf("SITE CHMOD %04o %s", mode&0o7777, path)
}

// chmodAnswer decides from the answer whether the server supports the command at all.
func (c *Conn) chmodAnswer(err error) error {
	switch code, text := reply(err); {
	case code == 500, code == 501, code == 502, code == 504, code == 202, code == 550 && strings.HasPrefix(text, "Permission denied"):
		c.notes("SITE CHMOD")
		return ErrUnsupported
	}
	return err
}

// MakeDirectory makes a directory. An existing directory is no error; anything else in the way is
// fs.ErrExist.
func (c *Conn) MakeDirectory(path string) error {
	if err := CheckName(path); err != nil {
		return err
	}
	err := c.MakeDir(path)
	if code, text := reply(err); code < 500 || mentions(text, notThere) {
		return err
	}
	is, looked := c.IsDirectory(path)
	if is || looked != nil {
		return looked
	}
	if _, looked := c.Look(path); looked == nil {
		return fmt.Errorf("%w: %w", fs.ErrExist, err)
	}
	return err
}

// Dress sets permissions and time of a file or directory, in one round trip if the server can. It
// does not set a zero time.
func (c *Conn) Dress(path string, mode uint32, t time.Time) (ofMode, ofTime error) {
	if t.IsZero() || !c.Features().MFMT || c.lacks("SITE CHMOD") || !hasMoment(t) || CheckName(path) != nil {
		if ofMode = c.Chmod(path, mode); IsBroken(ofMode) || t.IsZero() {
			return ofMode, nil
		}
		return ofMode, c.SetTime(path, t)
	}
	answers := c.together([]int{2, 2}, chmodCommand(path, mode), "MFMT "+moment(t)+" "+path)
	return c.chmodAnswer(answers[0]), answers[1]
}

// together sends commands at once and returns an error for each. expect holds the first digits of
// the codes of successful answers.
func (c *Conn) together(expect []int, lines ...string) []error {
	wrong := make([]error, len(lines))
	_, err := c.text.W.WriteString(strings.Join(lines, "\r\n") + "\r\n")
	if err == nil {
		err = c.text.W.Flush()
	}
	for i := range lines {
		if wrong[i] = err; err != nil {
			continue
		}
		_, _, wrong[i] = c.text.ReadResponse(expect[i])
		if IsBroken(wrong[i]) {
			err = wrong[i]
		}
	}
	return wrong
}

// Rename renames. Most servers replace an existing file.
func (c *Conn) Rename(from, to string) error {
	if err := cmp.Or(CheckName(from), CheckName(to)); err != nil {
		return err
	}
	answers := c.together([]int{3, 2}, "RNFR "+from, "RNTO "+to) // the second is refused if the first is
	return cmp.Or(answers[0], answers[1])
}

// Delete removes a file.
func (c *Conn) Delete(path string) error {
	if err := CheckName(path); err != nil {
		return err
	}
	return c.ServerConn.Delete(path)
}

// RemoveDir removes an empty directory.
func (c *Conn) RemoveDir(path string) error {
	if err := CheckName(path); err != nil {
		return err
	}
	return c.ServerConn.RemoveDir(path)
}

// ChangeDir enters a directory.
func (c *Conn) ChangeDir(path string) error {
	if err := CheckName(path); err != nil {
		return err
	}
	return c.ServerConn.ChangeDir(path)
}
