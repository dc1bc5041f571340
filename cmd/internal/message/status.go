package message

import (
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/output"
)

// Status is what status prints as JSON.
type Status struct {
	Repository string          `json:"repository" doc:"Where the repository is."`
	ID         string          `json:"id" doc:"The repository's id."`
	Owner      string          `json:"owner" doc:"The fingerprint of the owner's key."`
	Recipients int             `json:"recipients" doc:"How many keys open what is written now."`
	Sets       []StatusSet     `json:"sets" doc:"The last snapshot of each set of each host; empty without an identity."`
	Writers    []StatusWriter  `json:"writers" doc:"The hosts that may write, and those that no longer may."`
	Sessions   []StatusSession `json:"open_sessions" doc:"Backups that run now, or were interrupted."`
	Packs      uint64          `json:"packs" doc:"Packs of content and trees that backups have published."`
	Bytes      uint64          `json:"total_size" doc:"Their bytes."`
	Problems   []string        `json:"problems" doc:"What is wrong with records."`
	Unknown    []string        `json:"unknown" doc:"What cannot be told with the keys at hand."`
	Requests   count.Totals    `json:"requests" doc:"Requests of this command to the storage."`
	Health     []StatusHealth  `json:"health" doc:"How the sets are that the settings want to be backed up, by schedule or max_age."`
	Outcomes   []StatusOutcome `json:"outcomes" doc:"Jobs of packstone run on any host that failed, or found damage, and were not done since, as their hosts wrote it down; empty without an identity."`
	Faults     []StatusFault   `json:"faults" doc:"The last runs of packstone run on this host that failed, were incomplete or interrupted, the newest first."`
	Growth     int64           `json:"stored_last_week,omitempty" doc:"Bytes that jobs on this host have stored in the last seven days."`
	Locks      *StatusLocks    `json:"locks,omitempty" doc:"Until when everything is locked, as the last packstone keep on this machine has found."`
	LastBackup *LastBackup     `json:"last_backup,omitempty" doc:"The last backup from this machine, as its cache remembers it."`
}

// StatusSet is the last snapshot of a set of a host.
type StatusSet struct {
	Set        output.Name `json:"set" doc:"The set; empty for paths."`
	Hostname   output.Name `json:"hostname" doc:"The host that took it."`
	SnapshotID string      `json:"snapshot_id" doc:"The last snapshot."`
	Time       time.Time   `json:"time" doc:"When it was taken."`
	Age        int64       `json:"age_seconds" doc:"How long ago that was."`
	Duration   float64     `json:"duration_seconds" doc:"How long the backup took."`
	Complete   bool        `json:"complete" doc:"Whether everything that was to be backed up is in it."`
	Tripwire   []Trip      `json:"tripwire,omitempty" doc:"What looks like a loss in it, against the snapshots before."`
	Snapshots  int         `json:"snapshots_count" doc:"How many snapshots of the set and host there are."`
}

// StatusWriter is a host that may write.
type StatusWriter struct {
	Name       string    `json:"name" doc:"The writer's name."`
	Revoked    bool      `json:"revoked" doc:"Whether it may write no more."`
	Lanes      int       `json:"lanes" doc:"How many chains of records it has begun."`
	Records    int       `json:"records" doc:"How many records it has written."`
	LastCommit time.Time `json:"last_commit,omitzero" doc:"When it last committed a snapshot, by the storage's clock."`
	Failed     time.Time `json:"failed,omitzero" doc:"When it told that a job of it has failed, or found damage, and was not done since; packstone run tells it."`
}

// StatusSession is a session without a record.
type StatusSession struct {
	Lane  string    `json:"lane" doc:"The writer and the number of its chain of records."`
	Since time.Time `json:"since" doc:"When it began, by the storage's clock."`
}

// StatusHealth is how a set of a host is that the settings want to be backed up, by schedule or
// max_age.
type StatusHealth struct {
	Set         output.Name  `json:"set" doc:"The set."`
	Hostname    output.Name  `json:"hostname" doc:"The host."`
	State       health.State `json:"state" doc:"protected, or the gravest of damaged, late, failed, never, tripped, drill_failed and incomplete."`
	Since       time.Time    `json:"since,omitzero" doc:"Since when, where that is known."`
	Cause       string       `json:"cause,omitempty" doc:"Why it is not protected."`
	Newest      time.Time    `json:"newest_complete,omitzero" doc:"When the newest complete snapshot was taken."`
	Age         int64        `json:"age_seconds,omitempty" doc:"How long ago that was."`
	MaxAge      int64        `json:"max_age_seconds,omitempty" doc:"How old it may be."`
	LastSuccess time.Time    `json:"last_success,omitzero" doc:"When packstone run last made a complete backup of it here."`
	Failures    int          `json:"failures,omitempty" doc:"How many runs in a row have failed."`
	Duration    float64      `json:"last_run_seconds,omitempty" doc:"How long the last run took, where that is known."`
}

// StatusFault is a run of a job on this host that did not do all that it was to do.
type StatusFault struct {
	Job     string         `json:"job" doc:"The job: backup and its set, forget, prune, check, copy or drill."`
	Began   time.Time      `json:"began" doc:"When it began."`
	Outcome health.Outcome `json:"outcome" doc:"incomplete, failed or interrupted."`
	Code    int            `json:"code" doc:"The exit code that the verb would have ended with."`
	Cause   string         `json:"cause" doc:"Why."`
}

// StatusOutcome is a job of a host that failed, and was not done since.
type StatusOutcome struct {
	Job      string         `json:"job" doc:"The job: backup, forget, prune, check, copy or drill."`
	Set      output.Name    `json:"set,omitempty" doc:"The set of a backup or a retention."`
	Hostname output.Name    `json:"hostname" doc:"The host that ran it."`
	Outcome  health.Outcome `json:"outcome" doc:"incomplete or failed."`
	Began    time.Time      `json:"began" doc:"When the run that was told last began."`
	Duration float64        `json:"duration" doc:"Seconds that it took."`
	Code     int            `json:"code" doc:"The exit code that the verb would have ended with."`
	Cause    string         `json:"cause" doc:"Why."`
	Since    time.Time      `json:"since,omitzero" doc:"Since when it has failed."`
	Told     time.Time      `json:"told" doc:"When the host has written it down, by the storage's clock."`
}

// StatusLocks is what the last packstone keep on this machine has found.
type StatusLocks struct {
	Until    time.Time      `json:"until" doc:"When the first lock ends of what a restore needs."`
	Mode     store.LockMode `json:"mode" doc:"GOVERNANCE or COMPLIANCE."`
	At       time.Time      `json:"at" doc:"When that was found."`
	Objects  int            `json:"objects" doc:"How many objects are locked."`
	Bytes    int64          `json:"bytes" doc:"Their bytes."`
	Withheld int            `json:"withheld,omitempty" doc:"New packs that were not extended, since there are too many."`
}

// LastBackup is the last backup that this machine has made into a repository, as its cache
// remembers it.
type LastBackup struct {
	SnapshotID string       `json:"snapshot_id" doc:"The snapshot."`
	Set        output.Name  `json:"set" doc:"The set; empty for paths."`
	Ended      time.Time    `json:"ended" doc:"When the backup ended, by this machine's clock."`
	Duration   float64      `json:"duration" doc:"Seconds."`
	Requests   count.Totals `json:"requests" doc:"Requests to the storage."`
}
