package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/page"
)

func newConfig(a *app) *cobra.Command {
	return group(described("config", nil), newConfigCheck(a), newConfigShow(a), newConfigSchema(a))
}

func newConfigCheck(a *app) *cobra.Command {
	cmd := described("config-check", cobra.NoArgs)
	return a.verb(cmd, 0, func(context.Context, []string) error {
		path, err := a.SettingsPath()
		if err != nil {
			return err
		}
		settings, err := config.Load(a.Done, path, a.env.Lookup)
		if err != nil {
			return err
		}
		if err := errors.Join(a.CheckJobs(settings), page.CheckFiles(settings)); err != nil {
			return err
		}
		absent := settings.Absent()
		for _, warning := range append(settings.Warnings(), absent...) {
			a.Warn(warning.String())
		}
		m := message.ConfigCheckOf(path, settings, len(absent))
		return a.out.Message("config_check", m, m.Text())
	})
}

func newConfigShow(a *app) *cobra.Command {
	cmd := described("config-show", cobra.NoArgs)
	return a.verb(cmd, 0, func(context.Context, []string) error {
		path, err := a.SettingsPath()
		if err != nil {
			return err
		}
		settings, err := config.Load(a.Done, path, config.Redact(a.env.Lookup))
		if err != nil {
			return err
		}
		print := settings.YAML
		if a.flags.json {
			print = settings.JSON
		}
		text, err := print()
		if err != nil {
			return err
		}
		return a.printText(text)
	})
}

func newConfigSchema(a *app) *cobra.Command {
	cmd := described("config-schema", cobra.NoArgs)
	return a.verb(cmd, 0, func(context.Context, []string) error {
		text, err := json.MarshalIndent(config.Schema(), "", "  ")
		if err != nil {
			return fmt.Errorf("print the schema: %w", err)
		}
		return a.printText(text)
	})
}

// printText prints a document that is a result by itself.
func (a *app) printText(text []byte) error {
	_, err := fmt.Fprintf(a.stdout, "%s\n", bytes.TrimRight(text, "\n"))
	return err
}
