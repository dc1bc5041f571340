package bucket

import (
	"net/http"
	"testing"
)

func TestOnlyAHashOfTheWholeObjectIsItsChecksum(t *testing.T) {
	const whole = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
	for name, test := range map[string]struct {
		sum, kind string
		known     bool
	}{
		"of the whole":                {whole, "FULL_OBJECT", true},
		"of servers that say no kind": {whole, "", true},
		"of parts":                    {whole + "-3", "COMPOSITE", false},
		"of parts, without number":    {whole, "COMPOSITE", false},
		"too short":                   {"ungWv48B", "", false},
		"none":                        {"", "", false},
	} {
		h := http.Header{}
		h.Set("X-Amz-Checksum-Sha256", test.sum)
		h.Set("X-Amz-Checksum-Type", test.kind)
		if got := sumOf(h); (len(got) == 32) != test.known {
			t.Errorf("%s: %q %s: got %x", name, test.sum, test.kind, got)
		}
	}
}
