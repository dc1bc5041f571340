// Package page shows the backups in a browser: how each set is, its snapshots over time, what is in
// them, and their files. The same is to be had as JSON below /api/v1.
//
// It changes nothing in a repository: what it does for people is to restore into scratch places and
// to start and stop jobs. It relies on its caller for what the daemon knows and for
// opening repositories, and on package browse for what is in snapshots. What it shows comes from
// snapshots and is hostile: templates escape it, and files are shown as text or as pictures of four
// formats only. Pages work without script; they load nothing from elsewhere.
package page

import (
	"context"
	"net/http"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/metrics"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/browse"
)

// Keys says with which keys a repository is opened.
type Keys struct {
	Own  bool                 // this host's identity may be used, if it has one
	Lent *crypto.IdentityFile // from a person, who must be able to read with it; nil: none
}

// Source provides what the page shows. Its functions are called by several goroutines at once.
type Source struct {
	Host    string
	Version string
	// Repositories are names in the settings, "" of the only one.
	Repositories func() []string
	// Open opens a repository to read.
	Open func(ctx context.Context, name string, keys Keys) (*catalog.Repository, error)
	// Facts are what the daemon knows of its host.
	Facts func() metrics.Facts
	// Sets are the sets of all hosts that somebody counts on, judged. found is nil if nothing was
	// read of the repository.
	Sets func(found *browse.Status) []health.Set
	// Runs are the last runs of jobs on this host, the newest first.
	Runs func(n int) ([]history.Run, error)
	// Policies are the rules of retention in the settings, by set.
	Policies func() (map[string]retention.Policy, error)
	// Aside returns a directory for large values and for rows that wait to be compared.
	Aside func() string
	Now   func() time.Time // time.Now if nil

	Scratch *Scratch // restores into scratch places; nil: nothing does
	// Work is what the daemon has to do, and Live what the job at work has done so far; nil: there is
	// no daemon. Start and Stop are for whoever by says.
	Work  func() daemon.Work
	Live  func() daemon.Live
	Start func(job, by string) error
	Stop  func(job, by string) error
	// Say tells the log of an act; nil: nobody is told.
	Say func(Act)
}

// Page is the handler of the page. It is safe for concurrent use.
type Page struct {
	Source
	guard    Guard
	sessions *sessions
	shelves  shelves // of who has lent no identity
	outgoing chan struct{}
	weighing chan struct{} // held by who measures what sets take
	room     *browse.Room
	mux      *http.ServeMux
	handler  http.Handler
}

// downloads is how many files and folders are sent, and tables read, at once at most: each holds
// some memory.
const downloads = 8

// New returns the page. It opens nothing before somebody looks; see Warm.
func New(source Source, guard Guard) *Page {
	if source.Now == nil {
		source.Now = time.Now
	}
	p := &Page{Source: source, guard: guard, sessions: newSessions(source.Now), outgoing: make(chan struct{}, downloads), weighing: make(chan struct{}, 1), room: browse.NewRoom(namesMemory), mux: http.NewServeMux()}
	p.routes()
	p.handler = secured(http.NewCrossOriginProtection().Handler(p.mux))
	return p
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// Warm reads what the first look at the page needs.
func (p *Page) Warm(ctx context.Context) {
	for _, name := range p.Repositories() {
		_, _ = p.shelf(nil, name, !p.guard.Open()).known(ctx) // who looks is told
	}
}

// secured adds the headers by which a browser holds even a page that was tricked on a short lead.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// maxBody is the largest form in bytes: an identity file of many keys.
const maxBody = 1 << 20
