package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
)

func newDBVerify(a *app) *cobra.Command {
	var o dbOptions
	var from, against dbAddress
	cmd := described("db-verify", cobra.NoArgs)
	from.register(cmd.Flags(), "from", "to compare")
	against.register(cmd.Flags(), "against", "to compare with, or the name of an export")
	o.register(cmd.Flags())
	o.registerValues(cmd.Flags())
	return a.verb(cmd, 0, func(ctx context.Context, _ []string) error {
		if err := o.check(); err != nil {
			return err
		}
		return a.dbVerify(ctx, from, against, o)
	})
}

func (a *app) dbVerify(ctx context.Context, from, against dbAddress, o dbOptions) error {
	at, err := from.locate(a)
	if err != nil {
		return err
	}
	return between(
		func() (database.Target, error) { return a.openDBCopy(ctx, against, o) },
		func() (database.Source, error) { return config.OpenSource(ctx, at, o.source(a)) },
		func(src database.Source, copied database.Target) error {
			begun, rows := time.Now(), &meter.Rows{}
			stop := a.out.Progress(rows.Counts)
			report, err := convert.Verify(ctx, src, copied, o.convert(rows.Take))
			stop()
			a.tellDB("verify", report, begun)
			return errors.Join(err, a.out.Err())
		})
}

// openDBCopy opens what a database is compared with.
func (a *app) openDBCopy(ctx context.Context, against dbAddress, o dbOptions) (database.Target, error) {
	isFile := against.file == "" && against.url != "" && !strings.Contains(against.url, "://") && !strings.HasPrefix(against.url, "sqlite:")
	if !isFile {
		return a.openDBTarget(ctx, against, o)
	}
	if !config.Exists(against.url) {
		return nil, usage("--against %s: the file does not exist", against.url)
	}
	at, err := config.SQLiteAt(against.url)
	if err != nil {
		return nil, err
	}
	return config.PortableFile.OpenTarget(ctx, at, o.target(a))
}
