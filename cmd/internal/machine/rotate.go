package machine

import (
	"bytes"
	"errors"
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
	writer, err := m.Writer(repo.Format.Repository)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return own, err
	}
	if writer != nil && writer.Repository == repo.Format.Repository {
		next, err := admin.RenewWriter(repo, writer)
		if err == nil && next != nil {
			err = own.renew(m.writerFile(repo), next)
		}
		if err != nil {
			return own, err
		}
		own.Keys = append(own.Keys, writer.Signer.Verifier().Text())
	}
	collector, err := m.Collector()
	if err != nil || collector == nil || collector.Repository != repo.Format.Repository {
		return own, err
	}
	next, err := admin.RenewCollector(repo, collector)
	if err == nil && next != nil {
		var path string
		if path, err = m.collectorPath(); err == nil {
			err = own.renew(path, next)
		}
	}
	own.Keys = append(own.Keys, collector.Signer.Verifier().Text())
	return own, err
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
	own.Renewed = append(own.Renewed, path)
	return replaceKey(path, text)
}

// WriteReissued writes the key file of a member that is about to be admitted. It replaces a file
// with an unused key of the same name, which an interrupted call has left, but no other file.
func WriteReissued(path string, text []byte) error {
	if isUnused(path, text) {
		return replaceKey(path, text)
	}
	return WriteKey(path, text)
}

// isUnused reports whether a file has a key of the same member and repository as text.
func isUnused(path string, text []byte) bool {
	old, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	if was, err := crypto.ParseWriterFile(bytes.NewReader(old)); err == nil {
		now, err := crypto.ParseWriterFile(bytes.NewReader(text))
		return err == nil && now.Repository == was.Repository && now.Signer.Name() == was.Signer.Name()
	}
	was, err := crypto.ParseCollectorFile(bytes.NewReader(old))
	if err != nil {
		return false
	}
	now, err := crypto.ParseCollectorFile(bytes.NewReader(text))
	return err == nil && now.Repository == was.Repository && now.Signer.Name() == was.Signer.Name()
}
