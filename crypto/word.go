package crypto

import (
	"fmt"
	"strings"
)

// checkWord accepts what may stand as one word in a key file and in a note's first line: 1 to 128
// printable ASCII characters without space, slash and plus sign.
func checkWord(what, word string) error {
	bad := strings.IndexFunc(word, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '/' || r == '+'
	})
	if word == "" || len(word) > largestWord || bad >= 0 {
		return fmt.Errorf("%s %.64q: want 1 to %d printable characters without space, / and +", what, word, largestWord)
	}
	return nil
}

const largestWord = 128
