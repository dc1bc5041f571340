package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/doctor"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/backup"
)

// doctorMessage is what doctor prints as JSON.
type doctorMessage struct {
	Repository string         `json:"repository" doc:"The repository's address."`
	Checks     []doctor.Check `json:"checks" doc:"What was looked at, in order."`
	Warnings   int            `json:"warnings" doc:"Checks that ended with advice."`
	Failures   int            `json:"failures" doc:"Checks that failed."`
}

func newDoctor(a *app) *cobra.Command {
	var appendOnly, bandwidth, ofUser bool
	var policy, principal string
	cmd := &cobra.Command{
		Use:   "doctor [NAME | SET|SOURCE|PATH...]",
		Short: "Check that backups can work from this machine, and are safe.",
		Long: `Tests the storage with a few dozen small objects below probe/, and deletes them at the end. Then
checks the clock, the versions of a bucket, the repository, the keys, the cache directory and free
space. Advice is not a
failure; the exit code is that of the first failed check.

--prove-append-only tries, with the current credentials, to overwrite and delete objects and their
versions, to shorten locks, and to write where only others may, and ends with 6 if it can.
--bandwidth writes, reads and deletes objects of 4 MiB for some seconds, reads the named sources or
paths for as long, and estimates the first backup. --print-policy prints a bucket policy for a role:
writer, collector, keeper, restorer, or reader (a restorer without access to old versions). A
writer's policy is for the host NAME alone: it cannot block other hosts' records.`,
		Example: `  packstone doctor --bandwidth /srv
  packstone doctor -r s3://offsite/platform --print-policy writer db1`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().BoolVar(&appendOnly, "prove-append-only", false, "try to destroy and to forge with these credentials, and fail if that works")
	cmd.Flags().BoolVar(&bandwidth, "bandwidth", false, "measure the storage and the named sources, and estimate the time of a backup")
	cmd.Flags().StringVar(&policy, "print-policy", "", "print the bucket policy of a `role`: writer, collector, keeper, restorer or reader")
	cmd.Flags().StringVar(&principal, "principal", "", "the `principal` of the policy: an ARN, or an access key where the server wants one")
	cmd.Flags().BoolVar(&ofUser, "user-policy", false, "print a policy to attach to a user (IAM of AWS, MinIO), instead of one of the bucket")
	return a.verb(cmd, usesRepository|usesIdentity, func(ctx context.Context, args []string) error {
		switch {
		case policy == "" && cmd.Flags().Changed("print-policy"):
			return usage("--print-policy is empty: want writer, collector, keeper, restorer or reader")
		case policy != "" && (appendOnly || bandwidth):
			return usage("--print-policy excludes --prove-append-only and --bandwidth")
		case ofUser && principal != "":
			return usage("--user-policy excludes --principal: a user's policy names nobody")
		case policy != "" && len(args) > 1:
			return usage("%s: --print-policy takes one name", args[1])
		case policy != "":
			return a.printPolicy(policy, principal, ofUser, args)
		case principal != "" || ofUser:
			return usage("--principal and --user-policy are for --print-policy")
		case len(args) > 0 && !bandwidth:
			return usage("%s: a name is for --print-policy writer, or for --bandwidth", args[0])
		}
		return a.doctor(ctx, doctor.Options{AppendOnly: appendOnly, Bandwidth: bandwidth}, args)
	})
}

func (a *app) doctor(ctx context.Context, o doctor.Options, args []string) (err error) {
	if o.Address, err = a.Repository(); err != nil {
		return err
	}
	if o.Jobs, err = a.bandwidthJobs(args); err != nil {
		return err
	}
	o.Machine = a.Machine
	x := doctor.Run(ctx, o)
	if err := ctx.Err(); err != nil {
		return err
	}
	m := doctorMessage{Repository: o.Address.String(), Checks: x.Checks, Warnings: x.Warnings, Failures: x.Failures}
	a.out.Message("doctor", m, m.text(a.out.Table))
	if x.First != nil {
		return exitWith(exitCode(ctx, x.First), "%s failed (listed above)", output.Plural(m.Failures, "check"))
	}
	return a.out.Err()
}

// text is the report for a person.
func (m doctorMessage) text(layOut func(output.Table) string) string {
	table := output.Table{Head: []string{"CHECK", "STATUS", "TIME", "DETAIL"}, Right: []int{2}, Wrap: true}
	for _, c := range m.Checks {
		table.Rows = append(table.Rows, []string{c.Name, c.Status, fmt.Sprintf("%.0f ms", c.Seconds*1000), output.OrDash(c.Detail)})
	}
	table.Footer = fmt.Sprintf("%s: %s, %s, %s", m.Repository, output.Plural(len(m.Checks), "check"), output.Plural(m.Warnings, "warning"), output.Plural(m.Failures, "failure"))
	return strings.TrimRight(layOut(table), "\n")
}

// bandwidthJobs are the sources that doctor --bandwidth is to measure.
func (a *app) bandwidthJobs(args []string) ([]backup.Job, error) {
	if len(args) == 0 {
		return nil, nil
	}
	planned, err := a.planner().Arguments(args, config.PathOptions{}, nil)
	return planned.Jobs, err
}
