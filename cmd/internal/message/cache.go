package message

import (
	"fmt"
	"time"

	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
)

// Cache is the cache of a repository in the JSON array of cache.
type Cache struct {
	Directory output.Name `json:"directory" doc:"Where it is."`
	Bytes     int64       `json:"bytes" doc:"Bytes of its files."`
	Used      time.Time   `json:"used" doc:"When a file in it was changed last."`
	Removed   bool        `json:"removed,omitempty" doc:"Whether --cleanup has removed it, or would have after a dry run."`
}

// CachesOf lists the caches below a directory, and which are old and were removed, or with dry would
// be.
func CachesOf(root string, caches []machine.CacheOf, old map[string]bool, dry bool) ([]Cache, output.Table) {
	word := "removed"
	if dry {
		word = "would be removed"
	}
	rows, table := []Cache{}, output.Table{Head: []string{"USED", "SIZE", "CACHE"}, Right: []int{1}, Cut: []int{2}}
	for _, c := range caches {
		gone := old[c.Directory]
		rows = append(rows, Cache{Directory: output.Name(c.Directory), Bytes: c.Bytes, Used: c.Used, Removed: gone})
		table.Rows = append(table.Rows, []string{output.Time(c.Used), output.Bytes(c.Bytes), c.Directory + output.Mark(gone, word)})
	}
	table.Footer = fmt.Sprintf("%s in %s", output.Plural(len(caches), "cache"), root)
	return rows, table
}
