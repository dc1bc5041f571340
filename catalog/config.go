package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// DefaultGrace is how long forgotten snapshots are kept, so that they can be undeleted and running
// restores can finish.
const DefaultGrace = 7 * 24 * time.Hour

// DefaultFloor is how long every snapshot is kept at least, whatever a retention rule says, unless
// the owner signs another period.
const DefaultFloor = 14 * 24 * time.Hour

// Config is what the owner has decided, as one signed object of a chain. The valid config with the
// highest number counts.
type Config struct {
	Number     uint64    `json:"number"`
	Previous   string    `json:"previous,omitempty"` // SHA-256 of the config before
	Time       time.Time `json:"time"`
	Format     string    `json:"format"` // SHA-256 of packstone.json
	Classic    bool      `json:"classic,omitempty"`
	Recipients []string  `json:"recipients"`
	Writers    []Member  `json:"writers"`
	Collectors []Member  `json:"collectors,omitempty"`
	Keepers    []Member  `json:"keepers,omitempty"` // they sign nothing: listed so that their names are theirs
	Domain     uint64    `json:"domain"`            // the number of the domain that is written with
	Domains    []Domain  `json:"domains"`
	Floor      string    `json:"retention_floor"`   // Go duration
	Grace      string    `json:"grace,omitempty"`   // Go duration
	Horizon    string    `json:"horizon,omitempty"` // Go duration
	// Rules is how members are trusted. 0: writers without a group rely on all other writers
	// without a group. 1: a writer without a group relies on itself only.
	Rules int `json:"rules,omitempty"`
	// Void lists objects below log/, sessions/ and config/ that have no effect, with their SHA-256.
	Void     map[string]string `json:"void,omitempty"`
	Required []string          `json:"required_features,omitempty"`
	// Headers lists the objects of detached headers, with their SHA-256.
	Headers map[string]string `json:"headers,omitempty"`

	hash    string
	chain   chain
	unknown unknown
}

// Member is a writer or a collector that the owner has admitted.
type Member struct {
	Key     string    `json:"key"`
	Group   string    `json:"group,omitempty"`   // writers of one group trust each other's index runs
	Hosts   []string  `json:"hosts,omitzero"`    // patterns of the hosts that a writer may speak for; nil: any, and then unbound
	Earlier []Binding `json:"earlier,omitempty"` // hosts before, the oldest first
	Roles   []string  `json:"roles,omitempty"`   // what else it may do
	// Replaces is the name of the writer whose key this one's has replaced: it relies on what that
	// has stored.
	Replaces string            `json:"replaces,omitempty"`
	Revoked  map[string]uint64 `json:"last_valid,omitzero"` // if not nil: lane, or "gc" → the last record, or round, that counts

	unknown unknown
}

// Domain is one deduplication domain of the repository: within it, equal content has equal ids.
type Domain struct {
	Number uint64 `json:"number"`
	Origin string `json:"origin"`           // the repository it was made for; salt of the derivations
	Index  string `json:"index"`            // recipient that index runs and refs are sealed to
	Object string `json:"object"`           // where the secret lies, sealed to the recipients
	SHA256 string `json:"sha256,omitempty"` // of that object

	unknown unknown
}

// Hash returns the SHA-256 of the signed object.
func (c *Config) Hash() string { return c.hash }

// named returns the objects that the config names: those of its domains and of detached headers.
func (c *Config) named() []string {
	names := slices.Collect(maps.Keys(c.Headers))
	for _, d := range c.Domains {
		names = append(names, d.Object)
	}
	return names
}

// AgeRecipients returns the recipients to whom everything is sealed.
func (c *Config) AgeRecipients() ([]age.Recipient, error) {
	recipients := make([]age.Recipient, 0, len(c.Recipients))
	for _, text := range c.Recipients {
		r, err := crypto.ParseRecipient(text)
		if err != nil {
			return nil, fmt.Errorf("config %d: %w", c.Number, err)
		}
		recipients = append(recipients, r)
	}
	return recipients, crypto.CheckRecipients(recipients)
}

// member returns the admitted member with this name, and its key.
func member(list []Member, name string) (Member, crypto.Verifier, bool) {
	for _, m := range list {
		v, err := crypto.ParseVerifier(m.Key)
		if err == nil && v.Name() == name {
			return m, v, true
		}
	}
	return Member{}, crypto.Verifier{}, false
}

// keys returns the public keys of members, including revoked ones.
func keys(list []Member) []crypto.Verifier {
	var all []crypto.Verifier
	for _, m := range list {
		if v, err := crypto.ParseVerifier(m.Key); err == nil {
			all = append(all, v)
		}
	}
	return all
}

// wasRevoked reports whether a member was revoked before it signed record n of a lane, or a
// collector before round n of "gc". What it signed before still counts: packs that were swept are
// gone.
func (r *Repository) wasRevoked(list []Member, name, lane string, n uint64) bool {
	m, _, _ := member(list, name)
	return m.Revoked != nil && n > m.Revoked[lane]
}

func configName(n uint64) string { return "config/" + sequence(n) }

// sequence formats a number so that names sort like numbers.
func sequence(n uint64) string { return fmt.Sprintf("%010d", n) }

func parseSequence(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && s == sequence(n)
}

// signConfig signs c as the owner.
func signConfig(repository string, owner crypto.Signer, c *Config) ([]byte, error) {
	body, err := encodeLine(c)
	if err != nil {
		return nil, err
	}
	return owner.Sign(repository, configName(c.Number), body)
}

// Change signs a new config with the next free number. edit changes a copy of the current one. If
// another process of the owner changes the config at the same time, Change fails and changes
// nothing. It also changes nothing if the store does not show all configs, or shows some that the
// owner has not signed, unless that was accepted when the repository was opened.
func (r *Repository) Change(ctx context.Context, owner crypto.Signer, edit func(c *Config) error) error {
	if !owner.Verifier().Equal(r.owner) {
		return fmt.Errorf("change the configuration: the key is %s, not the owner's: %w", owner.Name(), ErrUntrusted)
	}
	if err := r.mayChange(ctx); err != nil {
		return fmt.Errorf("change the configuration: %w", err)
	}
	next := *r.Config
	next.Recipients = slices.Clone(next.Recipients)
	next.Writers = slices.Clone(next.Writers)
	next.Collectors = slices.Clone(next.Collectors)
	next.Keepers = slices.Clone(next.Keepers)
	next.Domains = slices.Clone(next.Domains)
	next.Required = slices.Clone(next.Required)
	next.Headers = maps.Clone(next.Headers)
	next.Void = maps.Clone(next.Void)
	if err := edit(&next); err != nil {
		return err
	}
	r.settle(&next)
	r.void(&next)
	next.Number, next.Previous, next.Time = r.nextNumber(), r.Config.hash, r.now()
	if err := r.putConfig(ctx, owner, &next); err != nil {
		return err
	}
	next.chain = r.Config.with(&next)
	r.Config = &next
	_ = r.keepConfig() // what is not remembered is not missed
	return nil
}

// featureMembers must be known to programs that read a repository in which no writer is trusted for
// everything.
const featureMembers = "members"

// featureForget must be known to programs that use a repository in which snapshots may be forgotten
// and packs collected. Others would show what is gone, and rely on it.
const featureForget = "forget"

// featureMoved must be known to programs that use a repository in which chunks may have been copied
// out of half-dead packs. Others would miss the packs that held them.
const featureMoved = "moved"

// knownFeatures are the required features that this version supports.
var knownFeatures = []string{featureMembers, featureForget, featureMoved, featureRollUp}

// settle updates a config to the current rules, and makes it require the feature members if a
// program that does not know the rules would trust writers for more.
func (r *Repository) settle(c *Config) {
	if c.Rules == 0 {
		c.Rules = 1
		r.warnShared()
	}
	if narrow(c.Writers) && !slices.Contains(c.Required, featureMembers) {
		c.Required = append(c.Required, featureMembers)
	}
}

// narrow reports whether a program that knows neither hosts nor the current groups would trust
// writers for more than the owner does.
func narrow(writers []Member) bool {
	return len(writers) > 1 || slices.ContainsFunc(writers, func(m Member) bool { return m.Hosts != nil && !slices.Contains(m.Hosts, AnyHost) })
}

// warnShared warns of the writers that shared under the rule that a change ends.
func (r *Repository) warnShared() {
	var shared []string
	for _, m := range r.Config.Writers {
		if m.Group == "" && m.Revoked == nil {
			shared = append(shared, m.Name())
		}
	}
	if len(shared) > 1 {
		r.warn("the writers %s shared what they have stored, since none of them has a group. From now on each relies on its own data alone, and "+
			"reads once more what it shared, unless they are put into a group: packstone key writer bind NAME --group GROUP", strings.Join(shared, ", "))
	}
}

// inTheWay explains why config number could not be written. exists is the store's error.
func (r *Repository) inTheWay(ctx context.Context, number uint64, exists error) error {
	name := configName(number)
	if _, err := lookAgain(ctx, r.Store, name); errors.Is(err, store.ErrNotExist) {
		return fmt.Errorf("%s in %s is not an object: remove it there, and try again: %w", name, r.Store.Location(), exists)
	}
	return fmt.Errorf("config %d was written by someone else at the same moment, try again: %w", number, exists)
}

// putConfig stores a config. What it names is durable before: without it, nobody could open the
// repository.
func (r *Repository) putConfig(ctx context.Context, owner crypto.Signer, c *Config) error {
	data, err := signConfig(r.Format.Repository, owner, c)
	if err != nil {
		return err
	}
	if err := r.Store.Sync(ctx); err != nil {
		return fmt.Errorf("write config %d: %w", c.Number, err)
	}
	err = putOwn(ctx, r.Store, configName(c.Number), data)
	if errors.Is(err, store.ErrExist) {
		return r.inTheWay(ctx, c.Number, err)
	}
	if err != nil {
		return fmt.Errorf("write config %d: %w", c.Number, err)
	}
	c.hash = hash(data)
	return r.Store.Sync(ctx)
}

// RetentionFloor returns how long collectors keep every snapshot at least.
func (c *Config) RetentionFloor() (time.Duration, error) {
	return c.duration("retention_floor", c.Floor, DefaultFloor)
}

// GracePeriod returns how long forgotten snapshots are kept.
func (c *Config) GracePeriod() (time.Duration, error) {
	return c.duration("grace", c.Grace, DefaultGrace)
}

// DefaultHorizon is how far ahead of now a keeper extends locks, unless the owner signs another
// period.
const DefaultHorizon = 30 * 24 * time.Hour

// LockHorizon returns how far ahead of now a keeper extends locks.
func (c *Config) LockHorizon() (time.Duration, error) {
	return c.duration("horizon", c.Horizon, DefaultHorizon)
}

// duration parses a period that the owner has signed. An unreadable period is an error, never a
// shorter one.
func (c *Config) duration(key, text string, otherwise time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("config %d: %s is %q, which is no period: %w", c.Number, key, text, ErrUntrusted)
	}
	return d, nil
}
