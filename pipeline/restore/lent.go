package restore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/packstone/packstone/catalog/entry"
)

// Lent counts what lends rights to whoever runs or opens it, by what it is. It is safe for
// concurrent use.
type Lent struct {
	mu    sync.Mutex
	of    map[string]int
	first string // a path
}

// Note counts the entry at a path. It serves as Options.Lends.
func (l *Lent) Note(path, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of, l.first = map[string]int{}, path
	}
	l.of[what]++
}

// None tells whether there was nothing to count.
func (l *Lent) None() bool { return len(l.of) == 0 }

// String says how many there are of each kind, and names one.
func (l *Lent) String() string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(l.of)) {
		parts = append(parts, fmt.Sprintf("%s: %d", what, l.of[what]))
	}
	return fmt.Sprintf("%s, such as %s", strings.Join(parts, ", "), entry.Printable(l.first))
}
