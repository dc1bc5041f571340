// Package config reads the settings file, and builds the storage, sources and sets of a run from
// it. It is the only package that knows all adapters.
//
// Reading is strict: an unknown or unsupported setting is a problem with file and line, and all
// problems are reported at once. It reads nothing but the file itself, so that settings can be
// checked without network or databases. The environment is an argument.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tripwire"
	"github.com/packstone/packstone/cmd/internal/hook"
	"github.com/packstone/packstone/cmd/internal/input"
	"github.com/packstone/packstone/cmd/internal/notice"
)

// ErrInvalid is wrapped by every problem in a settings file.
var ErrInvalid = errors.New("invalid settings")

// maxFile is the largest size of a settings file in bytes.
const maxFile = 1 << 20

// Config is a settings file after reading, checking and expansion of variables. Its paths are
// absolute.
type Config struct {
	Version      int    `yaml:"version" doc:"The version of this file's form: 1."`
	Repository   string `yaml:"repository,omitempty" doc:"Where the backups go: a path, file:///path, s3://bucket/prefix, minio+https://host:port/bucket/prefix, minio+http://host:port/bucket/prefix or sftp://user@host:port/path."`
	Classes      `yaml:",inline"`
	Repositories map[string]Target `yaml:"repositories,omitempty" doc:"Several repositories by name, instead of one: each with keys of its own. -r takes these names."`
	Host         string            `yaml:"host,omitempty" doc:"The host that this machine is in the repository; else the one of its writer's file."`
	Keys         Keys              `yaml:"keys,omitempty" doc:"The keys of this host."`
	Sources      map[string]Source `yaml:"sources,omitempty" doc:"What can be backed up, by name. A restore makes a folder of that name."`
	Sets         map[string]Set    `yaml:"sets,omitempty" doc:"The sources that belong together, by name. A set becomes one snapshot."`
	Jobs         Jobs              `yaml:"jobs,omitempty" doc:"What packstone run does beside backups, each on its schedule."`
	Notify       []notice.Entry    `yaml:"notify,omitempty" doc:"Who is told when the state of a set changes, and how."`
	Metrics      Metrics           `yaml:"metrics,omitempty" doc:"Where metrics go."`
	Serve        Serve             `yaml:"serve,omitempty" doc:"What is served by HTTP while packstone run runs."`
	Bandwidth    []Bandwidth       `yaml:"bandwidth,omitempty" doc:"How much packstone run sends and receives at most. The first entry whose hours it is counts; flags hold beside it."`
	Nice         int               `yaml:"nice,omitempty" doc:"How much packstone run yields the processors to others: 1 to 19, as nice(1) does."`
	IONice       string            `yaml:"ionice,omitempty" doc:"How packstone run waits for disks, on Linux: idle or best-effort, as ionice(1) does."`

	places places
}

// Target is one of several repositories.
type Target struct {
	URL           string `yaml:"url" doc:"Where it is, as in repository."`
	Keys          Keys   `yaml:"keys,omitempty" doc:"The keys of this host for it."`
	AccessKeyFile string `yaml:"access_key_file,omitempty" doc:"A file that holds the access key for its bucket, if it is not the environment's. With a bucket only."`
	SecretKeyFile string `yaml:"secret_key_file,omitempty" doc:"A file that holds the secret key for its bucket. With a bucket only."`
	Classes       `yaml:",inline"`
}

// Keys are the places of a host's keys. They are not secret.
type Keys struct {
	Recipients []string `yaml:"recipients,omitempty" doc:"Public age keys (age1pq1… or age1…) of those who can restore. A new repository is made for them; afterwards only the owner changes them."`
	Owner      string   `yaml:"owner,omitempty" doc:"The fingerprint of the repository's owner, or the owner's public key: a repository of anybody else is refused."`
	WriterFile string   `yaml:"writer_file,omitempty" doc:"The file with this host's key, as packstone key writer add printed it."`

	IdentityFile  string `yaml:"identity_file,omitempty" doc:"A file with the identity that reads the repository. A host that only backs up needs none."`
	CollectorFile string `yaml:"collector_file,omitempty" doc:"The file with the key by which this host forgets and deletes, as packstone key collector add printed it."`
}

// Set is a group of sources that belong together.
type Set struct {
	Sources []string   `yaml:"sources" doc:"Names of sources, in the order in which they are taken."`
	To      []string   `yaml:"to,omitempty" doc:"Names of repositories, each of which gets a snapshot of its own. The first is meant where none is named."`
	Hooks   hook.Hooks `yaml:"hooks,omitempty" doc:"Commands to run around the backup of the set."`

	Retention Retention `yaml:"retention,omitempty" doc:"Which snapshots packstone forget keeps. Without it, all."`

	Timing   `yaml:",inline"`
	MaxAge   string   `yaml:"max_age,omitempty" doc:"How old the newest complete snapshot may be, such as 26h or 8d; older is a fault that is told."`
	Drill    Drill    `yaml:"drill,omitempty" doc:"How packstone drill restores the set to scratch places, and what must be so of it."`
	Tripwire Tripwire `yaml:"tripwire,omitempty" doc:"What marks a snapshot as one that looks like a loss: it is kept, told, and takes no other's place."`

	References  []Reference       `yaml:"references,omitempty" doc:"Which rows refer to which files. Each backup tests that they are in the snapshot too; one in which some are not is kept, told and marked."`
	NotBackedUp map[string]string `yaml:"not_backed_up,omitempty" doc:"What of the platform is left out on purpose, by name, and why. Snapshots say so to whoever restores them."`
}

// Lookup returns a variable of the environment.
type Lookup func(name string) (string, bool)

// Load reads the settings file at path, until done is closed. Errors in the file wrap ErrInvalid.
func Load(done <-chan struct{}, path string, lookup Lookup) (*Config, error) {
	file, err := input.Open(done, path)
	if err != nil {
		return nil, fmt.Errorf("open settings: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read settings %s: %w", path, err)
	}
	c, err := Parse(path, text, lookup)
	if err != nil || !c.holdsCommands() {
		return c, err
	}
	return c, checkWritable(path, file)
}

// holdsCommands reports whether the settings contain programs to run.
func (c *Config) holdsCommands() bool {
	for _, s := range c.Sources {
		if s.Type == "command" {
			return true
		}
	}
	for _, set := range c.Sets {
		if set.Hooks.Any() || set.Drill.holdsCommands() {
			return true
		}
	}
	return slices.ContainsFunc(c.Notify, func(e notice.Entry) bool { return len(e.Command) > 0 })
}

// checkWritable refuses a file that others can write: they could make packstone run any program.
func checkWritable(path string, file *input.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("examine settings %s: %w", path, err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o022 == 0 {
		return nil
	}
	return Problems{{File: path, Line: 1, Text: fmt.Sprintf("the file contains commands, and others can write it (mode %04o): run chmod go-w %s",
		info.Mode().Perm(), path)}}
}

// Parse parses the text of the settings file at path. path only affects errors and relative paths.
func Parse(path string, text []byte, lookup Lookup) (*Config, error) {
	if len(text) > maxFile {
		return nil, Problems{{File: path, Line: 1, Text: fmt.Sprintf("the file is larger than %d bytes", maxFile)}}
	}
	d := &decoder{file: path, lookup: lookup, lines: map[string]int{}}
	if dir, err := filepath.Abs(filepath.Dir(path)); err == nil { // else the working directory is gone, and relative paths fail later
		d.dir = dir
	}
	c := new(Config)
	if d.decodeFile(text, c) {
		d.noteBroken()
		c.check(d)
	}
	if len(d.problems) > 0 {
		slices.SortStableFunc(d.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, d.problems
	}
	c.places = places{path, d.lines}
	return c, nil
}

// OnlySet returns the set to use if named is empty. It fails with catalog.ErrMisuse if there is
// none, or several.
func (c *Config) OnlySet(named string) (string, error) {
	sets := c.SetNames()
	switch {
	case named != "":
		return named, nil
	case len(sets) == 1:
		return sets[0], nil
	case len(sets) == 0:
		return "", catalog.Misuse("name what to back up: a path, or a set of a settings file")
	}
	return "", catalog.Misuse("name the set to back up: %s", strings.Join(sets, ", "))
}

// Divide separates paths of this machine from names in the settings. An argument that is both is a
// name; ./name and absolute paths are always paths.
func (c *Config) Divide(args []string) (paths, names []string, err error) {
	for _, arg := range args {
		switch {
		case isPath(arg):
			paths = append(paths, arg)
		case c.Knows(arg):
			names = append(names, arg)
		case Exists(arg):
			paths = append(paths, arg)
		default:
			return nil, nil, catalog.Misuse("%s is neither a set or source of the settings file nor a path here%s", arg, c.known())
		}
	}
	if len(paths) > 0 && len(names) > 0 {
		return nil, nil, catalog.Misuse("%s is a path and %s a name of the settings file: back them up one after the other", paths[0], names[0])
	}
	return paths, names, nil
}

// known lists the names in the settings.
func (c *Config) known() string {
	text := ""
	if len(c.Sets) > 0 {
		text += "; the sets are " + strings.Join(c.SetNames(), ", ")
	}
	if len(c.Sources) > 0 {
		text += "; the sources are " + strings.Join(slices.Sorted(maps.Keys(c.Sources)), ", ")
	}
	return text
}

func isPath(arg string) bool {
	return filepath.IsAbs(arg) || arg == "." || arg == ".." || strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "../")
}

// Exists reports whether something is at a path, even a broken link.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// Choice is what is backed up as one snapshot.
type Choice struct {
	Set     string // its name; of single sources their names, joined
	Sources []string
	To      []string // names of repositories; none: the one that is meant anyway
	Hooks   hook.Hooks

	Tripwire    tripwire.Limits
	Rules       []catalog.Rule    // which of its sources refer to which
	NotBackedUp []catalog.LeftOut // what of the platform it leaves out

	MaxAge time.Duration // how old the newest complete snapshot may be; 0: nothing is said
}

// Choose returns the sources of one set, or single sources as a set of their own. Without names it
// returns the only set, or the one that a flag names.
func (c *Config) Choose(names []string, flag string) (Choice, error) {
	if len(names) == 0 {
		name, err := c.OnlySet(flag)
		if err != nil {
			return Choice{}, err
		}
		names = []string{name}
	} else if flag != "" {
		return Choice{}, catalog.Misuse("--set names the set of paths and commands: what is backed up is named already")
	}
	chosen := Choice{Set: strings.Join(names, "+"), Sources: names}
	chosen.Tripwire = tripwire.Default
	if set, ok := c.Sets[names[0]]; ok && len(names) == 1 {
		limits, err := set.Tripwire.Limits()
		if err != nil {
			return Choice{}, err // settings that were checked have none
		}
		chosen.Sources, chosen.To, chosen.Hooks, chosen.Tripwire = set.Sources, set.To, set.Hooks, limits
		chosen.MaxAge, chosen.Rules, chosen.NotBackedUp = set.Bound(), set.Rules(), set.LeftOut()
	}
	for _, name := range chosen.Sources {
		if _, ok := c.Sources[name]; !ok {
			return chosen, catalog.Misuse("%s is a set: back up sets one by one", name)
		}
	}
	return chosen, nil
}

// SetNames returns the names of the sets, sorted.
func (c *Config) SetNames() []string { return slices.Sorted(maps.Keys(c.Sets)) }

// Knows reports whether name is a set or a source.
func (c *Config) Knows(name string) bool {
	_, set := c.Sets[name]
	_, source := c.Sources[name]
	return set || source
}

// Problem is a mistake in a settings file.
type Problem struct {
	File string
	Line int
	Text string
}

// String returns the problem and its place, like a compiler's message.
func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text) }

// Problems are all mistakes of a settings file. They wrap ErrInvalid.
type Problems []Problem

// Error implements error.
func (p Problems) Error() string { return strings.Join(p.Lines(), "\n") }

// Lines returns the problems, a line each.
func (p Problems) Lines() []string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return lines
}

// Unwrap returns ErrInvalid.
func (p Problems) Unwrap() error { return ErrInvalid }

// resolve makes a path absolute: relative to the home directory if it begins with ~/, else to the
// directory of the settings file.
func (d *decoder) resolve(path string) string {
	home, _ := d.lookup("HOME")
	if expanded, err := ExpandHome(path, home); err == nil {
		path = expanded
	} else {
		d.problem(1, "%v", err)
	}
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(d.dir, path)
}
