package page

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"github.com/packstone/packstone/crypto"
)

// sessions are what the page remembers of browsers, in memory alone.
type sessions struct {
	now func() time.Time

	mu sync.Mutex
	of map[string]*session
}

// session is what is remembered of a browser.
type session struct {
	of       string // whose it is, where a proxy says so
	loggedIn bool   // with the token
	lent     *crypto.IdentityFile
	shelves  *shelves // that were opened with what was lent; nil: nothing was

	used time.Time
}

// For how long a session, and an identity in it, is remembered after its last use, and how many
// there are at most.
const (
	idleSession  = 12 * time.Hour
	idleIdentity = 30 * time.Minute
	mostSessions = 1000
)

const sessionCookie = "packstone_session"

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, of: map[string]*session{}}
}

// find returns a copy of the session of a request, nil if there is none.
func (s *sessions) find(r *http.Request) *session {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	found := s.of[cookie.Value]
	if found == nil {
		return nil
	}
	found.used = s.now()
	copied := *found
	return &copied
}

// sweep forgets what was not used for long.
func (s *sessions) sweep() {
	for id, session := range s.of {
		idle := s.now().Sub(session.used)
		if idle > idleIdentity {
			session.lent, session.shelves = nil, nil
		}
		if idle > idleSession {
			delete(s.of, id)
		}
	}
}

// lend remembers an identity for a browser, and forgets it even if nobody comes again.
func (s *sessions) lend(w http.ResponseWriter, r *http.Request, who person, lent *crypto.IdentityFile, opened *shelves) {
	s.change(w, r, func(next *session) { next.of, next.lent, next.shelves = who.name, lent, opened })
	time.AfterFunc(idleIdentity+time.Second, s.tidy)
}

func (s *sessions) tidy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	for _, session := range s.of {
		if session.lent != nil {
			time.AfterFunc(idleIdentity, s.tidy)
			return
		}
	}
}

// change changes the session of a request. It gets a new name each time, so that nobody goes on
// with one that he knew before.
func (s *sessions) change(w http.ResponseWriter, r *http.Request, change func(*session)) {
	next := session{used: s.now()}
	if was := s.find(r); was != nil {
		next = *was
	}
	change(&next)
	id := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(r)
	for old := range s.of {
		if len(s.of) < mostSessions {
			break
		}
		delete(s.of, old)
	}
	s.of[id] = &next
	http.SetCookie(w, cookie(r, sessionCookie, id))
}

// end forgets the session of a request.
func (s *sessions) end(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(r)
	gone := cookie(r, sessionCookie, "")
	gone.MaxAge = -1
	http.SetCookie(w, gone)
}

func (s *sessions) drop(r *http.Request) {
	if old, err := r.Cookie(sessionCookie); err == nil {
		delete(s.of, old.Value)
	}
}

// cookie is one that no script reads, and that no other site has sent along.
func cookie(r *http.Request, name, value string) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil}
}
