// Package sabotage leaves out, one by one, what keeps a repository from losing anything, so that
// tests can prove that they notice. Only a program that is built with the tag sabotage can do that;
// in every other build Has is a constant, and the compiler removes what depends on it.
package sabotage

// Act is one thing that is left out or done wrongly.
type Act string

// The acts.
const (
	NoSync       Act = "no fsync"                               // an object is reported as kept before it is on the disk
	NoRescan     Act = "no re-scan"                             // a collector sweeps what it has condemned, whatever was committed since
	CommitFirst  Act = "commit before packs"                    // a backup does not wait until its packs are stored
	NoIDCheck    Act = "a skipped id check"                     // what is read from a pack is not compared with the chunk's id
	NoRetry      Act = "a skipped retry"                        // the first failure is final
	NoDrain      Act = "a prune that ignores sessions"          // a collector does not wait for those who are writing
	ForeignRun   Act = "a checkpoint of another run superseded" // a commit supersedes every checkpoint of its writer
	BelieveLate  Act = "a late put believed after a roll-up"    // a record counts for its writer though the roll-up has gone past it
	DeleteUnread Act = "--delete of what is unknown"            // what a backup could not read is removed like what was not there
)

// Acts lists all acts.
var Acts = []Act{NoSync, NoRescan, CommitFirst, NoIDCheck, NoRetry, NoDrain, ForeignRun, BelieveLate, DeleteUnread}
