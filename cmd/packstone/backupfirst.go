package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/packstone/packstone/cmd/internal/config"
)

// makeFirstRepository makes the repository that a backup finds missing and may make, and tells
// whether it did: with --init any, else the one of a machine without settings. On a terminal it
// asks; elsewhere it makes one only where nothing else can be meant (machine.WhyAsk).
func (a *app) makeFirstRepository(ctx context.Context, allowed bool) (bool, error) {
	at, err := a.Repository()
	if err != nil || a.flags.dryRun {
		return false, err
	}
	usual := at.Kind == config.Local && at.Path == filepath.Clean(a.Paths.Repository)
	if !usual && !allowed || usual && config.Exists(filepath.Join(at.Path, "packstone.json")) {
		return false, nil
	}
	if missing, err := a.IsMissing(ctx, at); err != nil || !missing {
		return false, err
	}
	if !allowed {
		if err := a.mayMakeFirst(at); err != nil {
			return false, err
		}
	}
	return true, a.tellFirst(ctx)
}

// mayMakeFirst asks on a terminal, and elsewhere refuses where something else may be meant.
func (a *app) mayMakeFirst(at config.Repository) error {
	why, err := a.WhyAsk()
	if err != nil {
		return err
	}
	if a.CanAsk() && !a.flags.json && !a.flags.quiet {
		question := fmt.Sprintf("No repository is configured, and there is none in %s. packstone can make one there, with keys in %s.", at, a.Paths.Config)
		if yes, err := a.Confirm(asked(question, why)); yes || err != nil {
			return err
		}
		why = "you said no"
	}
	if why == "" {
		return nil
	}
	return exitWith(exitNoRepository, "no repository is configured, and there is none in %s. None was made there: %s. "+
		"Name your repository with -r, PACKSTONE_REPOSITORY or in the settings, or make one with packstone backup --init", at, why)
}

func asked(question, why string) []string {
	if why == "" {
		return []string{question}
	}
	return []string{question, "Note: " + why + "."}
}

// tellFirst makes the repository and says what was made.
func (a *app) tellFirst(ctx context.Context) error {
	made, err := a.makeRepository(ctx, initOptions{})
	if err != nil {
		return err
	}
	for line := range strings.SplitSeq(made.Text(), "\n") {
		a.out.Note("%s", line)
	}
	a.out.Note("")
	return nil
}
