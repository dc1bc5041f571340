package metrics

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/packstone/packstone/cmd/internal/health"
)

// Source provides the facts to export. Its functions are called for each request, by several
// goroutines at once, and should answer from memory.
type Source struct {
	Facts   func(ctx context.Context) Facts
	Ready   func() error // nil: settings are read and jobs are being run; an error says what is missing. May be nil
	Version string
	Now     func() time.Time // time.Now if nil
}

// Handler returns a handler for /metrics, /healthz and /readyz.
//
// /healthz answers 503 if any set is not protected, and names those sets: it is for monitoring the
// backups. /readyz answers 503 if the process does not do its work: it is for whoever restarts it.
// Neither needs a key, and neither reveals more than names and states.
func Handler(s Source) http.Handler {
	if s.Now == nil {
		s.Now = time.Now
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		c := &collector{facts: s.Facts(r.Context()), version: s.Version, now: s.Now()}
		promhttp.HandlerFor(registry(c), promhttp.HandlerOpts{}).ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		code, text := verdict(s.Facts(r.Context()).Sets)
		answer(w, code, text)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if s.Ready != nil {
			if err := s.Ready(); err != nil {
				answer(w, http.StatusServiceUnavailable, err.Error())
				return
			}
		}
		answer(w, http.StatusOK, "ready")
	})
	return mux
}

// verdict returns the answer of /healthz, the gravest states first.
func verdict(sets []health.Set) (code int, text string) {
	var lines []string
	for _, state := range health.States {
		for i := range sets {
			if s := &sets[i]; s.State == state && !state.Good() {
				lines = append(lines, fmt.Sprintf("%s: %s", s.Key(), state))
			}
		}
	}
	if len(lines) == 0 {
		return http.StatusOK, fmt.Sprintf("protected sets: %d", len(sets))
	}
	return http.StatusServiceUnavailable, strings.Join(lines, "\n")
}

func answer(w http.ResponseWriter, code int, said string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	fmt.Fprintln(w, text(said))
}
