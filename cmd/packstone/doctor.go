package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/doctor"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
)

func newDoctor(a *app) *cobra.Command {
	var appendOnly, bandwidth, ofUser bool
	var policy, principal string
	cmd := described("doctor", cobra.ArbitraryArgs)
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
	if len(args) > 0 { // what --bandwidth is to measure
		planned, err := a.planner().Arguments(args, config.PathOptions{}, nil)
		if err != nil {
			return err
		}
		o.Jobs = planned.Jobs
	}
	o.Machine = a.Machine
	x := doctor.Run(ctx, o)
	if err := ctx.Err(); err != nil {
		return err
	}
	m := message.DoctorOf(o.Address.String(), x)
	err = a.out.Message("doctor", m, m.Text(a.out.Table))
	if x.First != nil {
		return exitWith(exitCode(ctx, x.First), "%s failed (listed above)", output.Plural(m.Failures, "check"))
	}
	return err
}
