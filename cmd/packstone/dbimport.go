package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/database"
)

func newDBImport(a *app) *cobra.Command {
	var o dbOptions
	o.how.Plan.HandedOver = true
	var to dbAddress
	cmd := described("db-import", cobra.ExactArgs(1))
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

func (a *app) dbImport(ctx context.Context, file string, to dbAddress, o dbOptions) error {
	if !config.Exists(file) {
		return usage("%s does not exist", file)
	}
	at, err := config.SQLiteAt(file)
	if err != nil {
		return err
	}
	return between(
		func() (database.Target, error) { return a.openDBTarget(ctx, to, o) },
		func() (database.Source, error) { return config.SQLiteFile.OpenSource(ctx, at, o.source(a)) },
		func(src database.Source, dst database.Target) error {
			if err := a.tellNative(ctx, src, to, o); err != nil {
				return err
			}
			return a.convertDB(ctx, "import", src, dst, o)
		})
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
