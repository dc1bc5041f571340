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
		Short: "Bring a SQLite file, an export or any other, into an empty database, and read it back to compare.",
		Long: `Tables, keys, checks and indexes are built from their description in the file, and what has no counterpart is listed. With --native-ddl
an export comes back into its own engine by the statements of its objects: views, functions, triggers and all the rest. Anybody can have
written them into the file, so look at them first: -n prints them. Nothing is changed unless the database is empty, and nothing stays if
the import fails. The exit code is 3 if anything is left out or not exact, and 4 if the database is not empty, --strict refuses, or code
of others would run with a superuser's rights (--trust-code).`,
		Example: `  packstone db import platform.sqlite --to postgres://owner@db/restored -n --native-ddl
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
	a.out.Note("statements of the file's own, for views, functions and the like, do not run without --%s; with -n it prints them", nativeDDLFlag)
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
