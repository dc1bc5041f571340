package output

import (
	"encoding/json"
	"fmt"
)

// Rows prints a list of any length, row by row: with JSON one array, else a line for each row.
// Quiet does not suppress it. It is not safe for concurrent use, and must be closed.
type Rows struct {
	printer *Printer
	pending []byte
	begun   bool
}

// rowsHeld is how many bytes of rows are written at once.
const rowsHeld = 32 << 10

// Rows begins a list.
func (p *Printer) Rows() *Rows { return &Rows{printer: p} }

// Add prints a row: with JSON as an element of the array, else the text as a line.
func (r *Rows) Add(row any, text string) error {
	if !r.printer.JSON() {
		return r.Text(text)
	}
	element, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("print the list: %w", err)
	}
	r.pending = append(append(r.pending, r.separator()), CleanJSON(element)...)
	return r.flush(rowsHeld)
}

// Text prints a line for people between rows. With JSON it prints nothing.
func (r *Rows) Text(line string) error {
	if !r.printer.JSON() {
		r.pending = append(append(r.pending, cleanLine(line)...), '\n')
	}
	return r.flush(rowsHeld)
}

// Close ends the list.
func (r *Rows) Close() error {
	if r.printer.JSON() && !r.begun {
		r.pending = append(r.pending, r.separator())
	}
	if r.printer.JSON() {
		r.pending = append(r.pending, "]\n"...)
	}
	return r.flush(1)
}

// separator returns what precedes an element.
func (r *Rows) separator() byte {
	if r.begun {
		return ','
	}
	r.begun = true
	return '['
}

// flush writes the buffered rows if they have at least least bytes.
func (r *Rows) flush(least int) error {
	if len(r.pending) >= least {
		r.printer.result(r.pending)
		r.pending = r.pending[:0]
	}
	return r.printer.Err()
}
