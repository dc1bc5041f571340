// Package output is how packstone speaks: text for people, JSON lines for programs, and a progress
// line on a terminal.
//
// Results go to the standard output, everything else (progress in text, warnings, errors) to the
// standard error, so that a result can be piped on. With JSON, status and summary are results too.
// A name from outside is an output.Name, which is printed so that it cannot move a terminal's
// cursor; whatever is printed, no control character but the ends of the printer's own lines and its
// progress reaches a terminal.
package output

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Schema names the form of every JSON message. It changes when a field is removed or changes its
// meaning, not when one is added.
const Schema = "packstone.v1"

// Options says where and how a Printer prints. The zero value of all but the writers is a good one.
type Options struct {
	Stdout, Stderr io.Writer
	JSON           bool
	Quiet          bool
	Verbose        int
	Terminal       bool       // Stderr is a terminal: progress is one line, drawn again and again
	Color          bool       // Stderr takes ANSI colours
	ASCII          bool       // Stderr takes no other characters
	Priorities     bool       // each line on Stderr begins with its priority, as systemd's journal reads it; see CutPriority
	Width          func() int // columns of the terminal; nil: 80
	TableWidth     func() int // columns that a table on Stdout may take; 0, or nil: as many as it wants
	FPS            float64    // how often progress is drawn a second; 0: 10 on a terminal, else once a minute, in JSON once a second
	Now            func() time.Time
}

// Printer prints messages. Its methods are safe to call at once.
type Printer struct {
	options Options
	mu      sync.Mutex
	drawn   string // the progress line that stands on the terminal
	waiting bool   // a line of Waiting stands in its place
	failed  error  // the first error of writing to Stdout
}

// New makes a Printer.
func New(options Options) *Printer {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Width == nil {
		options.Width = func() int { return 80 }
	}
	if options.TableWidth == nil {
		options.TableWidth = func() int { return 0 }
	}
	return &Printer{options: options}
}

// Fold breaks the lines of prose between words so that it fits the terminal to which results go.
func (p *Printer) Fold(text string) string { return fold(text, p.options.TableWidth()) }

// Table lays out a table so that it fits the terminal to which results go.
func (p *Printer) Table(t Table) string { return t.Text(p.options.TableWidth(), p.dots()) }

// JSON says whether results are printed as JSON.
func (p *Printer) JSON() bool { return p.options.JSON }

// Err returns the first error that writing a result met: a full disk, or a closed pipe.
func (p *Printer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// Line prints a line of a result for a person. In JSON, and with Quiet, it prints nothing.
func (p *Printer) Line(format string, args ...any) {
	if p.options.JSON || p.options.Quiet {
		return
	}
	p.result(fmt.Appendf(nil, format+"\n", cleanArgs(args)...))
}

// Note tells a person on Stderr what is worth knowing beside the result. In JSON, and with Quiet,
// it prints nothing.
func (p *Printer) Note(format string, args ...any) {
	if p.options.JSON || p.options.Quiet {
		return
	}
	p.say(info, fmt.Sprintf(format, cleanArgs(args)...))
}

// Detail prints what was done with one item: in JSON the message verbose_status, else a line with
// its action and name. It prints nothing unless Verbose is set.
func (p *Printer) Detail(m VerboseStatus) {
	switch {
	case p.options.Verbose == 0:
	case p.options.JSON:
		p.result(message("verbose_status", m))
	default:
		p.result([]byte(m.text()))
	}
}

// Warn tells what does not keep the run from being complete.
func (p *Printer) Warn(m Warning) {
	if p.options.JSON {
		p.aside(warning, message("warning", m))
		return
	}
	p.say(warning, p.paint(yellow, "warning")+": "+about(m.Item, continued(m.Message)))
}

// Waiting tells why a run does not go on for the moment: on a terminal in one line, which each call
// writes anew and which stands in the place of progress; else the first call is a warning. An empty
// text says that it goes on.
func (p *Printer) Waiting(text string) {
	p.mu.Lock()
	first := !p.waiting
	p.waiting = text != ""
	p.mu.Unlock()
	switch inPlace := p.options.Terminal && !p.options.JSON; {
	case text == "" && inPlace:
		p.clear()
	case text == "":
	case inPlace:
		head := "waiting: "
		p.draw(p.paint(yellow, head) + cut(cleanLine(text), p.options.Width()-len(head)-1, p.dots()))
	case first:
		p.Warn(Warning{Message: text})
	}
}

// Problem tells what went wrong with one item; the run goes on, and is not complete.
func (p *Printer) Problem(item string, during string, err error) {
	m := Error{Error: ErrorText{Message: clean(err.Error())}, During: during, Item: Name(item)}
	if p.options.JSON {
		p.aside(failure, message("error", m))
		return
	}
	p.say(failure, p.paint(red, "error")+": "+about(m.Item, continued(m.Error.Message)))
}

// Exit tells why the program ends with a code other than 0. An error with a method Lines() []string
// has lines of its own, which stand at the margin.
func (p *Printer) Exit(code int, err error) {
	if p.options.JSON {
		p.aside(failure, message("exit_error", ExitError{Code: code, Message: clean(err.Error())}))
		return
	}
	p.say(failure, p.paint(red, "packstone")+": "+ownLines(err))
}

func ownLines(err error) string {
	var several interface{ Lines() []string }
	if !errors.As(err, &several) {
		return continued(err.Error())
	}
	lines := several.Lines()
	for i := range lines {
		lines[i] = cleanLine(lines[i])
	}
	return strings.Join(lines, "\n")
}

// Summary prints the end of a run: in JSON the message summary with the fields of m, else text
// unless Quiet is set.
func (p *Printer) Summary(m any, text string) {
	if p.options.JSON || !p.options.Quiet {
		p.Message("summary", m, p.Fold(text))
	}
}

// Message prints what a verb was asked for: in JSON an object of the given message type, else the
// text. Quiet does not silence it.
func (p *Printer) Message(kind string, m any, text string) {
	if p.options.JSON {
		p.result(message(kind, m))
		return
	}
	p.result([]byte(clean(text) + "\n"))
}

// List prints rows: in JSON one array, else the table. Quiet does not silence what a list verb was
// asked for.
func List[T any](p *Printer, rows []T, table Table) error {
	if !p.options.JSON {
		p.result([]byte(p.Table(table)))
		return p.Err()
	}
	if rows == nil {
		rows = []T{}
	}
	line, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("print the list: %w", err)
	}
	p.result(append(CleanJSON(line), '\n'))
	return p.Err()
}

// message makes a JSON line of the fields of m, which is a struct or map.
func message(kind string, m any) []byte {
	fields, err := json.Marshal(m)
	if err != nil {
		fields, _ = json.Marshal(ExitError{Code: 1, Message: "print a message: " + err.Error()})
	}
	line := fmt.Appendf(nil, `{"schema":%q,"message_type":%q`, Schema, kind)
	if len(fields) > len("{}") {
		line = append(line, ',')
	}
	return append(append(line, CleanJSON(fields)[1:]...), '\n')
}

func about(item Name, text string) string {
	if item == "" {
		return text
	}
	return item.String() + ": " + text
}

// say writes prose to Stderr, and breaks lines that are wider than the terminal between words.
func (p *Printer) say(priority byte, text string) {
	width := 0
	if p.options.Terminal {
		width = p.options.Width()
	}
	p.aside(priority, []byte(fold(text, width)+"\n"))
}

// result writes to Stdout, aside to Stderr, both around the progress line.
func (p *Printer) result(line []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	if _, err := p.options.Stdout.Write(line); err != nil && p.failed == nil {
		p.failed = fmt.Errorf("write the output: %w", err)
	}
	p.redraw()
}

func (p *Printer) aside(priority byte, text []byte) {
	if p.options.Priorities {
		text = withPriority(priority, text)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.options.Stderr.Write(text) // there is nowhere left to report a failure
	p.redraw()
}

const (
	red    = "31"
	yellow = "33"
)

func (p *Printer) paint(colour, text string) string {
	if !p.options.Color {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
