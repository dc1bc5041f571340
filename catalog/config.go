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

// DefaultGrace is how long what was forgotten stays, so that it can be brought back and running
// restores end well.
const DefaultGrace = 7 * 24 * time.Hour

// DefaultFloor is how long every snapshot is kept at least, whatever a retention rule says, unless
// the owner signs another.
const DefaultFloor = 14 * 24 * time.Hour

// Config is what the owner has decided, in one signed object of a chain. The highest valid number
// counts.
type Config struct {
	Number     uint64    `json:"number"`
	Previous   string    `json:"previous,omitempty"` // SHA-256 of the config before
	Time       time.Time `json:"time"`
	Format     string    `json:"format"` // SHA-256 of packstone.json
	Classic    bool      `json:"classic,omitempty"`
	Recipients []string  `json:"recipients"`
	Writers    []Member  `json:"writers"`
	Collectors []Member  `json:"collectors,omitempty"`
	Domain     uint64    `json:"domain"` // the number of the domain that is written with
	Domains    []Domain  `json:"domains"`
	Floor      string    `json:"retention_floor"`   // Go duration
	Grace      string    `json:"grace,omitempty"`   // Go duration
	Horizon    string    `json:"horizon,omitempty"` // Go duration
	// Rules say how members are trusted: 0, every writer without a group relies on all others
	// without one; 1, on itself alone.
	Rules int `json:"rules,omitempty"`
	// Void are objects below log/, sessions/ and config/ that count for nothing, with their
	// SHA-256.
	Void     map[string]string `json:"void,omitempty"`
	Required []string          `json:"required_features,omitempty"`
	// Headers are the objects of detached headers and their SHA-256.
	Headers map[string]string `json:"headers,omitempty"`

	hash    string
	chain   chain
	unknown unknown
}

// Member is a writer or a collector that the owner has admitted.
type Member struct {
	Key     string            `json:"key"`
	Group   string            `json:"group,omitempty"`     // writers of one group trust each other's index runs
	Hosts   []string          `json:"hosts,omitzero"`      // patterns of the hosts that a writer may speak for; nil: any, and then unbound
	Earlier []Binding         `json:"earlier,omitempty"`   // hosts before, the oldest first
	Roles   []string          `json:"roles,omitempty"`     // what else it may do
	Revoked map[string]uint64 `json:"last_valid,omitzero"` // if not nil: lane, or "gc" → the last record, or round, that counts

	unknown unknown
}

// Domain is one deduplication domain of the repository: equal contents have equal ids in it.
type Domain struct {
	Number uint64 `json:"number"`
	Origin string `json:"origin"`           // the repository it was made for; salt of the derivations
	Index  string `json:"index"`            // recipient that index runs and refs are sealed to
	Object string `json:"object"`           // where the secret lies, sealed to the recipients
	SHA256 string `json:"sha256,omitempty"` // of that object

	unknown unknown
}

// Hash is the SHA-256 of the signed object.
func (c *Config) Hash() string { return c.hash }

// AgeRecipients parses the recipients that everything is sealed to.
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

// member finds the admitted member of this name.
func member(list []Member, name string) (Member, crypto.Verifier, bool) {
	for _, m := range list {
		v, err := crypto.ParseVerifier(m.Key)
		if err == nil && v.Name() == name {
			return m, v, true
		}
	}
	return Member{}, crypto.Verifier{}, false
}

// keys are the public keys of members, those that were revoked among them.
func keys(list []Member) []crypto.Verifier {
	var all []crypto.Verifier
	for _, m := range list {
		if v, err := crypto.ParseVerifier(m.Key); err == nil {
			all = append(all, v)
		}
	}
	return all
}

// wasRevoked tells whether a member was revoked before it signed record n of a lane, or a collector
// round n of "gc". What it did before goes on to count: packs that were swept are gone.
func (r *Repository) wasRevoked(list []Member, name, lane string, n uint64) bool {
	m, _, _ := member(list, name)
	return m.Revoked != nil && n > m.Revoked[lane]
}

func configName(n uint64) string { return "config/" + sequence(n) }

// sequence writes a number so that names sort as numbers do.
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

// Change signs a new config that follows the current one, under the next number that is free. edit
// changes a copy. A change that another owner's process made at the same time is an error, and
// nothing is changed. Where the store does not show all configs, or shows what the owner has not
// signed, nothing is changed either, unless that was accepted when the repository was opened.
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
	next.chain = r.Config.chain.with(&next)
	r.Config = &next
	_ = r.keepConfig() // what is not remembered is not missed
	return nil
}

// featureMembers is required of a reader where a writer is not trusted for everything.
const featureMembers = "members"

// featureForget is required of a program where something may be forgotten or collected. One that
// does not know it would show what is gone, and rely on it.
const featureForget = "forget"

// featureMoved is required of a program where chunks may have been copied out of half-dead packs.
// One that does not know it would miss the packs that they were in.
const featureMoved = "moved"

// knownFeatures are those of configs that this version knows how to act on.
var knownFeatures = []string{featureMembers, featureForget, featureMoved, featureRollUp}

// settle brings a config under today's rules. A program that does not know them would trust its
// writers for more.
func (r *Repository) settle(c *Config) {
	if c.Rules == 0 {
		c.Rules = 1
		r.warnShared()
	}
	if narrow(c.Writers) && !slices.Contains(c.Required, featureMembers) {
		c.Required = append(c.Required, featureMembers)
	}
}

// narrow tells whether a program that knows neither hosts nor today's groups would trust writers
// for more than the owner does.
func narrow(writers []Member) bool {
	return len(writers) > 1 || slices.ContainsFunc(writers, func(m Member) bool { return m.Hosts != nil && !slices.Contains(m.Hosts, AnyHost) })
}

// warnShared tells which writers shared under the rule that a change ends.
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

// inTheWay says why config number could not be written, which exists.
func (r *Repository) inTheWay(ctx context.Context, number uint64, exists error) error {
	name := configName(number)
	if _, err := lookAgain(ctx, r.Store, name); errors.Is(err, store.ErrNotExist) {
		return fmt.Errorf("%s in %s is not an object: remove it there, and try again: %w", name, r.Store.Location(), exists)
	}
	return fmt.Errorf("config %d was written by someone else at the same moment, try again: %w", number, exists)
}

func (r *Repository) putConfig(ctx context.Context, owner crypto.Signer, c *Config) error {
	data, err := signConfig(r.Format.Repository, owner, c)
	if err != nil {
		return err
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

// RetentionFloor is how long collectors keep every snapshot at least.
func (c *Config) RetentionFloor() (time.Duration, error) {
	return c.duration("retention_floor", c.Floor, DefaultFloor)
}

// GracePeriod is how long what was forgotten stays.
func (c *Config) GracePeriod() (time.Duration, error) {
	return c.duration("grace", c.Grace, DefaultGrace)
}

// duration reads a period that the owner has signed. What cannot be read is no shorter one.
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
