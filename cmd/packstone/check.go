package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/check"
)

// checkSummary is what check prints as JSON at its end.
type checkSummary struct {
	Records     uint64         `json:"records" doc:"Records of writers, all of them verified."`
	Snapshots   uint64         `json:"snapshots" doc:"Snapshots whose trees were read."`
	Packs       uint64         `json:"packs" doc:"Packs in the repository."`
	PacksRead   uint64         `json:"packs_read" doc:"Packs whose every byte was read."`
	BytesRead   uint64         `json:"bytes_read" doc:"Bytes of those."`
	Attested    uint64         `json:"packs_attested,omitempty" doc:"Packs that --attest said to be sound, so that hosts of every group rely on them."`
	Unverified  uint64         `json:"packs_unverified,omitempty" doc:"Packs of which --attest has not said so yet, where it has of any."`
	Since       time.Time      `json:"verified_since,omitzero" doc:"Since when all other packs were read with --attest; absent where none was."`
	Unused      uint64         `json:"unused_packs" doc:"Packs that no index names: left by interrupted backups."`
	UnusedBytes uint64         `json:"unused_bytes" doc:"Bytes of those."`
	Findings    []checkFinding `json:"findings" doc:"What is wrong."`
	Healed      []checkFinding `json:"healed,omitempty" doc:"Packs that are damaged or missing and whose chunks lie in other packs too: nothing is lost by them."`
	Unchecked   []string       `json:"unchecked" doc:"What was not checked: since keys are missing, or since data were not read."`
	Notes       []string       `json:"notes" doc:"What a person should know, and that is no fault."`
	Requests    count.Totals   `json:"requests" doc:"Requests to the storage."`
}

// checkFinding is something that is wrong.
type checkFinding struct {
	Object string        `json:"object" doc:"The object, or place, that is damaged."`
	Error  string        `json:"error" doc:"What is wrong with it."`
	Files  []output.Name `json:"files,omitempty" doc:"SNAPSHOT:source/path of the files that it hurts."`
}

func newCheck(a *app) *cobra.Command {
	var readData, subset flagvalue.Share
	var limit time.Duration
	var attest, references bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the repository for damage, loss and bad signatures.",
		Long: `Without --read-data the structure is checked: signatures, chains, indexes and trees, and that every pack is there. With it every
pack is read, opened and its chunks compared with their names. Without an identity it checks hashes and says what it left out.

With --attest it says in the repository which packs it has found to be sound, and when. From then on hosts of other groups deduplicate
against them, and a share, or what --max-duration leaves time for, is of those that were read longest ago. It takes an identity, and the key of
the owner or of a collector that was admitted with --attest.

With --references only one snapshot is tested, the latest unless one is named: whether the files to which rows of its databases
refer are in it. If some are not, they are named, and the exit code is 6. It takes an identity.`,
		Example: `  packstone check --read-data=5% --max-duration 1h --attest
  packstone check --references @2026-11-20`,
		Args: cobra.MaximumNArgs(1), // the share after --read-data, or the snapshot after --references
	}
	cmd.Flags().Var(&subset, "read-data-subset", "read this `share` of the packs, such as 5%: the same as --read-data=5%")
	cmd.Flags().Var(&readData, "read-data", "read every pack, or this `share` of them, such as 5%")
	cmd.Flags().Lookup("read-data").NoOptDefVal = wholeShare
	cmd.Flags().DurationVar(&limit, "max-duration", 0, "stop reading packs after this `time`")
	cmd.Flags().BoolVar(&attest, "attest", false, "say in the repository which packs were found to be sound, for hosts of other groups and later checks")
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
		how := attestNever
		if attest {
			how = attestAlways
		}
		_, err := a.check(ctx, o, how)
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

// check looks for damage, and prints and returns what it found; nil if it did not come to its end.
func (a *app) check(ctx context.Context, o check.Options, attest attesting) (*checkSummary, error) {
	needed := machine.MayRead | machine.MayWrite | machine.BypassCache | machine.EvenBroken
	switch attest {
	case attestAllowed:
		needed |= machine.MayDecide
	case attestAlways:
		needed |= machine.MustRead | machine.MayDecide
	}
	repo, storage, err := a.OpenRepository(ctx, needed)
	if err != nil {
		return nil, err
	}
	if o.By, err = a.attester(ctx, repo, attest); err != nil {
		return nil, err
	}
	stop := a.out.Progress(backupCounts(o.Progress))
	report, err := check.Run(ctx, repo, o)
	stop()
	if err != nil {
		return nil, err
	}
	m := checkSummaryOf(report)
	m.Requests = storage.Counts.Totals()
	a.tellFindings("check", m.Findings)
	a.tellRemarks(m.Unchecked, m.Notes)
	a.out.Summary(m, m.text())
	a.tellRequests(m.Requests)
	if len(m.Findings) > 0 {
		return &m, exitWith(exitIntegrity, "found %s (listed above); packstone repair stores again what the sources or a mirror still have", output.Plural(len(m.Findings), "problem"))
	}
	return &m, a.out.Err()
}

// attester is who says which packs are sound; nil: nobody.
func (a *app) attester(ctx context.Context, repo *catalog.Repository, attest attesting) (*crypto.Signer, error) {
	if attest == attestNever {
		return nil, nil
	}
	by, err := a.Decider(repo)
	if err == nil {
		err = repo.MayAttest(by)
	}
	switch {
	case err != nil && attest == attestAllowed:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("--attest: %w: packstone key collector add NAME --attest makes a key that may, and the owner's key may too", err)
	}
	return &by, a.letForget(ctx, repo, by)
}

// hurtListed is how many of the files that a damaged object hurts are named without --verbose.
const hurtListed = 20

// tellFindings lists what is wrong, and the files that it hurts.
func (a *app) tellFindings(during string, findings []checkFinding) {
	for _, f := range findings {
		a.out.Problem(f.Object, during, errors.New(f.Error))
		listed := len(f.Files)
		if a.flags.verbose == 0 {
			listed = min(listed, hurtListed)
		}
		for _, name := range f.Files[:listed] {
			a.out.Note("  hurts %s", name)
		}
		if more := len(f.Files) - listed; more > 0 {
			a.out.Note("  and hurts %s more; -v names all", output.Plural(more, "file"))
		}
	}
}

// tellRemarks lists what was not checked, and what is no fault.
func (a *app) tellRemarks(unchecked, notes []string) {
	for _, text := range unchecked {
		a.Warn("not checked: " + text)
	}
	for _, text := range notes {
		a.out.Note("note: %s", output.Name(text))
	}
}

func checkSummaryOf(r *check.Report) checkSummary {
	m := checkSummary{
		Records: r.Records, Snapshots: r.Snapshots, Packs: r.Packs, PacksRead: r.PacksRead, BytesRead: r.BytesRead,
		Attested: r.Attested, Unverified: r.Unverified, Since: r.Since, Unused: r.Unused, UnusedBytes: r.UnusedBytes, Findings: []checkFinding{},
		Unchecked: append([]string{}, r.Unchecked...), Notes: append([]string{}, r.Notes...),
	}
	m.Findings = append(m.Findings, findingsOf(r.Findings)...)
	m.Healed = findingsOf(r.Healed)
	return m
}

func findingsOf(findings []check.Finding) (all []checkFinding) {
	for _, f := range findings {
		all = append(all, checkFinding{Object: f.Object, Error: f.Err.Error(), Files: output.Names(f.Files)})
	}
	return all
}

func (m checkSummary) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "checked %s, %s and %s", output.Plural(m.Records, "record"), output.Plural(m.Snapshots, "snapshot"), output.Plural(m.Packs, "pack"))
	if m.PacksRead > 0 {
		fmt.Fprintf(&b, "; read %s, %s", output.Plural(m.PacksRead, "pack"), output.Bytes(int64(m.BytesRead)))
	}
	b.WriteString(m.attested())
	if m.Unused > 0 {
		fmt.Fprintf(&b, "\n%s (%s) not used by any finished backup", output.Plural(m.Unused, "pack"), output.Bytes(int64(m.UnusedBytes)))
	}
	if len(m.Healed) > 0 {
		fmt.Fprintf(&b, "\n%s damaged or missing; other packs have that content too", output.Plural(len(m.Healed), "pack"))
	}
	if len(m.Findings) == 0 {
		b.WriteString("\nno problems were found")
	}
	return b.String()
}

// attested says what was verified by this check and those before it.
func (m checkSummary) attested() string {
	text := ""
	if m.Attested > 0 {
		text = "\nattested " + output.Plural(m.Attested, "pack")
	}
	switch {
	case m.Since.IsZero():
	case m.Unverified > 0:
		text += fmt.Sprintf("\nnever attested: %s; all others were read since %s", output.Plural(m.Unverified, "pack"), output.Time(m.Since))
	default:
		text += "\nall packs were read and attested since " + output.Time(m.Since)
	}
	return text
}
