package config

import (
	"context"
	"fmt"
	"io"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/command"
	"github.com/packstone/packstone/pipeline/source/settings"
)

// OpenOptions are what sources need besides their settings.
type OpenOptions struct {
	// Parallel is how many directories or connections a source may use at once; 0 means the
	// source's default.
	Parallel int
	// Stderr receives what commands print besides their output; nil keeps it for errors only.
	Stderr io.Writer
	// StateDir is where this source, in this set and repository, remembers its state; empty means
	// that it does not.
	StateDir string
	// Observer is shown what is read of a database; nil: nobody is.
	Observer database.Observer
	// AllowEmpty accepts a source with nothing in it, whatever the settings say.
	AllowEmpty bool
	// LeaveOut are files and directories of this machine that no source backs up, such as the
	// repository itself. LeftOut, if set, is called with each that was met, from several goroutines
	// at once.
	LeaveOut []string
	LeftOut  func(path string)
	// Login adds to the address of a database what its user stores elsewhere; nil adds nothing.
	Login func(database.Location) (database.Location, error)
	// Remote is how to log in to file servers if the settings do not say.
	Remote RemoteLogin
	// Bucket is how to reach buckets of lakes if the settings do not say.
	Bucket BucketLogin
	// Environment returns the environment of a program to start, with the named secrets; nil means
	// that of this process.
	Environment func(named ...string) []string
	// Note is called with what the user should know of the source although nothing is wrong. It may
	// be nil.
	Note func(text string)
}

func (o OpenOptions) environment(named []string) []string {
	if o.Environment == nil {
		return nil
	}
	return o.Environment(named...)
}

// opener is a type of source that can be backed up.
type opener interface {
	open(ctx context.Context, opts OpenOptions) (source.Source, error)
}

// Open opens the source with this name in the settings.
func (c *Config) Open(ctx context.Context, name string, opts OpenOptions) (source.Source, error) {
	s, ok := c.Sources[name]
	if !ok {
		return nil, fmt.Errorf("open source %s: %w: no source has this name", name, ErrInvalid)
	}
	o, ok := s.Settings.(opener)
	if !ok {
		return nil, fmt.Errorf("open source %s: %w: this program can't back up the type %s", name, ErrInvalid, s.Type)
	}
	opened, err := o.open(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("open source %s: %w", name, err)
	}
	return opened, nil
}

func (s *Components) open(_ context.Context, opts OpenOptions) (source.Source, error) {
	return sourceOf(settings.New(settings.Options{
		Components: s.Components,
		Exclude:    s.Exclude,
		AllowEmpty: s.AllowEmpty || opts.AllowEmpty,
		LeaveOut:   opts.LeaveOut,
		LeftOut:    opts.LeftOut,
		Parallel:   opts.Parallel,
	}))
}

func (c *Command) open(_ context.Context, opts OpenOptions) (source.Source, error) {
	return sourceOf(command.New(command.Options{Command: c.Command, Name: c.Name, Env: opts.environment(c.Environment), Stderr: opts.Stderr, AllowEmpty: c.AllowEmpty}))
}

// sourceOf prevents the nil pointer of a failed open from becoming a source that is not nil.
func sourceOf[S source.Source](s S, err error) (source.Source, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}
