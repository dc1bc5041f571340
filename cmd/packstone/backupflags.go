package main

import (
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/input"
	"github.com/packstone/packstone/pipeline/backup"
)

type backupOptions struct {
	backup.Options                    // as far as flags say it
	how            config.PathOptions // paths are backed up
	time           string
	exclude        patternFlags
	larger         flagvalue.Size
	from           [3][]string // files that list paths, as pathLists says
	noScan, init   bool
	accept         bool // what looks like a loss
	founded        bool // a repository that is not there is not made
	command, stdin bool
	name           string
	stdinName      string
	packSize       flagvalue.Size
	dashIndex      int
	changed        func(flag string) bool
}

// pathLists are the flags of files that list paths, and how they are read.
var pathLists = [3]struct {
	flag, usage string
	read        func(text []byte) ([]string, error)
}{
	{"files-from", "back up what matches the patterns in this `file`, one a line; - for standard input", input.Globbed},
	{"files-from-verbatim", "back up the paths in this `file`, one a line, without patterns", input.Verbatim},
	{"files-from-raw", "back up the paths in this `file`, separated by NUL, as find -print0 writes them", input.Raw},
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
	flags.StringVar(&o.Description, "description", "", "`text` that packstone snapshots shows beside the snapshot")
	flags.StringVar(&o.Parent, "parent", "", "compare with this `snapshot`, which must be the last one of the same paths or set made here")
	o.exclude.register(flags, "exclude", "leave out what matches this `pattern`, as in .gitignore; may be repeated", "leave out what matches a pattern in this `file`, one a line; may be repeated")
	flags.BoolVar(&o.how.ExcludeCaches, "exclude-caches", false, "leave out the content of directories with a CACHEDIR.TAG")
	flags.StringArrayVar(&o.how.ExcludeIfPresent, "exclude-if-present", nil, "leave out directories that contain a file with this `name`")
	flags.Var(&o.larger, "exclude-larger-than", "leave out files larger than this `size`")
	flags.BoolVarP(&o.how.OneFileSystem, "one-file-system", "x", false, "do not cross into other file systems")
	for i, list := range pathLists {
		flags.StringArrayVar(&o.from[i], list.flag, nil, list.usage)
	}
	flags.BoolVar(&o.how.AllowEmpty, "allow-empty", false, "accept a path without files, or a command or input without output")
	flags.BoolVarP(&o.Force, "force", "f", false, "read every file again, changed or not")
	flags.BoolVar(&o.accept, "accept-tripwire", false, "accept what looks like data loss: later backups are compared with this one")
	flags.BoolVar(&o.SkipUnchanged, "skip-if-unchanged", false, "make no snapshot if nothing has changed")
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
	p = o.how
	p.ExcludeLargerThan = int64(o.larger)
	for _, marker := range p.ExcludeIfPresent {
		if name, _, _ := strings.Cut(marker, ":"); name == "" || strings.Contains(name, "/") {
			return p, usage("--exclude-if-present %q: want the name of a file, without a slash", marker)
		}
	}
	p.Exclude, p.ExcludeAnyCase, err = o.exclude.read(done)
	return p, err
}

// withListed adds the paths that files list to args.
func (o *backupOptions) withListed(args []string, done <-chan struct{}, stdin io.Reader) ([]string, error) {
	given, listed := len(args), 0
	for i, list := range pathLists {
		for _, name := range o.from[i] {
			listed++
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
	if listed > 0 && len(args) == 0 {
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
