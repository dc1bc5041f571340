package catalog

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func TestWhatWasBackedUpLongestAgoIsForgottenWhereMuchIsRemembered(t *testing.T) {
	c := OpenCache(t.TempDir())
	const all = mostLast + 20
	for i := range all {
		for _, suffix := range []string{lastSuffix, pagesSuffix} {
			name := lastName(fmt.Sprint(i)) + suffix
			if err := c.Write(name, nil); err != nil {
				t.Fatal(err)
			}
			at := time.Unix(int64(1_000_000+i), 0)
			if err := os.Chtimes(c.Path(name), at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.forgetOldest()
	for i := range all {
		for _, suffix := range []string{lastSuffix, pagesSuffix} {
			_, err := c.Read(lastName(fmt.Sprint(i)) + suffix)
			if got, want := err == nil, i >= all-mostLast; got != want {
				t.Errorf("thing %d, %s: is remembered: %v, want %v", i, suffix, got, want)
			}
		}
	}
	OpenCache("").forgetOldest() // no cache
}
