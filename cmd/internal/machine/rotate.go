package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/crypto"
)

// OwnKeys are the key files of members that this machine has for a repository.
type OwnKeys struct {
	Keys    []string // the public keys of those with the keys of the present domain
	Renewed []string // the paths of the files that got them now
}

// RenewKeys gives the key files of this machine the keys of the domain with which a repository is
// written. Each file is replaced as a whole, and names and signing keys stay.
func (m *Machine) RenewKeys(repo *catalog.Repository) (own OwnKeys, err error) {
	if err := m.renewWriter(repo, &own); err != nil {
		return own, err
	}
	return own, m.renewCollector(repo, &own)
}

// KeysAtHand returns the public keys of the members whose key files this machine has for a repository.
func (m *Machine) KeysAtHand(repo *catalog.Repository) (keys []string, err error) {
	writer, err := m.ownWriter(repo)
	if err != nil {
		return nil, err
	}
	if writer != nil {
		keys = append(keys, writer.Signer.Verifier().Text())
	}
	collector, err := m.ownCollector(repo)
	if collector != nil {
		keys = append(keys, collector.Signer.Verifier().Text())
	}
	return keys, err
}

// ownWriter returns this host's key for a repository, nil if it has none.
func (m *Machine) ownWriter(repo *catalog.Repository) (*crypto.WriterFile, error) {
	key, err := m.Writer(repo.Format.Repository)
	if errors.Is(err, fs.ErrNotExist) || key != nil && key.Repository != repo.Format.Repository {
		return nil, nil
	}
	return key, err
}

// ownCollector returns the key of a collector or keeper of a repository, nil if none is named.
func (m *Machine) ownCollector(repo *catalog.Repository) (*crypto.CollectorFile, error) {
	key, err := m.Collector()
	if key != nil && key.Repository != repo.Format.Repository {
		return nil, nil
	}
	return key, err
}

func (m *Machine) renewWriter(repo *catalog.Repository, own *OwnKeys) error {
	key, err := m.ownWriter(repo)
	if err != nil || key == nil {
		return err
	}
	own.Keys = append(own.Keys, key.Signer.Verifier().Text())
	next, err := admin.RenewWriter(repo, key)
	if err != nil || next == nil {
		return err
	}
	return own.renew(m.writerFile(repo), next)
}

// renewCollector is renewWriter for the key of a collector or a keeper.
func (m *Machine) renewCollector(repo *catalog.Repository, own *OwnKeys) error {
	key, err := m.ownCollector(repo)
	if err != nil || key == nil {
		return err
	}
	own.Keys = append(own.Keys, key.Signer.Verifier().Text())
	next, err := admin.RenewCollector(repo, key)
	if err != nil || next == nil {
		return err
	}
	path, err := m.collectorPath()
	if err != nil {
		return err
	}
	return own.renew(path, next)
}

// writerFile returns the path of this host's key for a repository.
func (m *Machine) writerFile(repo *catalog.Repository) string {
	if path, err := m.WriterPath(); err == nil && path != "" {
		return path
	}
	return m.Paths.WriterFile(repo.Format.Repository)
}

func (own *OwnKeys) renew(path string, key interface{ Encode() ([]byte, error) }) error {
	text, err := key.Encode()
	if err != nil {
		return err
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // so that a link stays one
	}
	if err := replaceKey(path, text); err != nil {
		return err
	}
	own.Renewed = append(own.Renewed, path)
	return nil
}

// Reissued is a key file that was made for a member, in the place of another one.
type Reissued struct {
	Old, Next catalog.Member
	File      string
}

// Reissue renews this machine's own key files, and makes those of all other members in a directory,
// whose old keys it revokes; with an empty directory it makes none. If it was interrupted it can be
// called again.
func (m *Machine) Reissue(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, directory string) (own OwnKeys, made []Reissued, err error) {
	if own, err = m.RenewKeys(repo); err != nil || directory == "" {
		return own, nil, err
	}
	place := func(name string) string { return filepath.Join(directory, name+".key") }
	err = admin.Reissue(ctx, repo, owner, admin.Reissuing{
		Renewed: own.Keys,
		Keep:    func(name string, file []byte) error { return WriteReissued(place(name), file) },
		Done:    func(old, next catalog.Member) { made = append(made, Reissued{old, next, place(admin.NameOf(next))}) },
	})
	return own, made, err
}

// Rotate changes a repository to a new domain if r says that it is needed, and then does what Reissue
// does. If the change was made, its errors say so.
func (m *Machine) Rotate(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, r *admin.Rotation, directory string) (own OwnKeys, made []Reissued, err error) {
	if directory != "" {
		if err := tryDirectory(directory); err != nil {
			return own, nil, fmt.Errorf("nothing was changed: %w", err)
		}
	}
	if err := r.Make(ctx, owner); err != nil {
		return own, nil, err
	}
	if own, made, err = m.Reissue(ctx, repo, owner, directory); err != nil {
		err = fmt.Errorf("the repository is written with domain %d; to make the key files that are missing, run the same command again: %w", repo.Config.Domain, err)
	}
	return own, made, err
}

// tryDirectory makes a directory for key files, and returns an error if none can be written there.
func tryDirectory(directory string) error {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return fmt.Errorf("make a directory for key files: %w", err)
	}
	file, err := os.CreateTemp(directory, ".try-")
	if err != nil {
		return fmt.Errorf("write key files: %w", err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// WriteReissued writes the key file of a member that is about to be admitted. It replaces a file
// with another key of that member, which an interrupted call has left, but no other file.
func WriteReissued(path string, text []byte) error {
	if old, err := os.ReadFile(path); err == nil && holderOf(old) != "" && holderOf(old) == holderOf(text) {
		return replaceKey(path, text)
	}
	return WriteKey(path, text)
}

// holderOf returns the kind, repository and name of the member whose key file a text is, "" if it is
// none.
func holderOf(text []byte) string {
	if key, err := crypto.ParseWriterFile(bytes.NewReader(text)); err == nil {
		return "writer " + key.Repository + " " + key.Signer.Name()
	}
	if key, err := crypto.ParseCollectorFile(bytes.NewReader(text)); err == nil {
		return "collector " + key.Repository + " " + key.Signer.Name()
	}
	return ""
}
