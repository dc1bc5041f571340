package page

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packstone/packstone/cmd/internal/config"
)

// serving is a server whose metrics say who they are, and what it has said.
func serving(t *testing.T) (s *Server, said *[]string) {
	t.Helper()
	said = new([]string)
	s = &Server{
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "metrics "+r.URL.Path) }),
		Source:  func() Source { return Source{Repositories: func() []string { return nil }} },
		Say:     func(format string, _ ...any) { *said = append(*said, format) },
	}
	t.Cleanup(s.Close)
	return s, said
}

// show shows, and tells how often that was adopted.
func show(t *testing.T, s *Server, serve config.Serve) (adopted int, err error) {
	t.Helper()
	err = s.Show(t.Context(), serve, func() { adopted++ })
	return adopted, err
}

// get asks at a Unix socket; "" if nobody answers.
func get(socket, path string) (code int, text string) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) }}}
	answer, err := client.Get("http://localhost" + path)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body)
}

func TestAServerMovesWithItsSettings(t *testing.T) {
	s, said := serving(t)
	first, second := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	for _, step := range []struct {
		serve  config.Serve
		socket string // that answers; "": none does
		said   string
	}{
		{config.Serve{Listen: "unix:" + first, Metrics: true}, first, "serving %s"},
		{config.Serve{Listen: "unix:" + first}, first, ""},
		{config.Serve{Listen: "unix:" + second}, second, "serving %s"},
		{config.Serve{}, "", "stopped serving metrics"},
	} {
		*said = nil
		if adopted, err := show(t, s, step.serve); err != nil || adopted != 1 {
			t.Fatalf("%+v: adopted %d times, %v", step.serve, adopted, err)
		}
		if got := strings.Join(*said, "; "); got != step.said {
			t.Errorf("%+v: said %q, want %q", step.serve, got, step.said)
		}
		for _, socket := range []string{first, second} {
			if _, text := get(socket, "/healthz"); (text == "metrics /healthz") != (socket == step.socket) {
				t.Errorf("%+v: %s answers %q", step.serve, socket, text)
			}
		}
		code, _ := get(step.socket, "/metrics")
		if step.socket != "" && (code == http.StatusOK) != step.serve.Metrics {
			t.Errorf("%+v: /metrics is answered with %d", step.serve, code)
		}
	}
}

func TestWhatWasServedGoesOnAfterAnError(t *testing.T) {
	s, _ := serving(t)
	socket := filepath.Join(t.TempDir(), "a")
	if _, err := show(t, s, config.Serve{Listen: "unix:" + socket}); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []config.Serve{
		{Listen: "unix:/nowhere/at/all"},
		{Listen: "0.0.0.0:8484", Page: true},
		{Listen: "unix:" + socket, Page: true, TokenFile: "/nowhere"},
		{Listen: "unix:" + socket, TLSCertFile: "/nowhere"},
	} {
		if adopted, err := show(t, s, wrong); err == nil || adopted != 0 {
			t.Errorf("%+v: adopted %d times, %v", wrong, adopted, err)
		}
		if code, _ := get(socket, "/readyz"); code != http.StatusOK {
			t.Errorf("%+v: what was served is gone", wrong)
		}
	}
}

func TestASocketIsForTheGroupAndTakesThePlaceOfOneWhoseProcessWasKilled(t *testing.T) {
	s, _ := serving(t)
	socket := filepath.Join(t.TempDir(), "a")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := show(t, s, config.Serve{Listen: "unix:" + socket}); err == nil {
		t.Fatal("it took the socket of a process that lives")
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	if _, err := show(t, s, config.Serve{Listen: "unix:" + socket}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket's mode is %v, %v", info, err)
	}
}

func TestThePageIsServedIfItIsWanted(t *testing.T) {
	s, _ := serving(t)
	socket := filepath.Join(t.TempDir(), "a")
	for _, wanted := range []bool{false, true, false} {
		if _, err := show(t, s, config.Serve{Listen: "unix:" + socket, Page: wanted}); err != nil {
			t.Fatal(err)
		}
		if code, _ := get(socket, "/static/style.css"); (code != http.StatusNotFound) != wanted {
			t.Errorf("wanted %v: answered with %d", wanted, code)
		}
	}
}
