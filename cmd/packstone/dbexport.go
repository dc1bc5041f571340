package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/database"
)

func newDBExport(a *app) *cobra.Command {
	var o dbOptions
	var from dbAddress
	cmd := &cobra.Command{
		Use:   "export --from URL FILE.sqlite",
		Short: "Export a consistent snapshot of a database to one SQLite file.",
		Long: `The file is an ordinary database with real keys, foreign keys, checks and indexes. It gets its name
only after it was read back and compared. What SQLite cannot hold is kept in tables named
_packstone_*, from which an import into the same engine restores it. The exit code is 3 if anything
is not exact in SQLite, and 4, with nothing written, if --strict forbids that or the file exists.`,
		Example: `  packstone db export --from postgres://backup@db/platform platform.sqlite
  packstone db export --from-file /run/secrets/url platform.sqlite`,
		Args: cobra.ExactArgs(1),
	}
	from.register(cmd.Flags(), "from", "to read")
	o.registerWriting(cmd.Flags())
	return a.verb(cmd, usesDryRun, func(ctx context.Context, args []string) error {
		if err := o.check(); err != nil {
			return err
		}
		return a.dbExport(ctx, from, args[0], o)
	})
}

func (a *app) dbExport(ctx context.Context, from dbAddress, file string, o dbOptions) (err error) {
	at, err := from.locate(a)
	if err != nil {
		return err
	}
	to, err := config.SQLiteAt(file)
	if err != nil {
		return err
	}
	dst, err := config.PortableFile.OpenTarget(ctx, to, o.target(a))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	src, err := config.OpenSource(ctx, at, o.source(a))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	if err := a.tellReading(ctx, src); err != nil {
		return err
	}
	return a.convertDB(ctx, "export", src, dst, o)
}

// tellReading says why a database is read more slowly than was asked for.
func (a *app) tellReading(ctx context.Context, src database.Source) error {
	schema, err := src.Schema(ctx)
	if err != nil {
		return fmt.Errorf("read the source's schema: %w", err)
	}
	if how := schema.Settings["reading"]; how != "" {
		a.Warn("the database is read " + how)
	}
	return nil
}
