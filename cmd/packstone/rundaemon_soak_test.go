//go:build soak

package main

import (
	"testing"
	"time"
)

// TestSoakADaemonForTenMinutes runs a daemon with minute schedules on PostgreSQL, SFTP, an S3 lake
// and files, stored in S3: the storage is stopped, killed and brought back, and the daemon killed
// in the middle of a backup.
func TestSoakADaemonForTenMinutes(t *testing.T) {
	t.Parallel() // it waits most of the time
	newDay(t, "* * * * *").live(10 * time.Minute)
}
