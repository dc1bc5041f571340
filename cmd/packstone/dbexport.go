package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/database"
)

func newDBExport(a *app) *cobra.Command {
	var o dbOptions
	var from dbAddress
	cmd := described("db-export", cobra.ExactArgs(1))
	from.register(cmd.Flags(), "from", "to read")
	o.registerWriting(cmd.Flags())
	return a.verb(cmd, usesDryRun, func(ctx context.Context, args []string) error {
		if err := o.check(); err != nil {
			return err
		}
		return a.dbExport(ctx, from, args[0], o)
	})
}

func (a *app) dbExport(ctx context.Context, from dbAddress, file string, o dbOptions) error {
	at, err := from.locate(a)
	if err != nil {
		return err
	}
	to, err := config.SQLiteAt(file)
	if err != nil {
		return err
	}
	return between(
		func() (database.Target, error) { return config.PortableFile.OpenTarget(ctx, to, o.target(a)) },
		func() (database.Source, error) { return config.OpenSource(ctx, at, o.source(a)) },
		func(src database.Source, dst database.Target) error {
			if err := a.tellReading(ctx, src); err != nil {
				return err
			}
			return a.convertDB(ctx, "export", src, dst, o)
		})
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
