package main

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/restore"
)

// mostPlanned is how many entries a plan lists of each action, unless all are asked for.
const mostPlanned = 20

// shortList prints the first entries of each action, and counts the others. It is safe for
// concurrent use.
type shortList struct {
	mu   sync.Mutex
	seen map[restore.Action]int
	left map[restore.Action]int // of these, how many were not printed
}

// note prints an entry if it is one of the first of its action, or all are wanted.
func (l *shortList) note(out *output.Printer, action restore.Action, name output.Name, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen, l.left = map[restore.Action]int{}, map[restore.Action]int{}
	}
	if l.seen[action]++; l.seen[action] > mostPlanned && !all {
		l.left[action]++
		return
	}
	out.Line("%-9s %s", action, name)
}

// end tells of what was not printed.
func (l *shortList) end(out *output.Printer) {
	var more []string
	for _, action := range slices.Sorted(maps.Keys(l.left)) {
		more = append(more, entry.Count(int64(l.left[action]))+" "+string(action))
	}
	if len(more) > 0 {
		out.Line("and %s: -v lists all", strings.Join(more, ", "))
	}
}
