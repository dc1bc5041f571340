package main

import (
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/input"
)

type backupOptions struct {
	time        string
	description string
	parent      string

	exclude, excludeFiles        []string
	excludeAnyCase, anyCaseFiles []string
	caches                       bool
	present                      []string
	larger                       flagvalue.Size
	oneFS                        bool
	from, fromVerbatim, fromRaw  []string // files that list paths
	empty, force                 bool
	skipUnchanged, noScan        bool
	init                         bool
	accept                       bool
	founded                      bool // a repository that is not there is not made
	command, stdin               bool
	name, stdinName              string
	packSize                     flagvalue.Size
	dashIndex                    int
	changed                      func(flag string) bool
}

// What only some backups can honour.
var (
	pathFlags = []string{
		"exclude", "exclude-file", "iexclude", "iexclude-file", "exclude-caches", "exclude-if-present", "exclude-larger-than", "one-file-system",
		"files-from", "files-from-verbatim", "files-from-raw",
	}
	commandFlags = []string{"name", "stdin-filename"}
)

// refuse fails if a flag is given that what is backed up has no use for.
func (o *backupOptions) refuse(what string, flags ...string) error {
	for _, flag := range flags {
		if o.changed != nil && o.changed(flag) {
			return usage("--%s cannot be used with %s", flag, strings.TrimSuffix(what, ","))
		}
	}
	return nil
}

func (o *backupOptions) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.time, "time", "", "`time` of the snapshot (default now)")
	flags.StringVar(&o.description, "description", "", "`text` that packstone snapshots shows beside the snapshot")
	flags.StringVar(&o.parent, "parent", "", "compare with this `snapshot`, which must be the last one of the same paths or set made here")
	flags.StringArrayVar(&o.exclude, "exclude", nil, "leave out what matches this `pattern`, as in .gitignore; may be repeated")
	flags.StringArrayVar(&o.excludeFiles, "exclude-file", nil, "leave out what matches a pattern in this `file`, one a line; may be repeated")
	flags.StringArrayVar(&o.excludeAnyCase, "iexclude", nil, "like --exclude, but ignore case in this `pattern`")
	flags.StringArrayVar(&o.anyCaseFiles, "iexclude-file", nil, "like --exclude-file, but ignore case in the patterns of this `file`")
	flags.BoolVar(&o.caches, "exclude-caches", false, "leave out the content of directories with a CACHEDIR.TAG")
	flags.StringArrayVar(&o.present, "exclude-if-present", nil, "leave out directories that contain a file with this `name`")
	flags.Var(&o.larger, "exclude-larger-than", "leave out files larger than this `size`")
	flags.BoolVarP(&o.oneFS, "one-file-system", "x", false, "do not cross into other file systems")
	flags.StringArrayVar(&o.from, "files-from", nil, "back up what matches the patterns in this `file`, one a line; - for standard input")
	flags.StringArrayVar(&o.fromVerbatim, "files-from-verbatim", nil, "back up the paths in this `file`, one a line, without patterns")
	flags.StringArrayVar(&o.fromRaw, "files-from-raw", nil, "back up the paths in this `file`, separated by NUL, as find -print0 writes them")
	flags.BoolVar(&o.empty, "allow-empty", false, "accept a path without files, or a command or input without output")
	flags.BoolVarP(&o.force, "force", "f", false, "read every file again, changed or not")
	flags.BoolVar(&o.accept, "accept-tripwire", false, "accept what looks like data loss: later backups are compared with this one")
	flags.BoolVar(&o.skipUnchanged, "skip-if-unchanged", false, "make no snapshot if nothing has changed")
	flags.BoolVar(&o.noScan, "no-scan", false, "show progress without totals")
	flags.BoolVar(&o.init, "init", false, "create the repository and its keys if there are none yet")
	flags.BoolVar(&o.command, "stdin-from-command", false, "back up the output of the command after --")
	flags.BoolVar(&o.stdin, "stdin", false, "back up standard input")
	flags.StringVar(&o.name, "name", "stdin", "`name` of the file that holds a command's output")
	flags.StringVar(&o.stdinName, "stdin-filename", "", "`name` of the file that holds standard input or a command's output")
	flags.Var(&o.packSize, "pack-size", "`size` of the objects to upload (default 16MiB, 8MiB where memory is tight)")
}

// fileName is what a stream is called.
func (o *backupOptions) fileName() string {
	if o.stdinName != "" {
		return o.stdinName
	}
	return o.name
}

// paths are how paths are backed up.
func (o *backupOptions) paths(done <-chan struct{}) (p config.PathOptions, err error) {
	p = config.PathOptions{
		ExcludeCaches: o.caches, ExcludeIfPresent: o.present, ExcludeLargerThan: int64(o.larger), OneFileSystem: o.oneFS, AllowEmpty: o.empty,
	}
	for _, marker := range o.present {
		if name, _, _ := strings.Cut(marker, ":"); name == "" || strings.Contains(name, "/") {
			return p, usage("--exclude-if-present %q: want the name of a file, without a slash", marker)
		}
	}
	if p.Exclude, err = withPatterns(done, o.exclude, o.excludeFiles, "exclude-file"); err != nil {
		return p, err
	}
	p.ExcludeAnyCase, err = withPatterns(done, o.excludeAnyCase, o.anyCaseFiles, "iexclude-file")
	return p, err
}

// withPatterns adds the lines of files to patterns.
func withPatterns(done <-chan struct{}, patterns, files []string, flag string) ([]string, error) {
	all := append([]string(nil), patterns...)
	for _, name := range files {
		text, err := input.ReadFile(done, name, 0)
		if err != nil {
			return nil, usage("--%s: %w", flag, err)
		}
		all = append(all, input.Lines(text)...)
	}
	return all, nil
}

// withListed adds the paths that files list to args.
func (o *backupOptions) withListed(args []string, done <-chan struct{}, stdin io.Reader) ([]string, error) {
	given := len(args)
	for _, list := range []struct {
		flag  string
		files []string
		read  func(text []byte) ([]string, error)
	}{
		{"files-from", o.from, input.Globbed}, {"files-from-verbatim", o.fromVerbatim, input.Verbatim}, {"files-from-raw", o.fromRaw, input.Raw},
	} {
		for _, name := range list.files {
			text, err := readList(done, name, stdin)
			if err == nil {
				var paths []string
				paths, err = list.read(text)
				args = append(args, paths...)
			}
			if err != nil {
				return nil, usage("--%s %s: %w", list.flag, name, err)
			}
		}
	}
	if listed := len(o.from) + len(o.fromVerbatim) + len(o.fromRaw); listed > 0 && len(args) == 0 {
		return nil, usage("--files-from: the list is empty: there is nothing to back up")
	}
	for i := given; i < len(args); i++ {
		if !filepath.IsAbs(args[i]) {
			args[i] = "./" + args[i] // a path, whatever the settings call so
		}
	}
	return args, nil
}

func readList(done <-chan struct{}, name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(input.Until(done, stdin))
	}
	return input.ReadFile(done, name, 0)
}
