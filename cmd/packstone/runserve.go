package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/metrics"
	"github.com/packstone/packstone/cmd/internal/page"
)

// pages serve metrics, states and the page while packstone run runs, if the settings or a flag want
// that.
type pages struct {
	handler http.Handler
	metrics atomic.Bool // they are wanted
	page    atomic.Pointer[page.Page]
	known   atomic.Pointer[shown] // what the page shows
	daemon  *daemon.Daemon
	scratch *page.Scratch
	guard   page.Guard // of the page
	fixed   string     // the address that a flag has named; "": the settings say
	at      address    // that is served
	server  *http.Server
}

// shown is what the page shows of the settings, whose owner is another goroutine.
type shown struct {
	settings *config.Config
	host     string
}

// address is where something is served, and with which certificate.
type address struct {
	listen      string // "": nowhere
	certificate string // as it is shown to who connects; "": without TLS
}

// newPages are pages that nobody can see yet.
func (s *service) newPages(d *daemon.Daemon, address string) *pages {
	return &pages{fixed: address, daemon: d, scratch: s.newScratch(), handler: metrics.Handler(metrics.Source{
		Facts:   func(context.Context) metrics.Facts { return *s.teller.facts.Load() },
		Version: version().Version,
		Ready: func() error {
			if !d.Alive() {
				return errors.New("the job loop is stuck")
			}
			return nil
		},
	})}
}

// ServeHTTP implements http.Handler. Metrics and the page are served only if they are wanted.
func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	browser := p.page.Load()
	switch r.URL.Path {
	case "/healthz", "/readyz":
		p.handler.ServeHTTP(w, r)
		return
	case "/metrics":
		if p.metrics.Load() {
			p.handler.ServeHTTP(w, r)
			return
		}
	}
	if browser == nil || strings.HasPrefix(r.URL.Path, "/metrics") {
		http.NotFound(w, r)
		return
	}
	browser.ServeHTTP(w, r)
}

// close ends what is served.
func (p *pages) close() {
	if p.server != nil {
		p.server.Close()
	}
	p.server, p.at = nil, address{}
}

// end ends what is served, and what was begun there.
func (p *pages) end() {
	p.close()
	p.scratch.Close()
}

// show serves at the address of the settings as they are now. After an error what was served goes
// on to be.
func (s *service) show() error {
	p, serve := s.pages, s.settings.Serve
	if p.fixed != "" {
		serve.Listen = p.fixed
	}
	guard, err := guardOf(serve)
	if err != nil {
		return err
	}
	certificate, err := page.Certificate(serve.TLSCertFile, serve.TLSKeyFile)
	if err != nil {
		return err
	}
	at := address{listen: serve.Listen}
	if certificate != nil {
		at.certificate = string(certificate.Certificate[0])
	}
	if at == p.at {
		s.showPage(serve, guard)
		return nil
	}
	if at.listen == "" {
		p.close()
		s.showPage(serve, guard)
		s.say("stopped serving metrics")
		return nil
	}
	if at.listen == p.at.listen {
		p.close() // it has the address that is to be served in another way
	}
	listener, err := at.open()
	if err != nil {
		return fmt.Errorf("serve at %s (serve.listen, or --listen, names another address): %w", at.listen, err)
	}
	p.close()
	s.showPage(serve, guard)
	p.at = at
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute}
	go p.server.Serve(page.WithTLS(listener, certificate))
	s.say("serving %s", at.shown(listener))
	return nil
}

// guardOf reads who may see the page.
func guardOf(serve config.Serve) (guard page.Guard, err error) {
	if !serve.Page {
		return guard, nil
	}
	if !serve.Guarded() && !config.IsLocal(serve.Listen) {
		return guard, usage("%s is reached from other machines, and nothing says who may see the page there: set serve.token_file or serve.identity_header", serve.Listen)
	}
	if serve.TokenFile != "" {
		if guard.Token, err = page.ReadToken(serve.TokenFile); err != nil {
			return guard, err
		}
	}
	_, guard.Socket = config.Socket(serve.Listen)
	guard.Header = serve.IdentityHeader
	guard.Proxies, err = serve.Proxies()
	return guard, err
}

// showPage shows the page, if it is wanted. While its guard stays the same those stay logged in who
// are.
func (s *service) showPage(serve config.Serve, guard page.Guard) {
	p := s.pages
	p.metrics.Store(serve.Metrics)
	p.known.Store(&shown{s.settings, s.host})
	if !serve.Page {
		p.page.Store(nil)
		return
	}
	if p.page.Load() != nil && reflect.DeepEqual(p.guard, guard) {
		return
	}
	next := page.New(s.pageSource(), guard)
	p.guard = guard
	p.page.Store(next)
	go next.Warm(s.life)
}

// open listens at an address.
func (a address) open() (net.Listener, error) {
	path, isSocket := config.Socket(a.listen)
	if !isSocket {
		return net.Listen("tcp", a.listen)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 && !answers(path) {
		os.Remove(path) // who has listened there was killed
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, socketMode); err != nil {
		listener.Close()
		return nil, err
	}
	return listener, nil
}

// socketMode lets the user and the group of the daemon connect, and nobody else.
const socketMode = 0o660

// answers reports whether somebody listens at a socket.
func answers(path string) bool {
	connection, err := net.Dial("unix", path)
	if err != nil {
		return false
	}
	connection.Close()
	return true
}

// shown is the address as a person types it.
func (a address) shown(listener net.Listener) string {
	switch _, isSocket := config.Socket(a.listen); {
	case isSocket:
		return a.listen
	case a.certificate != "":
		return "https://" + listener.Addr().String()
	}
	return "http://" + listener.Addr().String()
}
