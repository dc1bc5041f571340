package main

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/notice"
	"github.com/packstone/packstone/cmd/internal/output"
)

func newNotify(a *app) *cobra.Command {
	return group(described("notify", nil), newNotifyTest(a))
}

func newNotifyTest(a *app) *cobra.Command {
	cmd := described("notify-test", cobra.NoArgs)
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
	return notice.New(settings.Notify, notice.Options{Host: cmp.Or(a.flags.host, a.NoticeHost()), Env: a.env.ForPrograms(), Output: a.stderr})
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
