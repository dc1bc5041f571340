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

// chain is what else lies below config/ beside the newest config.
type chain struct {
	hashes  map[string]bool   // of the config itself and those before it
	taken   map[uint64]bool   // numbers above it at which something lies
	foreign map[string]string // objects above it that the owner has neither signed nor declared void, with their SHA-256
	tenures tenures           // of members, by this config and those before it
	rotated uint64            // the config that has made the present domain
	readers map[string]bool   // recipients of this config, and of those before it with the same domain
	broken  error             // what keeps the chain from reaching the first config
}

// Broken returns why the chain from this config to the first is incomplete, nil if it is complete.
func (c *Config) Broken() error { return c.chain.broken }

// knows reports whether a config of this number and hash is, or was, in force.
func (c *Config) knows(number uint64, hash string) bool {
	return hash == "" || c.chain.hashes[hash] || c.chain.broken != nil && number < c.Number
}

// ofDomain adds what an older config of the same domain says of it.
func (c *chain) ofDomain(before *Config) {
	if c.readers == nil {
		c.readers = map[string]bool{}
	}
	c.rotated = before.Number
	for _, recipient := range before.Recipients {
		c.readers[recipient] = true
	}
}

// with returns the chain of a config with next added.
func (c *Config) with(next *Config) chain {
	hashes, rotated, readers := maps.Clone(c.chain.hashes), c.chain.rotated, maps.Clone(c.chain.readers)
	if next.Domain != c.Domain || readers == nil {
		rotated, readers = next.Number, map[string]bool{}
	}
	for _, recipient := range next.Recipients {
		readers[recipient] = true
	}
	hashes[next.hash] = true
	return chain{hashes: hashes, taken: c.chain.taken, tenures: c.chain.tenures.with(next), rotated: rotated, readers: readers, broken: c.chain.broken}
}

// Foreign returns the objects at the names of the owner's next configs that the owner has not
// signed. Somebody has put them there, or they were newer configs and are damaged.
func (c *Config) Foreign() []string { return slices.Sorted(maps.Keys(c.chain.foreign)) }

// supersedes reports whether the owner has signed later configs in spite of what lies at a name
// below config/.
func (c *Config) supersedes(name string) bool {
	number, ok := parseSequence(strings.TrimPrefix(name, "config/"))
	return !ok || number < c.Number && c.chain.broken == nil
}

// maxConfig is the most bytes that are read of an object below config/. unread stands for the
// SHA-256 of a larger one.
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

// loadConfig finds the newest config that the owner has signed, and follows the hashes of the
// previous ones from there. It skips objects in between that no config names: the owner has signed
// in spite of them. It does not fetch cached objects again. If the chain does not reach the first
// config, it calls broken, whose result decides.
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
	newest.chain.tenures.before(newest)
	newest.chain.ofDomain(newest)
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
		newest.chain.tenures.before(before)
		if before.Domain == newest.Domain {
			newest.chain.ofDomain(before)
		}
	}
	return newest, nil
}

// list returns the numbers below config/, ascending, and records those of objects that are too
// large to be configs.
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

// newest returns the config with the highest number that the owner has signed, and the numbers
// below it.
func (o configs) newest(ctx context.Context, numbers []uint64) (*Config, []uint64, error) {
	c := chain{hashes: map[string]bool{}, tenures: tenures{}, taken: map[uint64]bool{}, foreign: map[string]string{}}
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

// before returns the config that after names as the one before it, and the numbers below that.
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
	return nil, nil, fmt.Errorf("the config before config %d is missing or damaged (%s or an earlier one): %w", after.Number, configName(after.Number-1), ErrUntrusted)
}

// load returns the config that the owner has signed for this number, or nil and the SHA-256 of the
// other object there.
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

// readable returns an error if this version cannot act on the config.
func (c *Config) readable() error {
	for _, feature := range c.Required {
		if !slices.Contains(knownFeatures, feature) {
			return fmt.Errorf("config %d: the repository needs the feature %q, which this version of packstone lacks; use a newer version: %w",
				c.Number, feature, ErrTooNew)
		}
	}
	return nil
}

// loadConfig returns the config that the store shows now.
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

// mayChange returns an error if the next config might follow one that is not the last, or if others
// might not find it.
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

// nextNumber returns the lowest number that the next config can have: no object has that number,
// nor had one as far as this host knows.
func (r *Repository) nextNumber() uint64 {
	next := max(r.Config.Number, r.seen.Config) + 1
	for r.Config.chain.taken[next] {
		next++
	}
	return next
}

// void declares foreign objects above the newest config void, so that nobody warns of them again.
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
