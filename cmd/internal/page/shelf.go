package page

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/pipeline/browse"
	"github.com/packstone/packstone/pipeline/fetch"
)

// shelves are open repositories, by name and whether this host's identity was used.
type shelves struct {
	mu sync.Mutex
	of map[string]*shelf
}

func (s *shelves) get(key string, open func(context.Context) (*catalog.Repository, error), page *Page) *shelf {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[string]*shelf{}
	}
	if s.of[key] == nil {
		s.of[key] = &shelf{page: page, open: open, reading: make(chan struct{}, 1), recent: browse.NewRecent(recentPages)}
	}
	return s.of[key]
}

// shelf is an open repository and what was read of it last. It is safe for concurrent use.
type shelf struct {
	page *Page
	open func(context.Context) (*catalog.Repository, error)

	reading chan struct{} // held by who reads the records

	mu   sync.Mutex
	repo *catalog.Repository
	last *known
	err  error // why it could not be read again since

	names    heldNames
	measured measured

	recent   *browse.Recent
	browsing sync.Mutex // a browser is for one at a time
	browser  *browse.Browser
	config   uint64 // with which it was made
}

// known is what was read of a repository. It does not change.
type known struct {
	repo      *catalog.Repository
	log       *catalog.Log
	status    *browse.Status
	commits   []*catalog.Record   // of snapshots that were not forgotten, which everybody sees
	snapshots []*catalog.Snapshot // oldest first; none without an identity
	byID      map[string]*catalog.Snapshot
	verdicts  map[string]retention.Verdict // by id
	problems  []string
	at        time.Time
	stale     error // why it is as old as it is; nil: it need not be newer
}

// Records are read again after fresh, while who asks gets what was read before; after stale he
// waits for them.
const (
	fresh = 15 * time.Second
	stale = 10 * time.Minute
	// readTime bounds one reading of records.
	readTime = 2 * time.Minute
)

// known returns what is known of the repository.
func (s *shelf) known(ctx context.Context) (*known, error) {
	s.mu.Lock()
	last, err := s.last, s.err
	s.mu.Unlock()
	now := s.page.Now()
	switch {
	case last != nil && now.Sub(last.at) < fresh:
		return last, nil
	case last != nil && now.Sub(last.at) < stale:
		s.readBehind()
	default:
		select {
		case s.reading <- struct{}{}:
			last, err = s.read(ctx)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if last == nil {
		return nil, err
	}
	if err != nil {
		old := *last
		old.stale = err
		return &old, nil
	}
	return last, nil
}

// readBehind reads again while nobody waits, unless somebody does already.
func (s *shelf) readBehind() {
	select {
	case s.reading <- struct{}{}:
		go s.read(context.Background())
	default:
	}
}

// read reads the records. The caller holds reading, which read gives back.
func (s *shelf) read(ctx context.Context) (*known, error) {
	defer func() { <-s.reading }()
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	if last != nil && s.page.Now().Sub(last.at) < fresh {
		return last, nil // somebody has just read them
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime)
	defer cancel()
	next, err := s.readRecords(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err = err; err == nil {
		s.last, s.repo = next, next.repo
		s.names.follow(next, s.newBrowser(next.repo), s.page.room)
	}
	return s.last, err
}

func (s *shelf) readRecords(ctx context.Context) (k *known, err error) {
	repo := s.opened()
	if repo == nil {
		repo, err = s.open(ctx)
	} else {
		repo, err = repo.Reload(ctx)
	}
	if err != nil {
		return nil, err
	}
	k = &known{repo: repo, at: s.page.Now(), byID: map[string]*catalog.Snapshot{}, verdicts: map[string]retention.Verdict{}}
	if k.log, err = repo.ReadLog(ctx); err != nil {
		return nil, err
	}
	for _, rec := range k.log.Records {
		if rec.Kind == catalog.Commit && k.log.Fate(rec.Hash).Gone(k.at).IsZero() {
			k.commits = append(k.commits, rec)
		}
	}
	if k.status, err = browse.StatusOf(ctx, repo); err != nil {
		return nil, err
	}
	k.problems = k.status.Problems
	if !repo.CanRead() {
		return k, nil
	}
	snapshots, defects, err := repo.ReadSnapshots(ctx, k.log)
	for _, defect := range defects {
		k.problems = append(k.problems, "a snapshot is left out: "+defect.Error())
	}
	k.snapshots = snapshots
	for _, snapshot := range snapshots {
		k.byID[snapshot.ID.String()] = snapshot
	}
	return k, errors.Join(err, k.decide(s.page))
}

// decide finds out what retention will do to each snapshot.
func (k *known) decide(p *Page) error {
	policies, err := p.Policies()
	if err != nil {
		return err
	}
	floor, err := k.repo.Config.RetentionFloor()
	if err != nil {
		return err
	}
	bySet := map[string][]*catalog.Snapshot{}
	for _, s := range k.snapshots {
		bySet[s.Set] = append(bySet[s.Set], s)
	}
	for set, policy := range policies {
		if len(bySet[set]) == 0 {
			continue
		}
		for _, v := range retention.Decide(k.repo.ForRetention(k.log, bySet[set], catalog.GroupBy{}), policy, retention.Options{Now: k.at, Floor: floor}) {
			k.verdicts[v.ID] = v
		}
	}
	return nil
}

// browse lends the browser of the shelf to one at a time: it remembers pages of trees that were
// read.
func (s *shelf) browse(do func(*browse.Browser) error) error {
	s.browsing.Lock()
	defer s.browsing.Unlock()
	if repo := s.opened(); s.browser == nil || s.config != repo.Config.Number {
		s.browser, s.config = s.newBrowser(repo), repo.Config.Number
	}
	return do(s.browser)
}

// fetchMemory bounds what a browser holds of content in flight, and recentPages half of what all of
// a shelf hold of trees.
const (
	fetchMemory = 8 << 20
	recentPages = 6 << 20
)

// newBrowser returns a browser of its own for what takes long. It shares what others have read.
func (s *shelf) newBrowser(repo *catalog.Repository) *browse.Browser {
	return browse.NewWith(s.recent, repo, fetch.Options{Memory: fetchMemory})
}

// opened returns the repository as it was opened last.
func (s *shelf) opened() *catalog.Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repo
}
