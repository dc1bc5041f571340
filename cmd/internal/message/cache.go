package message

import (
	"time"

	"github.com/packstone/packstone/cmd/internal/output"
)

// Cache is the cache of a repository in the JSON array of cache.
type Cache struct {
	Directory output.Name `json:"directory" doc:"Where it is."`
	Bytes     int64       `json:"bytes" doc:"Bytes of its files."`
	Used      time.Time   `json:"used" doc:"When a file in it was changed last."`
	Removed   bool        `json:"removed,omitempty" doc:"Whether --cleanup has removed it, or would have after a dry run."`
}
