package output

import (
	"slices"
	"strings"
)

// Table is a list for people: columns under a header and, if set, a last line of totals.
type Table struct {
	Title  string // a line above; "": none
	Head   []string
	Right  []int // columns that are numbers, from 0
	Cut    []int // columns that may be cut in the middle where the table is wider than the terminal
	Wrap   bool  // the last column is prose, which goes on below itself instead
	Rows   [][]string
	Footer string
}

// leastColumn is the least width to which a column is narrowed.
const leastColumn = 10

// String formats the table at its full width.
func (t Table) String() string { return t.Text(0, "") }

// Text formats the table for a terminal with width columns; 0 means its full width. dots stand for
// what is cut out. A table without rows is only its footer.
func (t Table) Text(width int, dots string) string {
	var b strings.Builder
	if t.Title != "" {
		b.WriteString(clean(t.Title) + "\n")
	}
	if len(t.Rows) > 0 {
		t.writeRows(&b, width, dots)
	}
	if t.Footer != "" {
		b.WriteString(clean(t.Footer) + "\n")
	}
	return b.String()
}

func (t Table) writeRows(b *strings.Builder, width int, dots string) {
	widths := t.fit(t.widths(), width)
	if width > 0 && total(widths) > width {
		t.writeBelow(b, width)
		return
	}
	t.write(b, t.Head, widths, dots)
	for _, row := range t.Rows {
		t.write(b, row, widths, dots)
	}
}

// writeBelow writes each cell on a line of its own, if a terminal is too narrow for rows.
func (t Table) writeBelow(b *strings.Builder, width int) {
	indent := 0
	for _, head := range t.Head {
		indent = max(indent, columns(head)+len(between))
	}
	for i, row := range t.Rows {
		if i > 0 {
			b.WriteString("\n")
		}
		for j, cell := range row[:min(len(row), len(t.Head))] {
			lines := wrap(cleanLine(cell), max(width-indent, leastColumn))
			below := "\n" + strings.Repeat(" ", indent)
			b.WriteString(t.Head[j] + strings.Repeat(" ", indent-columns(t.Head[j])) + strings.Join(lines, below) + "\n")
		}
	}
}

func (t Table) widths() []int {
	widths := make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, cell := range row[:min(len(row), len(widths))] {
			widths[i] = max(widths[i], columns(cleanLine(cell)))
		}
	}
	return widths
}

// fit narrows the widest of the columns that may be narrowed, until the table fits or none can be
// narrowed further.
func (t Table) fit(widths []int, width int) []int {
	flexible := slices.Clone(t.Cut)
	if t.Wrap {
		flexible = append(flexible, len(widths)-1)
	}
	for over := total(widths) - width; width > 0 && over > 0; over-- {
		widest := -1
		for _, i := range flexible {
			if i < len(widths) && widths[i] > leastColumn && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

// total returns how many columns a row fills.
func total(widths []int) (n int) {
	for _, width := range widths {
		n += width + len(between)
	}
	return n - len(between)
}

// between separates two columns.
const between = "  "

// write adds a row, and further lines for prose that does not fit.
func (t Table) write(b *strings.Builder, row []string, widths []int, dots string) {
	row = slices.Clone(row[:min(len(row), len(widths))])
	for i := range row {
		row[i] = cleanLine(row[i])
	}
	var below []string
	if last := len(row) - 1; t.Wrap && last == len(widths)-1 {
		lines := wrap(row[last], widths[last])
		row[last], below = lines[0], lines[1:]
	}
	b.WriteString(strings.TrimRight(t.line(row, widths, dots), " ") + "\n")
	for _, more := range below {
		b.WriteString(strings.Repeat(" ", total(widths)-widths[len(widths)-1]) + more + "\n")
	}
}

func (t Table) line(row []string, widths []int, dots string) string {
	cells := make([]string, len(row))
	for i, cell := range row {
		cell = cutMiddle(cell, max(widths[i], leastColumn), dots)
		gap := strings.Repeat(" ", max(0, widths[i]-columns(cell)))
		if slices.Contains(t.Right, i) {
			cells[i] = gap + cell
		} else {
			cells[i] = cell + gap
		}
	}
	return strings.Join(cells, between)
}
