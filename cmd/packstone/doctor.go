package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
)

// doctorMessage is what doctor prints as JSON.
type doctorMessage struct {
	Repository string        `json:"repository" doc:"The repository's address."`
	Checks     []doctorCheck `json:"checks" doc:"What was looked at, in order."`
	Warnings   int           `json:"warnings" doc:"Checks that ended with advice."`
	Failures   int           `json:"failures" doc:"Checks that failed."`
}

// doctorCheck is the outcome of one check.
type doctorCheck struct {
	Name    string  `json:"name" doc:"What was looked at."`
	Status  string  `json:"status" doc:"ok, warning or failed."`
	Detail  string  `json:"detail,omitempty" doc:"What was found."`
	Seconds float64 `json:"seconds" doc:"How long it took."`
}

const (
	statusOK      = "ok"
	statusWarning = "warning"
	statusFailed  = "failed"
)

func newDoctor(a *app) *cobra.Command {
	var appendOnly, bandwidth bool
	var policy, principal string
	cmd := &cobra.Command{
		Use:   "doctor [NAME | SET|SOURCE|PATH...]",
		Short: "Find out whether backups can work from here, and what is unsafe.",
		Long: `The storage is proved with a few dozen small objects below probe/, which are deleted at the end. Then the clock, the repository, the keys,
the cache directory and the space are looked at. Advice does not fail; the exit code is that of the first check that failed.

--prove-append-only tries to overwrite and to delete an object with the credentials at hand, and fails with 6 if it can.
--bandwidth puts, gets and deletes objects of 4 MiB for some seconds, lists and reads the sources or paths that are named for as long, and says
what a first backup would take.
--print-policy prints a bucket policy for a role: writer, collector or reader. That of a writer is for the host NAME alone, which can then put
nothing in the way of other hosts' records.`,
		Example: `  packstone doctor
  packstone doctor --bandwidth /srv
  packstone doctor -r s3://offsite/platform --print-policy writer db1 --principal arn:aws:iam::123456789012:user/db1`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().BoolVar(&appendOnly, "prove-append-only", false, "try to overwrite and delete an object, and fail if that works")
	cmd.Flags().BoolVar(&bandwidth, "bandwidth", false, "measure the storage, and what is named, and say what a backup would take")
	cmd.Flags().StringVar(&policy, "print-policy", "", "print the bucket policy of a `role`: writer, collector or reader")
	cmd.Flags().StringVar(&principal, "principal", "", "`who` the policy is for: an ARN, or an access key where the server wants that")
	return a.verb(cmd, usesRepository|usesIdentity, func(ctx context.Context, args []string) error {
		switch {
		case policy != "" && (appendOnly || bandwidth):
			return usage("--print-policy excludes --prove-append-only and --bandwidth")
		case policy != "" && len(args) > 1:
			return usage("%s: --print-policy takes one name", args[1])
		case policy != "":
			return a.printPolicy(policy, principal, args)
		case principal != "":
			return usage("--principal is for --print-policy")
		case len(args) > 0 && !bandwidth:
			return usage("%s: a name is for --print-policy writer, or for --bandwidth", args[0])
		}
		return a.doctor(ctx, doctorOptions{appendOnly, bandwidth, args})
	})
}

// examination is one run of doctor.
type examination struct {
	*app
	m     doctorMessage
	first error // of the checks that failed
}

// doctorOptions are what doctor is to do beside the checks.
type doctorOptions struct {
	appendOnly, bandwidth bool
	args                  []string // what bandwidth measures beside the storage
}

func (a *app) doctor(ctx context.Context, o doctorOptions) error {
	address, err := a.repository()
	if err != nil {
		return err
	}
	jobs, err := a.bandwidthJobs(o.args)
	if err != nil {
		return err
	}
	x := &examination{app: a, m: doctorMessage{Repository: address.String(), Checks: []doctorCheck{}}}
	if storage := x.openStore(ctx); storage != nil {
		mayPut := x.proveStore(ctx, storage)
		if mayPut && o.appendOnly {
			x.proveAppendOnly(ctx, storage)
		}
		if mayPut {
			x.examine("clock", func() (string, error) { return compareClocks(ctx, storage) })
		}
		x.examinePromises(ctx, storage)
		x.examineRepository(ctx)
		x.examineSpace(ctx, storage)
		if o.bandwidth && mayPut {
			x.bandwidth(ctx, storage, jobs)
		}
	}
	if address.Kind == config.Local {
		x.examine("free space", func() (string, error) { return describeSpace(spaceOf(address.Path)) })
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	a.out.Message("doctor", x.m, x.m.text())
	if x.first != nil {
		return exitWith(exitCode(ctx, x.first), "%d checks failed: they are listed above", x.m.Failures)
	}
	return a.out.Err()
}

// advice is an error that is worth a warning and stops nothing.
type advice struct{ text string }

// Error implements error.
func (a advice) Error() string { return a.text }

func advise(format string, args ...any) error { return advice{fmt.Sprintf(format, args...)} }

// examine runs one check.
func (x *examination) examine(name string, check func() (detail string, err error)) {
	begun := time.Now()
	detail, err := check()
	x.note(name, detail, err, time.Since(begun))
}

func (x *examination) note(name, detail string, err error, took time.Duration) {
	c := doctorCheck{Name: name, Status: statusOK, Detail: detail, Seconds: took.Seconds()}
	var hint advice
	switch {
	case errors.As(err, &hint):
		c.Status, c.Detail = statusWarning, strings.TrimPrefix(detail+"; "+hint.text, "; ")
		x.m.Warnings++
	case err != nil:
		c.Status, c.Detail = statusFailed, err.Error()
		x.m.Failures++
		if x.first == nil {
			x.first = err
		}
	}
	x.m.Checks = append(x.m.Checks, c)
}

func (x *examination) openStore(ctx context.Context) (storage *config.Storage) {
	x.examine("storage", func() (string, error) {
		var err error
		if storage, err = x.openStorage(ctx, false); err != nil {
			return "", err
		}
		return storage.Location(), nil
	})
	return storage
}

// proveStore proves the storage's contract, and tells whether objects may be put. Credentials that may only read, or not delete, are
// no failure.
func (x *examination) proveStore(ctx context.Context, storage *config.Storage) (mayPut bool) {
	for i, check := range store.Probe(ctx, storage) {
		name := "storage: " + check.Name
		switch {
		case i == 0 && errors.Is(check.Err, store.ErrDenied):
			x.note(name, "these credentials may not write: what needs it was left out", nil, check.Took)
			return false
		case check.Name == "delete" && errors.Is(check.Err, store.ErrDenied):
			x.note(name, "these credentials may not delete, which is good for a host that only backs up", nil, check.Took)
		default:
			x.note(name, "", check.Err, check.Took)
		}
	}
	return true
}

// examinePromises tells of what storage that has no promises of its own can't be made to keep.
func (x *examination) examinePromises(ctx context.Context, storage *config.Storage) {
	s, ok := storage.Adapter.(interface {
		Promises(ctx context.Context) (doubts []string, err error)
	})
	if !ok {
		return
	}
	x.examine("storage: promises", func() (string, error) {
		doubts, err := s.Promises(ctx)
		if err != nil {
			return "", err
		}
		detail := "the server flushes files and directories; that its disks keep what they have flushed, and that a network mount behind it " +
			"shows a new object to other hosts at once, can't be proved from here"
		if len(doubts) > 0 {
			return "", advise("%s", strings.Join(doubts, "; "))
		}
		return detail, nil
	})
}

// examineSpace asks storage that knows it for its free space.
func (x *examination) examineSpace(ctx context.Context, storage *config.Storage) {
	s, ok := storage.Adapter.(interface {
		Space(ctx context.Context) (free, total uint64, err error)
	})
	if !ok {
		return
	}
	x.examine("free space", func() (string, error) {
		free, total, err := s.Space(ctx)
		if errors.Is(err, store.ErrInvalid) {
			err = errors.ErrUnsupported
		}
		return describeSpace(free, total, err)
	})
}

func (x *examination) proveAppendOnly(ctx context.Context, storage *config.Storage) {
	x.examine("append-only", func() (string, error) {
		found, err := store.ProveAppendOnly(ctx, storage.Adapter)
		if err != nil {
			return "", err
		}
		var can []string
		if found.Overwritten {
			can = append(can, "overwrite")
		}
		if found.Deleted {
			can = append(can, "delete")
		}
		if len(can) > 0 {
			return "", exitWith(exitDrill, "these credentials can %s objects; unless the bucket keeps locked versions, who holds them can destroy the backups",
				strings.Join(can, " and "))
		}
		return "the storage forbids to overwrite and to delete with these credentials", nil
	})
}

// text is the report for a person.
func (m doctorMessage) text() string {
	table := output.Table{Head: []string{"CHECK", "STATUS", "TIME", "DETAIL"}, Right: []int{2}}
	for _, c := range m.Checks {
		table.Rows = append(table.Rows, []string{c.Name, c.Status, fmt.Sprintf("%.0f ms", c.Seconds*1000), orDash(c.Detail)})
	}
	table.Footer = fmt.Sprintf("%s: %d checks, %d warnings, %d failures", m.Repository, len(m.Checks), m.Warnings, m.Failures)
	return strings.TrimRight(table.String(), "\n")
}
