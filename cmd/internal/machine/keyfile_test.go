package machine

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/catalog/admin"
)

// keyText is a key whose file has this text.
type keyText string

func (k keyText) Encode() ([]byte, error) { return []byte(k), nil }

// admits stores the key first, as admin.Admit does, and fails then with an error.
func admits(err error) func(keep admin.Keep) error {
	return func(keep admin.Keep) error {
		if keep == nil {
			return err
		}
		drop, bad := keep()
		if bad != nil {
			return bad
		}
		if err != nil {
			return errors.Join(err, drop())
		}
		return nil
	}
}

func TestAKeyIsHandedOverInAFileOrAsText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db1.key")
	if text, err := HandOver(keyText("secret"), "", admits(nil)); text != "secret" || err != nil {
		t.Errorf("as text: %q, %v", text, err)
	}
	if text, err := HandOver(keyText("secret"), path, admits(nil)); text != "" || err != nil {
		t.Errorf("in a file: %q, %v", text, err)
	}
	if text, err := os.ReadFile(path); string(text) != "secret" || err != nil {
		t.Errorf("the file has %q, %v", text, err)
	}
	if _, err := HandOver(keyText("other"), path, admits(nil)); err == nil {
		t.Error("a file was replaced")
	}
}

func TestOfAKeyThatIsNotAdmittedNothingIsLeft(t *testing.T) {
	path, refused := filepath.Join(t.TempDir(), "db1.key"), errors.New("refused")
	for _, to := range []string{"", path} {
		if text, err := HandOver(keyText("secret"), to, admits(refused)); text != "" || !errors.Is(err, refused) {
			t.Errorf("to %q: %q, %v", to, text, err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
}
