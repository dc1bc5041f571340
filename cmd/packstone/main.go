// Command packstone backs up a platform's databases, files, lakes and settings together into encrypted, deduplicated
// storage, and brings them back.
//
// Each verb has a file of its own, which says what the verb promises, reads its flags and calls the pipeline; the verb's
// work is done there. Nothing but this package reads the environment.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/packstone/packstone/cmd/internal/machine"
)

func main() {
	noCoreDumps()
	paceHeap()
	stopProfile := startProfile()
	dropEmptyAWS()
	said := io.Writer(os.Stderr)
	if slices.Contains(os.Args, "--json") {
		said = io.Discard // the exit_error says it
	}
	ctx, stop := interruptible(context.Background(), said)
	code := run(ctx, process{
		args:   os.Args[1:],
		env:    machine.NewEnv(os.Environ()),
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
	})
	stop()
	stopProfile()
	os.Exit(code)
}

// process is all that the program takes from outside.
type process struct {
	args           []string
	env            machine.Env
	stdin          io.Reader
	stdout, stderr io.Writer
}

// run is the program: it does what the arguments say and returns the exit code.
func run(ctx context.Context, p process) int {
	a := newApp(p)
	err := newRoot(a).ExecuteContext(ctx)
	return a.finish(ctx, err)
}

// interruptible returns a context that ends with the first interrupt, so that the run ends cleanly; the second interrupt
// kills. The function that it returns lets go of the signals.
func interruptible(parent context.Context, stderr io.Writer) (context.Context, func()) {
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

// dropEmptyAWS makes empty AWS_* variables unset for the AWS SDK, which reads them itself and takes an empty profile or
// region for a chosen one.
func dropEmptyAWS() {
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); value == "" && strings.HasPrefix(name, "AWS_") {
			os.Unsetenv(name)
		}
	}
}
