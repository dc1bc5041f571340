// Package settings is the source for the instance folders of a platform's components: several
// directories of this machine as one source, each below the name of its component.
package settings

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/exclude"
	"github.com/packstone/packstone/pipeline/source/files"
)

// Options list the folders. Components is required.
type Options struct {
	// Components maps names of components to absolute paths of directories.
	Components map[string]string
	// Exclude leaves out what these lines would exclude in a .gitignore beside the components'
	// folders, which have the components' names. A pattern that begins with the absolute path of a
	// folder is relative to that folder.
	Exclude []string
	// AllowEmpty accepts empty folders.
	AllowEmpty bool
	// LeaveOut and LeftOut are as in files.Options.
	LeaveOut []string
	LeftOut  func(path string)
	// Parallel is the number of directories listed at once (default: as in files.Options).
	Parallel int
}

// Source is the folders of all components. It implements source.Source, source.Incremental and
// source.Advising.
type Source struct {
	names   []string
	folders map[string]*files.Source
}

var (
	_ source.Incremental = (*Source)(nil)
	_ source.Advising    = (*Source)(nil)
)

// New checks the options. It reads nothing.
func New(options Options) (*Source, error) {
	if len(options.Components) == 0 {
		return nil, errors.New("settings: no component given")
	}
	s := &Source{names: slices.Sorted(maps.Keys(options.Components)), folders: make(map[string]*files.Source)}
	for _, name := range s.names {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			return nil, fmt.Errorf("settings: %q cannot be a component's name", name)
		}
		folder, err := files.New(files.Options{
			Roots:      []string{options.Components[name]},
			Exclude:    options.Exclude,
			Home:       home(options.Components),
			Part:       name,
			AllowEmpty: options.AllowEmpty,
			Directory:  true,
			Parallel:   options.Parallel,
			LeaveOut:   options.LeaveOut,
			LeftOut:    options.LeftOut,
		})
		if err != nil {
			return nil, fmt.Errorf("component %s: %w", name, err)
		}
		s.folders[name] = folder
	}
	return s, nil
}

// home returns the place to which patterns are relative: a tree in which each component's folder
// has the component's name.
func home(components map[string]string) *exclude.Place {
	roots := make(map[string]string)
	for name, folder := range components {
		roots[path.Clean(folder)] = name
	}
	return &exclude.Place{Roots: roots}
}

// Excludes implements source.Excluding. The patterns of all folders are the same.
func (s *Source) Excludes() []string {
	for _, folder := range s.folders {
		return folder.Excludes()
	}
	return nil
}

// Class returns medium, like package files.
func (s *Source) Class() source.Class { return source.ClassMedium }

// Walk walks one folder after another. Its error names the component if a folder is missing, empty
// or not a directory.
func (s *Source) Walk(ctx context.Context, v source.Visitor) error {
	for _, name := range s.names {
		if err := s.folders[name].Walk(ctx, &below{v, name}); err != nil {
			return fmt.Errorf("component %s: %w", name, err)
		}
	}
	return nil
}

// Previous implements source.Incremental.
func (s *Source) Previous(lookup source.Lookup) {
	for name, folder := range s.folders {
		under := below{component: name}
		folder.Previous(func(ctx context.Context, path string) (*entry.Entry, error) { return lookup(ctx, under.path(path)) })
	}
}

// Advice implements source.Advising.
func (s *Source) Advice() []string {
	var all []string
	for _, name := range s.names {
		all = append(all, s.folders[name].Advice()...)
	}
	return all
}

// below is a visitor of one component's folder.
type below struct {
	visitor   source.Visitor
	component string
}

// Visit implements source.Visitor.
func (b *below) Visit(e *entry.Entry) error {
	e.Path = b.path(e.Path)
	return b.visitor.Visit(e)
}

// Problem implements source.Visitor.
func (b *below) Problem(path string, err error) { b.visitor.Problem(b.path(path), err) }

// Leave implements source.Witness.
func (b *below) Leave(path string, why entry.Reason) { source.Leave(b.visitor, b.path(path), why) }

func (b *below) path(path string) string {
	if path == "" {
		return b.component
	}
	return b.component + "/" + path
}

// find returns the folder that contains path, and the path in it.
func (s *Source) find(path string) (*files.Source, string, error) {
	component, rest, _ := strings.Cut(path, "/")
	folder := s.folders[component]
	if folder == nil {
		return nil, "", fmt.Errorf("settings: %q is in no component's folder: %w", path, source.ErrVanished)
	}
	return folder, rest, nil
}

// Detail implements source.Source, like package files.
func (s *Source) Detail(ctx context.Context, e *entry.Entry) error {
	folder, rest, err := s.find(e.Path)
	if err != nil {
		return err
	}
	path := e.Path
	e.Path = rest
	err = folder.Detail(ctx, e)
	e.Path = path
	return err
}

// Open implements source.Source, like package files.
func (s *Source) Open(ctx context.Context, e *entry.Entry) (source.File, error) {
	folder, rest, err := s.find(e.Path)
	if err != nil {
		return nil, err
	}
	inside := *e
	inside.Path = rest
	return folder.Open(ctx, &inside)
}

// Close closes the open directories. Open files stay open.
func (s *Source) Close() error {
	var failed []error
	for _, name := range s.names {
		failed = append(failed, s.folders[name].Close())
	}
	return errors.Join(failed...)
}
