package ftp

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/jlaffaye/ftp"
)

// Listing is the content of a directory: entries, and errors for the lines that could not be read.
type Listing struct {
	Entries  []Entry
	Problems []error
	wrong    int // problems, with those that are not kept
}

// ListAll lists the directory at an absolute path, with hidden files: by MLSD if the server
// supports it, else by LIST with the times of files from MDTM.
func (c *Conn) ListAll(path string) (Listing, error) {
	if err := CheckName(path); err != nil {
		return Listing{}, err
	}
	list := c.listLines
	if c.Features().MLST {
		list = c.listFacts
	}
	l, err := list(path)
	if err == nil {
		err = c.dropDoubles(path, &l)
	}
	return l, err
}

// dropDoubles keeps one of several entries with the same name. A name with a line break looks like
// a shorter name, which may exist too.
func (c *Conn) dropDoubles(path string, l *Listing) error {
	at := map[string]int{}
	kept := l.Entries[:0]
	for _, e := range l.Entries {
		i, double := at[e.Name]
		if !double {
			at[e.Name] = len(kept)
			kept = append(kept, e)
			continue
		}
		l.problem(fmt.Errorf("%w: %q stands there twice, as where another name goes on after a line break", errLine, e.Name))
		is, err := c.agrees(Join(path, e.Name), &kept[i])
		if err != nil {
			return err
		}
		if !is {
			kept[i] = e
		}
	}
	l.Entries = kept
	return nil
}

// agrees reports whether the server describes path as e does. It fails only if the connection is
// broken.
func (c *Conn) agrees(path string, e *Entry) (bool, error) {
	if e.Kind != File || c.Features().MLST {
		directory, err := c.IsDirectory(path)
		if IsBroken(err) || directory || e.Kind == Directory {
			return directory && e.Kind == Directory, broken(err)
		}
	}
	is, err := c.Look(path)
	return err == nil && is.Kind == e.Kind && is.Size == e.Size, broken(err)
}

// broken returns err if it means that the connection is broken, else nil.
func broken(err error) error {
	if IsBroken(err) {
		return err
	}
	return nil
}

func (c *Conn) listFacts(path string) (Listing, error) {
	var l Listing
	err := c.lines(path, func(line string) error {
		e, err := ParseFacts(line)
		l.add(path, e, err)
		return nil
	})
	if err == nil && !c.server.options.TrustMLSD {
		err = c.addLinks(path, &l)
	}
	return l, err
}

// add adds an entry. Its name may be preceded by the path that was listed, but must not be a path
// otherwise.
func (l *Listing) add(dir string, e Entry, err error) {
	if err != nil {
		l.problem(err)
		return
	}
	e.Name = strings.TrimPrefix(e.Name, strings.TrimSuffix(dir, "/")+"/")
	switch {
	case e.Kind == self, e.Name == ".", e.Name == "..":
	case e.Name == "" || strings.ContainsAny(e.Name, "/\x00"):
		l.problem(fmt.Errorf("%w: %q is not a name", errLine, e.Name))
	default:
		l.Entries = append(l.Entries, e)
	}
}

// maxProblems is how many problems of one listing are kept.
const maxProblems = 1000

// problem records what could not be read. It keeps only the first maxProblems.
func (l *Listing) problem(err error) {
	if l.wrong++; l.wrong <= maxProblems {
		l.Problems = append(l.Problems, err)
		return
	}
	l.Problems[maxProblems-1] = fmt.Errorf("%w: and %d more", errLine, l.wrong-maxProblems+1)
}

// addLinks uses LIST to find the targets of links, which MLSD does not show, and links that lead
// nowhere, which MLSD hides.
func (c *Conn) addLinks(path string, l *Listing) error {
	var links []Entry
	now := time.Now()
	err := c.inside(path, func() error {
		return c.listAll(func(line string) {
			if e, ok, err := ParseList(line, now, time.UTC); ok && err == nil && e.Kind == Link {
				links = append(links, e)
			}
		})
	})
	known := l.named(links)
	for _, e := range links {
		if !e.tell(known) {
			l.addLink(path, e)
		}
	}
	return broken(err)
}

// named returns the entries that may match links of another listing.
func (l *Listing) named(links []Entry) map[string]*Entry {
	known := map[string]*Entry{}
	for _, e := range links {
		for _, reading := range e.readings() {
			known[reading.Name] = nil
		}
	}
	for i := range l.Entries {
		if _, asked := known[l.Entries[i].Name]; asked {
			known[l.Entries[i].Name] = &l.Entries[i]
		}
	}
	return known
}

// tell sets the target of the link with e's name; false if there is no such name.
func (e Entry) tell(known map[string]*Entry) bool {
	for _, e := range e.readings() {
		there := known[e.Name]
		if there == nil {
			continue
		}
		if there.Kind == Link && there.Target == "" {
			there.Target, there.Size = e.Target, 0
		}
		return true
	}
	return false
}

// addLink adds a link from LIST, if its name can be separated from its target.
func (l *Listing) addLink(dir string, e Entry) {
	if len(e.readings()) > 1 {
		l.problem(fmt.Errorf("%w: in %q name and target cannot be told apart", errLine, e.Name+arrow+e.Target))
		return
	}
	l.add(dir, e, nil)
}

// lines runs MLSD and passes the lines from the data connection to take.
func (c *Conn) lines(path string, take func(line string) error) error {
	c.take = take
	defer func() { c.take = nil }()
	_, err := c.ServerConn.List(path)
	return endless(err)
}

// endless reduces the error of a listing that was too long to just that. The server's final answer
// is only a consequence.
func endless(err error) error {
	if errors.Is(err, errEndless) {
		return errEndless
	}
	return err
}

// lister returns a ServerConn on the same control connection that uses LIST, since it never learned
// of MLSD.
func (c *Conn) lister() (*ftp.ServerConn, error) {
	if !c.Features().MLST || c.server.options.NoMLSD {
		return c.ServerConn, nil
	}
	return ftp.Dial(c.server.options.address(), ftp.DialWithDialFunc(func(_, address string) (net.Conn, error) {
		if address != c.server.options.address() {
			return c.openData(address)
		}
		c.control.greeting = "220 ready\r\n"
		return c.control, nil
	}))
}

// inside calls f, which lists, with a directory as the current one. In the argument of LIST, `*`
// and `[` are patterns, and a leading `-` is an option.
func (c *Conn) inside(path string, f func() error) error {
	if err := CheckName(path); err != nil {
		return err
	}
	i := &inquiry{conn: c, path: path, ready: true, questions: []question{{"CWD " + path, 250, nil}}}
	if err := i.ask(); err != nil {
		return err
	}
	if _, err := i.answers(); err != nil {
		return err
	}
	return f()
}

// listing runs LIST in the current directory, passes the lines to take, and returns their number.
func (c *Conn) listing(argument string, take func(line string)) (lines int, err error) {
	conn, err := c.lister()
	if err != nil {
		return 0, err
	}
	c.take = func(line string) error {
		lines++
		take(line)
		return nil
	}
	defer func() { c.take = nil }()
	_, err = conn.List(argument)
	if err = endless(err); err == errEndless {
		return lines, err
	}
	// vsftpd reports in this way that it may not list the directory.
	if err == nil && strings.Contains(lastLine(c.control.last), "failed to open directory") {
		return lines, fs.ErrPermission
	}
	return lines, err
}

func (c *Conn) listLines(path string) (Listing, error) {
	var l Listing
	now, location := time.Now(), c.location()
	err := c.inside(path, func() error {
		return c.listAll(func(line string) {
			e, ok, err := ParseList(line, now, location)
			switch {
			case ok && e.Kind == Link:
				l.addLink(path, e)
			case ok || err != nil:
				l.add(path, e, err)
			}
		})
	})
	if err != nil {
		return Listing{}, err
	}
	return l, c.exactTimes(path, &l)
}

// listAll lists with hidden files. If a server takes "-a" for a name, it lists without.
func (c *Conn) listAll(take func(line string)) error {
	if !c.lacks("LIST -a") {
		lines, err := c.listing("-a", take)
		if IsBroken(err) || err == errEndless || errors.Is(err, fs.ErrPermission) || lines > 0 {
			return err
		}
	}
	lines, err := c.listing("", take)
	if err == nil && lines > 0 {
		c.notes("LIST -a")
	}
	return err
}

// window is how many commands are sent before the first answer is read.
const window = 32

// exactTimes requests the time of each file, several at once, since LIST shows minutes at best.
func (c *Conn) exactTimes(path string, l *Listing) error {
	if !c.Features().MDTM {
		return nil
	}
	var files []*Entry
	for i := range l.Entries {
		if e := &l.Entries[i]; e.Kind == File && CheckName(e.Name) == nil {
			files = append(files, e)
		}
	}
	for len(files) > 0 {
		n := min(window, len(files))
		if err := c.askTimes(path, files[:n]); err != nil {
			return err
		}
		files = files[n:]
	}
	return nil
}

func (c *Conn) askTimes(path string, files []*Entry) error {
	for _, e := range files {
		if _, err := fmt.Fprintf(c.text.W, "MDTM %s\r\n", Join(path, e.Name)); err != nil {
			return err
		}
	}
	if err := c.text.W.Flush(); err != nil {
		return err
	}
	for _, e := range files {
		_, text, err := c.text.ReadResponse(213)
		if IsBroken(err) {
			return err
		}
		if t, wrong := parseMoment(text); err == nil && wrong == nil {
			c.noteZone(e, t)
			e.Modify, e.Precision = t, time.Second
		}
	}
	return nil
}

// noteZone determines the time zone of LIST: the difference from MDTM's time of the same file,
// rounded to a quarter of an hour.
func (c *Conn) noteZone(e *Entry, exact time.Time) {
	if e.Precision != time.Minute || c.server.options.Location != nil {
		return
	}
	l := &c.server.learned
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.location != nil {
		return
	}
	offset := e.Modify.Sub(exact.Truncate(time.Minute)).Round(15 * time.Minute)
	if offset.Abs() > 14*time.Hour {
		return
	}
	l.location = time.FixedZone(fmt.Sprintf("server%+d", int(offset.Minutes())), int(offset.Seconds()))
}

func (c *Conn) location() *time.Location {
	if c.server.options.Location != nil {
		return c.server.options.Location
	}
	c.server.learned.mu.Lock()
	defer c.server.learned.mu.Unlock()
	if c.server.learned.location != nil {
		return c.server.learned.location
	}
	return time.UTC
}

// IsDirectory reports whether path is a directory that can be entered.
func (c *Conn) IsDirectory(path string) (bool, error) {
	err := c.ChangeDir(path)
	if code, _ := reply(err); code >= 500 {
		return false, nil
	}
	return err == nil, err
}

// Join joins a directory and a name.
func Join(dir, name string) string {
	switch {
	case name == "":
		return dir
	case strings.HasSuffix(dir, "/"):
		return dir + name
	}
	return dir + "/" + name
}
