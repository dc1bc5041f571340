// Package rows is how a backup stores the rows of a database: for each table a base run with all
// rows and delta runs with what changed since, as STREAM.md describes. [WriteBase] and [WriteDelta]
// write them, [Read] merges them, and [Open] gives a stored database as a [database.Source].
package rows

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// The formats are described in STREAM.md.
const (
	baseMagic  = "packrow1"
	deltaMagic = "packdlt1"

	opEnd    = 0
	opCopy   = 1
	opSkip   = 2
	opInsert = 3
)

// Names of entries beside the tables.
const (
	SchemaEntry = "schema.json"
	TablesEntry = "tables.json"
	ReportEntry = "report.json"
)

// errStream is what every malformed stream is.
var errStream = errors.New("malformed row stream")

// Stored says where a table's rows lie.
type Stored struct {
	Table  string          `json:"table"` // ID
	Runs   []Run           `json:"runs"`  // a base, then deltas in order
	Rows   int64           `json:"rows"`
	Digest database.Digest `json:"digest"`
}

// Run is one entry that holds rows.
type Run struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// maxDeltas is how many deltas a base may have.
const maxDeltas = 16

// Fold says that a change of the table is to be written as a new base: there is
// none yet, it has as many deltas as it may have, or they are as large as they
// may be (Budget).
func (s *Stored) Fold() bool { return len(s.Runs) == 0 || len(s.Runs) > maxDeltas || s.Budget() <= 0 }

// Budget is how many bytes a further delta may have before a new base is better.
func (s *Stored) Budget() int64 {
	if len(s.Runs) == 0 {
		return 0
	}
	budget := s.Runs[0].Bytes / 5
	for _, r := range s.Runs[1:] {
		budget -= r.Bytes
	}
	return budget
}

// RunPath names the entry of a table's nth run.
func RunPath(table string, n int, delta bool) string {
	kind := "base"
	if delta {
		kind = "delta"
	}
	return fmt.Sprintf("tables/%s/%d.%s", escape(table), n, kind)
}

func escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		plain := c == '_' || c == '-' || c == '.' && i > 0 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if plain {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() <= 150 {
		return b.String()
	}
	sum := sha256.Sum256([]byte(name))
	return b.String()[:150] + "~" + hex.EncodeToString(sum[:8])
}
