package admin

import (
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/crypto/sheet"
)

// SheetOf returns the recovery sheet of a repository at an address, with the identity among those
// given that reads what is written now. It fails with catalog.ErrMisuse if several do, since a
// sheet has one.
func SheetOf(repo *catalog.Repository, address string, identities []age.Identity) (sheet.Sheet, error) {
	var found age.Identity
	var names []string
	for _, identity := range identities {
		texts, err := PublicKeys([]age.Identity{identity})
		if err != nil {
			return sheet.Sheet{}, err
		}
		if name := ShortRecipient(texts[0]); slices.Contains(repo.Config.Recipients, texts[0]) && !slices.Contains(names, name) {
			found, names = identity, append(names, name)
		}
	}
	switch len(names) {
	case 0:
		return sheet.Sheet{}, fmt.Errorf("%w: none of the identities at hand reads what is written now; name the file of one that does with -i", catalog.ErrNoIdentity)
	case 1:
		return PublicSheetOf(repo, address).WithIdentity(found)
	}
	return sheet.Sheet{}, catalog.Misuse("a sheet has one identity, and %d at hand read this repository (%s): name the file of one with -i", len(names), strings.Join(names, ", "))
}

// PublicSheetOf returns the sheet of a repository at an address, without a secret.
func PublicSheetOf(repo *catalog.Repository, address string) sheet.Sheet {
	return sheet.Sheet{Address: address, Owner: PinOf(repo)}
}

// CheckSheet fails with catalog.ErrUntrusted unless a sheet is of this repository, and with
// crypto.ErrWrongIdentity if its identity is not a recipient of what is written now.
func CheckSheet(repo *catalog.Repository, s sheet.Sheet) error {
	if s.Owner.Repository != repo.Format.Repository {
		return fmt.Errorf("the sheet is of repository %s, and at this address is %s: %w", s.Owner.Repository, repo.Format.Repository, catalog.ErrUntrusted)
	}
	if !s.Owner.Owner.Equal(repo.Owner()) {
		return fmt.Errorf("the sheet names another owner than the repository has: %w", catalog.ErrUntrusted)
	}
	if s.Identity == nil {
		return nil
	}
	texts, err := PublicKeys([]age.Identity{s.Identity})
	if err == nil && !slices.Contains(repo.Config.Recipients, texts[0]) {
		err = fmt.Errorf("the sheet's identity was removed from the recipients: %w", crypto.ErrWrongIdentity)
	}
	return err
}
