package page

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/packstone/packstone/cmd/internal/config"
)

// Server serves the page, metrics, and the states of sets while the settings change that say where,
// and to whom. It answers requests at once; Show and Close are for one goroutine.
type Server struct {
	Address string        // where it serves, whatever the settings say; "": they say
	Metrics http.Handler  // of /metrics, /healthz and /readyz
	Source  func() Source // what the page shows from now on
	Say     func(format string, args ...any)

	metrics atomic.Bool // they are wanted
	page    atomic.Pointer[Page]
	guard   Guard    // of the page
	at      endpoint // that is served
	server  *http.Server
}

// endpoint is where something is served, and with which certificate.
type endpoint struct {
	listen      string // "": nowhere
	certificate string // as it is shown to who connects; "": without TLS
}

// ServeHTTP implements http.Handler. Metrics and the page are served only if they are wanted.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	browser := s.page.Load()
	switch r.URL.Path {
	case "/healthz", "/readyz":
		s.Metrics.ServeHTTP(w, r)
		return
	case "/metrics":
		if s.metrics.Load() {
			s.Metrics.ServeHTTP(w, r)
			return
		}
	}
	if browser == nil || strings.HasPrefix(r.URL.Path, "/metrics") {
		http.NotFound(w, r)
		return
	}
	browser.ServeHTTP(w, r)
}

// Close ends what is served.
func (s *Server) Close() {
	if s.server != nil {
		s.server.Close()
	}
	s.server, s.at = nil, endpoint{}
}

// Show serves as settings say from now on. It calls adopt when nothing can fail any more, before
// the page shows anything new; after an error what was served goes on to be. Until ctx ends, the
// page reads ahead what the first look needs.
func (s *Server) Show(ctx context.Context, serve config.Serve, adopt func()) error {
	if s.Address != "" {
		serve.Listen = s.Address
	}
	guard, err := GuardOf(serve)
	if err != nil {
		return err
	}
	certificate, err := Certificate(serve.TLSCertFile, serve.TLSKeyFile)
	if err != nil {
		return err
	}
	at := endpoint{listen: serve.Listen}
	if certificate != nil {
		at.certificate = string(certificate.Certificate[0])
	}
	show := func() {
		adopt()
		s.showPage(ctx, serve, guard)
	}
	if at == s.at {
		show()
		return nil
	}
	if at.listen == "" {
		s.Close()
		show()
		s.Say("stopped serving metrics")
		return nil
	}
	if at.listen == s.at.listen {
		s.Close() // it has the address that is to be served in another way
	}
	listener, err := at.open()
	if err != nil {
		return fmt.Errorf("serve at %s (serve.listen, or --listen, names another address): %w", at.listen, err)
	}
	s.Close()
	show()
	s.at = at
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute}
	go s.server.Serve(WithTLS(listener, certificate))
	s.Say("serving %s", at.shown(listener))
	return nil
}

// showPage shows the page, if it is wanted. While its guard stays the same those stay logged in who
// are.
func (s *Server) showPage(ctx context.Context, serve config.Serve, guard Guard) {
	s.metrics.Store(serve.Metrics)
	if !serve.Page {
		s.page.Store(nil)
		return
	}
	if s.page.Load() != nil && reflect.DeepEqual(s.guard, guard) {
		return
	}
	next := New(s.Source(), guard)
	s.guard = guard
	s.page.Store(next)
	go next.Warm(ctx)
}

// open listens at an endpoint.
func (e endpoint) open() (net.Listener, error) {
	path, isSocket := config.Socket(e.listen)
	if !isSocket {
		return net.Listen("tcp", e.listen)
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

// shown is the endpoint as a person types it.
func (e endpoint) shown(listener net.Listener) string {
	switch _, isSocket := config.Socket(e.listen); {
	case isSocket:
		return e.listen
	case e.certificate != "":
		return "https://" + listener.Addr().String()
	}
	return "http://" + listener.Addr().String()
}
