package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/packstone/packstone/archive"
)

// The limits of one record. A writer may be hostile, and a few kilobytes can unpack to very much.
const (
	maxRecord   = 32 << 20 // bytes of the object
	maxSealed   = 16 << 20 // bytes of its sealed part, unpacked
	boundedJSON = 64 << 10 // bytes of JSON below which nothing is counted
	maxObjects  = 1 << 16
	maxTokens   = 1 << 20
)

// checkJSON fails with ErrDamaged if decoding text would take much more memory than the text
// itself.
func checkJSON(text []byte) error {
	if len(text) <= boundedJSON {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	objects, tokens := 0, 0
	for objects <= maxObjects && tokens <= maxTokens {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read JSON: %w: %w", archive.ErrDamaged, err)
		}
		tokens++
		if token == json.Delim('{') {
			objects++
		}
	}
	return fmt.Errorf("more than %d objects or %d values: %w", maxObjects, maxTokens, archive.ErrDamaged)
}
