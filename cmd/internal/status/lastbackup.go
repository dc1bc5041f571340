package status

import (
	"encoding/json"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
)

// lastBackupFile is its name in the cache.
const lastBackupFile = "last-backup.json"

// RememberBackup keeps in a cache what a backup asked of the storage, for Of. A cache that cannot be
// written has been warned of by then, so that is no error here.
func RememberBackup(cache *catalog.Cache, m *message.Backup, now time.Time) {
	last := message.LastBackup{SnapshotID: m.SnapshotID, Set: output.Name(m.Set), Ended: now, Duration: m.TotalDuration, Requests: m.Requests}
	if data, err := json.Marshal(last); err == nil {
		_ = cache.Write(lastBackupFile, data)
	}
}

// recallBackup returns what a cache remembers, nil if nothing.
func recallBackup(cache *catalog.Cache) *message.LastBackup {
	data, err := cache.Read(lastBackupFile)
	if err != nil {
		return nil
	}
	var last message.LastBackup
	if json.Unmarshal(data, &last) != nil || last.Ended.IsZero() {
		return nil
	}
	return &last
}
