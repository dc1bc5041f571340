package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
)

// rotateMessage is what key rotate prints as JSON.
type rotateMessage struct {
	Before  uint64        `json:"domain_before" doc:"The domain that was written with."`
	Domain  uint64        `json:"domain" doc:"The domain that is written with now."`
	Config  uint64        `json:"config" doc:"The number of the configuration that is in force now."`
	Know    []string      `json:"know" doc:"Who has, or had, keys of earlier domains, and knows what these tell."`
	Packs   int           `json:"packs" doc:"How many packs are stored, whose contents the next backups do not find again."`
	Bytes   int64         `json:"bytes" doc:"Their bytes: about what the next backups store once more, at most."`
	Renewed []string      `json:"renewed" doc:"Key files of this machine that got the new domain's keys."`
	Made    []rotatedFile `json:"made" doc:"Key files that were made for others."`
	Lacking []string      `json:"lacking" doc:"Members who need a new key file, which was not made."`
	DryRun  bool          `json:"dry_run,omitempty" doc:"Whether nothing was changed."`

	cures []string // how each of those lacking gets its file
}

// rotatedFile is a key file that was made for somebody.
type rotatedFile struct {
	Name     string `json:"name" doc:"The name that it signs with."`
	Replaces string `json:"replaces" doc:"The name whose place it takes, which is revoked."`
	File     string `json:"file" doc:"Where it was written."`
}

type rotateOptions struct {
	domain, reencrypt, yes bool
	output                 string
	packSize               flagvalue.Size
}

func newKeyRotate(a *app) *cobra.Command {
	var o rotateOptions
	cmd := &cobra.Command{
		Use:   "rotate --domain|--reencrypt",
		Short: "Change to new keys for contents; store old backups anew with them.",
		Long: `--domain is for when a host's key file may have been copied. Contents are stored under new names
from then on; old backups stay as they are. Whoever had a key file can still test whether what it
knows was stored before. Nothing that is stored is recognised again, so that the next backups read and
store everything once more. The key files of this machine go on working. Those of other hosts,
collectors and keepers are refused until they are replaced: -o makes them all, and revokes the old
ones.

--reencrypt is for when a removed recipient is to lose what it could read: after key remove and key
rotate --domain it stores all older snapshots anew, and forgets the old ones, whose packs prune
deletes. Copies that somebody has taken, old versions in a bucket and what locks protect stay, and so
do descriptions of snapshots in the log: host, set and paths.

Needs the owner's key, an identity and, for --reencrypt, the key of a writer that may back up all
hosts. If it was interrupted, run it again: before all have key files, the domain does not change
again.`,
		Example: `  packstone key rotate --domain -o new-keys
  packstone key rotate --reencrypt -n`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.domain, "domain", false, "change to a new domain")
	flags.BoolVar(&o.reencrypt, "reencrypt", false, "store all snapshots of earlier domains anew")
	flags.Var(&o.packSize, "pack-size", "`size` of the objects that --reencrypt uploads (default 16MiB, 8MiB where memory is tight)")
	flags.StringVarP(&o.output, "output", "o", "", "with --domain: make new key files for all others, in this `directory`")
	flags.BoolVar(&o.yes, "yes", false, "do not ask before the change")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun|usesConcurrency, func(ctx context.Context, _ []string) error {
		switch {
		case o.domain == o.reencrypt:
			return usage("say what to rotate, one after the other: --domain, or --reencrypt")
		case o.reencrypt && o.output != "":
			return usage("--output is for --domain")
		case o.domain && cmd.Flags().Changed("pack-size"):
			return usage("--pack-size is for --reencrypt")
		case o.reencrypt:
			return a.reencrypt(ctx, o)
		}
		return a.rotate(ctx, o)
	})
}

func (a *app) rotate(ctx context.Context, o rotateOptions) error {
	repo, _, err := a.OpenRepository(ctx, machine.MustRead)
	if err != nil {
		return err
	}
	owner, err := a.Owner(repo)
	if err != nil {
		return err
	}
	atHand, err := a.KeysAtHand(repo)
	if err != nil {
		return err
	}
	r, err := admin.NewRotation(ctx, repo, atHand)
	if err != nil {
		return err
	}
	m := rotateMessage{
		Before: r.Before, Domain: r.Before, Config: repo.Config.Number, Know: r.Know, Packs: r.Packs, Bytes: r.Bytes,
		Renewed: []string{}, Made: []rotatedFile{}, Lacking: []string{}, DryRun: a.flags.dryRun,
	}
	if m.DryRun {
		a.out.Message("key_rotate", m, strings.Join(append(m.meaning(r), "dry run, nothing was changed"), "\n"))
		return a.out.Err()
	}
	if err := a.agreeToRotate(m.meaning(r), r.Needed && !o.yes); err != nil {
		return err
	}
	if o.output != "" {
		if err := machine.TryDirectory(o.output); err != nil {
			return fmt.Errorf("nothing was changed: %w", err)
		}
	}
	if err := r.Make(ctx, owner); err != nil {
		return err
	}
	if err := a.handOverRotated(ctx, repo, owner, o.output, &m); err != nil {
		return fmt.Errorf("the repository is written with domain %d; to make the key files that are missing, run the same command again: %w", repo.Config.Domain, err)
	}
	m.Domain, m.Config = repo.Config.Domain, repo.Config.Number
	a.out.Message("key_rotate", m, m.text())
	return a.out.Err()
}

// meaning says what a rotation does, to whom, and what it costs.
func (m rotateMessage) meaning(r *admin.Rotation) []string {
	switch {
	case len(r.Lack) > 0:
		return []string{fmt.Sprintf("the change to domain %d is not over, since some have no key file of it yet: %s. It is not changed again before that: make the files with -o, or revoke who needs none",
			m.Before, strings.Join(r.Lack, ", "))}
	case !r.Needed:
		return []string{fmt.Sprintf("nothing is stored with domain %d yet: it is not rotated again", m.Before)}
	}
	return []string{
		fmt.Sprintf("domain %d takes the place of domain %d: key files of domain %d can no longer back up", m.Before+1, m.Before, m.Before),
		"who has, or had, a key file until now: " + strings.Join(m.Know, ", "),
		"these can still test whether a content that they know was stored so far, and list what packs hold it, as long as they reach the storage",
		"recipients stay: they read old and new backups, and a removed one still reads what it could read",
		fmt.Sprintf("nothing that is stored is recognised again: the next backups read everything, and store up to %s (%s) once more", output.Bytes(m.Bytes), output.Plural(uint64(m.Packs), "pack")),
	}
}

// agreeToRotate asks whether to go on.
func (a *app) agreeToRotate(why []string, ask bool) error {
	if !ask {
		return nil
	}
	if !a.CanAsk() {
		return exitWith(exitRefused, "%s; confirm with --yes", strings.Join(why, "; "))
	}
	if ok, err := a.Confirm(why); err != nil || !ok {
		return errors.Join(err, exitWith(exitRefused, "nothing was changed"))
	}
	return nil
}

// handOverRotated gives this machine's key files the keys of the present domain, and makes those of
// others if there is a directory for them.
func (a *app) handOverRotated(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, directory string, m *rotateMessage) error {
	own, err := a.RenewKeys(repo)
	if err != nil {
		return err
	}
	m.Renewed = append(m.Renewed, own.Renewed...)
	if directory == "" {
		m.lack(repo.Config, own.Keys)
		return nil
	}
	place := func(name string) string { return filepath.Join(directory, name+".key") }
	return admin.Reissue(ctx, repo, owner, admin.Reissuing{
		Renewed: own.Keys,
		Keep:    func(name string, file []byte) error { return machine.WriteReissued(place(name), file) },
		Done: func(old, next catalog.Member) {
			m.Made = append(m.Made, rotatedFile{admin.NameOf(next), admin.NameOf(old), place(admin.NameOf(next))})
		},
	})
}

// lack lists who needs a new key file, and how to make it.
func (m *rotateMessage) lack(c *catalog.Config, renewed []string) {
	of := func(members []catalog.Member, cure string) {
		for _, member := range admin.Outdated(members, c, renewed) {
			name := admin.NameOf(member)
			m.Lacking = append(m.Lacking, name)
			m.cures = append(m.cures, strings.ReplaceAll(cure, "NAME", name))
		}
	}
	of(c.Writers, "writer NAME needs a new key file: packstone key writer add NAME --replaces NAME -o NAME.key")
	of(c.Collectors, "collector NAME needs a new key file: packstone key collector add NAME-2 -o NAME-2.key, then packstone key collector revoke NAME")
	of(c.Keepers, "keeper NAME needs a new key file: packstone key rotate --domain -o DIRECTORY makes it, and does not change the domain again")
}

func (m rotateMessage) text() string {
	lines := []string{fmt.Sprintf("configuration %d: the repository is written with domain %d", m.Config, m.Domain)}
	for _, path := range m.Renewed {
		lines = append(lines, "the key file "+path+" has the keys of this domain now")
	}
	for _, made := range m.Made {
		lines = append(lines, fmt.Sprintf("wrote %s, the key file of %s, which takes the place of %s", made.File, made.Name, made.Replaces))
	}
	if len(m.Made) > 0 {
		lines = append(lines, "bring each to its host, in the place of the old file; the old keys are revoked, and bucket policies that name their holders need the new names")
	}
	return strings.Join(append(lines, m.cures...), "\n")
}
