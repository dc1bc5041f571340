package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/metrics"
	"github.com/packstone/packstone/pipeline/browse"
)

// sizes are how large repositories were, for metrics. Its methods are safe to call at once.
type sizes struct {
	path string // of the file that remembers them

	mu sync.Mutex
	of map[string][]metrics.Size // by the repository's name in the settings, oldest first
}

// newSizes remembers what the file at path says.
func newSizes(a *app, path string) *sizes {
	s := &sizes{path: path, of: map[string][]metrics.Size{}}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &s.of)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.Warn(fmt.Sprintf("cannot read the earlier sizes of repositories, so their growth starts anew: %v", err))
	}
	return s
}

// get is how large a repository was.
func (s *sizes) get(name string) []metrics.Size {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[name]
}

// add notes how large a repository is.
func (s *sizes) add(name string, size metrics.Size) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[name] = metrics.AddSize(s.of[name], size)
	return disk.Replace(s.path, disk.Options{}, func(w io.Writer) error { return json.NewEncoder(w).Encode(s.of) })
}

// How often it is looked how large a repository is, and for how long at most.
const (
	measureAgain = time.Hour
	measureTime  = time.Minute
)

// measure looks how large the repositories are that a job has changed, unless that was done lately.
// What fails here fails nothing else.
func (s *service) measure(ctx context.Context, j daemon.Job) {
	settings := s.running
	set := settings.Sets[j.Set]
	for _, name := range s.RepositoriesOf(settings) {
		before := s.sizes.get(name)
		if !set.GoesTo(name) || len(before) > 0 && time.Since(before[len(before)-1].At).Abs() < measureAgain || ctx.Err() != nil {
			continue
		}
		a := s.forJob(io.Discard, settings)
		a.flags.Repository = name
		size, known, err := a.measure(ctx)
		a.patience.End()
		if err == nil && known {
			err = s.sizes.add(name, size)
		}
		if err != nil && ctx.Err() == nil {
			s.say("could not measure the size of %s for the metrics: %v", s.addressOf(name), err)
		}
	}
}

// measure is how large the repository is; known is false where the keys at hand do not tell.
func (a *app) measure(ctx context.Context) (size metrics.Size, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, measureTime)
	defer cancel()
	repo, _, err := a.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.AnyIdentity|machine.EvenBroken)
	if err != nil {
		return size, false, err
	}
	packs, bytes, known, err := browse.SizeOf(ctx, repo)
	return metrics.Size{At: time.Now().UTC(), Packs: int64(packs), Bytes: int64(bytes)}, known, err
}
