package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
)

// lastBackup is the last backup that this machine has made into a repository, as its cache
// remembers it.
type lastBackup struct {
	SnapshotID string       `json:"snapshot_id" doc:"The snapshot."`
	Set        output.Name  `json:"set" doc:"The set; empty for paths."`
	Ended      time.Time    `json:"ended" doc:"When the backup ended, by this machine's clock."`
	Duration   float64      `json:"duration" doc:"Seconds."`
	Requests   count.Totals `json:"requests" doc:"Requests to the storage."`
}

// lastBackupFile is its name in the cache.
const lastBackupFile = "last-backup.json"

// rememberBackup keeps what a backup asked of the storage, for status. A cache that cannot be
// written has been warned of by then.
func rememberBackup(cache *catalog.Cache, m *message.Backup, now time.Time) {
	last := lastBackup{SnapshotID: m.SnapshotID, Set: output.Name(m.Set), Ended: now, Duration: m.TotalDuration, Requests: m.Requests}
	if data, err := json.Marshal(last); err == nil {
		_ = cache.Write(lastBackupFile, data)
	}
}

// recallBackup returns what the cache remembers, nil if nothing.
func recallBackup(cache *catalog.Cache) *lastBackup {
	data, err := cache.Read(lastBackupFile)
	if err != nil {
		return nil
	}
	var last lastBackup
	if json.Unmarshal(data, &last) != nil || last.Ended.IsZero() {
		return nil
	}
	return &last
}

func (b *lastBackup) text() string {
	what := "paths"
	if b.Set != "" {
		what = "set " + b.Set.String()
	}
	return fmt.Sprintf("last backup from here: %s, %s, in %.1f s; %s", what, output.Time(b.Ended), b.Duration, message.Requests(b.Requests))
}
