package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

func newDBImport(a *app) *cobra.Command {
	var o dbOptions
	var to dbAddress
	cmd := &cobra.Command{
		Use:   "import FILE.sqlite --to URL",
		Short: "Bring a SQLite file, an export or any other, into an empty database, and read it back to compare.",
		Long: `Into the engine that an export came from, its objects come back by their own statements; into any other, tables, keys, checks and
indexes are translated, and what has no counterpart is listed. Nothing is changed unless the database is empty, and nothing stays if the
import fails. The exit code is 3 if anything is not exact, and 4 if the database is not empty or --strict refuses.`,
		Example: `  packstone db import platform.sqlite --to postgres://owner@db/restored
  packstone db import platform.sqlite --to-file /run/secrets/url --strict`,
		Args: cobra.ExactArgs(1),
	}
	to.registerFilling(cmd.Flags(), "to fill")
	o.registerWriting(cmd.Flags())
	o.registerValues(cmd.Flags())
	return a.verb(cmd, usesDryRun, func(ctx context.Context, args []string) error {
		if err := o.check(); err != nil {
			return err
		}
		return a.dbImport(ctx, args[0], to, o)
	})
}

func (a *app) dbImport(ctx context.Context, file string, to dbAddress, o dbOptions) (err error) {
	if !exists(file) {
		return usage("%s does not exist", file)
	}
	at, err := sqliteAt(file)
	if err != nil {
		return err
	}
	dst, err := a.openDBTarget(ctx, to, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	src, err := sqlite.Driver{}.OpenSource(ctx, at, o.source(a))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	return a.convertDB(ctx, "import", src, dst, o)
}

// openDBTarget connects to a database that is to be filled.
func (a *app) openDBTarget(ctx context.Context, to dbAddress, o dbOptions) (database.Target, error) {
	at, err := to.locate(a)
	if err != nil {
		return nil, err
	}
	driver, err := config.Engines.For(at)
	if err != nil {
		return nil, usage("%w", err)
	}
	opts := o.target(a)
	opts.EmptyLeftover = to.emptyLeftover
	return driver.OpenTarget(ctx, at, opts)
}
