package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/packstone/packstone/cmd/internal/output"
)

// lent counts what lends rights to whoever runs or opens it, by what it is.
type lent struct {
	mu    sync.Mutex
	of    map[string]int
	first string // a path
}

func (l *lent) note(path, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of, l.first = map[string]int{}, path
	}
	l.of[what]++
}

func (l *lent) text() string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(l.of)) {
		parts = append(parts, fmt.Sprintf("%s: %d", what, l.of[what]))
	}
	return fmt.Sprintf("%s, such as %s", strings.Join(parts, ", "), output.Name(l.first))
}

// tellLent says what lends rights and came back since this process may bring it back, or did not since --no-special was given.
func (r *restoring) tellLent() {
	switch {
	case len(r.lent.of) == 0 || r.o.server != nil:
	case r.o.noSpecial:
		r.out.Note("left out for --no-special: %s", r.lent.text())
	case os.Geteuid() == 0:
		verb := "came back"
		if r.dry() {
			verb = "would come back"
		}
		r.out.Warn(output.Warning{Message: fmt.Sprintf("what lends rights to whoever runs or opens it %s (%s): if the snapshot is of a host that you do not trust, restore "+
			"with --no-special", verb, r.lent.text())})
	}
}
