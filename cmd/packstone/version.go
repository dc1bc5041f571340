package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/message"
)

// release is the version that the build set, empty in a build from a checkout.
var release string

// formatVersion is the version of the repository's format that this program writes.
const formatVersion = 1

func newVersion(a *app) *cobra.Command {
	var schema bool
	cmd := described("version", cobra.NoArgs)
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of every message and list of --json")
	return a.verb(cmd, 0, func(context.Context, []string) error {
		if schema {
			return a.printSchema()
		}
		m := version()
		return a.out.Message("version", m, m.Text())
	})
}

func version() message.Version { return message.VersionOf(release, formatVersion) }
