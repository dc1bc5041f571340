package ftp

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseList parses a line of LIST in the format of Unix or DOS. now and location complete times
// without a year or zone. ok is false for a line that is not an entry.
func ParseList(line string, now time.Time, location *time.Location) (e Entry, ok bool, err error) {
	line = strings.TrimRight(line, "\r\n")
	if line == "" || strings.HasPrefix(line, "total ") {
		return e, false, nil
	}
	if strings.IndexByte("-dlbcps", line[0]) >= 0 {
		e, err = parseUnix(line, now, location)
	} else {
		e, err = parseDOS(line, location)
	}
	if err != nil {
		return e, false, fmt.Errorf("%w: %q: %w", errLine, line, err)
	}
	return e, true, nil
}

// field is a word of a line, and where it ends.
type field struct {
	text string
	end  int
}

// split returns the first words of a line.
func split(line string, most int) []field {
	var all []field
	for i := 0; i < len(line) && len(all) < most; {
		if line[i] == ' ' {
			i++
			continue
		}
		end := strings.IndexByte(line[i:], ' ')
		if end < 0 {
			end = len(line) - i
		}
		all = append(all, field{line[i : i+end], i + end})
		i += end
	}
	return all
}

// parseUnix parses `-rw-r--r-- 1 user group 123 Nov 22 17:36 name`. Owners may contain spaces, and
// links and group may be missing, so it looks for the time, preceded by the size.
func parseUnix(line string, now time.Time, location *time.Location) (Entry, error) {
	var e Entry
	fields := split(line, 14)
	for i := 2; i < len(fields); i++ {
		if _, err := parseSize(fields[i-1].text); err != nil {
			continue
		}
		end, err := e.when(fields[i:], now, location)
		if err != nil {
			continue
		}
		if end+1 >= len(line) {
			return e, fmt.Errorf("no name")
		}
		e.Name = line[end+1:]
		return e, e.describeUnix(fields, i)
	}
	return e, fmt.Errorf("no time")
}

// arrow separates the name of a link from its target. Both may contain it.
const arrow = " -> "

// readings returns all possible pairs of name and target of a link.
func (e Entry) readings() []Entry {
	all := []Entry{e}
	for rest := e.Target; ; {
		more, target, ok := strings.Cut(rest, arrow)
		if !ok {
			return all
		}
		last := all[len(all)-1]
		last.Name, last.Target = last.Name+arrow+more, target
		all, rest = append(all, last), target
	}
}

// describeUnix parses what precedes the time, which is at i.
func (e *Entry) describeUnix(fields []field, i int) error {
	e.Size, _ = parseSize(fields[i-1].text)
	mode := fields[0].text
	switch mode[0] {
	case '-':
		e.Kind = File
	case 'd':
		e.Kind = Directory
	case 'l':
		e.Kind = Link
		if at := strings.Index(e.Name, arrow); at > 0 {
			e.Name, e.Target = e.Name[:at], e.Name[at+len(arrow):]
		}
	case 's':
		e.Kind = Socket
	default:
		e.Kind = Other
	}
	if e.Kind != File {
		e.Size = 0
	}
	e.Mode, e.HasMode = parseMode(mode)
	if i == 5 { // mode, links, user, group, size
		e.User, e.Group = fields[2].text, fields[3].text
		e.UID, e.GID = parseID(e.User), parseID(e.Group)
		e.User, e.Group = notNumber(e.User), notNumber(e.Group)
	}
	return nil
}

func notNumber(name string) string {
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		return ""
	}
	return name
}

// parseMode reads `-rwxr-sr-x`.
func parseMode(text string) (uint32, bool) {
	if len(text) < 10 {
		return 0, false
	}
	var mode uint32
	for i := range 9 {
		letter, bit := text[1+i], uint32(0o400)>>i
		special := uint32(0o4000) >> (i / 3)
		switch letter {
		case '-':
		case 'r', 'w', 'x':
			mode |= bit
		case 's', 't':
			mode |= bit | special
		case 'S', 'T':
			mode |= special
		default:
			return 0, false
		}
	}
	return mode, true
}

// when parses `Nov 22 17:36`, `Nov 22 2026`, `22 Nov 2026` or `2026-11-22 17:36`, and returns where
// it ends in the line.
func (e *Entry) when(fields []field, now time.Time, location *time.Location) (int, error) {
	if len(fields) < 2 {
		return 0, fmt.Errorf("no time")
	}
	if t, err := time.ParseInLocation("2006-01-02 15:04", fields[0].text+" "+fields[1].text, location); err == nil {
		e.Modify, e.Precision = t, time.Minute
		return fields[1].end, nil
	}
	if len(fields) < 3 {
		return 0, fmt.Errorf("no time")
	}
	month, day, last := fields[0].text, fields[1].text, fields[2].text
	if len(month) <= 2 {
		month, day = day, month
	}
	t, err := time.ParseInLocation("Jan 2 2006", month+" "+day+" "+last, location)
	if err == nil {
		e.Modify, e.Precision = t, 24*time.Hour
		return fields[2].end, nil
	}
	// The 29th of February needs a year that has one.
	t, err = time.ParseInLocation("Jan 2 15:04 2006", month+" "+day+" "+last+" 2000", location)
	if err != nil {
		return 0, err
	}
	e.Modify, e.Precision = inYear(t, now.In(location)), time.Minute
	return fields[2].end, nil
}

// inYear adds to a time without a year the latest year in which it is at most a day after now: a
// server's clock or zone may be ahead.
func inYear(t, now time.Time) time.Time {
	for year := now.Year() + 1; ; year-- {
		d := time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, t.Location())
		if d.Day() == t.Day() && !d.After(now.Add(24*time.Hour)) {
			return d
		}
	}
}

var formatsDOS = []string{"01-02-06 03:04PM", "01-02-2006 03:04PM", "01-02-06 15:04", "01-02-2006 15:04", "2006-01-02 15:04"}

// parseDOS reads `11-22-26  05:36PM  <DIR>  name`.
func parseDOS(line string, location *time.Location) (Entry, error) {
	var e Entry
	fields := split(line, 3)
	if len(fields) < 3 {
		return e, fmt.Errorf("no time")
	}
	for _, format := range formatsDOS {
		t, err := time.ParseInLocation(format, fields[0].text+" "+fields[1].text, location)
		if err != nil {
			continue
		}
		e.Modify, e.Precision = t, time.Minute
		e.Name = strings.TrimLeft(line[fields[2].end:], " ")
		return e, e.sizeDOS(fields[2].text)
	}
	return e, fmt.Errorf("no time")
}

func (e *Entry) sizeDOS(text string) error {
	if e.Name == "" {
		return fmt.Errorf("no name")
	}
	if text == "<DIR>" {
		e.Kind = Directory
		return nil
	}
	if strings.HasPrefix(text, "<") {
		e.Kind = Other // a junction
		return nil
	}
	var err error
	e.Kind = File
	e.Size, err = parseSize(strings.ReplaceAll(text, ",", ""))
	return err
}
