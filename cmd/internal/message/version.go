package message

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version is what version prints as JSON.
type Version struct {
	Version  string `json:"version" doc:"The program's version."`
	Revision string `json:"revision,omitempty" doc:"The commit that it was built from."`
	Format   int    `json:"format" doc:"The version of the repository's format that it writes."`
	Go       string `json:"go_version" doc:"The Go release that built it."`
	OS       string `json:"go_os" doc:"The operating system that it was built for."`
	Arch     string `json:"go_arch" doc:"The processor that it was built for."`
}

// VersionOf describes the program that runs, which writes a version of the format. release is that
// of the program, if it is known; else the build says it.
func VersionOf(release string, format int) Version {
	m := Version{Version: release, Format: format, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return m
	}
	m.Version = cmp.Or(m.Version, info.Main.Version)
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			m.Revision = setting.Value
		}
	}
	return m
}

// Text is the version in a line.
func (m Version) Text() string {
	revision := ""
	if m.Revision != "" {
		revision = ", commit " + m.Revision[:min(12, len(m.Revision))]
	}
	return fmt.Sprintf("packstone %s (format %d%s, %s, %s/%s)", m.Version, m.Format, revision, m.Go, m.OS, m.Arch)
}
