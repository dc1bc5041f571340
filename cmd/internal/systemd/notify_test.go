package systemd_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packstone/packstone/cmd/internal/systemd"
)

// manager listens as systemd does, and returns what it hears.
func manager(t *testing.T, more map[string]string) (systemd.Notifier, func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	n := systemd.New(func(name string) string {
		if name == "NOTIFY_SOCKET" {
			return path
		}
		return more[name]
	})
	return n, func() string {
		buffer := make([]byte, 4096)
		length, err := conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:length])
	}
}

func TestTheManagerHearsOfEachState(t *testing.T) {
	n, hear := manager(t, nil)
	n.Ready("two\nlines")
	if got := hear(); got != "READY=1\nSTATUS=two lines" {
		t.Errorf("ready: %q", got)
	}
	n.Reloading()
	if got := hear(); !strings.HasPrefix(got, "RELOADING=1") {
		t.Errorf("reloading: %q", got)
	}
	n.Stopping()
	if got := hear(); got != "STOPPING=1" {
		t.Errorf("stopping: %q", got)
	}
}

func TestTheWatchdogHearsOfALivingProgramOnly(t *testing.T) {
	n, hear := manager(t, map[string]string{"WATCHDOG_USEC": "2000"})
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	n.Watch(ctx, func() bool {
		if asked++; asked == 3 {
			cancel()
		}
		return asked == 2
	})
	n.Stopping()
	if got := hear() + " " + hear(); got != "WATCHDOG=1 STOPPING=1" {
		t.Errorf("heard %q", got)
	}
}

func TestWithoutAManagerNothingHappens(t *testing.T) {
	n := systemd.New(func(string) string { return "" })
	n.Ready("")
	n.Watch(t.Context(), func() bool { panic("asked") })
	systemd.New(func(string) string { return "/nowhere" }).Ready("")
}
