package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/metrics"
)

// pages serve metrics and states while packstone run runs, if the settings or a flag want that.
type pages struct {
	handler http.Handler
	metrics atomic.Bool // they are wanted
	fixed   string      // the address that a flag has named; "": the settings say
	address string      // that is served; "": none
	server  *http.Server
}

// newPages are pages that nobody can see yet.
func (s *service) newPages(d *daemon.Daemon, address string) *pages {
	return &pages{fixed: address, handler: metrics.Handler(metrics.Source{
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

// ServeHTTP implements http.Handler. Metrics are served only if they are wanted.
func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.metrics.Load() && strings.HasPrefix(r.URL.Path, "/metrics") {
		http.NotFound(w, r)
		return
	}
	p.handler.ServeHTTP(w, r)
}

// close ends what is served.
func (p *pages) close() {
	if p.server != nil {
		p.server.Close()
	}
	p.server, p.address = nil, ""
}

// show serves at the address of the settings as they are now. After an error what was served goes
// on to be.
func (s *service) show() error {
	p, serve := s.pages, s.settings.Serve
	address := p.fixed
	if address == "" {
		address = serve.Listen
	}
	p.metrics.Store(serve.Metrics)
	if address == p.address {
		return nil
	}
	if address == "" {
		p.close()
		s.say("stopped serving metrics")
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("serve metrics at %s (serve.listen, or --listen, names another address): %w", address, err)
	}
	p.close()
	p.address = address
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute}
	go p.server.Serve(listener)
	s.say("serving http://%s", listener.Addr())
	return nil
}
