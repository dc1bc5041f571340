package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/crypto"
)

// initMessage is what init prints as JSON.
type initMessage struct {
	Repository string   `json:"repository" doc:"The repository's address."`
	ID         string   `json:"id" doc:"The repository's id."`
	Owner      string   `json:"owner" doc:"The owner's public key."`
	Print      string   `json:"owner_fingerprint" doc:"A short form of it, by which machines that do not know the repository are told to trust it."`
	Recipients []string `json:"recipients" doc:"Who can restore."`
	MoveAway   []string `json:"move_away" doc:"Key files that were made here and belong somewhere else."`
	WriterFile string   `json:"writer_file" doc:"The key that this host backs up with."`
	Pin        string   `json:"pin,omitempty" doc:"The line by which an identity file trusts the owner, if it could not be put there."`
	PinIn      []string `json:"pin_in,omitempty" doc:"Where it belongs."`
}

type initOptions struct {
	classic    bool
	sameDomain string
	force      bool
	floor      string
}

func newInit(a *app) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a repository and, where there are none, the keys to it.",
		Long: `On a machine without keys all of them are made here: the identity that restores, the owner's key that admits other hosts, and
this host's own key. It says which files to move away. With --recipient, only those can restore, and no identity is made.`,
		Example: `  packstone init -r s3://offsite/platform
  packstone init -r /mnt/backup/platform -R age1pq1…`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&o.classic, "classic", false, "use X25519 keys instead of hybrid post-quantum ones")
	cmd.Flags().StringVar(&o.sameDomain, "same-domain-as", "", "share contents' names with another `repository`, so that copies between them deduplicate")
	cmd.Flags().BoolVar(&o.force, "force", false, "make it in a directory that holds other things")
	cmd.Flags().StringVar(&o.floor, "retention-floor", "", "keep every snapshot for this `time` at least (default 14d); packstone key policy changes it")
	return a.verb(cmd, usesRepository|usesIdentity|usesRecipients|usesDryRun, func(ctx context.Context, _ []string) error {
		if o.floor != "" {
			floor, err := parsePeriod(o.floor)
			if err != nil {
				return err
			}
			o.floor = floor.String()
		}
		return a.initialize(ctx, o)
	})
}

// initialize makes a repository and prints what was made.
func (a *app) initialize(ctx context.Context, o initOptions) error {
	if len(a.flags.AcceptOwner) > 0 && o.sameDomain == "" {
		return usage("init makes the owner's key known itself; --accept-owner is for the repository that --same-domain-as names")
	}
	address, err := a.Repository()
	if err != nil {
		return err
	}
	if a.flags.dryRun {
		if err := address.RefuseUsed(o.force); err != nil {
			return err
		}
		if err := a.refuseExisting(ctx); err != nil {
			return err
		}
		a.out.Note("would make a repository in %s; nothing was changed: this was a dry run", address)
		return nil
	}
	made, err := a.makeRepository(ctx, o)
	if err != nil {
		return err
	}
	a.out.Message("init", made, made.text())
	return a.out.Err()
}

func (m initMessage) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "made repository %s in %s\n", m.ID, m.Repository)
	fmt.Fprintf(&b, "this host backs up with %s\n", m.WriterFile)
	fmt.Fprintf(&b, "the owner's fingerprint is %s: note it where the identity is kept\n", m.Print)
	if m.Pin != "" {
		fmt.Fprintf(&b, "\nPut this line into %s. Without it a restore elsewhere has to name the fingerprint with --accept-owner:\n%s\n",
			strings.Join(m.PinIn, " and "), m.Pin)
	}
	if len(m.MoveAway) > 0 {
		b.WriteString("\nMove these files to a safe place away from this machine, and keep a second copy. Without an identity nothing comes back:\n")
		for _, name := range m.MoveAway {
			fmt.Fprintf(&b, "  %s\n", name)
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// makeRepository makes what is missing of the keys, and the repository.
func (a *app) makeRepository(ctx context.Context, o initOptions) (made initMessage, err error) {
	address, err := a.Repository()
	if err != nil {
		return made, err
	}
	recipients, err := a.initialRecipients(ctx, o.classic)
	if err != nil {
		return made, err
	}
	if err := address.RefuseUsed(o.force); err != nil {
		return made, err
	}
	storage, err := a.unusedStorage(ctx, address.String())
	if err != nil {
		return made, err
	}
	identity := ""
	if len(recipients) == 0 {
		recipients, identity, err = a.MakeIdentity(o.classic)
	}
	if err != nil {
		return made, err
	}
	owner, ownerMade, err := a.OwnerKey()
	if err != nil {
		return made, err
	}
	key, err := a.initStorage(ctx, storage, o, owner, recipients)
	if err != nil {
		return made, err
	}
	made = initMessage{
		Repository: address.String(), ID: key.Repository, Owner: owner.Verifier().Text(), Print: owner.Verifier().Fingerprint().String(),
	}
	if made.Recipients, err = admin.RecipientTexts(recipients); err != nil {
		return made, err
	}
	places := a.IdentityPlaces()
	if identity != "" {
		made.MoveAway = append(made.MoveAway, identity)
		places = []machine.IdentityPlace{{File: identity, What: identity}}
	}
	if ownerMade != "" {
		made.MoveAway = append(made.MoveAway, ownerMade)
	}
	pin := crypto.OwnerPin{Repository: key.Repository, Owner: owner.Verifier()}
	if made.PinIn = a.PinOwner(places, made.Recipients, pin); len(made.PinIn) > 0 {
		made.Pin = pin.Line()
	}
	made.WriterFile, err = a.KeepWriter(key)
	return made, err
}

// initStorage writes the repository and returns this host's key.
func (a *app) initStorage(ctx context.Context, storage *config.Storage, o initOptions, owner crypto.Signer, recipients []age.Recipient) (*crypto.WriterFile, error) {
	shared, err := a.sharedDomain(ctx, o.sameDomain)
	if err != nil {
		return nil, err
	}
	host, err := a.NamedHost()
	if err != nil {
		return nil, err
	}
	writer, err := crypto.GenerateSigner(catalog.WriterName(cmp.Or(host, machine.Name())))
	if err != nil {
		return nil, err
	}
	return catalog.Init(ctx, storage, owner, writer, recipients, shared, catalog.Options{
		Software: "packstone " + version().Version, Memory: a.MemoryDirectory(storage.Location()), Floor: o.floor,
	})
}

// unusedStorage opens the storage at address, which must hold no repository yet and keep its contract.
func (a *app) unusedStorage(ctx context.Context, address string) (*config.Storage, error) {
	storage, err := a.openStorage(ctx, true)
	if err != nil {
		return nil, err
	}
	if err := refuseRepositoryIn(ctx, storage, address); err != nil {
		return nil, err
	}
	return storage, a.proveStorage(ctx, storage)
}

func refuseRepositoryIn(ctx context.Context, storage *config.Storage, address string) error {
	_, err := catalog.ReadFormat(ctx, storage)
	if errors.Is(err, catalog.ErrNoRepository) {
		return nil
	}
	if err == nil {
		err = exitWith(exitRefused, "%s: %w", address, catalog.ErrExists)
	}
	return err
}

// refuseExisting refuses storage in which there is a repository already. It makes nothing.
func (a *app) refuseExisting(ctx context.Context) error {
	storage, err := a.openStorage(ctx, false)
	if errors.Is(err, catalog.ErrNoRepository) {
		return nil
	}
	if err != nil {
		return err
	}
	return refuseRepositoryIn(ctx, storage, storage.Location())
}

// proveStorage tests that the storage keeps its contract, before anything relies on it. It needs no right to delete.
func (a *app) proveStorage(ctx context.Context, storage *config.Storage) error {
	for _, check := range store.Probe(ctx, storage) {
		if check.Err != nil && !(check.Name == "delete" && errors.Is(check.Err, store.ErrDenied)) {
			return fmt.Errorf("%s cannot hold a repository: %s: %w", storage.Location(), check.Name, check.Err)
		}
	}
	return nil
}

// initialRecipients are those that were named, else those of the identities at hand, else none: then an identity has to be made. Those that
// are not as --classic asks are refused.
func (a *app) initialRecipients(ctx context.Context, classic bool) ([]age.Recipient, error) {
	recipients, err := a.NamedRecipients()
	if err != nil {
		return nil, err
	}
	what := "a recipient that was named is a hybrid post-quantum one: name classic ones, age1…, alone"
	if len(recipients) == 0 {
		what = "there is a hybrid post-quantum identity already: name a classic one with -i, or its recipient with -R (packstone key generate --classic -o FILE makes one)"
		have, err := a.Identities(ctx)
		if err != nil || have == nil {
			return nil, err
		}
		if recipients, err = admin.RecipientsOf(have.Identities); err != nil {
			return nil, err
		}
	}
	if classic && slices.ContainsFunc(recipients, func(r age.Recipient) bool { return !crypto.IsClassic(r) }) {
		return nil, exitWith(exitRefused, "--classic: %s", what)
	}
	return recipients, nil
}

// sharedDomain is the domain of the repository that --same-domain-as names, nil without.
func (a *app) sharedDomain(ctx context.Context, address string) (*crypto.Domain, error) {
	if address == "" {
		return nil, nil
	}
	repo, _, err := a.openRepositoryAt(ctx, address, machine.MayRead|machine.MayWrite)
	if err != nil {
		return nil, err
	}
	domain, err := repo.Domain(repo.Config.Domain)
	if err != nil {
		return nil, err
	}
	return &domain, nil
}
