// Package systemd tells the service manager that started the program how it is, as sd_notify(3) and
// sd_watchdog_enabled(3) describe. Without such a manager it does nothing.
package systemd

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Notifier tells the manager. Its methods are safe to call at once; a manager that does not listen
// is nobody's fault.
type Notifier struct {
	socket   string        // "": there is no manager
	watchdog time.Duration // within which it wants to hear something; 0: it does not
}

// New finds the manager in the environment.
func New(lookup func(name string) string) Notifier {
	n := Notifier{socket: lookup("NOTIFY_SOCKET")}
	if pid := lookup("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return n
	}
	if usec, err := strconv.ParseInt(lookup("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	return n
}

// Ready says that the program has begun, or has read its settings again.
func (n Notifier) Ready(status string) { n.send("READY=1", "STATUS="+line(status)) }

// Reloading says that settings are read again; Ready ends it.
func (n Notifier) Reloading() {
	fields := []string{"RELOADING=1"}
	if usec, ok := monotonic(); ok {
		fields = append(fields, fmt.Sprintf("MONOTONIC_USEC=%d", usec))
	}
	n.send(fields...)
}

// Stopping says that the program ends.
func (n Notifier) Stopping() { n.send("STOPPING=1") }

// Watch tells the watchdog, twice as often as it wants, that the program works, as long as alive
// says so and until ctx ends.
func (n Notifier) Watch(ctx context.Context, alive func() bool) {
	if n.watchdog == 0 || n.socket == "" {
		return
	}
	ticker := time.NewTicker(n.watchdog / 2)
	defer ticker.Stop()
	for {
		if alive() {
			n.send("WATCHDOG=1")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// line keeps a text from being more than one field.
func line(text string) string { return strings.ReplaceAll(text, "\n", " ") }

func (n Notifier) send(fields ...string) {
	if n.socket == "" {
		return
	}
	name := n.socket
	if abstract, ok := strings.CutPrefix(name, "@"); ok {
		name = "\x00" + abstract
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(strings.Join(fields, "\n")))
}
