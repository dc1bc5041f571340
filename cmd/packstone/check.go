package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/check"
)

func newCheck(a *app) *cobra.Command {
	var readData, subset flagvalue.Share
	var limit time.Duration
	var attest, references bool
	var want demands
	cmd := described("check", cobra.MaximumNArgs(1))
	cmd.Flags().Var(&subset, "read-data-subset", "read this `share` of the packs, such as 5%: the same as --read-data=5%")
	cmd.Flags().Var(&readData, "read-data", "read every pack, or this `share` of them, such as 5%")
	cmd.Flags().Lookup("read-data").NoOptDefVal = wholeShare
	cmd.Flags().DurationVar(&limit, "max-duration", 0, "stop reading packs after this `time`")
	cmd.Flags().BoolVar(&attest, "attest", false, "say in the repository which packs were found to be sound, for hosts of other groups and later checks")
	cmd.Flags().BoolVar(&want.sums, "checksums", false, "compare the checksums that a bucket keeps of the packs that are not read")
	cmd.Flags().BoolVar(&references, "references", false, "test only whether rows of a snapshot refer to files that are in it")
	return a.verb(cmd, usesRepository|usesIdentity|usesConcurrency|usesSelection|usesPast|usesVersions, func(ctx context.Context, args []string) error {
		if err := refuseTogether(references, cmd.Flags().Changed); err != nil {
			return err
		}
		if references {
			return a.checkFit(ctx, args)
		}
		if err := shareAfter(&readData, &subset, args); err != nil {
			return err
		}
		if limit < 0 || limit > 0 && !readData.Given {
			return usage("--max-duration %v: want a time above 0, together with --read-data, whose packs it bounds", limit)
		}
		o := check.Options{MaxDuration: limit, Parallel: a.flags.concurrency, Seed: uint64(time.Now().UnixNano()), Progress: new(pipeline.Progress)}
		if attest && !a.flags.VersionsAt.IsZero() {
			return usage("--attest writes, and --versions-at only reads: give one of them")
		}
		if attest && !readData.Given {
			return usage("--attest goes with --read-data, whose packs it tells of")
		}
		if readData.Given && readData.Percent == 0 {
			return usage("--read-data=%s: want a share such as 5%%", &readData)
		}
		o.ReadData, o.Percent = readData.Given, readData.Percent
		if attest {
			want.attest = attestAlways
		}
		_, err := a.check(ctx, o, want)
		return err
	})
}

// shareAfter takes the share that stands after --read-data without an equals sign, or that of
// --read-data-subset.
func shareAfter(readData, subset *flagvalue.Share, args []string) error {
	switch {
	case subset.Given && (readData.Given || len(args) > 0):
		return usage("--read-data-subset and --read-data are the same: give one of them")
	case subset.Given:
		*readData = *subset
	case len(args) == 1 && readData.String() == wholeShare:
		if err := readData.Set(args[0]); err != nil {
			return usage("--read-data %w", err)
		}
	case len(args) == 1:
		return usage("check takes no arguments, but got %s: it checks the whole repository, which -r names", args[0])
	}
	return nil
}

// wholeShare is what --read-data means without a share.
const wholeShare = "100%"

// attesting says whether the repository is told which packs are sound.
type attesting int

const (
	attestNever   attesting = iota
	attestAllowed           // where the key for it is at hand
	attestAlways
)

// demands are what a check does besides looking for damage in what it reads.
type demands struct {
	attest attesting
	sums   bool // compare the storage's checksums
}

// check looks for damage, and prints and returns what it found; nil if it did not come to its end.
func (a *app) check(ctx context.Context, o check.Options, want demands) (*message.Check, error) {
	needed := machine.MayRead | machine.MayWrite | machine.BypassCache | machine.EvenBroken
	switch want.attest {
	case attestAllowed:
		needed |= machine.MayDecide
	case attestAlways:
		needed |= machine.MustRead | machine.MayDecide
	}
	repo, storage, err := a.OpenRepository(ctx, needed)
	if err != nil {
		return nil, err
	}
	if want.sums {
		if o.Sums = storage.Summer(); o.Sums == nil {
			return nil, usage("--checksums: %s tells no checksums; --read-data reads the packs instead", storage.Location())
		}
	}
	if want.attest != attestNever {
		o.By, err = a.Attester(repo)
		if err == nil {
			err = a.letForget(ctx, repo, *o.By)
		} else if want.attest == attestAllowed {
			err = nil
		}
		if err != nil {
			return nil, err
		}
	}
	stop := a.out.Progress(meter.Of(o.Progress))
	report, err := check.Run(ctx, repo, o)
	stop()
	if err != nil {
		return nil, err
	}
	m := message.CheckOf(report)
	m.Requests = storage.Counts.Totals()
	message.TellDamage(a.out, "check", m.Findings, a.flags.verbose > 0)
	message.TellRemarks(a.out, m.Unchecked, m.Notes)
	err = a.out.Summary(m, m.Text())
	a.tellRequests(m.Requests)
	if len(m.Findings) > 0 {
		return &m, exitWith(exitIntegrity, "found %s (listed above); packstone repair stores again what the sources or a mirror still have, and lists packs that the index has lost", output.Plural(len(m.Findings), "problem"))
	}
	return &m, err
}
