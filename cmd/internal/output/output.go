// Package output prints text for people, JSON lines for programs, and a progress line on a
// terminal.
//
// Results go to standard output, everything else (progress as text, warnings, errors) to standard
// error, so that results can be piped. With JSON, status and summary are results too. An untrusted
// name is an output.Name, which is printed so that it cannot move a terminal's cursor. No control
// character reaches a terminal, except for the printer's own line ends and progress.
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

// Schema is the version of all JSON messages. It changes when a field is removed or changes its
// meaning, not when one is added.
const Schema = "packstone.v1"

// Options determine where and how a Printer prints. Only the writers are required.
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

// Printer prints messages. It is safe for concurrent use.
type Printer struct {
	options Options
	mu      sync.Mutex
	drawn   string // the progress line that stands on the terminal
	waiting bool   // a line of Waiting stands in its place
	failed  error  // the first error of writing to Stdout

	follow func(read func() Counts) (stop func())
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

// Follow gives the progress of runs to somebody else, who may call read from any goroutine, one at a
// time, until stop is called. It is for before the printer is used.
func (p *Printer) Follow(follow func(read func() Counts) (stop func())) { p.follow = follow }

// Fold wraps lines of prose to the width of the terminal to which results go.
func (p *Printer) Fold(text string) string { return fold(text, p.options.TableWidth()) }

// Table formats a table for the width of the terminal to which results go.
func (p *Printer) Table(t Table) string { return t.Text(p.options.TableWidth(), p.dots()) }

// JSON reports whether results are printed as JSON.
func (p *Printer) JSON() bool { return p.options.JSON }

// Err returns the first error of writing a result, such as a full disk or a closed pipe.
func (p *Printer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// Line prints a line of a result for people. With JSON, and with Quiet, it prints nothing.
func (p *Printer) Line(format string, args ...any) {
	if p.options.JSON || p.options.Quiet {
		return
	}
	p.result(fmt.Appendf(nil, format+"\n", cleanArgs(args)...))
}

// Note prints what is worth knowing besides the result, on standard error. With JSON, and with
// Quiet, it prints nothing.
func (p *Printer) Note(format string, args ...any) {
	if p.options.JSON || p.options.Quiet {
		return
	}
	p.say(info, fmt.Sprintf(format, cleanArgs(args)...))
}

// Detail prints what was done with one item: with JSON the message verbose_status, else a line with
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

// Warn prints a warning. The run is complete nevertheless.
func (p *Printer) Warn(m Warning) {
	if p.options.JSON {
		p.aside(warning, message("warning", m))
		return
	}
	p.say(warning, p.paint(yellow, "warning")+": "+about(m.Item, continued(m.Message)))
}

// Waiting says why a run pauses. On a terminal it replaces the progress line, and each call
// rewrites the text; otherwise the first call prints a warning. An empty text says that the run
// continues.
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

// Problem reports what went wrong with one item. The run continues, and is not complete.
func (p *Printer) Problem(item string, during string, err error) {
	m := Error{Error: ErrorText{Message: clean(err.Error())}, During: during, Item: Name(item)}
	if p.options.JSON {
		p.aside(failure, message("error", m))
		return
	}
	p.say(failure, p.paint(red, "error")+": "+about(m.Item, continued(m.Error.Message)))
}

// Exit says why the program ends with a code other than 0. If the error has a method Lines()
// []string, these lines are printed without indentation.
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

// Summary prints the summary of a run: with JSON the message summary with the fields of m, else
// text unless Quiet is set. It returns what Err does.
func (p *Printer) Summary(m any, text string) error {
	if p.options.JSON || !p.options.Quiet {
		return p.Message("summary", m, p.Fold(text))
	}
	return p.Err()
}

// Message prints the result of a verb: with JSON an object of this message type, else the text.
// Quiet does not suppress it. It returns what Err does.
func (p *Printer) Message(kind string, m any, text string) error {
	if p.options.JSON {
		p.result(message(kind, m))
	} else {
		p.result([]byte(clean(text) + "\n"))
	}
	return p.Err()
}

// List prints rows: with JSON one array, else the table. Quiet does not suppress it.
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

// message returns a JSON line with the fields of m, which is a struct or map.
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

// say writes prose to Stderr, wrapped to the width of the terminal.
func (p *Printer) say(priority byte, text string) {
	width := 0
	if p.options.Terminal {
		width = p.options.Width()
	}
	p.aside(priority, []byte(fold(text, width)+"\n"))
}

// result writes to Stdout, aside to Stderr. Both first remove the progress line and redraw it
// afterwards.
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
