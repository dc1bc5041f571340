package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/platform/drill"
)

func newDrillReport(a *app) *cobra.Command {
	var file string
	cmd := described("drill-report", cobra.MaximumNArgs(1))
	cmd.Flags().StringVarP(&file, "output", "o", "", "write the page to this `file` instead of printing it")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions, func(ctx context.Context, args []string) error {
		if file != "" && a.out.JSON() {
			return usage("--output writes a page, and --json prints no page: use one of them")
		}
		reports, repo, err := a.drills(ctx)
		if err != nil {
			return err
		}
		report, err := drill.FindReport(reports, strings.Join(args, ""))
		if err != nil {
			return err
		}
		return a.showReport(report, repo, file)
	})
}

func (a *app) showReport(report *catalog.DrillReport, repo *catalog.Repository, file string) error {
	if a.out.JSON() {
		return a.out.Message("drill_report", message.DrillOf(report), "")
	}
	write := func(to io.Writer) error {
		return drill.WritePage(to, report, repo.Store.Location(), repo.Owner().Fingerprint().String())
	}
	if file == "" {
		return write(a.stdout)
	}
	if err := disk.Replace(file, disk.Options{}, write); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	a.out.Note("wrote the report %s to %s", report.ID.String()[:shortID], output.Name(file))
	return a.out.Err()
}
