package store

// Versions says what a bucket keeps of objects that are overwritten or deleted.
type Versions struct {
	Kept      bool // every version from now on
	Suspended bool // only versions of before
	// Days is how long a lifecycle rule leaves a version that was replaced; 0 if none deletes it.
	Days int
	// Untold is why Days is not known, nil if it is.
	Untold error
}
