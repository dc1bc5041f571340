// Command packstone backs up a platform's databases, files, lakes and settings together into
// encrypted, deduplicated storage, and brings them back.
//
// Each verb has a file of its own, which reads its flags, calls what does the work, and prints what
// that says. What a verb promises is in a file of the folder verbs. Nothing but this package reads
// the environment.
package main

//go:generate sh -c "go run . config schema > ../../docs/schema/settings.v1.json"
//go:generate sh -c "go run . version --schema > ../../docs/schema/packstone.v1.json"
//go:generate sh -c "UPDATE_MAN=1 go test -count=1 -run TestTheShippedManPages ."

import (
	"context"
	"io"
	"os"
	"slices"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/program"
)

func main() {
	program.NoCoreDumps()
	program.PaceHeap()
	stopProfile := program.StartProfile()
	program.DropEmptyAWS()
	said := io.Writer(os.Stderr)
	if slices.Contains(os.Args, "--json") {
		said = io.Discard // the exit_error says it
	}
	ctx, signals := program.Interruptible(context.Background(), said)
	code := run(ctx, process{
		args:    os.Args[1:],
		env:     machine.NewEnv(os.Environ()),
		stdin:   os.Stdin,
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		hangups: signals.Hangups,
	})
	signals.Stop()
	stopProfile()
	os.Exit(code)
}

// process is all that the program takes from outside.
type process struct {
	args           []string
	env            machine.Env
	stdin          io.Reader
	stdout, stderr io.Writer
	hangups        func() <-chan struct{} // makes hangups no interrupts, and hands them over

	through func(store.Store) store.Store // nil, or what a test puts between the program and its storage
}

// run is the program: it does what the arguments say and returns the exit code.
func run(ctx context.Context, p process) int {
	a := newApp(p)
	a.Done = ctx.Done()
	err := newRoot(a).ExecuteContext(ctx)
	return a.finish(ctx, err)
}
