//go:build unix

package program

import (
	"os"
	"os/signal"
	"syscall"
)

// Reopens returns a channel that receives each SIGUSR1 until stop is called. Programs that rotate
// log files send it.
func Reopens() (came <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	return c, func() { signal.Stop(c); close(c) }
}
