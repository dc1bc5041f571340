package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// chain is what lies below config/ beside the config that counts.
type chain struct {
	hashes  map[string]bool   // of the config itself and those before it
	taken   map[uint64]bool   // numbers above it at which something lies
	foreign map[string]string // objects above it that the owner has neither signed nor declared void, with their SHA-256
	broken  error             // what keeps the chain from reaching the first config
}

// Broken says what is missing between this config and the first, nil if nothing is.
func (c *Config) Broken() error { return c.chain.broken }

// knows tells whether a config of this number and hash is, or was, in force.
func (c *Config) knows(number uint64, hash string) bool {
	return hash == "" || c.chain.hashes[hash] || c.chain.broken != nil && number < c.Number
}

// with is the chain after next was added to it.
func (c chain) with(next *Config) chain {
	hashes := maps.Clone(c.hashes)
	hashes[next.hash] = true
	return chain{hashes: hashes, taken: c.taken, broken: c.broken}
}

// Foreign are the objects that lie where the owner's next configs go, and that the owner has not
// signed. Somebody has put them there, or they were newer configs, and are damaged.
func (c *Config) Foreign() []string { return slices.Sorted(maps.Keys(c.chain.foreign)) }

// supersedes tells whether the owner has signed on regardless of what lies at a name below config/.
func (c *Config) supersedes(name string) bool {
	number, ok := parseSequence(strings.TrimPrefix(name, "config/"))
	return !ok || number < c.Number && c.chain.broken == nil
}

// maxConfig is how many bytes of an object below config/ are read, and unread stands for the
// SHA-256 of one that has more.
const (
	maxConfig = maxRecord
	unread    = "unread"
)

// configs reads the objects below config/.
type configs struct {
	store      store.Store
	cache      *Cache
	repository string
	owner      crypto.Verifier
	large      map[uint64]bool // numbers of objects that are not read
}

// loadConfig finds the newest config that the owner has signed, and follows from there the hashes
// of those before it. What lies between them and is not named is passed over: the owner has signed
// on regardless of it. Cached objects are not fetched again. broken is asked whether a chain that
// does not reach the first config will do.
func loadConfig(ctx context.Context, o configs, broken func(err error) error) (*Config, error) {
	numbers, err := o.list(ctx)
	if err != nil {
		return nil, err
	}
	newest, below, err := o.newest(ctx, numbers)
	if err != nil {
		return nil, err
	}
	if err := newest.readable(); err != nil {
		return nil, err
	}
	for before := newest; before.Previous != ""; {
		before, below, err = o.before(ctx, before, below)
		if errors.Is(err, ErrUntrusted) {
			newest.chain.broken = err
			return newest, broken(err)
		}
		if err != nil {
			return nil, err
		}
		newest.chain.hashes[before.hash] = true
	}
	return newest, nil
}

// list returns the numbers below config/, ascending, and notes those of objects that are too large
// to be configs.
func (o configs) list(ctx context.Context) (numbers []uint64, err error) {
	for info, err := range o.store.List(ctx, "config/", "") {
		if err != nil {
			return nil, fmt.Errorf("list configs: %w", err)
		}
		number, ok := parseSequence(strings.TrimPrefix(info.Name, "config/"))
		if !ok {
			continue
		}
		numbers = append(numbers, number)
		o.large[number] = info.Size > maxConfig
	}
	slices.Sort(numbers)
	return numbers, nil
}

// newest finds the highest number at which the owner has signed, and returns those below it.
func (o configs) newest(ctx context.Context, numbers []uint64) (*Config, []uint64, error) {
	c := chain{hashes: map[string]bool{}, taken: map[uint64]bool{}, foreign: map[string]string{}}
	for i, number := range slices.Backward(numbers) {
		config, sum, err := o.load(ctx, number)
		if err != nil {
			return nil, nil, err
		}
		if config == nil {
			c.taken[number], c.foreign[configName(number)] = true, sum
			continue
		}
		c.hashes[config.hash] = true
		maps.DeleteFunc(c.foreign, func(name, sum string) bool { return config.Void[name] == sum })
		config.chain = c
		return config, numbers[:i], nil
	}
	return nil, nil, fmt.Errorf("the repository has no config that its owner has signed: %w", ErrUntrusted)
}

// before finds the config that another names as the one before it, and returns the numbers below
// that.
func (o configs) before(ctx context.Context, after *Config, numbers []uint64) (*Config, []uint64, error) {
	for i, number := range slices.Backward(numbers) {
		config, _, err := o.load(ctx, number)
		if err != nil {
			return nil, nil, err
		}
		if config != nil && config.hash == after.Previous {
			return config, numbers[:i], nil
		}
	}
	return nil, nil, fmt.Errorf("the config before config %d is missing or damaged: %w", after.Number, ErrUntrusted)
}

// load returns a config that the owner has signed for this number, or nil and the SHA-256 of what
// lies there instead.
func (o configs) load(ctx context.Context, number uint64) (config *Config, sum string, err error) {
	if o.large[number] {
		return nil, unread, nil
	}
	_, err = o.cache.object(ctx, o.store, configName(number), func(data []byte) (err error) {
		sum = hash(data)
		config, err = parseConfig(o.repository, o.owner, number, data)
		return err
	})
	var bad *badObject
	if errors.As(err, &bad) && errors.Is(err, crypto.ErrSignature) {
		return nil, sum, nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("load config %d: %w", number, err)
	}
	return config, sum, nil
}

func parseConfig(repository string, owner crypto.Verifier, number uint64, data []byte) (*Config, error) {
	body, _, err := crypto.Verify(repository, configName(number), data, owner)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	c := &Config{}
	if err := json.Unmarshal(body, c); err != nil {
		return nil, fmt.Errorf("read config %d: %w", number, err)
	}
	c.hash = hash(data)
	if c.Number != number {
		return nil, fmt.Errorf("config %d says that it is config %d: %w", number, c.Number, ErrUntrusted)
	}
	return c, nil
}

// readable fails if this version does not know how to act on the config.
func (c *Config) readable() error {
	for _, feature := range c.Required {
		if !slices.Contains(knownFeatures, feature) {
			return fmt.Errorf("config %d: the repository needs the feature %q, which this version of packstone lacks; use a newer version: %w",
				c.Number, feature, ErrTooNew)
		}
	}
	return nil
}

// loadConfig is the config that the store shows now.
func (r *Repository) loadConfig(ctx context.Context) (*Config, error) {
	o := configs{store: r.opening(), cache: r.Cache, repository: r.Format.Repository, owner: r.owner, large: map[uint64]bool{}}
	return loadConfig(ctx, o, func(err error) error {
		if !r.options.AcceptRollback {
			return err
		}
		r.warn("%v", err)
		return nil
	})
}

// mayChange fails where the next config could follow one that is not the last, or that others will
// not find.
func (r *Repository) mayChange(ctx context.Context) error {
	name := configName(r.Config.Number)
	there, err := r.Store.Get(ctx, name, 0, -1, nil)
	if err != nil {
		return fmt.Errorf("load %s: %w", name, err)
	}
	switch foreign := r.Config.Foreign(); {
	case hash(there) != r.Config.hash:
		return fmt.Errorf("%s is damaged, and this host's cache has a good copy: %w", name, ErrUntrusted)
	case r.options.AcceptRollback:
		return nil
	case len(foreign) > 0:
		return fmt.Errorf("%s: %w", strings.Join(foreign, ", "), ErrForeign)
	case r.seen.Config > r.Config.Number:
		return fmt.Errorf("this host has seen config %d, but the newest is now config %d: %w", r.seen.Config, r.Config.Number, ErrRolledBack)
	}
	return nil
}

// nextNumber is the lowest number that the next config can have: nothing lies there, and as far as
// this host knows nothing did.
func (r *Repository) nextNumber() uint64 {
	next := max(r.Config.Number, r.seen.Config) + 1
	for r.Config.chain.taken[next] {
		next++
	}
	return next
}

// void lets what somebody else has put above the newest config count for nothing, so that nobody
// warns of it again.
func (r *Repository) void(next *Config) {
	for name, sum := range r.Config.chain.foreign {
		if sum == unread {
			continue
		}
		if next.Void == nil {
			next.Void = map[string]string{}
		}
		next.Void[name] = sum
	}
}
