package machine

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

// keyFile is the text of the key file of a writer in a repository of its own.
func keyFile(t *testing.T, name string) (key *crypto.WriterFile, text []byte) {
	t.Helper()
	identity, err := crypto.GenerateIdentity(true)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := crypto.RecipientOf(identity)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := crypto.GenerateSigner("owner")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := crypto.GenerateSigner(name)
	if err != nil {
		t.Fatal(err)
	}
	key, err = catalog.Init(t.Context(), memory.New(), owner, signer, []age.Recipient{recipient}, nil, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err = key.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return key, text
}

func TestOnlyAKeyFileOfTheSameMemberIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "db1-2.key")
	key, first := keyFile(t, "db1-2")
	if err := WriteReissued(path, first); err != nil {
		t.Fatal(err)
	}
	again := *key
	var err error
	if again.Signer, err = crypto.GenerateSigner("db1-2"); err != nil {
		t.Fatal(err)
	}
	second, err := again.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteReissued(path, second); err != nil {
		t.Errorf("over what an interrupted call has left: %v", err)
	}
	_, other := keyFile(t, "db1-2")
	if err := WriteReissued(path, other); !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("over the key file of another repository: %v, want %v", err, catalog.ErrRefused)
	}
	if is, err := os.ReadFile(path); err != nil || string(is) != string(second) {
		t.Errorf("the file is %q, %v", is, err)
	}
	if err := os.WriteFile(path, []byte("notes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteReissued(path, first); !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("over a file that is no key: %v, want %v", err, catalog.ErrRefused)
	}
}
