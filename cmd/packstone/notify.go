package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/notice"
	"github.com/packstone/packstone/cmd/internal/output"
)

func newNotify(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "notify",
		Short: "Test the notices that the settings name.",
		Example: `  packstone notify test
  packstone notify test -c /etc/packstone/packstone.yaml`,
	}, newNotifyTest(a))
}

func newNotifyTest(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Send a test notice by each way in the settings.",
		Long: `A ping is sent twice, as a start and as a success, since there is no test ping. The exit code is 1
if any notice does not arrive. Needs no repository.`,
		Example: `  packstone notify test
  packstone notify test --json`,
		Args: cobra.NoArgs,
	}
	return a.verb(cmd, 0, func(ctx context.Context, _ []string) error {
		settings, err := a.Settings()
		if err != nil {
			return err
		}
		if len(settings.Notify) == 0 {
			return usage("the settings name nobody to notify: write notify: into the settings file, as docs/notices.md says")
		}
		return a.tellTest(a.sender(settings).Test(ctx, time.Now()))
	})
}

// sender sends notices as the settings say.
func (a *app) sender(settings *config.Config) *notice.Sender {
	return notice.New(settings.Notify, notice.Options{Host: a.hostOfNotices(settings), Env: a.env.ForPrograms(), Output: a.stderr})
}

// hostOfNotices is the host in notices: one that is known where the repository cannot be reached.
func (a *app) hostOfNotices(settings *config.Config) string {
	if a.flags.host != "" {
		return a.flags.host
	}
	if host, err := a.NamedHost(); host != "" && err == nil {
		return host
	}
	return machine.Name()
}

func (a *app) tellTest(deliveries []notice.Delivery) error {
	rows, failed := a.out.Rows(), 0
	for _, d := range deliveries {
		row := message.Delivery{Way: d.Way, Arrived: d.Err == nil}
		if d.Err != nil {
			row.Error = d.Err.Error()
			failed++
		}
		if err := rows.Add(row, d.String()); err != nil {
			return err
		}
	}
	if err := rows.Close(); err != nil {
		return err
	}
	if failed > 0 {
		return exitWith(exitFailed, "%d of %s did not arrive (listed above)", failed, output.Plural(len(deliveries), "notice"))
	}
	return nil
}
