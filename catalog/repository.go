package catalog

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"filippo.io/age"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/crypto"
)

// Keys determine what a process may do with a repository. All are optional; each operation says
// which it needs.
type Keys struct {
	Identities *crypto.IdentityFile // to read
	Writer     *crypto.WriterFile   // to back up
	// Collector allows forgetting, and deleting what is dead: it reads index runs and refs.
	Collector *crypto.CollectorFile
	Pins      Pins // whom else to trust
}

// Options configure Open and Init.
type Options struct {
	Keys     Keys
	CacheDir string           // "" keeps nothing
	Bypass   bool             // nothing is taken from the cache, nor put into it
	Memory   string           // a directory of what this host has seen at the repository's address; one in CacheDir if ""
	TempDir  string           // for what outgrows memory where there is no cache; "": it stays in memory
	Now      func() time.Time // the clock; time.Now if nil
	Software string           // named in records
	Warn     func(string)     // what a person should know and that stops nothing; may be nil
	Look     *Look            // what was read of the repository already; nil: Open looks
	Floor    string           // how long Init lets every snapshot be kept at least, as a Go duration; "": DefaultFloor
	// Keep is called by Init with the writer's key file before there is a repository, so that no
	// kill leaves a repository whose key nobody has. If it fails, there is none. It may be nil.
	Keep func(*crypto.WriterFile) error
	// AcceptRollback makes Open continue, with a warning, if the store does not show all that was
	// written.
	AcceptRollback bool
	// Past says that the store shows an earlier state. It is not compared with what this host has
	// seen, and nothing of it is remembered.
	Past bool
}

// Repository is an open repository. All methods except Change are safe for concurrent use.
type Repository struct {
	Store  store.Store
	Format archive.Format
	Config *Config
	Cache  *Cache

	owner    crypto.Verifier
	domains  map[uint64]crypto.Domain
	opens    sync.Map // domain → age.Identity that opens its index runs and refs, as soon as one was wanted
	options  Options
	memories *memories
	read     *remembered

	seenMutex sync.Mutex
	seen      *recollection // what this host had seen last before this repository was opened

	detaching *semaphore.Weighted // a mutex, which is waited for no longer than a context lasts
	detached  detached            // loaded at first use
}

// Init makes a repository. The owner signs its first config, which admits one writer. Init makes a
// domain secret, or takes over that of share, and seals it to the recipients. It returns the
// writer's key file.
func Init(ctx context.Context, s store.Store, owner, writer crypto.Signer, recipients []age.Recipient, share *crypto.Domain, o Options) (*crypto.WriterFile, error) {
	if err := crypto.CheckRecipients(recipients); err != nil {
		return nil, err
	}
	if _, err := s.Get(ctx, archive.FormatObject, 0, 1, nil); err == nil {
		return nil, fmt.Errorf("%s: %w", s.Location(), ErrExists)
	} else if !errors.Is(err, store.ErrNotExist) {
		return nil, fmt.Errorf("look for a repository in %s: %w", s.Location(), err)
	}
	format := archive.NewFormat(owner.Verifier().Text(), crypto.IsClassic(recipients[0]))
	domain, err := firstDomain(format.Repository, share)
	if err != nil {
		return nil, err
	}
	r := &Repository{Store: s, Format: format, owner: owner.Verifier(), options: o, memories: openMemories(o, format.Repository), seen: &recollection{}, detaching: semaphore.NewWeighted(1)}
	formatObject, err := archive.EncodeFormat(format)
	if err != nil {
		return nil, err
	}
	config, err := firstConfig(r, recipients, writer, domain)
	if err != nil {
		return nil, err
	}
	config.Format = hash(formatObject)
	key := &crypto.WriterFile{
		Repository: format.Repository, Signer: writer, Owner: owner.Verifier(),
		DomainNumber: 1, Domain: domain, Classic: config.Classic, Recipients: recipients,
	}
	if o.Keep != nil {
		if err := o.Keep(key); err != nil {
			return nil, err
		}
	}
	if err := r.create(ctx, owner, config, domain, recipients, formatObject); err != nil {
		return nil, fmt.Errorf("make a repository in %s: %w", s.Location(), err)
	}
	r.Config = config
	r.meet(nil)
	return key, nil
}

func firstDomain(repository string, share *crypto.Domain) (crypto.Domain, error) {
	if share != nil {
		return *share, nil
	}
	return crypto.NewDomain(repository)
}

func firstConfig(r *Repository, recipients []age.Recipient, writer crypto.Signer, domain crypto.Domain) (*Config, error) {
	c := &Config{
		Time:    r.now(),
		Classic: crypto.IsClassic(recipients[0]),
		Writers: []Member{{Key: writer.Verifier().Text(), Hosts: []string{AnyHost}}},
		Grace:   DefaultGrace.String(),
		Rules:   1,
		Floor:   DefaultFloor.String(),
	}
	if r.options.Floor != "" {
		c.Floor = r.options.Floor
	}
	for _, recipient := range recipients {
		text, err := crypto.RecipientText(recipient)
		if err != nil {
			return nil, err
		}
		c.Recipients = append(c.Recipients, text)
	}
	return c, c.addDomain(domain, domainName(1, 0))
}

// addDomain adds a domain, and makes it the one with which the repository is written.
func (c *Config) addDomain(domain crypto.Domain, object string) error {
	_, index, err := domain.IndexIdentity(c.Classic)
	if err != nil {
		return err
	}
	text, err := crypto.RecipientText(index)
	if err != nil {
		return err
	}
	c.Domain = uint64(len(c.Domains)) + 1
	c.Domains = append(c.Domains, Domain{Number: c.Domain, Origin: domain.Origin(), Index: text, Object: object})
	return nil
}

// create writes the objects of a new repository. It writes packstone.json last, since that makes it
// a repository.
func (r *Repository) create(ctx context.Context, owner crypto.Signer, c *Config, domain crypto.Domain, recipients []age.Recipient, format []byte) error {
	sealed, err := r.sealDomain(1, domain, recipients)
	if err != nil {
		return err
	}
	c.Domains[0].SHA256 = hash(sealed)
	var g errgroup.Group
	g.Go(func() error { return r.putDomain(ctx, domainName(1, 0), sealed) })
	g.Go(func() error { return r.putConfig(ctx, owner, c) })
	err = g.Wait()
	if errors.Is(err, store.ErrExist) {
		return Refuse("an interrupted init has left objects below config/ and domains/: delete them and try again")
	}
	if err == nil {
		err = r.Store.Sync(ctx) // else a loss of power could leave packstone.json alone
	}
	if err != nil {
		return err
	}
	if err := putOwn(ctx, r.Store, archive.FormatObject, format); err != nil {
		return err
	}
	return r.Store.Sync(ctx)
}

// sealedDomain is the plaintext of an object below domains/.
type sealedDomain struct {
	Repository string `json:"repository"`
	Owner      string `json:"owner"`
	Domain     uint64 `json:"domain"`
	Origin     string `json:"origin"`
	Secret     string `json:"secret"` // base64
}

func domainName(domain, config uint64) string {
	return "domains/" + sequence(domain) + "/" + sequence(config)
}

// putDomain stores an object that sealDomain has made.
func (r *Repository) putDomain(ctx context.Context, object string, sealed []byte) error {
	if err := putOwn(ctx, r.Store, object, sealed); err != nil {
		return fmt.Errorf("write %s: %w", object, err)
	}
	return nil
}

// sealDomain returns the object that holds a domain's secret.
func (r *Repository) sealDomain(number uint64, domain crypto.Domain, recipients []age.Recipient) ([]byte, error) {
	plain, err := json.Marshal(sealedDomain{
		Repository: r.Format.Repository, Owner: r.owner.Text(), Domain: number,
		Origin: domain.Origin(), Secret: base64.StdEncoding.EncodeToString(domain.Secret().Bytes()),
	})
	if err != nil {
		return nil, fmt.Errorf("encode domain %d: %w", number, err)
	}
	sealed, err := crypto.Seal(nil, plain, recipients...)
	if err != nil {
		return nil, fmt.Errorf("seal domain %d: %w", number, err)
	}
	return sealed, nil
}

// Open opens the repository in s with the keys at hand. It fails with ErrNoRepository if there is
// none, with crypto.ErrWrongIdentity if the identities do not open it, and with ErrUntrusted if its
// configuration is not signed by the pinned owner.
func Open(ctx context.Context, s store.Store, o Options) (*Repository, error) {
	if o.Look == nil {
		var err error
		if o.Look, err = lookAt(ctx, s, "config/"); err != nil {
			return nil, err
		}
	}
	format, err := archive.ParseFormat(o.Look.Format)
	if err != nil {
		return nil, fmt.Errorf("open repository %s: %w", s.Location(), err)
	}
	r := &Repository{Store: s, Format: format, Cache: openCache(o), domains: map[uint64]crypto.Domain{}, options: o, read: rememberRecords(o), detaching: semaphore.NewWeighted(1)}
	var domains []string
	if o.Keys.Identities != nil {
		domains = append(domains, domainName(1, 0)) // which nearly every repository has
	}
	o.Look.fetch(ctx, r.Cache, domains...)
	r.memories = openMemories(o, format.Repository)
	r.Cache.removeLeft(r.now())
	r.memories.dir.removeLeft(r.now())
	if r.seen, err = r.memories.recall(); err != nil {
		r.warn("cannot tell whether the storage is rolled back: %v", err)
		r.seen = &recollection{}
	}
	known := r.memories.known()
	if r.owner, err = trustedOwner(format, o.Keys, known); err != nil {
		return nil, fmt.Errorf("open repository %s: %w", s.Location(), err)
	}
	if r.Config, err = r.loadConfig(ctx); err != nil {
		return nil, fmt.Errorf("open repository %s: %w", s.Location(), err)
	}
	if foreign := r.Config.Foreign(); len(foreign) > 0 {
		r.warn("%s: %v", strings.Join(foreign, ", "), ErrForeign)
	}
	if hash(o.Look.Format) != r.Config.Format {
		return nil, fmt.Errorf("open repository %s: %s is not the one that the owner has signed: %w", s.Location(), archive.FormatObject, ErrUntrusted)
	}
	if err := r.openDomains(ctx); err != nil {
		return nil, fmt.Errorf("open repository %s: %w", s.Location(), err)
	}
	r.meet(known)
	return r, nil
}

func openCache(o Options) *Cache {
	if o.Bypass {
		return OpenCache("")
	}
	return OpenCache(o.CacheDir)
}

// openDomains reads the secrets of all domains that the keys at hand open.
func (r *Repository) openDomains(ctx context.Context) error {
	if w := r.options.Keys.Writer; w != nil {
		r.domains[uint64(w.DomainNumber)] = w.Domain
	}
	if r.options.Keys.Identities == nil {
		return nil
	}
	for _, d := range r.Config.Domains {
		if err := r.openDomain(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (r *Repository) openDomain(ctx context.Context, d Domain) error {
	var plain []byte
	_, err := r.Cache.object(ctx, r.opening(), d.Object, func(data []byte) (err error) {
		if d.SHA256 != "" && d.SHA256 != hash(data) {
			return fmt.Errorf("%s is not the one that the owner has signed: %w", d.Object, archive.ErrDamaged)
		}
		plain, err = crypto.Open(nil, data, r.Identities()...)
		return err
	})
	if errors.Is(err, crypto.ErrWrongIdentity) && r.isRecipient() {
		err = fmt.Errorf("%s is encrypted to this identity, but does not open with it: %w", d.Object, archive.ErrDamaged)
	}
	if errors.Is(err, crypto.ErrWrongIdentity) {
		err = fmt.Errorf("%w: it is none of the repository's %s, or none any more. Use the identity of one of them, "+
			"or ask who has one to admit this one with packstone key add", err, entry.Plural(uint64(len(r.Config.Recipients)), "recipient"))
	}
	if errors.Is(err, store.ErrNotExist) {
		err = fmt.Errorf("%s is missing: %w", d.Object, archive.ErrDamaged)
	}
	if err != nil {
		return fmt.Errorf("open domain %d: %w", d.Number, err)
	}
	var sealed sealedDomain
	if err := json.Unmarshal(plain, &sealed); err != nil {
		return fmt.Errorf("read domain %d: %w", d.Number, err)
	}
	if sealed.Repository != r.Format.Repository || sealed.Owner != r.owner.Text() || sealed.Domain != d.Number {
		return fmt.Errorf("domain %d is of another repository or owner: %w", d.Number, ErrUntrusted)
	}
	secret, err := base64.StdEncoding.DecodeString(sealed.Secret)
	if err != nil {
		return fmt.Errorf("read domain %d: %w", d.Number, err)
	}
	domain, err := crypto.OpenDomain(sealed.Origin, secret)
	r.domains[d.Number] = domain
	return err
}

// isRecipient reports whether one of the identities at hand is a recipient of the repository, by
// the owner's config.
func (r *Repository) isRecipient() bool {
	return slices.ContainsFunc(r.Identities(), func(identity age.Identity) bool {
		recipient, err := crypto.RecipientOf(identity)
		if err != nil {
			return false // a plugin's, which does not tell
		}
		text, err := crypto.RecipientText(recipient)
		return err == nil && slices.Contains(r.Config.Recipients, text)
	})
}

// under returns the repository with another config of the same owner.
func (r *Repository) under(c *Config) *Repository {
	return &Repository{
		Store: r.Store, Format: r.Format, Config: c, Cache: r.Cache,
		owner: r.owner, domains: r.domains, options: r.options, memories: r.memories, seen: r.seen, read: r.read, detaching: semaphore.NewWeighted(1),
	}
}

// Identities returns the age identities at hand.
func (r *Repository) Identities() []age.Identity {
	if f := r.options.Keys.Identities; f != nil {
		return f.Identities
	}
	return nil
}

// CanRead reports whether there is an identity, which reading content needs.
func (r *Repository) CanRead() bool { return len(r.Identities()) > 0 }

// Owner returns the key whose configuration is trusted.
func (r *Repository) Owner() crypto.Verifier { return r.owner }

// Writer returns the writer's key file at hand. It fails with ErrNoWriter if there is none, or if
// the owner has not admitted the writer or has revoked it.
func (r *Repository) Writer() (*crypto.WriterFile, error) {
	w := r.options.Keys.Writer
	if w == nil {
		return nil, fmt.Errorf("back up to repository %s: %w", r.Format.Repository, ErrNoWriter)
	}
	m, v, ok := member(r.Config.Writers, w.Signer.Name())
	if !ok || v.Text() != w.Signer.Verifier().Text() {
		return nil, fmt.Errorf("the owner has not admitted writer %s: %w", w.Signer.Name(), ErrUntrusted)
	}
	if m.Revoked != nil {
		return nil, fmt.Errorf("the owner has revoked writer %s: %w", w.Signer.Name(), ErrUntrusted)
	}
	if uint64(w.DomainNumber) != r.Config.Domain {
		return nil, fmt.Errorf("the key file of writer %s is of domain %d, and the repository is written with domain %d: get a new one from the owner, made "+
			"with packstone key writer add %s --replaces %s -o FILE: %w", w.Signer.Name(), w.DomainNumber, r.Config.Domain, w.Signer.Name(), w.Signer.Name(), ErrUntrusted)
	}
	return w, nil
}

// Domain returns the secret of a domain. It fails with ErrNoIdentity if no key at hand opens it.
func (r *Repository) Domain(number uint64) (crypto.Domain, error) {
	d, ok := r.domains[number]
	if !ok {
		return d, fmt.Errorf("domain %d: %w", number, ErrNoIdentity)
	}
	return d, nil
}

// indexIdentities returns identities that open the index runs and refs of all domains at hand.
func (r *Repository) indexIdentities() ([]age.Identity, error) {
	var ids []age.Identity
	for number, d := range r.domains {
		id, made := r.opens.Load(number)
		if !made {
			identity, _, err := d.IndexIdentity(r.Config.Classic)
			if err != nil {
				return nil, err
			}
			id, _ = r.opens.LoadOrStore(number, identity)
		}
		ids = append(ids, id.(age.Identity))
	}
	if c := r.options.Keys.Collector; c != nil {
		ids = slices.AppendSeq(ids, maps.Values(c.Index))
	}
	return ids, nil
}

// OpensIndex reports whether a key at hand opens index runs and refs of a domain.
func (r *Repository) OpensIndex(domain uint64) bool {
	_, ok := r.domains[domain]
	if c := r.options.Keys.Collector; c != nil && !ok {
		_, ok = c.Index[int(domain)]
	}
	return ok
}

func (r *Repository) now() time.Time {
	if r.options.Now != nil {
		return r.options.Now().UTC()
	}
	return time.Now().UTC()
}

func (r *Repository) warn(format string, args ...any) {
	if r.options.Warn != nil {
		r.options.Warn(fmt.Sprintf(format, args...))
	}
}
