package main

import (
	"path/filepath"
	"time"

	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/fetch"
)

// reach is how storage is reached, as the flags say.
func (a *app) reach(at config.Repository) config.StoreOptions {
	total, reach := a.giveUp()
	return config.StoreOptions{
		GiveUp:      total,
		Reach:       reach,
		Retrying:    func(e retry.Event) { a.patience.Failed(at.String(), e) },
		Answered:    a.patience.Answered,
		Upload:      int64(a.flags.limitUp),
		Download:    int64(a.flags.limitDown),
		Bandwidth:   a.bandwidth,
		Connections: a.flags.connections,
		Through:     a.through,
	}
}

// bucketLogin is what is known of reaching buckets of lakes.
func (a *app) bucketLogin() config.BucketLogin {
	login := a.LakeLogin()
	login.Upload, login.Download, login.Bandwidth = int64(a.flags.limitUp), int64(a.flags.limitDown), a.bandwidth
	return login
}

// lookReach is for how long a verb that only looks waits for the storage's first answer: a person
// does.
const lookReach = 10 * time.Second

// giveUp is for how long storage that fails is tried again, and for how long before it has answered
// once.
func (a *app) giveUp() (total, reach time.Duration) {
	switch {
	case a.flags.giveUpGiven && a.flags.giveUpAfter == 0:
		return -1, -1
	case a.flags.giveUpGiven:
		return a.flags.giveUpAfter, a.flags.giveUpAfter
	case a.used&usesDryRun == 0: // nothing would be written
		return 0, lookReach
	}
	return 0, 0
}

// fetchOptions say how content is read, with a warning of places that are wrong.
func (a *app) fetchOptions() fetch.Options {
	return fetch.Options{
		Workers: a.flags.concurrency,
		Memory:  fetch.MemoryWithin(int64(a.flags.memoryLimit)),
		Warn:    func(err error) { a.out.Warn(output.Warning{Message: err.Error()}) },
	}
}

// filter is which snapshots the flags speak of.
func (a *app) filter() catalog.Filter {
	f := catalog.Filter{Set: a.flags.set, Paths: a.flags.setGiven && a.flags.set == "", Host: a.flags.host, Tags: a.flags.tags}
	for _, path := range a.flags.paths {
		if absolute, err := filepath.Abs(path); err == nil {
			path = absolute
		}
		f.Of = append(f.Of, path)
	}
	return f
}

// filterHere is the filter for a place of which the snapshots of this host are preferred, unless
// another one is named.
func (a *app) filterHere(repo *catalog.Repository, p catalog.Place) (f catalog.Filter, err error) {
	f = a.filterFor(p)
	if a.flags.host == "" {
		f.Prefer, err = a.HostIn(repo)
	}
	return f, err
}

// filterFor is the filter for a place: a source that is named tells which sets it may be in.
func (a *app) filterFor(p catalog.Place) catalog.Filter {
	f := a.filter()
	f.Source, f.Below = p.Source, p.Path
	return f
}
