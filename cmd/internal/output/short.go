package output

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// mostListed is how many items of each action a ShortList prints.
const mostListed = 20

// ShortList prints the first items of each action, and counts the others. Its zero value has printed
// none; it is safe for concurrent use.
type ShortList struct {
	mu   sync.Mutex
	seen map[string]int
	left map[string]int // of these, how many were not printed
}

// Note prints an item if it is one of the first of its action, or all are wanted.
func (l *ShortList) Note(out *Printer, action string, name Name, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen, l.left = map[string]int{}, map[string]int{}
	}
	if l.seen[action]++; l.seen[action] > mostListed && !all {
		l.left[action]++
		return
	}
	out.Line("%-9s %s", action, name)
}

// End tells of what was not printed.
func (l *ShortList) End(out *Printer) {
	var more []string
	for _, action := range slices.Sorted(maps.Keys(l.left)) {
		more = append(more, Count(int64(l.left[action]))+" "+action)
	}
	if len(more) > 0 {
		out.Line("and %s: -v lists all", strings.Join(more, ", "))
	}
}
