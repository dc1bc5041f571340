//go:build unix

package program

import (
	"os"
	"os/signal"
	"syscall"
)

// Reopens is where each SIGUSR1 comes from then, until stop is called: whoever moves log files away
// sends it.
func Reopens() (came <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	return c, func() { signal.Stop(c); close(c) }
}
