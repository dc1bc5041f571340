package main

import (
	"slices"

	"github.com/spf13/pflag"

	"github.com/packstone/packstone/catalog/entry/glob"
	"github.com/packstone/packstone/cmd/internal/input"
)

// patternFlags are the four flags of patterns: --NAME, --iNAME, and files with such patterns.
type patternFlags struct {
	name                          string // exclude or include
	plain, files, anyCase, iFiles []string
}

// register registers the flags; plain and file say what --NAME and --NAME-file do.
func (p *patternFlags) register(flags *pflag.FlagSet, name, plain, file string) {
	p.name = name
	flags.StringArrayVar(&p.plain, name, nil, plain)
	flags.StringArrayVar(&p.files, name+"-file", nil, file)
	flags.StringArrayVar(&p.anyCase, "i"+name, nil, "like --"+name+", but ignore case in this `pattern`")
	flags.StringArrayVar(&p.iFiles, "i"+name+"-file", nil, "like --"+name+"-file, but ignore case in the patterns of this `file`")
}

// named tells whether there are any.
func (p *patternFlags) named() bool {
	return len(p.plain)+len(p.files)+len(p.anyCase)+len(p.iFiles) > 0
}

// read returns the patterns, and those of which the case does not matter.
func (p *patternFlags) read(done <-chan struct{}) (plain, anyCase []string, err error) {
	if plain, err = withPatterns(done, p.plain, p.files, p.name+"-file"); err != nil {
		return nil, nil, err
	}
	anyCase, err = withPatterns(done, p.anyCase, p.iFiles, "i"+p.name+"-file")
	return plain, anyCase, err
}

// readAll returns all of them as patterns of which the case matters.
func (p *patternFlags) readAll(done <-chan struct{}) ([]string, error) {
	all, anyCase, err := p.read(done)
	for _, pattern := range anyCase {
		if pattern, err = glob.AnyCase(pattern); err != nil {
			return nil, usage("--i%s: %w", p.name, err)
		}
		all = append(all, pattern)
	}
	return all, err
}

// withPatterns adds the lines of files to patterns.
func withPatterns(done <-chan struct{}, patterns, files []string, flag string) ([]string, error) {
	all := slices.Clone(patterns)
	for _, name := range files {
		text, err := input.ReadFile(done, name, 0)
		if err != nil {
			return nil, usage("--%s: %w", flag, err)
		}
		all = append(all, input.Lines(text)...)
	}
	return all, nil
}
