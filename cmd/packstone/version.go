package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is the version that the build set, empty in a build from a checkout.
var release string

// formatVersion is the version of the repository's format that this program writes.
const formatVersion = 1

// versionMessage is what the verb prints as JSON.
type versionMessage struct {
	Version  string `json:"version" doc:"The program's version."`
	Revision string `json:"revision,omitempty" doc:"The commit that it was built from."`
	Format   int    `json:"format" doc:"The version of the repository's format that it writes."`
	Go       string `json:"go_version" doc:"The Go release that built it."`
	OS       string `json:"go_os" doc:"The operating system that it was built for."`
	Arch     string `json:"go_arch" doc:"The processor that it was built for."`
}

func newVersion(a *app) *cobra.Command {
	var schema bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, or the JSON Schema of packstone's output.",
		Example: `  packstone version --json
  packstone version --schema > packstone.v1.json`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of every message and list of --json")
	return a.verb(cmd, 0, func(context.Context, []string) error {
		if schema {
			return a.printSchema()
		}
		m := version()
		a.out.Message("version", m, m.text())
		return a.out.Err()
	})
}

func version() versionMessage {
	m := versionMessage{Version: release, Format: formatVersion, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return m
	}
	if m.Version == "" {
		m.Version = info.Main.Version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			m.Revision = setting.Value
		}
	}
	return m
}

func (m versionMessage) text() string {
	revision := ""
	if m.Revision != "" {
		revision = ", commit " + m.Revision[:min(12, len(m.Revision))]
	}
	return fmt.Sprintf("packstone %s (format %d%s, %s, %s/%s)", m.Version, m.Format, revision, m.Go, m.OS, m.Arch)
}
