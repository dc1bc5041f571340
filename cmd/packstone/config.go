package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/page"
)

// configCheckMessage is what config check prints as JSON.
type configCheckMessage struct {
	File    string `json:"file" doc:"The settings file."`
	Sources int    `json:"sources" doc:"How many sources it names."`
	Sets    int    `json:"sets" doc:"How many sets it names."`
	Absent  int    `json:"absent,omitempty" doc:"How many of the files that it names cannot be read on this machine; warnings name them."`
}

func newConfig(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "config",
		Short: "Check and show the settings file.",
		Example: `  packstone config check
  packstone config show -c /etc/packstone/packstone.yaml`,
	}, newConfigCheck(a), newConfigShow(a), newConfigSchema(a))
}

func newConfigCheck(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Find every mistake in the settings file. Works offline.",
		Long: `Needs no network and no repository, but the variables that the file uses, and the keys that its
schedules and jobs need. It warns of other files that the settings name and that this user cannot
read on this machine: passwords, certificates and the like.`,
		Example: `  packstone config check -c packstone.yaml
  OUTPUT_DATA_LOCATION=/srv/lake packstone config check`,
		Args: cobra.NoArgs,
	}
	return a.verb(cmd, 0, func(context.Context, []string) error {
		path, err := a.SettingsPath()
		if err != nil {
			return err
		}
		settings, err := config.Load(a.Done, path, a.env.Lookup)
		if err != nil {
			return err
		}
		if err := errors.Join(a.CheckJobs(settings), checkServe(settings)); err != nil {
			return err
		}
		absent := settings.Absent()
		for _, warning := range append(settings.Warnings(), absent...) {
			a.Warn(warning.String())
		}
		m := configCheckMessage{File: path, Sources: len(settings.Sources), Sets: len(settings.Sets), Absent: len(absent)}
		a.out.Message("config_check", m, m.text())
		return a.out.Err()
	})
}

func (m configCheckMessage) text() string {
	text := fmt.Sprintf("%s is good: %s, %s", m.File, output.Plural(m.Sources, "source"), output.Plural(m.Sets, "set"))
	if m.Absent > 0 {
		text += fmt.Sprintf("; %s that it names cannot be read on this machine", output.Plural(m.Absent, "file"))
	}
	return text
}

// checkServe reads the token and the certificate of the page, if they are there. Pipes are left to
// who serves the page.
func checkServe(settings *config.Config) error {
	var token, certificate error
	if s := settings.Serve; isFile(s.TokenFile) {
		_, token = page.ReadToken(s.TokenFile)
	}
	if s := settings.Serve; isFile(s.TLSCertFile) && isFile(s.TLSKeyFile) {
		_, certificate = page.Certificate(s.TLSCertFile, s.TLSKeyFile)
	}
	var problems config.Problems
	for _, err := range []error{token, certificate} {
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			problems = append(problems, settings.ProblemAt("serve", "%v", err))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return problems
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func newConfigShow(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the settings in effect: expanded, with secrets hidden.",
		Long: `Hides passwords in URLs, and variables whose names look like secrets (PASSWORD, TOKEN, KEY and
similar). The output is a valid settings file.`,
		Example: `  packstone config show
  packstone config show --json`,
		Args: cobra.NoArgs,
	}
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
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the settings file, for editors.",
		Example: `  packstone config schema > packstone.schema.json
  packstone config schema | jq '.properties | keys'`,
		Args: cobra.NoArgs,
	}
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
