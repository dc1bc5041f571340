package main

import (
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/catalog/entry/glob"
)

// morePatterns are what of a snapshot comes back, beside --include and --exclude.
type morePatterns struct {
	includeFiles, excludeFiles               []string
	includeAnyCase, excludeAnyCase           []string
	includeAnyCaseFiles, excludeAnyCaseFiles []string
}

func (m *morePatterns) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&m.includeAnyCase, "iinclude", nil, "like --include, but ignore case in this `pattern`")
	flags.StringArrayVar(&m.excludeAnyCase, "iexclude", nil, "like --exclude, but ignore case in this `pattern`")
	flags.StringArrayVar(&m.includeFiles, "include-file", nil, "restore only what matches a pattern in this `file`, one a line")
	flags.StringArrayVar(&m.excludeFiles, "exclude-file", nil, "leave out what matches a pattern in this `file`, one a line")
	flags.StringArrayVar(&m.includeAnyCaseFiles, "iinclude-file", nil, "like --include-file, but ignore case in the patterns of this `file`")
	flags.StringArrayVar(&m.excludeAnyCaseFiles, "iexclude-file", nil, "like --exclude-file, but ignore case in the patterns of this `file`")
}

// named tells whether there are any.
func (m *morePatterns) named() bool {
	return len(m.includeFiles)+len(m.excludeFiles)+len(m.includeAnyCase)+len(m.excludeAnyCase)+len(m.includeAnyCaseFiles)+len(m.excludeAnyCaseFiles) > 0
}

// readPatterns adds them to --include and --exclude.
func (o *restoreOptions) readPatterns(done <-chan struct{}) (err error) {
	m := &o.patterns
	for _, list := range []struct {
		to       *[]string
		patterns []string
		files    []string
		flag     string
		anyCase  bool
	}{
		{&o.include, nil, m.includeFiles, "include-file", false}, {&o.exclude, nil, m.excludeFiles, "exclude-file", false},
		{&o.include, m.includeAnyCase, m.includeAnyCaseFiles, "iinclude-file", true}, {&o.exclude, m.excludeAnyCase, m.excludeAnyCaseFiles, "iexclude-file", true},
	} {
		patterns, err := withPatterns(done, list.patterns, list.files, list.flag)
		if err != nil {
			return err
		}
		for _, pattern := range patterns {
			if list.anyCase {
				if pattern, err = glob.AnyCase(pattern); err != nil {
					return usage("--i%s: %w", list.flag[1:len(list.flag)-len("-file")], err)
				}
			}
			*list.to = append(*list.to, pattern)
		}
	}
	return nil
}
