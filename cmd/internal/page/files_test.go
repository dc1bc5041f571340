package page

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/cmd/internal/config"
)

func TestFilesOfThePageAreReadIfTheyAreThere(t *testing.T) {
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	none, garbage, empty := filepath.Join(folder, "none"), file("garbage", "no certificate"), file("empty", "")
	for _, test := range []struct {
		serve config.Serve
		good  bool
	}{
		{config.Serve{}, true},
		{config.Serve{TokenFile: none, TLSCertFile: none, TLSKeyFile: none}, true},
		{config.Serve{TokenFile: empty}, false},
		{config.Serve{TLSCertFile: garbage, TLSKeyFile: garbage}, false},
		{config.Serve{TLSCertFile: garbage, TLSKeyFile: none}, true},
	} {
		if err := CheckFiles(&config.Config{Serve: test.serve}); (err == nil) != test.good {
			t.Errorf("%+v: %v", test.serve, err)
		}
	}
}
