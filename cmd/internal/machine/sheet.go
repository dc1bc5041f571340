package machine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/input"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/crypto/sheet"
)

// AddressForOthers returns the address of the repository as it reads on another machine, as far as
// there is such a form: a directory with its whole path.
func (m *Machine) AddressForOthers() (string, error) {
	at, err := m.Repository()
	if err != nil {
		return "", err
	}
	if at.Kind == config.Local {
		return locationOf(at), nil
	}
	return at.String(), nil
}

// Sheet returns the recovery sheet of the repository, with the identity at hand or without. It names
// the server of a bucket if only the environment of AWS does.
func (m *Machine) Sheet(ctx context.Context, withIdentity bool) (s sheet.Sheet, err error) {
	address, err := m.AddressForOthers()
	if err != nil {
		return sheet.Sheet{}, err
	}
	if server := cmp.Or(m.Env["AWS_ENDPOINT_URL_S3"], m.Env["AWS_ENDPOINT_URL"]); strings.HasPrefix(address, "s3://") && !strings.Contains(server, "@") {
		defer func() { s.Server = server }()
	}
	if !withIdentity {
		repo, err := m.OpenAnyKeys(ctx)
		if err != nil {
			return sheet.Sheet{}, err
		}
		return admin.PublicSheetOf(repo, address), nil
	}
	repo, _, err := m.OpenRepository(ctx, MustRead)
	if err != nil {
		return sheet.Sheet{}, err
	}
	identities, err := m.NeedIdentities(ctx)
	if err != nil {
		return sheet.Sheet{}, err
	}
	return admin.SheetOf(repo, address, identities.Identities)
}

// ReadSheet reads the whole sheet in a file, or in standard input if the name is "-". It fails with
// catalog.ErrMisuse if that is a share.
func (m *Machine) ReadSheet(name string) (sheet.Sheet, error) {
	in, err := m.openSheet(name)
	if err != nil {
		return sheet.Sheet{}, err
	}
	defer in.Close()
	s, err := sheet.Read(in)
	if s.Identity != nil {
		m.warnReadable(name)
	}
	switch {
	case err != nil:
		return s, fmt.Errorf("read sheet %s: %w", name, err)
	case s.Share != nil:
		return s, catalog.Misuse("%s is share %d of %d, any %d of which have the identity: put them together with packstone key join", name,
			s.Share.Number, s.Share.Total, s.Share.Threshold)
	}
	return s, nil
}

// JoinSheets puts together the shares in files, each of which may hold several; "-" is standard
// input. It fails if a file cannot be opened, or if there are too few good shares.
func (m *Machine) JoinSheets(names []string) (*sheet.Joined, error) {
	var parts []sheet.Part
	for _, name := range names {
		found, err := m.readSheets(name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, found...)
	}
	return sheet.Join(parts)
}

// readSheets reads all sheets in a file. It fails only if the file cannot be opened.
func (m *Machine) readSheets(name string) ([]sheet.Part, error) {
	in, err := m.openSheet(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	parts, err := sheet.ReadAll(in, name)
	if err != nil {
		parts = []sheet.Part{{Name: name, Err: err}}
	}
	return parts, nil
}

func (m *Machine) openSheet(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(input.Until(m.Done, m.Stdin)), nil
	}
	file, err := m.openFile(name)
	if err != nil {
		return nil, unusable("open sheet: %w", err)
	}
	return file, nil
}

// OpenFromSheet opens the repository of a sheet with the sheet's identity, or, if it has none, with
// those at hand. It trusts the sheet's owner alone, and fails with catalog.ErrUntrusted if another
// repository is there. An address that was named takes precedence over the sheet's.
func (m *Machine) OpenFromSheet(ctx context.Context, s sheet.Sheet) (*catalog.Repository, error) {
	if !m.RepositoryIsNamed() {
		m.Flags.Repository = s.Address
	}
	if s.Identity != nil {
		m.Hold(&crypto.IdentityFile{Identities: []age.Identity{s.Identity}, Owners: []crypto.OwnerPin{s.Owner}})
	}
	m.Flags.AcceptOwner = []crypto.Fingerprint{s.Owner.Owner.Fingerprint()}
	repo, _, err := m.OpenRepository(ctx, MustRead)
	if err != nil {
		return nil, err
	}
	return repo, admin.CheckSheet(repo, s)
}

// TakeIdentity proves that what a sheet says is true of the repository, unless offline, and writes
// the sheet's identity to a file, unless that is "".
func (m *Machine) TakeIdentity(ctx context.Context, s sheet.Sheet, file string, offline bool) error {
	if !offline {
		if _, err := m.OpenFromSheet(ctx, s); err != nil {
			return err
		}
	}
	if file == "" {
		return nil
	}
	return WriteSheetIdentity(file, s)
}

// WriteSheetIdentity writes the identity of a sheet to a file, with the owner whom to trust. It
// never replaces a file.
func WriteSheetIdentity(path string, s sheet.Sheet) error {
	var text bytes.Buffer
	err := crypto.WriteIdentityFile(&text, crypto.IdentityFile{Identities: []age.Identity{s.Identity}, Owners: []crypto.OwnerPin{s.Owner}},
		crypto.IdentityFileOptions{Comments: []string{anIdentity}, Created: time.Now()})
	if err != nil {
		return err
	}
	return WriteKey(path, text.Bytes())
}

// KeyText is a key file that is to be written.
type KeyText struct {
	Path string
	Text []byte
}

// ShareFiles returns the files of shares in a directory: share-1-of-3.txt and so on.
func ShareFiles(directory string, shares []sheet.Sheet, f sheet.Format, made time.Time) (files []KeyText, err error) {
	for _, s := range shares {
		text, err := s.In(f, made)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("share-%d-of-%d%s", s.Share.Number, s.Share.Total, f.Ending())
		files = append(files, KeyText{Path: filepath.Join(directory, name), Text: text})
	}
	return files, nil
}

// WriteKeys creates several key files, or none.
func WriteKeys(files []KeyText) error {
	for i, file := range files {
		if err := WriteKey(file.Path, file.Text); err != nil {
			for _, written := range files[:i] {
				err = errors.Join(err, os.Remove(written.Path))
			}
			return err
		}
	}
	return nil
}
