package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/database"
)

func newDBImport(a *app) *cobra.Command {
	o := dbOptions{handedOver: true}
	var to dbAddress
	cmd := &cobra.Command{
		Use:   "import FILE.sqlite --to URL",
		Short: "Import a SQLite file into an empty database, and verify the result.",
		Long: `Builds tables, keys, checks and indexes from their description in the file, and lists what has no
counterpart. With --native-ddl it restores an export into its own engine by the original statements:
views, functions, triggers and all the rest. Anybody may have written those into the file, so read
them first: -n prints them. The database must be empty, and is empty again if the import fails. The
exit code is 3 if anything is left out or not exact, and 4 if the database is not empty, --strict
refuses, or other users' code would run with a superuser's rights (--trust-code).`,
		Example: `  packstone db import platform.sqlite --to postgres://owner@db/new -n
  packstone db import platform.sqlite --to-file /run/secrets/url --strict`,
		Args: cobra.ExactArgs(1),
	}
	to.registerFilling(cmd.Flags(), "to fill")
	o.registerWriting(cmd.Flags())
	cmd.Flags().BoolVar(&o.nativeDDL, nativeDDLFlag, false, "run the statements of the file's objects in the engine that they come from; -n prints them")
	o.registerOwners(cmd.Flags())
	o.registerValues(cmd.Flags())
	return a.verb(cmd, usesDryRun, func(ctx context.Context, args []string) error {
		if err := o.check(); err != nil {
			return err
		}
		return a.dbImport(ctx, args[0], to, o)
	})
}

func (a *app) dbImport(ctx context.Context, file string, to dbAddress, o dbOptions) (err error) {
	if !config.Exists(file) {
		return usage("%s does not exist", file)
	}
	at, err := config.SQLiteAt(file)
	if err != nil {
		return err
	}
	dst, err := a.openDBTarget(ctx, to, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	src, err := config.SQLiteFile.OpenSource(ctx, at, o.source(a))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	if err := a.tellNative(ctx, src, to, o); err != nil {
		return err
	}
	return a.convertDB(ctx, "import", src, dst, o)
}

// tellNative says that there are statements which do not run, where they could.
func (a *app) tellNative(ctx context.Context, src database.Source, to dbAddress, o dbOptions) error {
	schema, err := src.Schema(ctx)
	if err != nil {
		return fmt.Errorf("read the source's schema: %w", err)
	}
	at, err := to.locate(a)
	if err != nil || o.nativeDDL || !strings.HasPrefix(at.Scheme(), database.Family(schema.Engine)) || !schema.HasNative() {
		return err
	}
	a.out.Note("the file's own statements (views, functions and the like) run only with --%s; -n prints them", nativeDDLFlag)
	return nil
}

// openDBTarget connects to a database that is to be filled.
func (a *app) openDBTarget(ctx context.Context, to dbAddress, o dbOptions) (database.Target, error) {
	at, err := to.locate(a)
	if err != nil {
		return nil, err
	}
	opts := o.target(a)
	opts.EmptyLeftover = to.emptyLeftover
	return config.OpenTarget(ctx, at, opts)
}
