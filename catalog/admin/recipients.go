package admin

import (
	"context"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

// RecipientChange is a change of who can read.
type RecipientChange struct {
	Next           []string // all of them, as the config has them
	Added, Removed []string
}

// WithRecipients adds the named recipients to the present ones.
func WithRecipients(now, named []string) RecipientChange {
	added := slices.DeleteFunc(slices.Clone(named), func(r string) bool { return slices.Contains(now, r) })
	return RecipientChange{Next: slices.Concat(now, added), Added: added}
}

// WithoutRecipients takes away recipients, which RecipientsNamed finds. It fails with
// catalog.ErrRefused if none would remain.
func WithoutRecipients(now, names []string) (c RecipientChange, err error) {
	if c.Removed, err = RecipientsNamed(now, names); err != nil {
		return c, err
	}
	c.Next = slices.DeleteFunc(slices.Clone(now), func(r string) bool { return slices.Contains(c.Removed, r) })
	if len(c.Next) == 0 {
		return c, catalog.Refuse("the last recipient can't be removed: nobody could read what is written after; add another first")
	}
	return c, nil
}

// Sign signs a config with the change.
func (c RecipientChange) Sign(ctx context.Context, repo *catalog.Repository, owner crypto.Signer) error {
	recipients, err := ParseRecipients(c.Next)
	if err != nil {
		return err
	}
	return repo.SetRecipients(ctx, owner, recipients)
}

// shortestPart is how much of a recipient's beginning names it at least.
const shortestPart = 12

// RecipientsNamed returns the recipients that are named: each in full, by its beginning, or as
// ShortRecipient shows it. It fails with catalog.ErrMisuse if a name is that of none, or of several.
func RecipientsNamed(now, names []string) (named []string, err error) {
	for _, name := range names {
		like := slices.DeleteFunc(slices.Clone(now), func(r string) bool { return !isNamed(r, name) })
		switch {
		case len(like) == 0 && crypto.IsSecretText(name):
			return nil, catalog.Misuse("this is a secret key (an identity), not a recipient; packstone key list shows the recipients")
		case len(like) == 0:
			return nil, catalog.Misuse("%s is not a recipient of this repository", ShortRecipient(name))
		case len(like) > 1:
			return nil, catalog.Misuse("%s could be any of %d recipients: give more of it", name, len(like))
		}
		named = append(named, like[0])
	}
	return named, nil
}

func isNamed(recipient, name string) bool {
	head, tail, _ := strings.Cut(name, "…")
	return recipient == name || len(head) >= shortestPart && strings.HasPrefix(recipient, head) && strings.HasSuffix(recipient, tail)
}

// ParseRecipients parses recipients. It fails with catalog.ErrMisuse if one is invalid, or if
// hybrid and classic ones are mixed.
func ParseRecipients(texts []string) ([]age.Recipient, error) {
	var recipients []age.Recipient
	for _, text := range texts {
		r, err := crypto.ParseRecipient(text)
		if err != nil {
			return nil, catalog.Misuse("recipient: %w", err)
		}
		recipients = append(recipients, r)
	}
	if err := crypto.CheckRecipients(recipients); err != nil {
		return nil, catalog.Misuse("%w", err)
	}
	return recipients, nil
}

// NormalRecipients returns recipients that somebody has named in the form used in the config, each
// once. Its errors are those of ParseRecipients.
func NormalRecipients(texts []string) ([]string, error) {
	recipients, err := ParseRecipients(texts)
	if err != nil {
		return nil, err
	}
	return RecipientTexts(recipients)
}

// RecipientTexts returns recipients in the form used in the config, each once.
func RecipientTexts(recipients []age.Recipient) ([]string, error) {
	var texts []string
	for _, r := range recipients {
		text, err := crypto.RecipientText(r)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts, nil
}

// RecipientsOf returns the recipients that belong to identities.
func RecipientsOf(identities []age.Identity) ([]age.Recipient, error) {
	var recipients []age.Recipient
	for _, identity := range identities {
		r, err := crypto.RecipientOf(identity)
		if err != nil {
			return nil, err
		}
		recipients = append(recipients, r)
	}
	return recipients, nil
}

// PublicKeys returns the recipients of identities, in the form used in the config.
func PublicKeys(identities []age.Identity) ([]string, error) {
	recipients, err := RecipientsOf(identities)
	if err != nil {
		return nil, err
	}
	return RecipientTexts(recipients)
}

// ShortRecipient abbreviates a public key so that it can still be recognized: hybrid ones have two
// thousand characters.
func ShortRecipient(text string) string {
	const head, tail = 20, 8
	if len(text) <= 2*(head+tail) {
		return text
	}
	return text[:head] + "…" + text[len(text)-tail:]
}

// PinOf returns the pin of a repository's owner for an identity file.
func PinOf(repo *catalog.Repository) crypto.OwnerPin {
	return crypto.OwnerPin{Repository: repo.Format.Repository, Owner: repo.Owner()}
}

// Pins reports whether an identity file pins the repository's owner.
func Pins(identities *crypto.IdentityFile, repo *catalog.Repository) bool {
	return slices.ContainsFunc(identities.Owners, func(p crypto.OwnerPin) bool {
		return p.Repository == repo.Format.Repository && p.Owner.Equal(repo.Owner())
	})
}
