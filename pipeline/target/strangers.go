package target

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
)

// Strangers counts entries whose owner has a name that this machine does not know, and a number that
// is somebody else's here: who that is could read what was not meant for it. The zero value is
// ready. It is safe for concurrent use.
type Strangers struct {
	owners local.Owners

	mu sync.Mutex
	of map[string]int // by what is said of the owner
}

// Note counts an entry.
func (s *Strangers) Note(e *entry.Entry) {
	if _, known := s.owners.UserID(e.User); !known && e.User != "" {
		s.count("user", e.User, e.UID, s.owners.User(e.UID))
	}
	if _, known := s.owners.GroupID(e.Group); !known && e.Group != "" {
		s.count("group", e.Group, e.GID, s.owners.Group(e.GID))
	}
}

func (s *Strangers) count(kind, name string, number uint32, here string) {
	if here == "" {
		return // nobody has the number
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[string]int{}
	}
	s.of[fmt.Sprintf("%s %s, whose number %d is %s's here", kind, entry.Printable(name), number, entry.Printable(here))]++
}

// None reports whether there are none.
func (s *Strangers) None() bool { return len(s.of) == 0 }

// String names them.
func (s *Strangers) String() string {
	var parts []string
	for _, who := range slices.Sorted(maps.Keys(s.of)) {
		parts = append(parts, fmt.Sprintf("%s (%s)", who, entry.Plural(s.of[who], "entry")))
	}
	return strings.Join(parts, "; ")
}
