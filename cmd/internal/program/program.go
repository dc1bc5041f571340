// Package program is what packstone is to the system that runs it: signals, core dumps, the pace of its heap, profiles.
package program

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Interruptible returns a context that ends with the first interrupt, so that the run ends cleanly; the second interrupt
// kills. The function that it returns lets go of the signals.
func Interruptible(parent context.Context, stderr io.Writer) (context.Context, func()) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // under nohup it stays ignored
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, restore := signal.NotifyContext(parent, signals...)
	quiet := context.AfterFunc(ctx, func() {
		restore()
		fmt.Fprintln(stderr, "packstone: interrupted, ending cleanly; once more kills")
	})
	return ctx, func() {
		quiet()
		restore()
	}
}

// DropEmptyAWS makes empty AWS_* variables unset for the AWS SDK, which reads them itself and takes an empty profile or
// region for a chosen one.
func DropEmptyAWS() {
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); value == "" && strings.HasPrefix(name, "AWS_") {
			os.Unsetenv(name)
		}
	}
}
